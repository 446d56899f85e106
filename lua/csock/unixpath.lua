-- What servers at Unix paths share.
local csock = require "csock"

local M = {}

-- Removes a path that a dead server has left behind: a socket at which nobody answers. Nothing else is
-- ever removed. `kind`: the socket's type. Gives whether it did.
function M.remove_dead(path, kind)
  if type(path) ~= "string" or not csock.is_socket(path) then return false end
  local probe <close> = csock.socket(csock.AF_UNIX, kind)
  if not probe then return false end
  probe:settimeout(0)
  local _, _, errno = probe:connect(path)
  return errno == csock.errno.ECONNREFUSED and os.remove(path) ~= nil
end

return M
