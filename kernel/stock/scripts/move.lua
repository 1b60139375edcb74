-- confirm R -> S, release R -> X, return S -> X; a reservation in any other state is left alone, so that every one of
-- them may be repeated.
-- KEYS stk rsv lim due    ARGV epoch from to id...
local stk, rsv, lim, due = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local epoch, from, to = ARGV[1], ARGV[2], ARGV[3]
local COUNTER = {R = 'reserved', S = 'sold', X = 'avail'}

require_type(rsv, 'hash')
require_type(lim, 'hash')
require_type(due, 'zset')
local results = {}
if not is_current(stk, epoch) then
  for i = 4, #ARGV do
    results[i - 3] = 'STALE_EPOCH'
  end
  return results
end

local ids = {unpack(ARGV, 4)}
local stored = redis.call('HMGET', rsv, unpack(ids))
local counters = redis.call('HMGET', stk, COUNTER[from], COUNTER[to])
local left, right = integer(counters[1], COUNTER[from]), integer(counters[2], COUNTER[to])

local overlay, held, moved, changed = {}, {}, {}, {}
for i, id in ipairs(ids) do
  local r = overlay[id] or (stored[i] and decode_reservation(id, stored[i]))
  if not r then
    results[i] = 'ABSENT'
  elseif r.state ~= from then
    results[i] = 'SKIPPED'
  else
    results[i] = 'MOVED'
    r.state = to
    overlay[id] = r
    left, right = left - r.qty, right + r.qty
    moved[#moved + 1] = id
    changed[#changed + 1] = id
    changed[#changed + 1] = encode_reservation(r)
    if to == 'X' then
      local before = held[r.user] or integer(redis.call('HGET', lim, r.user) or 0, 'holding of ' .. r.user)
      held[r.user] = before - r.qty
    end
  end
end

if #moved > 0 then
  redis.call('HSET', rsv, unpack(changed))
  redis.call('HSET', stk, COUNTER[from], digits(left), COUNTER[to], digits(right))
  redis.call('ZREM', due, unpack(moved))
  for user, units in pairs(held) do
    if units == 0 then
      redis.call('HDEL', lim, user)
    else
      redis.call('HSET', lim, user, digits(units))
    end
  end
end
return results
