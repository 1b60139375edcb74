-- KEYS stk rsv lim out due, then those of the layout before
-- ARGV epoch initial price price_version limit opens_at closes_at
local stk = KEYS[1]
require_type(stk, 'hash')

if redis.call('EXISTS', stk) == 1 then
  return is_current(stk, ARGV[1]) and 'EXISTS' or 'STALE_EPOCH'
end
-- Reservations without counters: part of this slot was lost, or it is as an older build left it. Full stock would be
-- sold twice.
for i = 2, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 1 then
    error(KEYS[i] .. ' outlived ' .. stk .. ': rebuild it')
  end
end
for i = 1, #ARGV do
  integer(ARGV[i], 'argument ' .. i)
end

redis.call('HSET', stk, 'epoch', ARGV[1], 'initial', ARGV[2], 'avail', ARGV[2], 'reserved', 0, 'sold', 0, 'trimmed', 0,
  'price', ARGV[3], 'price_version', ARGV[4], 'limit', ARGV[5], 'opens_at', ARGV[6], 'closes_at', ARGV[7],
  'state', 'OPEN')
return 'OPENED'
