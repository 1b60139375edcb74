-- Copies the cart's lines under a request_id, once; a repeat gets the copy and its outcomes.
-- KEYS cart frozen begun    ARGV request_id body most seconds
-- Returns FROZEN and the copy, or REUSED, EMPTY, CROWDED and the seconds until the user may begin another.
local cart, frozen, begun = KEYS[1], KEYS[2], KEYS[3]
local body, most, seconds = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])

local first = redis.call('HGET', frozen, 'body')
if first and first ~= body then
  return {'REUSED'}
elseif first then
  return {'FROZEN', redis.call('HGETALL', frozen)}
end

local copy = {'body', body}
local fields = redis.call('HGETALL', cart)
for i = 1, #fields, 2 do
  if string.sub(fields[i], 1, 2) == 'l|' then
    copy[#copy + 1] = fields[i]
    copy[#copy + 1] = fields[i + 1]
  end
end
if #copy == 2 then
  return {'EMPTY'}
end

local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', begun, '-inf', now)
if redis.call('ZCARD', begun) >= most then
  return {'CROWDED', tonumber(redis.call('ZRANGE', begun, 0, 0, 'WITHSCORES')[2]) - now}
end

redis.call('HSET', frozen, unpack(copy))
redis.call('EXPIRE', frozen, seconds)
redis.call('ZADD', begun, now + seconds, ARGV[1])
redis.call('EXPIRE', begun, seconds)
return {'FROZEN', redis.call('HGETALL', frozen)}
