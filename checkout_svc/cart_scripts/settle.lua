-- Stores final outcomes of a frozen cart, and takes what was ordered out of the cart when its order is stored.
-- KEYS cart frozen    ARGV seconds, then an outcome: sale|sku text
-- An outcome's text begins with A (an order) or R (a refusal). Returns the frozen cart.
local cart, frozen = KEYS[1], KEYS[2]

-- 1. Reads and decisions. Each outcome is of a line of its own, so none sees another.
local stored, lines, gone = {}, {}, {}
for i = 2, #ARGV, 2 do
  local line, outcome = 'l|' .. ARGV[i], ARGV[i + 1]
  local ordered = string.sub(outcome, 1, 1) == 'A'
  local before = redis.call('HGET', frozen, 'o|' .. ARGV[i])
  local copy = redis.call('HGET', frozen, line)
  -- An order outdoes a refusal, since it exists; an order that is stored already has left the cart.
  if copy and (not before or ordered and string.sub(before, 1, 1) == 'R') then
    stored[#stored + 1] = 'o|' .. ARGV[i]
    stored[#stored + 1] = outcome
    local number, units = string.match(copy, '^(%d+)|(%d+)|')
    if not number then
      error('line of ' .. frozen .. ' is broken: ' .. copy)
    end
    local now = ordered and redis.call('HGET', cart, line)
    local number_now, units_now, price = string.match(now or '', '^(%d+)|(%d+)(|.+)$')
    if number_now == number and tonumber(units_now) > tonumber(units) then
      lines[#lines + 1] = line
      lines[#lines + 1] = string.format('%s|%d%s', number, tonumber(units_now) - tonumber(units), price)
    elseif number_now == number then
      gone[#gone + 1] = line
    end
  end
end

-- 2. Writes.
if #stored > 0 then
  redis.call('HSET', frozen, unpack(stored))
end
if #lines > 0 then
  redis.call('HSET', cart, unpack(lines))
end
if #gone > 0 then
  redis.call('HDEL', cart, unpack(gone))
end
if #lines + #gone > 0 then
  redis.call('EXPIRE', cart, ARGV[1])
end
return redis.call('HGETALL', frozen)
