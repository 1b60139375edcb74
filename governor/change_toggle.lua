-- One change of a feature's setting: state, journal and the request's memory together, or nothing.
-- KEYS: settings (hash), journal (stream), request (string; empty name: none)
-- ARGV: field, value ("" deletes), only if it is this ("" any), fence ("0" none), request hash,
--       then the journal's fields and values.
local settings, journal, request = KEYS[1], KEYS[2], KEYS[3]
local field, value, expected, fence, hash = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]

if hash ~= '' then
  local known = redis.call('GET', request)
  if known then
    return known == hash and 'repeated' or 'reused'
  end
  redis.call('SET', request, hash, 'EX', 86400)
end
if fence > 0 then
  -- A leader that was thought dead and wakes up must not undo what its successor decided.
  if fence < tonumber(redis.call('HGET', settings, 'fence') or '0') then
    return 'stale'
  end
  redis.call('HSET', settings, 'fence', fence)
end
local now = redis.call('HGET', settings, field)
if (expected ~= '' and now ~= expected) or (value == '' and not now) then
  return 'same'
end
if value == '' then
  redis.call('HDEL', settings, field)
else
  redis.call('HSET', settings, field, value)
end
-- Greater with each change: by it a governor that wakes up knows that what it read is old.
local version = redis.call('XADD', journal, 'MAXLEN', '~', 10000, '*', unpack(ARGV, 6))
redis.call('HSET', settings, 'version', version)
return 'done'
