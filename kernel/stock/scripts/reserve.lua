-- Reserves a batch of orders of one (offer, bucket), each as if it came alone after its predecessors.
-- KEYS stk rsv lim out due, then one idm key an order
-- ARGV epoch now idm_seconds, then an order: id user hash qty price_version deadline_after_ms event answer
-- qty 0 asks only whether the request was accepted before: UNSEEN where it was not.
-- Returns one array an order: kind, then (a REPLAY after the id of the first order) what results.py's ReserveResult
-- names for it.
local stk, rsv, lim, out, due = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local FIXED_KEYS, FIXED_ARGS, FIELDS = 5, 3, 8
local count = #KEYS - FIXED_KEYS

local function unpacked(text)
  if #text <= ID_BYTES then
    error('broken idempotency key: ' .. printable(text))
  end
  return string.sub(text, 1, ID_BYTES), string.sub(text, ID_BYTES + 1)
end

-- 1. Reads. A handful of calls for the whole batch, whatever its size.
require_type(stk, 'hash')
require_type(rsv, 'hash')
require_type(lim, 'hash')
require_type(out, 'stream')
require_type(due, 'zset')
local now = clock(ARGV[2])

local orders, idm_keys, ids, users = {}, {}, {}, {}
for i = 1, count do
  local at = FIXED_ARGS + (i - 1) * FIELDS
  local order = {
    id = ARGV[at + 1], user = ARGV[at + 2], hash = ARGV[at + 3], qty = integer(ARGV[at + 4], 'qty'),
    version = ARGV[at + 5], deadline_after = integer(ARGV[at + 6], 'deadline_after_ms'), event = ARGV[at + 7],
    answer = ARGV[at + 8], idm = KEYS[FIXED_KEYS + i],
  }
  if order.qty < 0 then
    error('quantity below 0')
  end
  orders[i], idm_keys[i], ids[i], users[i] = order, order.idm, order.id, order.user
end

local answered = redis.call('MGET', unpack(idm_keys))
local answers = 0
for i = 1, count do
  answers = answers + (answered[i] and 1 or 0)
end
-- MGET reads a wrong type as nil, and SET would replace it: an answer once given would be forgotten.
if redis.call('EXISTS', unpack(idm_keys)) ~= answers then
  error('an idempotency key does not hold a string')
end

-- Idempotency comes before everything else, so earlier orders are looked up even where the epoch is stale.
local earlier = {}
for i = 1, count do
  if answered[i] then
    local id, hash = unpacked(answered[i])
    local stored = redis.call('HGET', rsv, id)
    local r = stored and decode_reservation(id, stored)
    earlier[idm_keys[i]] = {
      id = id, hash = hash, r = r, present = r and entry_of(out, r.entry) and 1 or 0,
      deadline = redis.call('ZSCORE', due, id),
    }
  end
end

local current = is_current(stk, ARGV[1])
local avail, reserved, limit, price_version, open, state, opens, closes
local held, known = {}, {}
if current then
  local s = redis.call('HMGET', stk, 'avail', 'reserved', 'limit', 'price_version', 'state', 'opens_at', 'closes_at')
  avail, reserved, limit = integer(s[1], 'avail'), integer(s[2], 'reserved'), integer(s[3], 'limit')
  price_version = s[4] or error('no price_version')
  state, opens, closes = s[5], integer(s[6], 'opens_at'), integer(s[7], 'closes_at')
  open = state == 'OPEN' and now >= opens and (closes == 0 or now < closes)
  local holdings = redis.call('HMGET', lim, unpack(users))
  local reservations = redis.call('HMGET', rsv, unpack(ids))
  for i = 1, count do
    held[users[i]] = integer(holdings[i] or 0, 'holding of ' .. users[i])
    known[ids[i]] = reservations[i] and true or nil
  end
end

-- 2. Decisions. `earlier`, `known`, `held` and `avail` are the overlay through which an order sees its predecessors:
-- without it a double tap in one batch would take two units, and the last unit could be sold to everybody in it.
local function refusal(order)
  if order.qty == 0 then return {'UNSEEN'} end
  if not current then return {'STALE_EPOCH'} end
  if not open then return {'NOT_OPEN', state, digits(opens), digits(closes), digits(now)} end
  if order.version ~= price_version then return {'PRICE_CHANGED', price_version} end
  if held[order.user] + order.qty > limit then return {'LIMIT'} end
  if avail < order.qty then return {'SOLD_OUT', digits(avail)} end
  if known[order.id] then return {'DUPLICATE_ID'} end
end

local results, accepted, asked = {}, {}, {}
for i, order in ipairs(orders) do
  local first = earlier[order.idm]
  if first and first.hash ~= order.hash then
    results[i] = {'REUSED'}
  elseif first then
    results[i] = first -- a REPLAY, told below: its entry may be written only by this batch
    if current and first.r and first.r.state == 'R' and first.r.mark == 'PENDING' then
      first.r.asked = now
      asked[#asked + 1] = first.id
      asked[#asked + 1] = encode_reservation(first.r)
    end
  else
    results[i] = refusal(order)
    if not results[i] then
      avail, reserved = avail - order.qty, reserved + order.qty
      held[order.user] = held[order.user] + order.qty
      known[order.id] = true
      local r = {
        state = 'R', qty = order.qty, user = order.user, version = order.version,
        created = now, mark = '', asked = now, entry = '', answer = order.answer,
      }
      earlier[order.idm] = {id = order.id, hash = order.hash, r = r, present = 1, deadline = now + order.deadline_after}
      accepted[#accepted + 1] = i
    end
  end
end

-- 3. Writes, grouped. XADD with `*`: an explicit id from a slow clock would fail after counters moved.
if #accepted > 0 then
  local stored, holdings, deadlines = {}, {}, {}
  for _, i in ipairs(accepted) do
    local order = orders[i]
    local first = earlier[order.idm]
    first.r.entry = redis.call('XADD', out, '*', 'o', order.id, 'e', order.event)
    stored[#stored + 1] = order.id
    stored[#stored + 1] = encode_reservation(first.r)
    deadlines[#deadlines + 1] = digits(first.deadline)
    deadlines[#deadlines + 1] = order.id
    holdings[#holdings + 1] = order.user
    holdings[#holdings + 1] = digits(held[order.user])
    redis.call('SET', order.idm, packed(order.id, order.hash), 'EX', ARGV[3])
    results[i] = {'RESERVED', first.r.entry, digits(first.deadline)}
  end
  redis.call('HSET', rsv, unpack(stored))
  redis.call('HSET', lim, unpack(holdings))
  redis.call('ZADD', due, unpack(deadlines))
  redis.call('HSET', stk, 'avail', digits(avail), 'reserved', digits(reserved))
end
if #asked > 0 then
  redis.call('HSET', rsv, unpack(asked))
end

for i, result in ipairs(results) do
  if result.id then
    local r = result.r or {state = '', mark = '', entry = '', created = now, answer = ''}
    local deadline = result.deadline or r.created + orders[i].deadline_after
    results[i] = {'REPLAY', result.id, r.state, r.mark, r.entry, result.present, digits(deadline), r.answer}
  end
end
return results
