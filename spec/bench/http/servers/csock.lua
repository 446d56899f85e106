-- The contender csock: csock.lua MODE DIRECTORY (see ../load.c). Prints the port.
local csock = require "csock"
local httpserver = require "csock.httpserver"
local mode, directory = arg[1], arg[2]

local BODY = ("x"):rep(1024)
local FIELDS = { ["Content-Type"] = "text/plain" }

local handlers = {}

function handlers.get() return 200, FIELDS, BODY end

handlers.idle = handlers.get

if mode:find "^file" then
  local files = httpserver.files(directory)
  handlers[mode] = function(request)
    request.path = "/" .. mode
    return files(request)
  end
elseif mode == "ws" then
  local websocket = require "csock.websocket"
  handlers.ws = function(request)
    return websocket.upgrade(request, function(ws)
      for message in ws:messages() do ws:send(message) end
    end)
  end
end

local server = assert(httpserver.serve({ "127.0.0.1", 0 }, handlers[mode], { backlog = 1024 }))
print(server:getsockname().port)
io.stdout:flush()
csock.run()
