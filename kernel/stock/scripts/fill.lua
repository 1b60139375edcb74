-- Loads reservations into a bucket that was wiped and is not sealed yet.
-- KEYS stk rsv lim due, then one idm key an order
-- ARGV an order: id state user qty price_version created_ms deadline_ms mark answer hash idm_seconds (0: no key)
local stk, rsv, lim, due = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local FIXED_KEYS, FIELDS = 4, 11

if redis.call('EXISTS', stk) == 1 then
  error(stk .. ' is in use: it is wiped before it is loaded')
end
require_type(rsv, 'hash')
require_type(lim, 'hash')
require_type(due, 'zset')
local stored, deadlines, holdings, answers = {}, {}, {}, {}
for i = 1, #KEYS - FIXED_KEYS do
  local id, state, user, qty, version, created, deadline, mark, answer, hash, seconds =
    unpack(ARGV, (i - 1) * FIELDS + 1, i * FIELDS)
  stored[#stored + 1] = id
  stored[#stored + 1] = encode_reservation({
    state = state, qty = integer(qty, 'qty'), user = user, version = version, created = integer(created, 'created_ms'),
    mark = mark, asked = integer(created, 'created_ms'), entry = '0-0', answer = answer,
  })
  decode_reservation(id, stored[#stored])
  if state == 'R' then
    deadlines[#deadlines + 1] = digits(integer(deadline, 'deadline_ms'))
    deadlines[#deadlines + 1] = id
  end
  if state ~= 'X' then
    holdings[user] = (holdings[user] or 0) + qty
  end
  if integer(seconds, 'idm_seconds') > 0 then
    answers[#answers + 1] = {KEYS[FIXED_KEYS + i], packed(id, hash), seconds}
  end
end

redis.call('HSET', rsv, unpack(stored))
if #deadlines > 0 then
  redis.call('ZADD', due, unpack(deadlines))
end
for user, units in pairs(holdings) do
  redis.call('HINCRBY', lim, user, digits(units))
end
for _, answer in ipairs(answers) do
  redis.call('SET', answer[1], answer[2], 'EX', answer[3])
end
return #stored / 2
