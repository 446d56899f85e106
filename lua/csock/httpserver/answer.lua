-- answer.lua: the head of an answer: its lines checked and put together, and its framing, which is decided here alone.
local csock = require "csock"
local dates = require "csock.wire.dates"
local headers = require "csock.wire.headers"
local responses = require "csock.http.status".responses

local time = os.time
local find, format = string.find, string.format

local M = {}

-- What a server calls itself, in the field Server.
M.SOFTWARE = "csock/" .. (csock._VERSION:match "%d[%d.]*" or "0")

-- --- lines that are the same for a while -----------------------------------------------------------

local second, date_line        -- the time in seconds that these are of
local opening = {}             -- status -> the first lines, with Date

local function renew()
  second = time()
  date_line = "Date: " .. dates.http(second) .. "\r\n"
  opening = {}
end

-- The line Date, made once a second.
function M.date_line()
  if time() ~= second then renew() end
  return date_line
end

local function status_line(status)
  return format("HTTP/1.1 %d %s\r\n", status, responses[status] or "Unknown")
end

local function opening_of(status)
  if time() ~= second then renew() end
  local lines = opening[status]
  if not lines then
    lines = status_line(status) .. "Server: " .. M.SOFTWARE .. "\r\n" .. date_line
    opening[status] = lines
  end
  return lines
end

-- --- fields ----------------------------------------------------------------------------------------

-- The fields that mean something to the server itself.
local OWN = {
  ["content-length"] = "length", ["transfer-encoding"] = "coding", connection = "connection", date = "date",
  server = "server",
}

-- Name -> what OWN says, or true: a program has few names, and uses them again and again.
local MOST_NAMES = 1000
local names, name_count = {}, 0

local function kind_of(name)
  if not headers.is_name(name) then
    error(("%s cannot be the name of a field"):format(type(name) == "string" and ("%q"):format(name) or type(name)), 0)
  end
  if name_count == MOST_NAMES then names, name_count = {}, 0 end
  local kind = OWN[name:lower()] or true
  names[name], name_count = kind, name_count + 1
  return kind
end

-- What can be the value of a field, as a string; raises for others.
function M.value(name, value)
  if math.type(value) then value = tostring(value) end
  if type(value) ~= "string" or find(value, "[\r\n\0]") then
    error(("the value of %s is %s"):format(name,
      type(value) == "string" and "no line: " .. ("%q"):format(value) or "a " .. type(value)), 0)
  end
  return value
end

-- What is being put together: no task comes between, since nothing here waits.
local parts, count = {}, 0
local said = {} -- the fields of OWN that the program has given

local function add(name, value)
  local kind = names[name] or kind_of(name)
  if type(value) == "table" then
    for _, one in ipairs(value) do add(name, one) end
    return
  end
  if type(value) ~= "string" or find(value, "[\r\n\0]") then value = M.value(name, value) end
  if kind ~= true then
    said[kind] = value
    if kind == "length" or kind == "coding" then return end -- the framing's
  end
  parts[count + 1], parts[count + 2], parts[count + 3], parts[count + 4] = name, ": ", value, "\r\n"
  count = count + 4
end

local function add_all(fields)
  if type(fields) ~= "table" then error(("the fields of an answer are a %s"):format(type(fields)), 0) end
  if headers.is(fields) then fields = fields[1] end
  if fields[1] == nil then
    for name, value in next, fields do add(name, value) end
  else
    for i = 1, #fields, 2 do add(fields[i], fields[i + 1]) end
  end
end

-- --- framing ---------------------------------------------------------------------------------------

-- Whether answers with this status have no body (RFC 9110, 6.4.1).
function M.is_bare(status) return status < 200 or status == 204 or status == 304 end

-- How the body of an answer goes: "none", "length", "chunked" or "close"; and the length that is said, if one is.
-- `length`: that of the body, nil where it is not known.
local function framing_of(request, status, length)
  local given = said.length
  if said.coding then error("Transfer-Encoding is the server's to say", 0) end
  if given then
    if not find(given, "^%d+$") or #given > 18 then error(("%q is no Content-Length"):format(given), 0) end
    given = math.tointeger(tonumber(given))
  end
  if status < 200 or status == 204 then return "none" end -- and no length: RFC 9110, 8.6
  local head = request.method == "HEAD"
  if head or status == 304 then return "none", given or head and length or nil end
  if status == 205 then return "none", 0 end
  if given and length and given ~= length then
    error(("Content-Length is %d, and the body has %d bytes"):format(given, length), 0)
  end
  length = given or length
  if length then return "length", length end
  return request.version >= 11 and "chunked" or "close"
end

-- Puts the head of an answer together. `request`: its method, version and keep_alive count; `length`: that of the
-- body, nil where it is not known. The head as a string, how the body goes, its length where that is said, and
-- whether the connection may go on. Raises what is wrong with the fields.
function M.compose(request, status, fields, length)
  count = 1
  if next(said) then said = {} end
  if fields then add_all(fields) end
  local framing, said_length = framing_of(request, status, length)
  local n, keep = count, request.keep_alive and framing ~= "close"
  if said.date or said.server then
    parts[1] = status_line(status) .. (said.server and "" or "Server: " .. M.SOFTWARE .. "\r\n")
      .. (said.date and "" or M.date_line())
  else
    parts[1] = opening_of(status)
  end
  if said_length then
    parts[n + 1], parts[n + 2], parts[n + 3] = "Content-Length: ", said_length, "\r\n"
    n = n + 3
  elseif framing == "chunked" then
    n = n + 1
    parts[n] = "Transfer-Encoding: chunked\r\n"
  end
  if said.connection then
    if find(said.connection:lower(), "%f[%w]close%f[%W]") then keep = false end
  elseif status >= 200 then
    if not keep then
      n = n + 1
      parts[n] = "Connection: close\r\n"
    elseif request.version < 11 then
      n = n + 1
      parts[n] = "Connection: keep-alive\r\n"
    end
  end
  parts[n + 1] = "\r\n"
  return table.concat(parts, "", 1, n + 1), framing, said_length, keep
end

return M
