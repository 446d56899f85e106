-- The contender csock: csock.lua PORT. See floor.c.
local csock = require "csock"
local s = assert(csock.create_connection{ "127.0.0.1", tonumber(arg[1]) })
local n, start = 0, os.clock()
for _ in s:makefile("r"):lines() do n = n + 1 end
print(n, os.clock() - start)
