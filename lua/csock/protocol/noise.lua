-- noise.lua: what factories, and protocols for datagrams, tell of themselves.
local internal = require "csock.loop.internal"

local M = {}

-- What messages about an object may begin with.
function M.logPrefix(self) return self.__class.__name end

-- Tells what befalls an object, if that is noisy.
function M.say(self, what)
  if self.noisy then internal.log(what, tostring(self)) end
end

return M
