-- sockets.lua: the sockets of simulated networks. Each is one end of a socketpair, in a transport (simulated.c) that
-- gives it its addresses and manners, and has the methods below in the place of those that the kernel would have to
-- answer. What it receives, sends, waits for is a socket's like any other's.
--
-- The other end is the network's: it becomes the peer's when the socket connects, tells of connections that wait where
-- it listens, and carries datagrams to and fro.
local csock = require "csock"
local datagrams = require "csock.testing.datagrams"
local loop = require "csock.loop"
local names = require "csock.testing.names"
local simulated = require "csock.core".testing

local E = csock.errno
local plain = {} -- csock's own functions and methods
local M = { plain = plain }

-- Of each socket: `network`; `raw`, the other end, while the network has it; `own` and `peer_address`; `listening`, a
-- queue of those who wait; `options`, which were set.
local records = setmetatable({}, { __mode = "k" })

local function fail(call, errno, address)
  return csock.make_error { call = call, errno = errno, address = address }
end

-- --- making ---------------------------------------------------------------------------------------

-- A pair that no list shows.
local function make_pair(type)
  local debug = csock.debug(false)
  local a, b, errno = plain.socketpair(csock.AF_UNIX, type)
  csock.debug(debug)
  if not a then return nil, b, errno end
  a:settimeout(nil)
  b:settimeout(nil)
  return a, b
end

M.make_pair = make_pair

local NONBLOCK = csock.SOCK_NONBLOCK or 0
local FLAGS = NONBLOCK | (csock.SOCK_CLOEXEC or 0) -- which may be in a type

-- Makes such an end a socket of the network.
local function adopt(network, raw, family, type, proto, own, peer)
  local s, err, errno = simulated.adopt(raw, {
    family = family, type = type & ~FLAGS, proto = proto, seed = network.chance:seed(),
    most_read = network.short_reads, most_written = network.short_writes, reset_after = network.reset_after or -1,
  })
  if not s then
    raw:close()
    return nil, err, errno
  end
  simulated.name(s, own, peer)
  if type & NONBLOCK ~= 0 then s:settimeout(0) else s:settimeout(csock.getdefaulttimeout()) end
  return s
end

local PACKETS = csock.SOCK_SEQPACKET -- with an end that can be seen

-- Makes a socket of the network, or (for a family that it has not, or a descriptor) one of the system.
function M.socket(network, ...)
  local args = table.pack(...)
  local options = args[args.n]
  if type(options) ~= "table" then options = {} else args.n = args.n - 1 end
  local family = options.family or args.n >= 1 and args[1] or csock.AF_INET
  local kind = options.type or args.n >= 2 and args[2] or csock.SOCK_STREAM
  local proto = options.proto or args.n >= 3 and args[3] or 0
  local inet = family == csock.AF_INET or family == csock.AF_INET6
  local plain_kind = inet and math.type(kind) == "integer" and kind & ~FLAGS
  local stream = plain_kind == csock.SOCK_STREAM
  if options.fileno or not (stream or plain_kind == csock.SOCK_DGRAM) then return plain.socket(...) end
  if network:is_out "socket" then return fail("socket", E.EMFILE) end
  local a, b, errno = make_pair(stream and csock.SOCK_STREAM or PACKETS)
  if not a then return nil, b, errno end
  local any = csock.address(family, "", 0)
  local s, err
  s, err, errno = adopt(network, a, family, kind, proto, any)
  if not s then return nil, err, errno end
  local record = { network = network, raw = b, family = family, type = plain_kind, any = any, options = {} }
  record.name = setmetatable({ socket = s }, { __mode = "v" })
  records[s] = record
  network.records[record] = true
  if not stream then datagrams.serve(network, record) end
  return s
end

-- The socket's addresses from now on.
local function set_names(record, own, peer)
  record.own, record.peer_address = own or record.own, peer or record.peer_address
  local s = record.name.socket
  if s then simulated.name(s, own, peer) end
end

M.set_names = set_names

-- --- methods --------------------------------------------------------------------------------------

local methods = {}

function methods.bind(s, ...)
  local record = records[s]
  local address, err, errno = names.address(record.network, "bind", record.family, ...)
  if not address then return nil, err, errno end
  if s:fileno() < 0 then return fail("bind", E.EBADF, address) end
  errno = record.network:bind(record, address)
  if errno then return fail("bind", errno, address) end
  return true
