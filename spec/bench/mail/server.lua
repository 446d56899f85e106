-- csock.smtpd, for one client: prints its port, and then how many mails it got.
local class = require "csock.class"
local csock = require "csock"
local smtpd = require "csock.smtpd"

local count = 0
local Server = class("Server", smtpd.SMTPServer)
function Server.process_message() count = count + 1 end

local server = assert(Server { "127.0.0.1", 0 })
io.stdout:setvbuf "line"
print(server:getsockname().port)
csock.spawn(function()
  while server.server.count == 0 do csock.sleep(0.01) end
  while server.server.count > 0 do csock.sleep(0.01) end
  print(count)
end)
csock.run()
