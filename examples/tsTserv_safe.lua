-- tsTserv_safe.lua: the timestamp server of tsTserv.lua with every error handled. Nothing that a
-- client does or leaves undone ends it, or keeps it from serving the next one.
--
--   lua5.4 examples/tsTserv_safe.lua [host] [port]   # then tsTclnt_safe.lua
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

local BUFSIZ = 1024
local PATIENCE = 60 -- seconds: how long a client may say nothing, or read nothing

-- Serves one client. Returns how it ended. What can fail here fails because of the client, so every
-- failure is looked at and none is raised; only Ctrl-C passes through, and `<close>` holds for it
-- too.
local function serve(client)
  client:settimeout(PATIENCE)
  -- A machine that was switched off says nothing, ever; let the system find out.
  client:setsockopt(csock.SOL_SOCKET, csock.SO_KEEPALIVE, 1)

  while true do
    if not example.wait(client) then return "silent for too long" end
    local data, err = client:recv(BUFSIZ)
    if not data then return "lost: " .. err end
    -- "" means that the client sends no more. It may still read (shutdown(SHUT_WR)), and every
    -- reply was sent before its next data was read: there is nothing left to do.
    if data == "" then return "finished" end

    local sent
    sent, err = client:sendall(("[%s] %s"):format(os.date("%c"), data))
    if not sent then return "lost: " .. err end
  end
end

example.run(function()
  local host, port = example.arguments("host", "", "port", 21567)

  local server <close> = assert(csock.socket(csock.AF_INET, csock.SOCK_STREAM))
  assert(server:setsockopt(csock.SOL_SOCKET, csock.SO_REUSEADDR, 1))
  assert(server:bind(host, port))
  assert(server:listen(5))
  example.announce(server)

  while true do
    print("waiting for connection...")
    example.wait(server)
    local client <close>, address = server:accept()
    if client then
      print(("...connected from: %s"):format(address))
      print("..." .. serve(client))
    else -- out of descriptors or memory, perhaps not for long
      print("...not accepted: " .. address)
      csock.select({}, {}, {}, 1)
    end
  end
end)
