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

-- What can be the value of a field, as a string; raises for others.
function M.value(name, value)
  if math.type(value) then value = tostring(value) end
  if type(value) ~= "string" or find(value, "[\r\n\0]") then
    error(("the value of %s is %s"):format(name,
      type(value) == "string" and "no line: " .. ("%q"):format(value) or "a " .. type(value)), 0)
  end
  return value
end

-- What the program has said of OWN's fields, and all other lines: of the answer that is being put together. (No task
-- comes between, since nothing here waits.)
local said, any_said, lines = {}, false, nil

-- Lines that were right once: name -> value -> line. A program has few that are short, and uses them again and again.
local MOST, SHORT = 1000, 64
local known, known_count = {}, 0

local function remember(name, value, line)
  if known_count == MOST then known, known_count = {}, 0 end
  local values = known[name] or {}
  known[name], values[value], known_count = values, line, known_count + 1
end

local function add(name, value)
  if type(value) == "table" then
    for _, one in ipairs(value) do add(name, one) end
    return
  end
  local values = known[name]
  local line = values and values[value]
  if not line then
    if not headers.is_name(name) then
      error((type(name) == "string" and "%q" or "a %s"):format(type(name) == "string" and name or type(name))
        .. " cannot be the name of a field", 0)
    end
    value = M.value(name, value)
    local own = OWN[name:lower()]
    line = own ~= "length" and own ~= "coding" and name .. ": " .. value .. "\r\n" or "" -- those are the framing's
    if own then
      said[own], any_said = value, true
    elseif #value <= SHORT then
      remember(name, value, line)
    end
  end
  lines = lines and lines .. line or line
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
  if any_said then said, any_said = {}, false end
  lines = nil
  if fields then add_all(fields) end
  local framing, said_length = framing_of(request, status, length)
  local keep = request.keep_alive and framing ~= "close"
  local connection = ""
  if said.connection then
    if find(said.connection:lower(), "%f[%w]close%f[%W]") then keep = false end
  elseif status >= 200 then
    if not keep then
      connection = "Connection: close\r\n"
    elseif request.version < 11 then
      connection = "Connection: keep-alive\r\n"
    end
  end
  local first
  if said.date or said.server then
    first = status_line(status) .. (said.server and "" or "Server: " .. M.SOFTWARE .. "\r\n")
      .. (said.date and "" or M.date_line())
  else
    first = opening_of(status)
  end
  local head
  if said_length then
    head = first .. (lines or "") .. connection .. "Content-Length: " .. said_length .. "\r\n\r\n"
  elseif framing == "chunked" then
    head = first .. (lines or "") .. connection .. "Transfer-Encoding: chunked\r\n\r\n"
  else
    head = first .. (lines or "") .. connection .. "\r\n"
  end
  return head, framing, said_length, keep
end

return M
