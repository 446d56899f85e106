-- unixpath.lua: what servers at Unix paths share.
local check = require "csock.check"
local csock = require "csock"
local internal = require "csock.loop.internal"

local M = {}

-- --- who may connect ------------------------------------------------------------------------------

local function number_of(mode) return type(mode) == "string" and tonumber(mode, 8) or mode end

-- A path's mode, as for chmod(1).
M.MODE = check.kind("mode such as \"660\"", function(mode)
  if type(mode) == "string" and not mode:find "^[0-7]+$" then return false end
  mode = number_of(mode)
  return math.type(mode) == "integer" and mode >= 0 and mode <= 511
end)

-- --- what a dead server has left behind -----------------------------------------------------------

-- Whether there is a socket at a path that nobody has any more. A socket of the wrong type is refused in another way
-- when it is somebody's, whether that listens already or not.
local function is_dead(path)
  local is_name = type(path) == "string" and path:sub(1, 1) ~= "\0" -- and none of Linux's that is no path
  if not is_name or not csock.is_socket(path) then return false end
  local probe <close> = csock.socket(csock.AF_UNIX, csock.SOCK_DGRAM)
  if not probe then return false end
  probe:settimeout(0)
  local _, _, errno = probe:connect(path)
  return errno == csock.errno.ECONNREFUSED
end

-- Removes a path that a dead server has left behind. Nothing else is ever removed. Gives whether it did. A server that
-- takes the path meanwhile gets it back: it is looked at again once it has a name that is nobody's business.
function M.remove_dead(path)
  if not is_dead(path) or not internal.may_open("unlink", path) then return false end
  local aside = ("%s.%x"):format(path:match "^(.*/)" or "", csock.getpid())
  if not os.rename(path, aside) then return false end
  if is_dead(aside) then return os.remove(aside) ~= nil end
  os.rename(aside, path)
  return false
end

-- --- binding --------------------------------------------------------------------------------------

-- Calls a function that binds a socket to a path: with this mode (nil: as the umask has it), and again when a dead
-- server was in the way. Gives what the function gives.
function M.bind(path, mode, f, ...)
  local before, refused, why
  if mode then
    before, refused, why = csock.umask(511 & ~number_of(mode))
    if not before then return nil, refused, why end -- by the host's policy
  end
  local _ <close> = internal.guard(function()
    if before then csock.umask(before) end
  end)
  local ok, err, errno = f(...)
  if not ok and errno == csock.errno.EADDRINUSE and M.remove_dead(path) then ok, err, errno = f(...) end
  return ok, err, errno
end

return M
