-- The oldest entries of the outbox by Redis' clock. XRANGE, not a consumer group: XAUTOCLAIM never sees an entry that
-- nobody has read, which is just what a killed service leaves behind.
-- KEYS rsv out    ARGV now older_than_ms count    Returns {now, {entry_id, id, event, reservation or ''}...}
local rsv, out = KEYS[1], KEYS[2]
local now = clock(ARGV[1])
local until_ms = now - integer(ARGV[2], 'older_than_ms')
local result = {now}
if until_ms <= 0 then
  return result
end
for _, entry in ipairs(redis.call('XRANGE', out, '-', digits(until_ms), 'COUNT', ARGV[3])) do
  local id, event = entry[2][2], entry[2][4]
  result[#result + 1] = {entry[1], id, event, redis.call('HGET', rsv, id) or ''}
end
return result
