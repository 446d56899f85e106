--- The file that says which process a service is.
-- @module csock.service
local check = require "csock.check"
local csock = require "csock"
local core = require "csock.core"
local internal = require "csock.loop.internal"

local NAME = check.kind("path", function(path)
  return type(path) == "string" and path ~= "" and not path:find "%z"
end)

--- A PID file. It is removed when it is closed, or collected (as in the end, where the Lua state is closed).
-- @type pidfile
local Pidfile = {}
Pidfile.__index = Pidfile
Pidfile.__name = "csock.pidfile"

local open = setmetatable({}, { __mode = "k" }) -- those of this process

-- A child has copies of the locks, which would hold them for as long as it lives.
internal.in_child(function()
  for file in pairs(open) do
    if file.fd then csock.close(file.fd) end
    file.fd = false
  end
  open = setmetatable({}, { __mode = "k" })
end)

--- Removes the file, and so lets others have it. Closing again is harmless; in a forked child it does nothing.
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EACCES`: this user may not remove it; nobody has it all the same)
-- @usage
-- local file = assert(service.pidfile(os.tmpname()))
-- print(file:close()) --> true
function Pidfile:close()
  local fd = self.fd
  if not fd then return true end
  self.fd, open[self] = false, nil
  local may, err, errno = internal.may_open("pidfile", self.path)
  if not may then
    csock.close(fd)
    return nil, err, errno
  end
  local ok, _
  ok, _, errno = os.remove(self.path) -- before the lock ends: later it may be somebody else's
  csock.close(fd)
  if not ok and errno ~= csock.errno.ENOENT then
    return csock.make_error { call = "pidfile", errno = errno, address = self.path }
  end
  return true
end

Pidfile.__close, Pidfile.__gc = Pidfile.close, Pidfile.close

function Pidfile:__tostring()
  return ("<csock.pidfile %s>"):format(self.fd and self.path or "[closed]")
end

local function taken(path)
  local file <close> = io.open(path)
  local pid = file and file:read(20)
  pid = pid and pid:match "^%d+"
  return csock.make_error {
    call = "pidfile", errno = csock.errno.EBUSY, address = path,
    message = ("pidfile %s: %s has it"):format(path, pid and "process " .. pid or "another process"),
  }
end

--- Makes a PID file: the process's id and a newline, locked for as long as this process lives. What a dead process has
-- left behind is taken over; a path that is a link is refused. It is to be made after `daemonize`, which makes another
-- process and goes to another directory.
-- @function pidfile
-- @tparam string path
-- @treturn[1] pidfile
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EBUSY`: another process has it; `EACCES`, `ENOENT`, `ELOOP` ...)
-- @usage
-- local file <close> = assert(service.pidfile(os.tmpname()))
-- print(service.pidfile(file.path) == nil) --> true
return function(path)
  check.argument(NAME, path, 1, "pidfile")
  local file = setmetatable({ path = path, fd = false }, Pidfile)
  local text = ("%d\n"):format(csock.getpid())
  open[file] = true -- before there is something to lose
  local fd, err, errno = core.service.lock(path, text)
  if fd then
    file.fd = fd
    return file
  end
  if errno == csock.errno.EWOULDBLOCK then return taken(path) end
  return nil, err, errno
end
