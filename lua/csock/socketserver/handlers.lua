--- The request handlers: what a server does for a client.
-- @module csock.socketserver
local csock = require "csock"
local class = require "csock.class"
local BytesIO = require "csock.bytesio"
local internal = require "csock.loop.internal"

--- What all request handlers have in common. The server makes one for each request, and that is all it takes: the
-- constructor calls `setup`, `handle` and `finish`. `finish` is called also when `handle` raised an error (or its
-- task is cancelled), but not when `setup` did.
--
-- It has `request` (a connected socket, or `{data, socket}`), `client_address` and `server`.
-- Source: Python's `socketserver.BaseRequestHandler`.
-- @type baserequesthandler
local BaseRequestHandler = class("BaseRequestHandler")

--- Made by calling the class, by the server's `finish_request`.
-- @param request
-- @param client_address
-- @tparam baseserver server
function BaseRequestHandler:__init(request, client_address, server)
  self.request, self.client_address, self.server = request, client_address, server
  self:setup()
  local _ <close> = internal.guard(function() self:finish() end)
  self:handle()
end

--- Called first.
-- @function baserequesthandler:setup
function BaseRequestHandler.setup() end

--- Does the work. To be overridden.
-- @function baserequesthandler:handle
function BaseRequestHandler.handle() end

--- Called last.
-- @function baserequesthandler:finish
function BaseRequestHandler.finish() end

--- A handler for connections: `rfile` and `wfile` are streams over the connection, for reading and for writing, and
-- `connection` is the connection itself.
-- Source: Python's `socketserver.StreamRequestHandler`.
-- @type streamrequesthandler
local StreamRequestHandler = class("StreamRequestHandler", BaseRequestHandler)

--- The connection's timeout in seconds; nil (the default): none.
-- @field streamrequesthandler:timeout

--- `rfile`'s buffering, as for `makefile`: -1.
-- @field streamrequesthandler:rbufsize
StreamRequestHandler.rbufsize = -1

--- `wfile`'s: 0, so that each `write` is sent at once.
-- @field streamrequesthandler:wbufsize
StreamRequestHandler.wbufsize = 0

--- Whether small pieces are sent without waiting for the answer to earlier ones (`TCP_NODELAY`): false.
-- @field streamrequesthandler:disable_nagle_algorithm
StreamRequestHandler.disable_nagle_algorithm = false

--- The most bytes of a line that `rfile` takes, and of all that `read "a"` and `readlines` read, so that no client can
-- fill the memory with a line without an end: 1 MiB. What is longer gives `EMSGSIZE`. False: no limit.
-- @field streamrequesthandler:limit
StreamRequestHandler.limit = 1 << 20

local function close_streams(self)
  for _, name in ipairs { "wfile", "rfile" } do
    local stream = rawget(self, name)
    if stream then stream:close() end
  end
end

function StreamRequestHandler:__init(request, client_address, server)
  -- A setup or finish that fails or is overridden may leave them open, and with them the descriptor.
  local _ <close> = internal.guard(function() close_streams(self) end)
  StreamRequestHandler.super.__init(self, request, client_address, server)
end

--- Makes the streams.
function StreamRequestHandler:setup()
  self.connection = self.request
  if self.timeout ~= nil then assert(self.connection:settimeout(self.timeout)) end
  if self.disable_nagle_algorithm then
    assert(self.connection:setsockopt(csock.IPPROTO_TCP, csock.TCP_NODELAY, true))
  end
  self.rfile = assert(self.connection:makefile("r", self.rbufsize, { limit = self.limit }))
  self.wfile = assert(self.connection:makefile("w", self.wbufsize))
end

--- Sends what is left and closes the streams. A client that is gone already is no error.
function StreamRequestHandler:finish() close_streams(self) end

--- A handler for datagrams: `rfile` has the datagram, and what is written to `wfile` is sent back as one in the end.
-- `packet` is the datagram as a string, `socket` the server's socket.
-- Source: Python's `socketserver.DatagramRequestHandler`.
-- @type datagramrequesthandler
local DatagramRequestHandler = class("DatagramRequestHandler", BaseRequestHandler)

--- Makes `rfile` and `wfile`, each a @{csock.bytesio}.
function DatagramRequestHandler:setup()
  self.packet, self.socket = self.request[1], self.request[2]
  self.rfile, self.wfile = BytesIO(self.packet), BytesIO()
end

--- Sends what was written.
function DatagramRequestHandler:finish()
  assert(self.socket:sendto(self.wfile:getvalue(), self.client_address))
end

return {
  BaseRequestHandler = BaseRequestHandler,
  StreamRequestHandler = StreamRequestHandler,
  DatagramRequestHandler = DatagramRequestHandler,
}
