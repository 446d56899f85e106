--- Python's servers for HTTP.
-- @module csock.httpserver
local class = require "csock.class"
local socketserver = require "csock.socketserver"

--- A server whose handlers speak HTTP: a `TCPServer` that has `server_name` and `server_port`.
--
-- `HTTPServer` sees to one connection after the other; `ThreadingHTTPServer` to each in a task, `ForkingHTTPServer` in
-- a process, `PreforkHTTPServer` in several processes with a task for each (the last two are csock's own).
-- Source: Python's `http.server.HTTPServer`.
-- @type httpserver
local HTTPServer = class("HTTPServer", socketserver.TCPServer)

--- True: the server can be started again at once on its port.
-- @field httpserver:allow_reuse_address
HTTPServer.allow_reuse_address = true

--- 128. (5 in Python.)
-- @field httpserver:request_queue_size
HTTPServer.request_queue_size = 128

--- Binds the socket, and sets `server_name`, the host as it was given (no other name is looked up), and `server_port`.
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local server = assert(httpserver.HTTPServer({"", 8080}, httpserver.SimpleHTTPRequestHandler))
-- print(server.server_port)
function HTTPServer:server_bind()
  local ok, err, errno = HTTPServer.super.server_bind(self)
  if not ok then return nil, err, errno end
  local address = self.server_address
  if type(address) ~= "string" then self.server_name, self.server_port = address.host, address.port end
  return true
end

--- An `HTTPServer` that sees to each connection in a task.
-- @field ThreadingHTTPServer
local ThreadingHTTPServer = class("ThreadingHTTPServer", socketserver.ThreadingMixIn, HTTPServer)

ThreadingHTTPServer.daemon_threads = true

return {
  HTTPServer = HTTPServer,
  ThreadingHTTPServer = ThreadingHTTPServer,
  --- An `HTTPServer` that sees to each connection in a process.
  -- @field ForkingHTTPServer
  ForkingHTTPServer = class("ForkingHTTPServer", socketserver.ForkingMixIn, HTTPServer),
  --- An `HTTPServer` with several processes, and a task for each connection. (csock's own.)
  -- @field PreforkHTTPServer
  PreforkHTTPServer = class("PreforkHTTPServer", socketserver.PreforkMixIn, socketserver.ThreadingMixIn, HTTPServer),
}
