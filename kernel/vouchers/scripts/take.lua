-- Takes a hold, or finds the one that this order, or this very request, took before.
-- ARGV now order_id user amount hold_ms request (may be empty)
-- Returns CLOSED; USED (by this user, as often as allowed); SPENT (the budget); or GRANTED order_id amount take.
local now, order_id, user, request = clock(ARGV[1]), ARGV[2], ARGV[3], ARGV[6]
local amount, hold_ms = integer(ARGV[4], 'amount'), integer(ARGV[5], 'hold_ms')

local c = redis.call('HMGET', vch, 'open', 'budget_minor', 'budget_grants', 'uses_per_user', 'held_minor', 'held_grants',
  'committed_minor', 'committed_grants')
-- A voucher that Redis has forgotten is closed, not untouched: promo_svc opens it again from the rows.
if c[1] ~= '1' then
  return {'CLOSED'}
end
order_id = request ~= '' and redis.call('HGET', vrq, request) or order_id
local stored = redis.call('HGET', vhl, order_id)
if stored then
  local h = decode_hold(order_id, stored)
  if h.user ~= user then
    error('hold of ' .. order_id .. ' is of another buyer')
  end
  -- Whoever took it last alone may free it: an earlier caller, refused, does not know that a later one goes on with it.
  h.take = h.take + 1
  h.expires = math.max(h.expires, now + hold_ms)
  if h.state == 'H' then
    redis.call('ZADD', vdu, digits(h.expires), order_id)
  end
  redis.call('HSET', vhl, order_id, encode_hold(h))
  return {'GRANTED', order_id, digits(h.amount), digits(h.take)}
end

local minor_limit, grants_limit = integer(c[2], 'budget_minor'), integer(c[3], 'budget_grants')
local uses_limit, uses = integer(c[4], 'uses_per_user'), uses_of(user)
local held_minor, held_grants = integer(c[5], 'held_minor'), integer(c[6], 'held_grants')
local given_minor = held_minor + integer(c[7], 'committed_minor') + amount
local given_grants = held_grants + integer(c[8], 'committed_grants') + 1
if uses_limit >= 0 and uses + 1 > uses_limit then
  return {'USED'}
end
if (minor_limit >= 0 and given_minor > minor_limit) or (grants_limit >= 0 and given_grants > grants_limit) then
  return {'SPENT'}
end

local h = {state = 'H', user = user, amount = amount, expires = now + hold_ms, take = 1, request = request}
redis.call('HSET', vch, 'held_minor', digits(held_minor + amount), 'held_grants', digits(held_grants + 1))
redis.call('HSET', vhl, order_id, encode_hold(h))
redis.call('HSET', vus, user, digits(uses + 1))
redis.call('ZADD', vdu, digits(h.expires), order_id)
if request ~= '' then
  redis.call('HSET', vrq, request, order_id)
end
return {'GRANTED', order_id, digits(amount), '1'}
