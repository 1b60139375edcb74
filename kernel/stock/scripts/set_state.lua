-- KEYS stk    ARGV epoch state [only_from]
if not is_current(KEYS[1], ARGV[1]) then
  return 0
end
if ARGV[3] and redis.call('HGET', KEYS[1], 'state') ~= ARGV[3] then
  return 1
end
redis.call('HSET', KEYS[1], 'state', ARGV[2])
return 1
