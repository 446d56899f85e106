-- name_client.lua: the client of name_server.lua, whose requests are listed there. Type one; an empty
-- line or Ctrl-D ends it.
--
--   lua5.4 examples/name_client.lua [host] [port]
--
-- With --dummy it is a service that somebody can look up: it takes a free port, registers that under
-- a name, and tells whoever connects what time it is. Ctrl-C ends it and takes the name back.
--
--   lua5.4 examples/name_client.lua --dummy clock [host] [port]
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

local AGAIN = 30 -- seconds after which a service registers again, should the name server have forgotten it

-- The lines of an answer, as they may be printed.
local function ask(stream, request)
  assert(assert(stream:write(request, "\n")):flush())
  local lines = {}
  while true do
    local line = example.reply(stream)
    if line == "" then return lines end
    lines[#lines + 1] = example.clean(line)
  end
end

-- One request on a connection of its own: the first line of its answer.
local function ask_once(host, port, request)
  local server <close> = assert(csock.create_connection({ host, port }, { timeout = 5 }))
  local stream <close> = assert(server:makefile("rw"))
  return ask(stream, request)[1]
end

local function talk(host, port)
  local server <close> = assert(csock.create_connection { host, port })
  local stream <close> = assert(server:makefile("rw"))
  while true do
    local request = example.prompt("> ", server)
    if not request or request == "" then break end
    for _, line in ipairs(ask(stream, request)) do print(line) end
  end
end

-- Something that takes the name back at the end, however that comes.
local function registration(host, port, service)
  return setmetatable({}, {
    __close = function() pcall(ask_once, host, port, "unregister " .. service) end,
  })
end

local function serve(name, host, port)
  local function tell(conn) conn:sendall(("This is %s. It is %s.\n"):format(name, os.date("%c"))) end
  local server <close> = assert(csock.serve({ "", 0 }, tell))
  local own_port = server:getsockname()[2]
  local service = ("%s - %d"):format(name, own_port)
  local answer = ask_once(host, port, ("register %s a dummy that tells the time"):format(service))
  if answer ~= "ok" then example.fail("%s", answer) end
  local _ <close> = registration(host, port, service)
  print(("%s is at port %d"):format(name, own_port))

  csock.spawn(function()
    while true do
      csock.sleep(AGAIN)
      local ok, problem = pcall(ask_once, host, port, ("register %s a dummy that tells the time"):format(service))
      if not ok or problem ~= "ok" then print("not registered again: " .. tostring(problem)) end
    end
  end)
  example.run_loop()
end

example.run(function()
  local name = example.value("--dummy", "NAME")
  local host, port = example.arguments("host", "localhost", "port", 21572)
  if name then serve(name, host, port) else talk(host, port) end
end)
