-- Put in front of every script. Scripts do not roll back: each one reads and checks everything first and writes last,
-- so that whatever fails in it (a wrong type, a broken number) has written nothing.

local function require_type(key, wanted)
  local found = redis.call('TYPE', key).ok
  if found ~= wanted and found ~= 'none' then
    error(key .. ' holds a ' .. found .. ', not a ' .. wanted)
  end
end

local function integer(text, name)
  local number = tonumber(text)
  if not number or number ~= math.floor(number) then
    error(name .. ' is not an integer: ' .. tostring(text))
  end
  return number
end

-- %d, since tostring would give 1e+15 from 15 digits on.
local function digits(number)
  return string.format('%d', number)
end

-- An empty Redis has no epoch, and so fails closed.
local function is_current(stk, epoch)
  return redis.call('HGET', stk, 'epoch') == epoch
end

-- Redis' own clock in Unix ms, one for all callers; only tests give another.
local function clock(given)
  if given ~= '' then
    return integer(given, 'now')
  end
  local time = redis.call('TIME')
  return integer(time[1], 'TIME') * 1000 + math.floor(integer(time[2], 'TIME') / 1000)
end

-- Orders go by their short ids here (kernel/order_ids.py): 12 bytes of any value, which no error may carry raw.
local ID_BYTES = 12

local function printable(id)
  return (string.gsub(id, '.', function(byte) return string.format('%02x', string.byte(byte)) end))
end

-- state|qty|user|price_version|created_ms|mark|asked_ms|entry_id|answer
local function decode_reservation(id, text)
  local state, qty, user, version, created, mark, asked, entry, answer =
    string.match(text, '^([RSX])|(%d+)|([^|]+)|(%d+)|(%d+)|(%u*)|(%d+)|(%d+%-%d+)|([^|]*)$')
  if not state then
    error('reservation of ' .. printable(id) .. ' is broken: ' .. text)
  end
  return {
    state = state, qty = integer(qty, 'qty'), user = user, version = version,
    created = integer(created, 'created_ms'), mark = mark, asked = integer(asked, 'asked_ms'), entry = entry,
    answer = answer,
  }
end

local function encode_reservation(r)
  return table.concat({
    r.state, digits(r.qty), r.user, r.version, digits(r.created), r.mark, digits(r.asked), r.entry, r.answer,
  }, '|')
end

local function entry_of(out, entry_id)
  return redis.call('XRANGE', out, entry_id, entry_id, 'COUNT', 1)[1]
end

-- An idempotency key's value: the id, then the hash. Up to 44 bytes Redis keeps a value inside its object, and up to 28,
-- which are 16 of the hash, object and value are 48 bytes together.
local function packed(id, hash)
  return id .. hash
end
