-- state.lua: what is going on in this process, as rows for the prompt and the dashboard: sockets, servers, tasks.
local csock = require "csock"
local loop = csock.loop
local internal = require "csock.loop.internal"

local M = {}

-- A number of bytes, short: 999, 1.2k, 34M.
function M.size(n)
  if n < 1000 then return tostring(n) end
  local units = "kMGTPE"
  for i = 1, #units do
    n = n / 1000
    if n < 10 then return ("%.1f%s"):format(n, units:sub(i, i)) end
    if n < 1000 then return ("%.0f%s"):format(n, units:sub(i, i)) end
  end
end

-- Seconds, short: 0.4s, 12s, 5m, 3h, 2d.
function M.age(seconds)
  if seconds < 10 then return ("%.1fs"):format(seconds) end
  for _, unit in ipairs { { 60, 1, "s" }, { 3600, 60, "m" }, { 86400, 3600, "h" }, { math.huge, 86400, "d" } } do
    if seconds < unit[1] then return ("%d%s"):format(seconds // unit[2], unit[3]) end
  end
end

function M.address(address)
  if address == nil then return "" end
  if type(address) == "string" then
    if address == "" then return "-" end
    return address:byte(1) == 0 and "@" .. address:sub(2) or address
  end
  local host, port = address.host, address.port
  if not host or not port then return tostring(address) end
  return (host:find ":" and "[%s]:%d" or "%s:%d"):format(host, port)
end

-- The open sockets, the oldest first: see csock.sockets.
function M.sockets()
  local rows = csock.sockets()
  table.sort(rows, function(a, b) return a.id < b.id end)
  return rows
end

-- The row of the socket with this number (also as it was typed); or nil and what is wrong.
function M.socket(id)
  local row = csock.sockets(function(number) return tostring(number) == tostring(id) end)[1]
  if row then return row end
  return nil, id == "" and "expects the number of a socket" or "there is no open socket " .. tostring(id)
end

-- Closes the socket with this number; nil, err: there is none. Streams over it would go on, and keep the connection:
-- they find that it has ended.
function M.close(id)
  local row, why = M.socket(id)
  if not row then return nil, why end
  local ok, err, errno = row.socket:close()
  if M.socket(id) then
    local same <close> = csock.fromfd(row.fd)
    if same then same:shutdown(csock.SHUT_RDWR) end
  end
  return ok, err, errno
end

-- By what a connection and the server that accepted it belong together: their port, or their path.
local function place_of(row)
  return type(row.laddr) ~= "string" and row.laddr and row.laddr.port or row.laddr
end

-- Whether a server of this process listens where this socket's own end is.
function M.is_served(row)
  for _, server in ipairs(M.servers()) do
    if row.laddr ~= nil and place_of(server) == place_of(row) then return true end
  end
  return false
end

-- Those that listen, each with its `clients`: how many there are, and what went over them.
function M.servers()
  local servers, by_address = {}, {}
  local rows = M.sockets()
  for _, row in ipairs(rows) do
    if row.state == "listening" then
      row.clients, row.traffic_in, row.traffic_out = 0, 0, 0
      servers[#servers + 1] = row
      by_address[place_of(row) or row] = row
    end
  end
  for _, row in ipairs(rows) do
    local server = row.state ~= "listening" and by_address[place_of(row)]
    if server and server.kind == row.kind then
      server.clients = server.clients + 1
      server.traffic_in, server.traffic_out = server.traffic_in + row.received, server.traffic_out + row.sent
    end
  end
  return servers
end

local HERE = debug.getinfo(1, "S").source:match "^@(.*)csock[/.]repl[/.]state%.lua$"

-- A place in a file ("server.lua:12"), for people: of csock's own files without the path to them.
function M.place(where)
  if not where then return "" end
  return HERE and where:sub(1, #HERE) == HERE and where:sub(#HERE + 1) or where
end

local task_ids, last_id = setmetatable({}, { __mode = "k" }), 0
local own = setmetatable({}, { __mode = "k" })

-- Marks a task as one of those that make up the prompt itself. Gives it.
function M.own(task)
  own[task] = true
  return task
end

-- The tasks that are not over (those that are `wanted`), in the order in which they were first seen here, each with a
-- number as its `id`; `own`: the prompt itself needs it.
function M.tasks(wanted)
  local rows = loop.tasks(wanted)
  for _, row in ipairs(rows) do
    if not task_ids[row.task] then
      last_id = last_id + 1
      task_ids[row.task] = last_id
    end
    row.id = task_ids[row.task]
    row.own = own[row.task] or internal.reads_signals(row.task) or nil
  end
  table.sort(rows, function(a, b) return a.id < b.id end)
  return rows
end

-- The row of the task with this number or name: one of the program's own, if it is a name that several have.
function M.task(id)
  local found
  for _, row in ipairs(M.tasks()) do
    if tostring(row.id) == id or row.name == id and (not found or found.own) then found = row end
  end
  return found
end

-- What a task waits in, short: sockets by the numbers that they have in the list of them.
function M.waits(row)
  if row.status ~= "waiting" then return row.status end
  local object = row.object
  if object == nil then return row.waits end
  for _, socket in ipairs(csock.sockets()) do
    if socket.socket == object then return ("%s of socket %d"):format(row.waits, socket.id) end
  end
  local text = tostring(object):gsub("^<csock%.", "<")
  return ("%s of %s"):format(row.waits, text)
end

return M
