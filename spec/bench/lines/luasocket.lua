-- The contender LuaSocket: luasocket.lua PORT. See floor.c.
local socket = require "socket"
local s = assert(socket.connect("127.0.0.1", tonumber(arg[1])))
local n, start = 0, os.clock()
while s:receive "*l" do n = n + 1 end
print(n, os.clock() - start)
