-- Takes the lease, or renews one's own. KEYS lease, term   ARGV holder, ttl_ms   Answers the term; 0: another leads.
-- A term is never given twice: whoever lost the lease and writes late is known by it.
local holder = redis.call('GET', KEYS[1])
if holder == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return tonumber(redis.call('GET', KEYS[2]) or '0')
elseif holder then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return redis.call('INCR', KEYS[2])
