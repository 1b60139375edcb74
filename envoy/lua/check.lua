-- Holds what was sent to what the contract says. `MESSAGES` and `ENUMS` are rendered from it (json_fields.py).
local MAX_FOUND = 20
local found

local function note(path, what)
  if #found < MAX_FOUND then found[#found + 1] = {path, what} end
end

-- The most a kind holds below and above zero, as digits: 64 bits do not fit a double.
local LIMITS = {
  int32 = {'2147483648', '2147483647'}, uint32 = {'0', '4294967295'},
  int64 = {'9223372036854775808', '9223372036854775807'}, uint64 = {'0', '18446744073709551615'},
}

-- No number, time or name of an enum is longer. What is, no pattern is tried on: some take time by the square of their
-- text, and Envoy's only thread stood still for 9 s of 28,000 zeros.
local MAX_WRITTEN = 64

local function is_integer(written, kind)
  local sign, digits = string.match(written, '^(%-?)0*(%d+)$')
  if not digits then return false end
  local most = LIMITS[kind][sign == '-' and 1 or 2]
  return #digits < #most or #digits == #most and digits <= most
end

local NUMBER = '^%-?%d+%.?%d*[eE]?[+-]?%d*$'
local NO_NUMBERS = {NaN = true, Infinity = true, ['-Infinity'] = true}

local function matches(pattern)
  return function(sent) return type(sent) == 'string' and string.find(sent, pattern) ~= nil end
end

local MONTHS = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

local function days_in(year, month)
  local leap = month == 2 and year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
  return leap and 29 or MONTHS[month] or 0
end

-- A time that there is: of the 45th of the 13th the transcoder would say only that the request is none.
local function is_time(sent)
  if type(sent) ~= 'string' then return false end
  local form = '^(%d%d%d%d)%-(%d%d)%-(%d%d)T(%d%d):(%d%d):(%d%d)(.*)$'
  local year, month, day, hour, minute, second, rest = string.match(sent, form)
  if not year then return false end
  year, month, day = tonumber(year), tonumber(month), tonumber(day)
  if year < 1 or day < 1 or day > days_in(year, month) then return false end
  if tonumber(hour) > 23 or tonumber(minute) > 59 or tonumber(second) > 59 then return false end
  local zone = string.match(rest, '^%.%d%d?%d?%d?%d?%d?%d?%d?%d?([Z+-].*)$') or rest
  if zone == 'Z' then return true end
  local hours, minutes = string.match(zone, '^[+-](%d%d):(%d%d)$')
  -- An offset must not lead out of the years 1 to 9999.
  return hours ~= nil and tonumber(hours) <= 23 and tonumber(minutes) <= 59 and year > 1 and year < 9999
end

-- Kind → what the client is told, and whether a value (text, boolean, or {number = as it is written}) is of that kind.
local KINDS = {
  string = {'must be text', function(sent) return type(sent) == 'string' end},
  bytes = {'must be base64', matches('^[%w+/_-]*=?=?$')},
  bool = {'must be true or false', function(sent) return type(sent) == 'boolean' end},
  double = {'must be a number', function(sent)
    if type(sent) == 'table' then return sent.number ~= nil end
    return NO_NUMBERS[sent] or matches(NUMBER)(sent) and tonumber(sent) ~= nil
  end},
  timestamp = {'must be a time like 2026-01-31T23:59:59Z', is_time},
  duration = {'must be seconds like 1.5s', matches('^%-?%d+%.?%d*s$')},
  any = {'', function() return true end},
}
for kind, most in pairs(LIMITS) do
  local least = most[1] == '0' and '0' or '-' .. most[1]
  KINDS[kind] = {'must be a whole number from ' .. least .. ' to ' .. most[2], function(sent)
    if type(sent) == 'string' then return is_integer(sent, kind) end
    if type(sent) ~= 'table' or not sent.number then return false end
    -- 2.0 and 1e2 are whole, too.
    local whole = tonumber(sent.number)
    local written = string.find(sent.number, '[.eE]') and whole % 1 == 0 and string.format('%.0f', whole) or sent.number
    return is_integer(written, kind)
  end}
