--- What a service manager hands over to a program that it starts (socket activation, and its store of descriptors).
-- @module csock.service
local csock = require "csock"
local core = require "csock.core"
local internal = require "csock.loop.internal"

local FIRST = 3 -- the number of the first descriptor

local M = {}

local function is_open(fd)
  local copy, _, errno = csock.dup(fd)
  if copy then csock.close(copy) end
  return errno ~= csock.errno.EBADF
end

-- What was handed to this process: a sequence of `{fd =, name =}`; the name may be nil. One that is not open ends it.
function M.read()
  local list = {}
  if tonumber(os.getenv "LISTEN_PID") ~= csock.getpid() then return list end
  for i = 1, math.tointeger(tonumber(os.getenv "LISTEN_FDS")) or 0 do
    if not is_open(FIRST + i - 1) then break end
    list[i] = { fd = FIRST + i - 1 }
  end
  local i = 0
  for name in ((os.getenv "LISTEN_FDNAMES" or "") .. ":"):gmatch "([^:]*):" do
    i = i + 1
    if list[i] and name ~= "" then list[i].name = name end
  end
  return list
end

-- A socket of a descriptor; of what is no socket, the number of a copy. Neither is inherited by other programs.
local function take(fd)
  local socket, err, errno = csock.socket { fileno = fd }
  if socket then
    local holder <close> = internal.holder(socket)
    local ok
    ok, err, errno = socket:set_inheritable(false)
    if not ok then return nil, err, errno end
    return holder:take()
  end
  if errno ~= csock.errno.ENOTSOCK then return nil, err, errno end
  local copy
  copy, err, errno = csock.dup(fd)
  if copy then csock.close(fd) end
  return copy, err, errno
end

--- Takes over the sockets that a service manager has handed to this process, both those that it listens on for it
-- (`.socket` units) and those that it was given to keep (`store`). They become this program's, no other one inherits
-- them, and the variables that tell of them (`LISTEN_PID`, `LISTEN_FDS`, `LISTEN_FDNAMES`) are removed, so that they
-- are given once. It is to be called early: removing them is not safe while other threads of a host read the
-- environment. Source: sd_listen_fds_with_names(3).
-- @function listen_fds
-- @treturn[1] {socket,...} in their order; in the place of what is no socket, a descriptor (a number)
-- @treturn[1] {[string]={socket,...}} the same by their names; those without one are not among them
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EMFILE`, ...)
-- @usage
-- local sockets, named = service.listen_fds()
-- local listener = sockets[1] or assert(csock.create_server {"127.0.0.1", 0})
function M.listen_fds()
  local things, named = {}, {}
  for i, entry in ipairs(M.read()) do
    local thing, err, errno = take(entry.fd)
    if not thing then return nil, err, errno end
    things[i] = thing
    if entry.name then
      named[entry.name] = named[entry.name] or {}
      table.insert(named[entry.name], thing)
    end
  end
  for _, name in ipairs { "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES" } do core.service.unsetenv(name) end
  return things, named
end

return M
