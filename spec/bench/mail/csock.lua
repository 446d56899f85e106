-- csock.smtp: port, number of mails, bytes, and "task" or nothing. Prints CPU and time in seconds.
local csock = require "csock"
local smtp = require "csock.smtp"

local port, count, size = math.tointeger(arg[1]), math.tointeger(arg[2]), math.tointeger(arg[3])
local message = "Subject: bench\n\n" .. (("x"):rep(71) .. "\n"):rep(size // 72)

local function main()
  local client = assert(smtp.SMTP("127.0.0.1", port))
  local cpu, time = os.clock(), csock.now()
  for _ = 1, count do assert(client:sendmail("jane@example.org", "joe@example.org", message)) end
  print(os.clock() - cpu, csock.now() - time)
  client:quit()
end

if arg[4] == "task" then csock.run(main) else main() end