end

local TEXTS = {string = true, bytes = true, any = true}

local function is_too_long(kind, sent)
  local written = type(sent) == 'table' and sent.number or sent
  return not TEXTS[kind] and type(written) == 'string' and #written > MAX_WRITTEN
end

local function check_scalar(path, field, sent)
  if is_too_long(field.kind, sent) then
    note(path, 'must be at most ' .. MAX_WRITTEN .. ' characters')
  elseif field.kind == 'enum' then
    local known = ENUMS[field.type]
    local said = type(sent) == 'table' and sent.number or sent
    if type(said) == 'boolean' or not known.values[said] then note(path, 'must be one of ' .. known.names) end
  elseif not KINDS[field.kind][2](sent) then
    note(path, KINDS[field.kind][1])
  end
end

local check_message

local function check_single(path, field, sent)
  if field.kind == 'message' then
    check_message(path, field.type, sent, {})
  else
    check_scalar(path, field, sent)
  end
end

local function check_field(path, field, sent)
  if sent == NULL then return end  -- as if it had not been sent
  if field.many == 'list' then
    if type(sent) ~= 'table' or not sent.list then return note(path, 'must be a list') end
    for i, item in ipairs(sent.list) do
      check_single(path .. '[' .. i - 1 .. ']', field, item)
    end
  elseif field.many == 'map' then
    if type(sent) ~= 'table' or not sent.object then return note(path, 'must be an object') end
    for _, pair in ipairs(sent.object) do
      check_single(path .. '.' .. pair[1], field, pair[2])
    end
  else
    check_single(path, field, sent)
  end
end

-- `bound`: fields that the path gives.
check_message = function(path, message, sent, bound)
  if type(sent) ~= 'table' or not sent.object then return note(path, 'must be an object') end
  local seen = {}
  for _, pair in ipairs(sent.object) do
    local field = MESSAGES[message][pair[1]]
    local name = field and field.name or pair[1]
    local here = path == '' and name or path .. '.' .. name
    if not field then
      note(here, 'no such field')
    elseif seen[name] then
      note(here, 'is there twice')
    elseif bound[name] then
      note(here, 'is given by the path')
    else
      check_field(here, field, pair[2])
    end
    seen[name] = true
  end
end

local BOOLEANS = {['true'] = true, ['false'] = false}

-- A value from the path or the query, where all is text.
local function check_text(path, field, sent)
  if not is_utf8(sent) then return note(path, 'must be UTF-8') end
  if field.kind == 'message' or field.many == 'map' then return note(path, 'cannot be given here') end
  if field.kind == 'bool' then sent = BOOLEANS[sent] end
  check_scalar(path, field, sent)
end

local function unescaped(words)
  return (string.gsub(words, '%%(%x%x)', function(hex) return string.char(tonumber(hex, 16)) end))
end

-- `max_price.units` → the field, and its name by the contract; nil where there is none.
local function field_of(message, dotted)
  local names, field = {}, nil
  for name in string.gmatch(dotted .. '.', '([^.]*)%.') do
    if field and (field.kind ~= 'message' or field.many) then return nil end
    field = message and MESSAGES[message][name]
    if not field then return nil end
    names[#names + 1] = field.name
    message = field.type
  end
  return field, table.concat(names, '.')
end

local function check_query(route, query)
  local seen = {}
  for pair in string.gmatch(query, '[^&]+') do
    local name, sent = string.match(pair, '^([^=]*)=?(.*)$')
    name, sent = unescaped(name), unescaped((string.gsub(sent, '+', ' ')))
    local field, known
    if not route.body then field, known = field_of(route.message, name) end
    if not field then
      note(name, 'no such parameter')
    elseif route.bound[known] then
      note(known, 'is given by the path')
    elseif seen[known] and not field.many then
      note(known, 'is there twice')
    else
      check_text(known, field, sent)
    end
    seen[known or name] = true
  end
end
