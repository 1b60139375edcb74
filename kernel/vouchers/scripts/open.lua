-- Sets a voucher's limits, makes its counters where Redis has none, and opens it or not. One whose counters were made
-- just now stays closed: they were lost since its caller counted, and what was given is in none of them.
-- ARGV open (1 or 0) budget_minor budget_grants uses_per_user (-1: no limit)
-- A limit below what was given already becomes what was given: nothing more is granted, and nothing is taken back. What
-- was given beyond the limit of that time stays beyond it, for the audit to see.
local NAMES = {'held_minor', 'held_grants', 'committed_minor', 'committed_grants'}
local values = redis.call('HMGET', vch, unpack(NAMES))
local fresh = not values[1]
local count = {}
for i, name in ipairs(NAMES) do
  count[name] = fresh and 0 or integer(values[i], name)
end
local before = redis.call('HMGET', vch, 'budget_minor', 'budget_grants', 'uses_per_user')
local function raised(limit, given, was)
  local rightly = (was or -1) >= 0 and math.min(given, was) or given
  return limit >= 0 and math.max(limit, rightly) or limit
end
for i = 1, 3 do
  before[i] = tonumber(before[i] or -1)
end
local minor, grants, uses = integer(ARGV[2], 'budget_minor'), integer(ARGV[3], 'budget_grants'), integer(ARGV[4], 'uses')
minor = raised(minor, count.held_minor + count.committed_minor, before[1])
grants = raised(grants, count.held_grants + count.committed_grants, before[2])
-- One pass over the users, and only where the limit is lowered or new.
if uses >= 0 and (before[3] < 0 or uses < before[3]) then
  for _, times in ipairs(redis.call('HVALS', vus)) do
    uses = raised(uses, integer(times, 'uses'), before[3])
  end
end
if fresh then
  for _, name in ipairs(NAMES) do
    redis.call('HSET', vch, name, '0')
  end
end
redis.call('HSET', vch, 'open', fresh and '0' or ARGV[1], 'budget_minor', digits(minor), 'budget_grants', digits(grants),
  'uses_per_user', digits(uses))
return 1
