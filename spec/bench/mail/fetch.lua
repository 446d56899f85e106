-- csock.ftp: a port. Prints CPU and time in seconds.
local csock = require "csock"
local ftps = require "csock.ftp"

local ftp = assert(ftps.FTP("127.0.0.1", { port = math.tointeger(arg[1]), user = "anonymous" }))
local cpu, time, count = os.clock(), csock.now(), 0
assert(ftp:retrbinary("RETR file", function(piece) count = count + #piece end))
print(os.clock() - cpu, csock.now() - time)
assert(count == math.tointeger(arg[2]), count)
