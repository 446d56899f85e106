-- sleep_server.lua: sleeps on its clients' behalf, for all of them at once: each has a task. A request
-- is a line with a number of seconds. The answer is a line too: when the time is over
-- "slept for 1.500 s", or at once "error: ..." when it is no time to sleep for.
--
--   lua5.4 examples/sleep_server.lua [--most SECONDS] [host] [port]   # then sleep_client.lua
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

local LINE = 100 -- bytes of a request
local SILENCE = 60 -- seconds without a request, after which the server hangs up
local CLIENTS = 1000 -- at once; others wait until one has left

-- The seconds of a request; or nil and what is wrong with it.
local function seconds_of(line, most)
  local text = line:match "^%s*(.-)%s*$"
  local seconds = text:find "^[+-]?[%d.]+[eE]?[+-]?%d*$" and tonumber(text)
  if text == "" then return nil, ("for how many seconds? 0 to %d"):format(most) end
  if not seconds then return nil, ("'%s' is no number of seconds"):format(example.clean(text)) end
  if seconds < 0 then return nil, "nobody can sleep for less than no time" end
  if seconds > most then return nil, ("that is too long: at most %d seconds"):format(most) end
  return seconds
end

local function answer(line, most, address)
  local seconds, complaint = seconds_of(line, most)
  if not seconds then return "error: " .. complaint end
  print(("%s: sleeping for %g s"):format(address, seconds))
  local began = csock.now()
  csock.sleep(seconds)
  local text = ("slept for %.3f s"):format(csock.now() - began)
  print(("%s: %s"):format(address, text))
  return text
end

local function serve(conn, address, most)
  conn:settimeout(SILENCE)
  local stream <close> = assert(conn:makefile())
  local function complain() conn:sendall(("error: a line of over %d bytes\n"):format(LINE)) end
  while true do
    local line, err = example.read_line(stream, LINE, complain)
    if err then return print(("%s: lost: %s"):format(address, err)) end
    if not line then return print(("%s: finished"):format(address)) end
    local sent
    sent, err = conn:sendall(answer(line, most, address) .. "\n")
    if not sent then return print(("%s: lost: %s"):format(address, err)) end
  end
end

example.run(function()
  local most = example.number("--most", 60, 0, 1000000)
  local host, port = example.arguments("host", "localhost", "port", 21571)

  local function handle(conn, address)
    print(("%s: connected"):format(address))
    serve(conn, address, most)
  end
  local server <close> = assert(csock.serve({ host, port }, handle, { max_connections = CLIENTS }))
  example.announce(server)
  print("waiting for connections...")
  example.run_loop()
end)
