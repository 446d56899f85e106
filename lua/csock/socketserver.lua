--- Servers out of parts: Python's `socketserver`.
--
-- A server takes requests (connections, datagrams) and makes a handler for each, an object of a class that says in
-- `handle` what to do:
--
--     local csock = require "csock"
--     local class = require "csock.class"
--     local socketserver = require "csock.socketserver"
--
--     local Echo = class("Echo", socketserver.StreamRequestHandler)
--     function Echo:handle()
--       for line in self.rfile:lines("L") do assert(self.wfile:write(line)) end
--     end
--
--     local server <close> = assert(socketserver.ThreadingTCPServer({"", 21567}, Echo))
--     server:serve_forever()
--
-- The servers are `TCPServer`, `UDPServer`, `UnixStreamServer` and `UnixDatagramServer`, which see to one request
-- after the other; each also with `Threading` before its name (a task for each request), `Forking` (a process for
-- each) and `Prefork` (several processes, each with a task for each request). Names, attributes and hooks are
-- Python's, in Python's order.
--
-- A constructor gives nil, an error and its number when the port is taken, and so on. What Python has not is marked as
-- csock's own.
-- @module csock.socketserver
local class = require "csock.class"
local handlers = require "csock.socketserver.handlers"
local mixins = require "csock.socketserver.mixins"
local servers = require "csock.socketserver.servers"
local activation = require "csock.service.activation"

local M = {
  BaseServer = servers.BaseServer,
  TCPServer = servers.TCPServer,
  UDPServer = servers.UDPServer,
  --- A `TCPServer` at a path of the file system.
  -- @field UnixStreamServer
  UnixStreamServer = servers.UnixStreamServer,
  --- A `UDPServer` at a path of the file system.
  -- @field UnixDatagramServer
  UnixDatagramServer = servers.UnixDatagramServer,
  BaseRequestHandler = handlers.BaseRequestHandler,
  StreamRequestHandler = handlers.StreamRequestHandler,
  DatagramRequestHandler = handlers.DatagramRequestHandler,
  ThreadingMixIn = mixins.ThreadingMixIn,
  ForkingMixIn = mixins.ForkingMixIn,
  PreforkMixIn = require "csock.socketserver.prefork",
}

--- A `TCPServer` that sees to each connection in a task: with `ThreadingMixIn`.
-- @field ThreadingTCPServer

--- A `TCPServer` that sees to each connection in a process: with `ForkingMixIn`.
-- @field ForkingTCPServer

--- A `TCPServer` with several processes, and a task for each connection: with `PreforkMixIn` and `ThreadingMixIn`.
-- (csock's own.)
-- @field PreforkTCPServer

--- A `UDPServer` that sees to each datagram in a task: with `ThreadingMixIn`.
-- @field ThreadingUDPServer

--- A `UDPServer` that sees to each datagram in a process: with `ForkingMixIn`.
-- @field ForkingUDPServer

--- A `UDPServer` with several processes, and a task for each datagram: with `PreforkMixIn` and `ThreadingMixIn`.
-- (csock's own.)
-- @field PreforkUDPServer

--- A `UnixStreamServer` that sees to each connection in a task: with `ThreadingMixIn`.
-- @field ThreadingUnixStreamServer

--- A `UnixStreamServer` that sees to each connection in a process: with `ForkingMixIn`.
-- @field ForkingUnixStreamServer

--- A `UnixStreamServer` with several processes, and a task for each connection: with `PreforkMixIn` and
-- `ThreadingMixIn`. (csock's own.)
-- @field PreforkUnixStreamServer

--- A `UnixDatagramServer` that sees to each datagram in a task: with `ThreadingMixIn`.
-- @field ThreadingUnixDatagramServer

--- A `UnixDatagramServer` that sees to each datagram in a process: with `ForkingMixIn`.
-- @field ForkingUnixDatagramServer

--- A `UnixDatagramServer` with several processes, and a task for each datagram: with `PreforkMixIn` and
-- `ThreadingMixIn`. (csock's own.)
-- @field PreforkUnixDatagramServer
for _, kind in ipairs { "TCPServer", "UDPServer", "UnixStreamServer", "UnixDatagramServer" } do
  M["Threading" .. kind] = class("Threading" .. kind, M.ThreadingMixIn, M[kind])
  M["Forking" .. kind] = class("Forking" .. kind, M.ForkingMixIn, M[kind])
  M["Prefork" .. kind] = class("Prefork" .. kind, M.PreforkMixIn, M.ThreadingMixIn, M[kind])
end

--- The descriptors that a service manager has handed to this process (socket activation: `LISTEN_FDS`,
-- `LISTEN_PID`, `LISTEN_FDNAMES`); for the option `socket` of a server. One that is not open ends the list.
-- @{csock.service.listen_fds} gives sockets, and takes them over for good. Source: sd_listen_fds(3); csock's own.
-- @treturn {int,...} empty when there are none
-- @treturn {[string]=int} the same by their names, where the service manager gave any; the first of those with one name
-- @usage
-- local fds = socketserver.listen_fds()
-- local Handler = socketserver.BaseRequestHandler
-- local server <close> = assert(socketserver.TCPServer({"", 21567}, Handler, { socket = fds[1] }))
function M.listen_fds()
  local fds, by_name = {}, {}
  for i, entry in ipairs(activation.read()) do
    fds[i] = entry.fd
    if entry.name and not by_name[entry.name] then by_name[entry.name] = entry.fd end
  end
  return fds, by_name
end

return M
