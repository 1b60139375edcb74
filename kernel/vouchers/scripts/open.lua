-- Sets a voucher's limits, makes its counters where Redis has none, and opens it or not.
-- ARGV open (1 or 0) budget_minor budget_grants uses_per_user (-1: no limit)
-- A limit below what was given already becomes what was given: nothing more is granted, and nothing is taken back.
local NAMES = {'held_minor', 'held_grants', 'committed_minor', 'committed_grants'}
local values = redis.call('HMGET', vch, unpack(NAMES))
local fresh = not values[1]
local count = {}
for i, name in ipairs(NAMES) do
  count[name] = fresh and 0 or integer(values[i], name)
end
local minor, grants, uses = integer(ARGV[2], 'budget_minor'), integer(ARGV[3], 'budget_grants'), integer(ARGV[4], 'uses')
if minor >= 0 then
  minor = math.max(minor, count.held_minor + count.committed_minor)
end
if grants >= 0 then
  grants = math.max(grants, count.held_grants + count.committed_grants)
end
-- One pass over the users, and only where the limit is lowered or new.
local before = tonumber(redis.call('HGET', vch, 'uses_per_user') or -1)
if uses >= 0 and (before < 0 or uses < before) then
  for _, times in ipairs(redis.call('HVALS', vus)) do
    uses = math.max(uses, integer(times, 'uses'))
  end
end
if fresh then
  for _, name in ipairs(NAMES) do
    redis.call('HSET', vch, name, '0')
  end
end
redis.call('HSET', vch, 'open', ARGV[1], 'budget_minor', digits(minor), 'budget_grants', digits(grants),
  'uses_per_user', digits(uses))
return 1
