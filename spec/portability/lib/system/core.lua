-- What busted takes from LuaSystem, whose C part is built for the distribution's Lua alone.
local posix = require "spec.support.posix"
return { gettime = os.time, monotime = posix.monotonic, sleep = posix.sleep }
