-- KEYS stk out    ARGV epoch entry_id...
if not is_current(KEYS[1], ARGV[1]) then
  return 0
end
return redis.call('XDEL', KEYS[2], unpack(ARGV, 2))
