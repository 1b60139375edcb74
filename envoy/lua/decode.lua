-- JSON read strictly (RFC 8259). The transcoder's reader takes `1.`, single quotes and a name twice, and keeps the last.
local MAX_DEPTH = 32
local NULL = {}
local at, text

local function fail(what)
  error({malformed = what .. ' at byte ' .. at}, 0)
end

local UTF8 = {
  '^[\194-\223][\128-\191]()', '^\224[\160-\191][\128-\191]()', '^[\225-\236\238\239][\128-\191][\128-\191]()',
  '^\237[\128-\159][\128-\191]()', '^\240[\144-\191][\128-\191][\128-\191]()',
  '^[\241-\243][\128-\191][\128-\191][\128-\191]()', '^\244[\128-\143][\128-\191][\128-\191]()',
}

local function is_utf8(words)
  local from = string.find(words, '[\128-\255]')
  while from do
    local after
    for _, form in ipairs(UTF8) do
      after = after or string.match(words, form, from)
    end
    if not after then return false end
    from = string.find(words, '[\128-\255]', after)
  end
  return true
end

local function skip_space()
  at = string.find(text, '[^ \t\r\n]', at) or #text + 1
  return string.sub(text, at, at)
end

local function utf8_of(code)
  if code < 0x80 then return string.char(code) end
  local tail = ''
  local most = 0x40
  while code >= most do
    tail = string.char(0x80 + code % 0x40) .. tail
    code = math.floor(code / 0x40)
    most = most / 2
    if most == 0x20 and code < 0x20 then return string.char(0xC0 + code) .. tail end
    if most == 0x10 and code < 0x10 then return string.char(0xE0 + code) .. tail end
    if most == 0x08 then return string.char(0xF0 + code) .. tail end
  end
end

local ESCAPES = {b = '\b', f = '\f', n = '\n', r = '\r', t = '\t', ['"'] = '"', ['\\'] = '\\', ['/'] = '/'}

-- `at` is behind the backslash.
local function escaped()
  local simple = ESCAPES[string.sub(text, at, at)]
  if simple then
    at = at + 1
    return simple
  end
  local code = tonumber(string.match(text, '^u(%x%x%x%x)', at) or fail('a broken escape'), 16)
  at = at + 5
  if code >= 0xD800 and code <= 0xDFFF then
    local low = tonumber(string.match(text, '^\\u([dD][c-fC-F]%x%x)', at) or fail('half of a surrogate pair'), 16)
    if code > 0xDBFF then fail('half of a surrogate pair') end
    at = at + 6
    code = 0x10000 + (code - 0xD800) * 0x400 + low - 0xDC00
  end
  return utf8_of(code)
end

local function string_at()
  local pieces = {}
  at = at + 1
  while true do
    local stop = string.find(text, '[%z\1-\31"\\]', at) or fail('a string has no end')
    pieces[#pieces + 1] = string.sub(text, at, stop - 1)
    local what = string.sub(text, stop, stop)
    at = stop + 1
    if what == '"' then return table.concat(pieces) end
    if what ~= '\\' then fail('a control character in a string') end
    pieces[#pieces + 1] = escaped()
  end
end

-- A number stays as it is written: 64 bits do not fit Lua's.
local function number_at()
  local from = at
  local whole = string.match(text, '^%-?%d+', at) or fail('a value is missing')
  if string.find(whole, '^%-?0%d') then fail('a number begins with 0') end
  at = at + #whole
  at = at + #(string.match(text, '^%.%d+', at) or '')
  at = at + #(string.match(text, '^[eE][+-]?%d+', at) or '')
  return {number = string.sub(text, from, at - 1)}
end

local value

-- Reads items until `close`; `item` reads one.
local function each(close, item)
  at = at + 1
  if skip_space() == close then
    at = at + 1
    return
  end
  while true do
    item()
    local next = skip_space()
    if next ~= ',' and next ~= close then fail("',' or '" .. close .. "' is missing") end
    at = at + 1
    if next == close then return end
  end
end

local function object(depth)
  local pairs_read = {}
  each('}', function()
    if skip_space() ~= '"' then fail('a name in double quotes is missing') end
    local name = string_at()
    if skip_space() ~= ':' then fail("':' is missing") end
    at = at + 1
    pairs_read[#pairs_read + 1] = {name, value(depth)}
  end)
  return {object = pairs_read}
end

local function array(depth)
  local items = {}
  each(']', function() items[#items + 1] = value(depth) end)
  return {list = items}
end

local WORDS = {['true'] = true, ['false'] = false, null = NULL}

value = function(depth)
  if depth > MAX_DEPTH then fail('more than ' .. MAX_DEPTH .. ' levels') end
  local first = skip_space()
  if first == '{' then return object(depth + 1) end
  if first == '[' then return array(depth + 1) end
  if first == '"' then return string_at() end
  local word = string.match(text, '^%l+', at)
  if word and WORDS[word] ~= nil then
    at = at + #word
    return WORDS[word]
  end
  return number_at()
end

-- The whole body: an object. Raises {malformed = words}.
local function decode(body)
  at, text = 1, body
  if not is_utf8(body) then error({malformed = 'it is not UTF-8'}, 0) end
  if skip_space() ~= '{' then fail('an object is missing') end
  local found = value(0)
  if skip_space() ~= '' then fail('something follows the object') end
  return found
end
