-- Refuses a JSON body that is malformed or names a field the contract does not have. gRPC calls pass at one comparison.
local MAX_DEPTH, MAX_FOUND = 32, 20
local at, text, found, path

local function fail(what)
  error({malformed = what .. ' at byte ' .. at}, 0)
end

local function skip_space()
  at = string.find(text, '[^ \t\r\n]', at) or #text + 1
end

local function string_at()
  local start = at + 1
  at = start
  while true do
    local stop = string.find(text, '["\\%c]', at)
    if not stop then fail('a string has no end') end
    local what = string.sub(text, stop, stop)
    at = stop + 1
    if what == '"' then
      return string.sub(text, start, stop - 1)
    elseif what == '\\' then
      if not string.find(text, '^["\\/bfnrtu]', at) then fail('a broken escape') end
      at = at + 1
    else
      fail('a control character in a string')
    end
  end
end

-- Whether what begins here is what the field is; the transcoder's words for it would not name the field.
local WANTED = {list = 'must be a list', object = 'must be an object', scalar = 'must be a single value'}

local function suits(kind)
  skip_space()
  local first = string.sub(text, at, at)
  if kind == 'any' or string.find(text, '^null', at) then return true end
  local is = first == '[' and 'list' or first == '{' and 'object' or 'scalar'
  return is == kind
end

local function note(what)
  if #found < MAX_FOUND then found[#found + 1] = {table.concat(path, '.'), what} end
end

local value

local function object(message, depth)
  at = at + 1
  skip_space()
  if string.sub(text, at, at) == '}' then at = at + 1 return end
  local seen = {}
  while true do
    skip_space()
    if string.sub(text, at, at) ~= '"' then fail('a name in double quotes is missing') end
    local name = string_at()
    if seen[name] then fail(string.sub(name, 1, 64) .. ' is there twice') end
    seen[name] = true
    skip_space()
    if string.sub(text, at, at) ~= ':' then fail("':' is missing") end
    at = at + 1
    path[#path + 1] = name
    local field = message and MESSAGES[message][name]
    if message and not field then
      note('no such field')
    elseif field and not suits(field[1]) then
      note(WANTED[field[1]])
      field = nil
    end
    value(field and field[2] or nil, depth)
    path[#path] = nil
    skip_space()
    local next = string.sub(text, at, at)
    at = at + 1
    if next == '}' then return end
    if next ~= ',' then at = at - 1 fail("',' or '}' is missing") end
  end
end

local function array(message, depth)
  at = at + 1
  skip_space()
  if string.sub(text, at, at) == ']' then at = at + 1 return end
  while true do
    value(message, depth)
    skip_space()
    local next = string.sub(text, at, at)
    at = at + 1
    if next == ']' then return end
    if next ~= ',' then at = at - 1 fail("',' or ']' is missing") end
  end
end

value = function(message, depth)
  if depth > MAX_DEPTH then fail('more than ' .. MAX_DEPTH .. ' levels') end
  skip_space()
  local first = string.sub(text, at, at)
  if first == '{' then return object(message, depth + 1) end
  if first == '[' then return array(message, depth + 1) end
  if first == '"' then string_at() return end
  for _, pattern in ipairs({'^true', '^false', '^null', '^%-?%d+%.?%d*[eE]?[+-]?%d*'}) do
    local _, stop = string.find(text, pattern, at)
    if stop then at = stop + 1 return end
  end
  fail('a value is missing')
end

local function check(body, message)
  at, text, found, path = 1, body, {}, {}
  local good, problem = pcall(function()
    skip_space()
    if string.sub(text, at, at) ~= '{' then fail('an object is missing') end
    value(message, 0)
    skip_space()
    if at <= #text then fail('something follows the object') end
  end)
  if not good then return nil, type(problem) == 'table' and problem.malformed or 'the body is not JSON' end
  return found
end

local function quoted(words)
  return '"' .. string.gsub(words, '[%c"\\\128-\255]', '?') .. '"'
end

local function refuse(handle, reason, message, fields)
  local violations = {}
  for i, field in ipairs(fields) do
    violations[i] = '{"field":' .. quoted(field[1]) .. ',"description":' .. quoted(field[2]) .. '}'
    message = message .. (i > 1 and '; ' or '') .. field[1] .. ': ' .. field[2]
  end
  local details = '{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"' .. reason .. '","domain":"peakmesh","metadata":{}}'
  if #fields > 0 then
    details = details .. ',{"@type":"type.googleapis.com/google.rpc.BadRequest","field_violations":[' .. table.concat(violations, ',') .. ']}'
  end
  -- Tells the local replies' mapper that this one has its form already.
  handle:headers():replace('x-peakmesh-told', 'json')
  handle:respond({[':status'] = '400', ['content-type'] = 'application/json'},
    '{"code":3,"message":' .. quoted(message) .. ',"details":[' .. details .. ']}')
end

local function message_of(verb, url)
  local route = string.match(url, '^[^?]*')
  for _, each in ipairs(ROUTES) do
    if each[1] == verb and string.find(route, each[2]) then return each[3] end
  end
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local kind = headers:get('content-type')
  if kind and string.sub(kind, 1, 16) == 'application/grpc' then return end
  local message = message_of(headers:get(':method'), headers:get(':path'))
  if not message then return end
  local body = handle:body()
  if not body or body:length() == 0 then return end
  local wrong, malformed = check(body:getBytes(0, body:length()), message)
  if malformed then
    refuse(handle, 'UNDECODABLE', 'the body is not JSON: ' .. malformed, {})
  elseif #wrong > 0 then
    refuse(handle, 'INVALID_FIELD', '', wrong)
  end
end
