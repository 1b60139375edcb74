-- Writes what the leader of this term stands at, and journals a change. KEYS lease, term, state, journal
-- ARGV holder, term, state, then the journal's fields and values, if any   Answers 0: somebody else leads.
if redis.call('GET', KEYS[1]) ~= ARGV[1] or redis.call('GET', KEYS[2]) ~= ARGV[2] then
  return 0
end
redis.call('SET', KEYS[3], ARGV[3])
if #ARGV > 3 then
  redis.call('XADD', KEYS[4], 'MAXLEN', '~', 1000, '*', unpack(ARGV, 4))
end
return 1
