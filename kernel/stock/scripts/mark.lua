-- What the buyer was told of one reservation: '' (nothing yet, or QUEUED) -> PENDING -> CANCELLING.
-- KEYS stk rsv out    ARGV epoch now action id consent_ms    Returns {done, mark, entry_present}; done -1: not found
local stk, rsv, out = KEYS[1], KEYS[2], KEYS[3]
local action, id = ARGV[3], ARGV[4]

require_type(out, 'stream')
local stored = is_current(stk, ARGV[1]) and redis.call('HGET', rsv, id)
if not stored then
  return {-1, '', 0}
end
local now, consent = clock(ARGV[2]), integer(ARGV[5], 'consent_ms')
local r = decode_reservation(id, stored)
local present = entry_of(out, r.entry) and 1 or 0
local before, done, delete_entry = r.mark, 0, false

if action == 'pending' then
  -- No entry: somebody's ack was seen. A mark would now lead to the cancel of an order that is in the queue.
  if r.state == 'R' and present == 1 and r.mark ~= 'CANCELLING' then
    r.mark, r.asked, done = 'PENDING', now, 1
  end
elseif action == 'touch' then
  if r.mark == 'PENDING' then
    r.asked, done = now, 1
  end
elseif action == 'clear' then
  -- The entry goes with the mark: a slower caller of the same order finds none, and cannot mark it again.
  if r.mark ~= 'CANCELLING' then
    r.mark, done, delete_entry = '', 1, present == 1
    present = 0
  end
elseif action == 'cancel' then
  if r.mark == 'CANCELLING' then
    done = present
  elseif r.state == 'R' and r.mark == 'PENDING' and present == 1 and now - r.asked >= consent then
    r.mark, done = 'CANCELLING', 1
  end
else
  error('unknown action ' .. action)
end

if r.mark ~= before or (done == 1 and r.asked == now) then
  redis.call('HSET', rsv, id, encode_reservation(r))
end
if delete_entry then
  redis.call('XDEL', out, r.entry)
end
return {done, r.mark, present}
