--- Server-sent events.
-- @module csock.httpserver
local check = require "csock.check"

local M = {}

local FIELDS = { id = true, event = true, retry = true, data = true, comment = true }

local function line_of(name, value)
  if math.type(value) then value = tostring(value) end
  if type(value) ~= "string" then check.expected("event", 1, name .. ": string", value) end
  if value:find "[\r\n\0]" then check.bad("event", 1, name .. " with CR, LF or a zero byte") end
  return name .. ": " .. value .. "\n"
end

--- Puts a server-sent event together, for a body that is a function:
--
--     return 200, {["content-type"] = "text/event-stream", ["cache-control"] = "no-cache"}, function()
--       csock.sleep(1)
--       return httpserver.event{ data = os.date() }
--     end
--
-- Source: the HTML standard, "Server-sent events"; csock's own.
-- @function event
-- @tparam string|table fields the data; or a table with `data` (its lines become several fields), `event`, `id`,
-- `retry` (milliseconds), `comment` (which keeps a connection alive)
-- @treturn string
-- @raise for CR, LF or a zero byte in what must be one line
-- @usage print(#httpserver.event {event = "tick", data = "1"}) --> 21
function M.event(fields)
  if type(fields) == "string" then fields = { data = fields } end
  if type(fields) ~= "table" then check.expected("event", 1, "string or table", fields) end
  for name in next, fields do
    if not FIELDS[name] then check.bad("event", 1, ("unknown field '%s'"):format(tostring(name))) end
  end
  local lines = {}
  if fields.comment then lines[#lines + 1] = line_of("", fields.comment) end
  for _, name in ipairs { "event", "id", "retry" } do
    if fields[name] then lines[#lines + 1] = line_of(name, fields[name]) end
  end
  if fields.data then
    local data = tostring(fields.data):gsub("\r\n?", "\n")
    for line in (data .. "\n"):gmatch "([^\n]*)\n" do lines[#lines + 1] = line_of("data", line) end
  end
  lines[#lines + 1] = "\n"
  return table.concat(lines)
end

return M
