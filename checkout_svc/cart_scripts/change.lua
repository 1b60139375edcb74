-- Changes a cart once a request_id.
-- KEYS cart    ARGV action request_id body field quantity price remembered most_lines most_units seconds
-- `price` is minor|currency|version. Returns DONE and the cart, or REUSED, ABSENT, FULL and what the limit is.
local cart, action, request_id, body, field = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local quantity, remembered = tonumber(ARGV[5]), tonumber(ARGV[7])
local most_lines, most_units = tonumber(ARGV[8]), tonumber(ARGV[9])
-- request_id=body; of one width each, so that the oldest are cut off by length.
local REQUEST_ID, ENTRY = 36, 54

local recent = redis.call('HGET', cart, 'recent') or ''
local at = string.find(recent, request_id .. '=', 1, true)
if at then
  local first = string.sub(recent, at + REQUEST_ID + 1, at + ENTRY - 2)
  if first ~= body then
    return {'REUSED'}
  end
  return {'DONE', redis.call('HGETALL', cart)}
end

local lines = {}
for _, name in ipairs(redis.call('HKEYS', cart)) do
  if string.sub(name, 1, 2) == 'l|' then
    lines[#lines + 1] = name
  end
end

if action == 'ADD' or action == 'SET' then
  local stored = redis.call('HGET', cart, field)
  local number, units = string.match(stored or '', '^(%d+)|(%d+)|')
  if stored and not number then
    error('line of ' .. cart .. ' is broken: ' .. stored)
  end
  if not stored and action == 'SET' then
    return {'ABSENT'}
  end
  local wanted = action == 'ADD' and tonumber(units or 0) + quantity or quantity
  if wanted > most_units then
    return {'FULL', most_units}
  end
  if not stored and #lines >= most_lines then
    return {'FULL', most_lines}
  end
  number = number or redis.call('HINCRBY', cart, 'serial', 1)
  redis.call('HSET', cart, field, string.format('%d|%d|%s', number, wanted, ARGV[6]))
elseif action == 'REMOVE' then
  redis.call('HDEL', cart, field)
elseif #lines > 0 then
  redis.call('HDEL', cart, unpack(lines))
end
redis.call('HSET', cart, 'recent', string.sub(recent .. request_id .. '=' .. body .. ';', -ENTRY * remembered))
redis.call('EXPIRE', cart, ARGV[10])
return {'DONE', redis.call('HGETALL', cart)}
