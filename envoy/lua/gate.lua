-- The filter before the transcoder: what does not fit the contract goes no further, and is told field by field.
local function quoted(words)
  words = string.sub(words, 1, 300)
  if not is_utf8(words) then words = string.gsub(words, '[\128-\255]', '?') end
  return '"' .. string.gsub(words, '[%z\1-\31"\\]', function(c) return string.format('\\u%04x', string.byte(c)) end) .. '"'
end

local function refuse(handle, status, reason, message, fields)
  local words, violations = {}, {}
  for i, field in ipairs(fields) do
    words[i] = field[1] .. ': ' .. field[2]
    violations[i] = '{"field":' .. quoted(field[1]) .. ',"description":' .. quoted(field[2]) .. '}'
  end
  local details = '{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"' .. reason .. '","domain":"peakmesh","metadata":{}}'
  if #fields > 0 then
    message = table.concat(words, '; ')
    details = details .. ',{"@type":"type.googleapis.com/google.rpc.BadRequest","field_violations":[' .. table.concat(violations, ',') .. ']}'
  end
  -- Tells the local replies' mapper that this one has its form already.
  handle:headers():replace('x-peakmesh-told', 'json')
  handle:respond({[':status'] = status, ['content-type'] = 'application/json'},
    '{"code":3,"message":' .. quoted(message) .. ',"details":[' .. details .. ']}')
end

local function route_of(verb, path)
  for _, route in ipairs(ROUTES) do
    if route.verb == verb then
      local captured = {string.match(path, route.pattern)}
      if #captured > 0 then return route, captured end
    end
  end
end

-- gRPC's own headers say nothing here, and a broken one would make the service answer INTERNAL.
local function drop_grpc_headers(headers)
  local dropped = {}
  for name in pairs(headers) do
    if string.find(name, '^grpc%-') or string.find(name, '%-bin$') then dropped[#dropped + 1] = name end
  end
  for _, name in ipairs(dropped) do headers:remove(name) end
end

local function check_url(route, captured, query)
  for i, name in ipairs(route.variables) do
    check_text(name, MESSAGES[route.message][name], unescaped(captured[i]))
  end
  check_query(route, query)
end

local function is_json(kind)
  local said = string.match(string.lower(kind), '^([^;%s]*)%s*;?')
  return said == 'application/json'
end

-- What no field can be blamed for: status and words; nothing where all that is wrong is in `found`.
local function judge(route, captured, query, kind, body)
  check_url(route, captured, query)
  if not route.body then
    if body ~= '' then return '400', 'this method takes no body' end
    return
  end
  if not is_json(kind) then return '415', 'content-type must be application/json' end
  local good, read = pcall(decode, body)
  if good then
    check_message('', route.message, read, route.bound)
  elseif type(read) == 'table' then
    return '400', 'the body is not JSON: ' .. read.malformed
  else
    error(read, 0)
  end
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local kind = headers:get('content-type') or ''
  if kind == 'application/grpc' or string.find(kind, '^application/grpc%+') then return end
  local path, query = string.match(headers:get(':path'), '^([^?#]*)%??(.*)$')
  local route, captured = route_of(headers:get(':method'), path)
  -- What is not known here is not checked here: the transcoder must not take it for something it knows.
  if not route then return handle:respond({[':status'] = '404'}, '') end
  drop_grpc_headers(headers)
  local body = handle:body()
  found = {}
  local good, status, words = pcall(judge, route, captured, query, kind, body and body:getBytes(0, body:length()) or '')
  if not good then
    -- A defect here lets nothing through unchecked; Envoy itself would.
    handle:logErr(status)
    handle:respond({[':status'] = '500'}, '')
  elseif status then
    refuse(handle, status, 'UNDECODABLE', words, {})
  elseif #found > 0 then
    refuse(handle, '400', 'INVALID_FIELD', '', found)
  end
end

-- RetryInfo in the words of HTTP. What is no error is not held back to be read.
function envoy_on_response(handle)
  if handle:headers():get(':status') < '400' then return end
  local body = handle:body()
  local told = body and body:getBytes(0, body:length()) or ''
  local seconds = string.match(told, '"retry_delay"%s*:%s*"([%d.]+)s"')
  -- Asked for again: what was got before the body was waited for is dead.
  if seconds then handle:headers():replace('retry-after', tostring(math.ceil(tonumber(seconds)))) end
end
