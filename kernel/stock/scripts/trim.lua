-- Forgets reservations that have ended: X freely; an S stays counted in `sold`, and from now on in `trimmed`.
-- R is never touched: its unit is still in play.
-- KEYS stk rsv    ARGV epoch id...
local stk, rsv = KEYS[1], KEYS[2]

require_type(rsv, 'hash')
local results = {}
if not is_current(stk, ARGV[1]) then
  for i = 2, #ARGV do
    results[i - 1] = 'STALE_EPOCH'
  end
  return results
end

local ids = {unpack(ARGV, 2)}
local stored = redis.call('HMGET', rsv, unpack(ids))
local trimmed = integer(redis.call('HGET', stk, 'trimmed'), 'trimmed')

local gone, seen = {}, {}
for i, id in ipairs(ids) do
  local r = not seen[id] and stored[i] and decode_reservation(id, stored[i])
  if not r then
    results[i] = 'ABSENT'
  elseif r.state == 'R' then
    results[i] = 'SKIPPED'
  else
    results[i] = 'MOVED'
    seen[id] = true
    gone[#gone + 1] = id
    trimmed = trimmed + (r.state == 'S' and r.qty or 0)
  end
end

if #gone > 0 then
  redis.call('HDEL', rsv, unpack(gone))
  redis.call('HSET', stk, 'trimmed', digits(trimmed))
end
return results
