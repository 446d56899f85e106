-- The bytes of Lua's memory that a socket takes.
local csock = require "csock"
local COUNT = 1000
local made = {}
for i = 1, COUNT do made[i] = csock.socket() end -- the table grows, and what all sockets share is made
for i = 1, COUNT do made[i]:close() end
for i = 1, COUNT do made[i] = false end
collectgarbage()
collectgarbage "stop"
local before = collectgarbage "count"
for i = 1, COUNT do made[i] = csock.socket() end
print((collectgarbage "count" - before) * 1024 / COUNT)
for i = 1, COUNT do made[i]:close() end
