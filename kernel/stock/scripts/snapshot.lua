-- Counters and the sums behind them at one instant. Walks every reservation: for the audit alone.
-- KEYS stk rsv lim out due
local stk, rsv, lim, out, due = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
if redis.call('EXISTS', stk) == 0 then
  return false
end
local units, count, negative = {R = 0, S = 0, X = 0}, 0, {}
local stored = redis.call('HGETALL', rsv)
for i = 1, #stored, 2 do
  local r = decode_reservation(stored[i], stored[i + 1])
  units[r.state] = units[r.state] + r.qty
  count = count + 1
end
local holdings = redis.call('HGETALL', lim)
local held = 0
for i = 1, #holdings, 2 do
  local quantity = integer(holdings[i + 1], 'holding of ' .. holdings[i])
  held = held + quantity
  if quantity < 0 then
    negative[#negative + 1] = 'limit of ' .. holdings[i]
  end
end
for _, name in ipairs({'initial', 'avail', 'reserved', 'sold', 'trimmed'}) do
  if integer(redis.call('HGET', stk, name), name) < 0 then
    negative[#negative + 1] = name
  end
end
return {
  redis.call('HGETALL', stk), units.R, units.S, units.X, held, count,
  redis.call('XLEN', out), redis.call('ZCARD', due), negative,
}