end

function methods.listen(s)
  local record = records[s]
  if s:fileno() < 0 then return fail("listen", E.EBADF) end
  if record.type ~= csock.SOCK_STREAM then return fail("listen", E.EOPNOTSUPP) end
  if record.connected then return fail("listen", E.EINVAL) end
  if not record.own then record.network:bind(record, record.any) end
  record.listening = record.listening or {}
  return true
end

-- In the words of accept what recv says.
local function refuse_accept(err)
  return csock.make_error { call = "accept", errno = err.errno, kind = err.kind, name = err.name }
end

-- The listener is readable while connections wait: a byte for each.
function methods.accept(s)
  local record = records[s]
  local waiting, network = record.listening, record.network
  if not waiting then return fail("accept", s:fileno() < 0 and E.EBADF or E.EINVAL) end
  while true do
    local byte, err = plain.recv(s, 1, csock.MSG_PEEK)
    if not byte then return refuse_accept(err) end
    if byte == "" then return fail("accept", E.EBADF) end
    if network:is_out "accept" then return fail("accept", E.EMFILE) end
    byte, err = plain.recv(s, 1)
    if not byte then return refuse_accept(err) end
    local client = table.remove(waiting, 1)
    if client then
      local conn, errno
      conn, err, errno = adopt(network, client.raw, record.family, s.type, s.proto, client.own, client.peer)
      if not conn then return nil, err, errno end
      records[conn] = { network = network, connected = true, options = {}, family = record.family, type = record.type }
      return conn, client.peer
    end
  end
end

local function connect(s, call, ...)
  local record = records[s]
  local network = record.network
  local address, err, errno = names.address(network, call, record.family, ...)
  if not address then return nil, err, errno end
  if s:fileno() < 0 then return fail(call, E.EBADF, address) end
  if address.family ~= record.family then return fail(call, E.EAFNOSUPPORT, address) end
  if record.type ~= csock.SOCK_STREAM then
    set_names(record, network:own_address(record, address), address)
    return true
  end
  errno = record.connected and E.EISCONN or record.listening and E.EINVAL or network:connect(record, address,
    s:gettimeout())
  if errno == 0 then return true end
  return fail(call, errno, address)
end

function methods.connect(s, ...) return connect(s, "connect", ...) end

function methods.connect_ex(s, ...)
  local ok, err, errno = connect(s, "connect_ex", ...)
  if ok then return 0 end
  if err.kind == "gaierror" then return nil, err, errno end
  return errno
end

-- Options of the protocols, which a socketpair has not, are kept; they change nothing.
local function is_kept(level, name) return level ~= csock.SOL_SOCKET or name == csock.SO_REUSEPORT end

function methods.setsockopt(s, level, name, value, ...)
  if not is_kept(level, name) then return plain.setsockopt(s, level, name, value, ...) end
  if s:fileno() < 0 then return fail("setsockopt", E.EBADF) end
  local kept = value == true and 1 or value == false and 0 or value
  records[s].options[level .. " " .. name] = kept
  return true
end

function methods.getsockopt(s, level, name, ...)
  if not is_kept(level, name) then return plain.getsockopt(s, level, name, ...) end
  if s:fileno() < 0 then return fail("getsockopt", E.EBADF) end
  return records[s].options[level .. " " .. name] or 0
end

-- sendto(data, [flags,] address): names are the network's.
function methods.sendto(s, data, ...)
  local record = records[s]
  local first = 1
  if math.type((...)) == "integer" then first = 2 end
  local address, err, errno = names.address(record.network, "sendto", record.family, select(first, ...))
  if not address then return nil, err, errno end
  return plain.sendto(s, data, first == 2 and (...) or 0, address)
end

function methods.close(s)
  local record = records[s]
  if record and record.raw then record.network:forget(record) end
  return plain.close(s)
end

local own = simulated.methods(methods)
for _, name in ipairs { "recv", "setsockopt", "getsockopt", "sendto", "close" } do plain[name] = own[name] end
plain.socket, plain.socketpair = csock.socket, csock.socketpair
for _, name in ipairs { "getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr" } do
  plain[name] = csock[name]
end

-- Waits for so long, where one can; the clock of the network's latencies.
function M.pause(seconds)
  if loop.current() and seconds > 0 then loop.sleep(seconds) end
end

return M
