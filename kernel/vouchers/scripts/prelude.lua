-- KEYS of every script: vch vhl vus vdu vrq, one voucher's. What is read is checked first, and every write comes last.
local vch, vhl, vus, vdu, vrq = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
require_type(vch, 'hash')
require_type(vhl, 'hash')
require_type(vus, 'hash')
require_type(vdu, 'zset')
require_type(vrq, 'hash')

local function decode_hold(order_id, text)
  local state, user, amount, expires, take, request = string.match(text, '^([HC])|([^|]+)|(%d+)|(%d+)|(%d+)|([^|]*)$')
  if not state then
    error('hold of ' .. order_id .. ' is broken: ' .. text)
  end
  return {
    state = state, user = user, amount = integer(amount, 'amount'), expires = integer(expires, 'expires_ms'),
    take = integer(take, 'take'), request = request,
  }
end

local function encode_hold(h)
  return table.concat({h.state, h.user, digits(h.amount), digits(h.expires), digits(h.take), h.request}, '|')
end

local function uses_of(user)
  return integer(redis.call('HGET', vus, user) or 0, 'uses of ' .. user)
end
