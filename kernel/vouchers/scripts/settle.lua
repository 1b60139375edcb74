-- Moves grants on; every move may be repeated. ARGV now action, then an order (each at most once): order_id user amount n
--   commit   H -> C; without a record: C all the same, RETAKEN, since what was paid was given
--   confirm  H -> C; without a record nothing: what is told late may meet a grant that was given back
--   restore  without a record: H until now + n ms
--   free     H -> gone, where it was taken n times (0: however often)
--   shorten  H stays, SHORT_MS at most, where it was taken n times
--   refund   H or C -> gone
--   keep     H stays, until now + n ms
-- Returns an answer an order: MOVED, RETAKEN, SKIPPED (nothing to move), CLOSED (Redis does not know the voucher).
local now, action = clock(ARGV[1]), ARGV[2]
local FIXED, FIELDS = 2, 4
-- Longer than any call that may be about to make an order of the hold; after it the row and the reservation are asked.
local SHORT_MS = 5000
local results = {}
local names = {'held_minor', 'held_grants', 'committed_minor', 'committed_grants'}
local values = redis.call('HMGET', vch, unpack(names))
if not values[1] then
  for at = FIXED + 1, #ARGV, FIELDS do
    results[#results + 1] = 'CLOSED'
  end
  return results
end

local count, uses, writes = {}, {}, {}
for i, name in ipairs(names) do
  count[name] = integer(values[i], name)
end
local function add(state, amount, grants)
  local kind = state == 'H' and 'held' or 'committed'
  count[kind .. '_minor'] = count[kind .. '_minor'] + amount
  count[kind .. '_grants'] = count[kind .. '_grants'] + grants
end
local function use(user, times)
  uses[user] = (uses[user] or uses_of(user)) + times
end

for at = FIXED + 1, #ARGV, FIELDS do
  local order_id, user, amount, n = ARGV[at], ARGV[at + 1], integer(ARGV[at + 2], 'amount'), integer(ARGV[at + 3], 'n')
  local stored = redis.call('HGET', vhl, order_id)
  local h = stored and decode_hold(order_id, stored)
  local result, after = 'SKIPPED', nil
  if (action == 'commit' and not (h and h.state == 'C')) or (action == 'confirm' and h and h.state == 'H') then
    result = h and 'MOVED' or 'RETAKEN'
    if h then add('H', -h.amount, -1) else use(user, 1) end
    after = {state = 'C', user = h and h.user or user, amount = amount, expires = 0, take = h and h.take or 1, request = ''}
    add('C', amount, 1)
  elseif action == 'restore' and not h then
    result, after = 'MOVED', {state = 'H', user = user, amount = amount, expires = now + n, take = 1, request = ''}
    add('H', amount, 1)
    use(user, 1)
  elseif action == 'keep' and h and h.state == 'H' then
    result, after = 'MOVED', h
    after.expires = now + n
  elseif action == 'shorten' and h and h.state == 'H' and n == h.take then
    result, after = 'MOVED', h
    after.expires = math.min(h.expires, now + SHORT_MS)
  elseif h and ((action == 'free' and h.state == 'H' and (n == 0 or n == h.take)) or action == 'refund') then
    result = 'MOVED'
    add(h.state, -h.amount, -1)
    use(h.user, -1)
  end
  results[#results + 1] = result
  if result ~= 'SKIPPED' then
    writes[#writes + 1] = {id = order_id, after = after, request = h and h.request or ''}
  end
end

for _, w in ipairs(writes) do
  if w.after then
    redis.call('HSET', vhl, w.id, encode_hold(w.after))
  else
    redis.call('HDEL', vhl, w.id)
  end
  if w.after and w.after.state == 'H' then
    redis.call('ZADD', vdu, digits(w.after.expires), w.id)
  else
    redis.call('ZREM', vdu, w.id)
    redis.call('HDEL', vrq, w.request)
  end
end
for user, times in pairs(uses) do
  if times > 0 then
    redis.call('HSET', vus, user, digits(times))
  else
    redis.call('HDEL', vus, user)
  end
end
for name, value in pairs(count) do
  redis.call('HSET', vch, name, digits(value))
end
return results
