--- Telling the service manager: sd_notify(3), in datagrams to the socket that `NOTIFY_SOCKET` names.
-- @module csock.service
local check = require "csock.check"
local csock = require "csock"
local internal = require "csock.loop.internal"
local loop = csock.loop

local PATIENCE = 5 -- seconds in which the service manager must take a message

local M = {}

-- --- messages -------------------------------------------------------------------------------------

-- Where the service manager hears: its address; false where there is none; nil, err, errno for one of a kind that is
-- not known here (AF_VSOCK).
local function manager()
  local name = os.getenv "NOTIFY_SOCKET"
  if not name or name == "" then return false end
  if name:find "^/" then return name end
  if name:find "^@" then return "\0" .. name:sub(2) end
  return csock.make_error { call = "notify", errno = csock.errno.EAFNOSUPPORT, address = name }
end

local function assignment(name, value)
  if type(name) ~= "string" or not name:find "^[%u_][%u%d_]*$" then
    check.bad("notify", 1, ("'%s' is no name such as READY"):format(tostring(name)))
  end
  if value == true then value = "1" end
  if math.type(value) == "integer" then value = tostring(value) end
  if type(value) ~= "string" or value:find "[\n\0]" then
    check.bad("notify", 1, name .. ": true, integer or a line expected")
  end
  return name .. "=" .. value
end

-- Since version 253 systemd tells by the time which reload is meant.
local function add_time(lines)
  local reloading, timed
  for _, line in ipairs(lines) do
    reloading = reloading or line == "RELOADING=1"
    timed = timed or line:find "^MONOTONIC_USEC="
  end
  if reloading and not timed then
    lines[#lines + 1] = ("MONOTONIC_USEC=%d"):format(math.floor(csock.now() * 1000000))
  end
end

local function text_of(state)
  local lines = {}
  if type(state) == "string" then
    for line in state:gmatch "[^\n]+" do lines[#lines + 1] = line end
  elseif type(state) == "table" then
    for name, value in pairs(state) do lines[#lines + 1] = assignment(name, value) end
    table.sort(lines)
  else
    check.expected("notify", 1, "string or table", state)
  end
  add_time(lines)
  return table.concat(lines, "\n")
end

local function send(text, things)
  local address, err, errno = manager()
  if address == false then return false end
  if not address then return nil, err, errno end
  local s <close>, failure, number = csock.socket(csock.AF_UNIX, csock.SOCK_DGRAM)
  if not s then return nil, failure, number end
  s:settimeout(PATIENCE)
  local sent
  if things then
    sent, err, errno = csock.send_fds(s, { text }, things, 0, address)
  else
    sent, err, errno = s:sendto(text, address)
  end
  if not sent then return nil, err, errno end
  return true
end

local OPTIONS = { fds = { check.TABLE } }

--- Tells the service manager how this service stands. Source: sd_notify(3).
-- @function notify
-- @tparam string|table state lines such as `"READY=1\nSTATUS=up"`; or a table of them, `{READY = true, STATUS = "up"}`
-- (true is 1). systemd knows, among others, `READY`, `RELOADING`, `STOPPING`, `STATUS` (for people), `ERRNO`,
-- `MAINPID` (the process that is to be looked after instead), `WATCHDOG` (`true`: alive; `"trigger"`), `WATCHDOG_USEC`,
-- `EXTEND_TIMEOUT_USEC`, `FDSTORE`, `FDSTOREREMOVE`, `FDNAME`, `FDPOLL`. With `RELOADING` the time that systemd wants
-- is told by itself.
-- @tparam[opt] table options
-- @tparam[opt] table options.fds descriptors that go with it: sockets, files, numbers
-- @treturn[1] boolean true: told; false: there is no service manager that listens (no `NOTIFY_SOCKET`)
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`ENOENT`, `ECONNREFUSED`: the service manager is gone; `ETIMEDOUT`: it has taken nothing in
-- 5 s)
-- @raise for names and values that are none
-- @usage print(service.notify {READY = true, STATUS = "serving"}) --> false
function M.notify(state, options)
  return send(text_of(state), check.options(options, OPTIONS, 2, "notify").fds)
end

local WAITING = { timeout = { check.TIMEOUT, PATIENCE, math.huge } }

--- Waits until the service manager has seen all that was told to it so far: to be called before a process ends that has
-- just told something. Source: sd_notify_barrier(3).
-- @function barrier
-- @tparam[opt] table options
-- @tparam[opt=5] number options.timeout seconds (false: no limit)
-- @treturn[1] boolean as of `notify`
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`ETIMEDOUT`)
-- @usage print(service.barrier {timeout = 1}) --> false
function M.barrier(options)
  local timeout = check.options(options, WAITING, 1, "barrier").timeout
  local ours <close>, theirs, errno = csock.socketpair()
  if not ours then return nil, theirs, errno end
  local told, err
  do
    local holder <close> = internal.holder(theirs) -- it is closed where the service manager closes its copy
    told, err, errno = send("BARRIER=1", { holder.held })
  end
  if told == false then return false end
  if not told then return nil, err, errno end
  ours:settimeout(timeout < math.huge and timeout or nil)
  local data
  data, err, errno = ours:recv(1)
  if not data then return nil, err, errno end
  return true
end

-- --- the watchdog ---------------------------------------------------------------------------------

-- Digits, and nothing else, as an integer.
local function number_in(name)
  local text = os.getenv(name)
  return text and text:find "^%d+$" and math.tointeger(tonumber(text)) or nil
end

--- Starts to tell the service manager, twice in each time that it has set for that (`WatchdogSec=`), that this program
-- is alive: in a daemon task, and so for as long as the loop turns. Source: sd_watchdog_enabled(3).
-- @function watchdog
-- @treturn task false where the service manager has not asked this process for it
-- @usage print(service.watchdog()) --> false
function M.watchdog()
  local microseconds, pid = number_in "WATCHDOG_USEC", number_in "WATCHDOG_PID"
  if not microseconds or microseconds == 0 or pid and pid ~= csock.getpid() then return false end
  return loop.spawn(function()
    while true do
      M.notify { WATCHDOG = true } -- a service manager that is being restarted itself misses one
      loop.sleep(microseconds / 2000000)
    end
  end):daemon()
end

-- --- the store ------------------------------------------------------------------------------------

local NAME = check.kind("name without ':' and control characters, 1 to 255 bytes", function(name)
  return type(name) == "string" and #name >= 1 and #name <= 255 and not name:find "[:%c\127-\255]"
end)

--- Gives the service manager a copy of a descriptor to keep, for this program's next life: after a restart `listen_fds`
-- has it under this name. Of a connection that has ended, systemd forgets its copy by itself, when it sees the end.
-- Source: `FDSTORE=1` of sd_notify(3).
-- @function store
-- @param thing a socket, a file, a number
-- @tparam string name several may have the same
-- @treturn[1] boolean as of `notify`
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage print(service.store(s, "client")) --> false
function M.store(thing, name)
  check.argument(NAME, name, 2, "store")
  return send("FDSTORE=1\nFDNAME=" .. name, { thing })
end

--- Has the service manager forget what it keeps under a name. Source: `FDSTOREREMOVE=1` of sd_notify(3).
-- @function forget
-- @tparam string name
-- @treturn[1] boolean as of `notify`
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage print(service.forget "client") --> false
function M.forget(name)
  check.argument(NAME, name, 1, "forget")
  return send("FDSTOREREMOVE=1\nFDNAME=" .. name)
end

return M
