-- One reservation with its outbox entry.
-- KEYS stk rsv out due    ARGV now id    Returns {value, deadline, epoch, now, entry...}, or nil
local stored = redis.call('HGET', KEYS[2], ARGV[2])
if not stored then
  return false
end
local entry = entry_of(KEYS[3], decode_reservation(ARGV[2], stored).entry)
local deadline = redis.call('ZSCORE', KEYS[4], ARGV[2]) or '0'
local epoch = redis.call('HGET', KEYS[1], 'epoch') or '0'
return {stored, deadline, epoch, clock(ARGV[1]), entry and entry[1] or '', entry and entry[2][4] or ''}
