-- Gives a loaded bucket its counters, and with them its epoch: from here on it is whole, and closed.
-- KEYS stk rsv lim out due
-- ARGV epoch initial reserved sold price price_version limit opens_at closes_at, then reservations and open ones loaded
local stk, rsv, due = KEYS[1], KEYS[2], KEYS[5]
for i = 1, #ARGV do
  integer(ARGV[i], 'argument ' .. i)
end
-- Another loader, or what was lost again meanwhile: half a bucket must never open.
if redis.call('EXISTS', stk) == 1 or redis.call('EXISTS', KEYS[4]) == 1
  or redis.call('HLEN', rsv) ~= tonumber(ARGV[10]) or redis.call('ZCARD', due) ~= tonumber(ARGV[11]) then
  error(stk .. ' is not as it was loaded: load it again')
end
local avail = ARGV[2] - ARGV[3] - ARGV[4]
if avail < 0 then
  error(stk .. ': more is reserved and sold than there is')
end

redis.call('HSET', stk, 'epoch', ARGV[1], 'initial', ARGV[2], 'avail', digits(avail), 'reserved', ARGV[3],
  'sold', ARGV[4], 'trimmed', 0, 'price', ARGV[5], 'price_version', ARGV[6], 'limit', ARGV[7], 'opens_at', ARGV[8],
  'closes_at', ARGV[9], 'state', 'REBUILDING')
return 1
