-- csock.ftp: a port, the size, and "buffer" or nothing. Prints CPU and time in seconds.
local csock = require "csock"
local ftps = require "csock.ftp"

local ftp = assert(ftps.FTP("127.0.0.1", { port = math.tointeger(arg[1]), user = "anonymous" }))
local cpu, time, count = os.clock(), csock.now(), 0
if arg[3] then
  local function take(_, length) count = count + length end
  assert(ftp:retrbinary("RETR file", take, { buffer = csock.buffer(65536) }))
else
  assert(ftp:retrbinary("RETR file", function(piece) count = count + #piece end))
end
print(os.clock() - cpu, csock.now() - time)
assert(count == math.tointeger(arg[2]), count)
