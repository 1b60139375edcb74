-- KEYS stk    ARGV epoch state
if not is_current(KEYS[1], ARGV[1]) then
  return 0
end
redis.call('HSET', KEYS[1], 'state', ARGV[2])
return 1
