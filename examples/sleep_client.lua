-- sleep_client.lua: lets sleep_server.lua sleep, and looks at its own clock meanwhile. Type a number
-- of seconds; an empty line or Ctrl-D ends it.
--
--   lua5.4 examples/sleep_client.lua [host] [port]
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

local TOLERANCE = 0.5 -- seconds for the way there and back

-- What to think of an answer that came after so many seconds.
local function check(answer, asked, took)
  local slept = tonumber(answer:match "^slept for ([%d.]+) s$")
  if not slept then return answer end -- an error, which says it all
  local verdict = "right"
  if slept < asked - 0.001 then verdict = "it got up too early" end
  if took < slept - 0.001 then verdict = "that cannot be" end
  if took > slept + TOLERANCE then verdict = "slow" end
  return ("%s; %.3f s by the clock here: %s"):format(answer, took, verdict)
end

example.run(function()
  local host, port = example.arguments("host", "localhost", "port", 21571)

  local client <close> = assert(csock.create_connection { host, port })
  local stream <close> = assert(client:makefile("rw"))

  while true do
    local line = example.prompt("> ", client)
    if not line or line == "" then break end
    local began = csock.now()
    assert(assert(stream:write(line, "\n")):flush())
    local answer = example.clean(example.reply(stream))
    print(check(answer, tonumber(line) or 0, csock.now() - began))
  end
end)
