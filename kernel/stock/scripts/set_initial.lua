-- KEYS stk    ARGV epoch initial
local stk = KEYS[1]
if not is_current(stk, ARGV[1]) then
  return {'STALE_EPOCH', 0}
end
local stored = redis.call('HMGET', stk, 'initial', 'avail', 'reserved', 'sold')
local before = integer(stored[1], 'initial')
local avail = integer(stored[2], 'avail')
local committed = integer(stored[3], 'reserved') + integer(stored[4], 'sold')
local initial = integer(ARGV[2], 'initial')
if initial < committed then
  return {'BELOW_COMMITTED', committed}
end

redis.call('HSET', stk, 'initial', digits(initial), 'avail', digits(avail + initial - before))
return {'DONE', committed}
