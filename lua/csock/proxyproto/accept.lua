--- Reading headers from connections: of whom, in which time.
-- @module csock.proxyproto
local check = require "csock.check"
local csock = require "csock"
local internal = require "csock.loop.internal"
local parse = require "csock.proxyproto.parse"

local M = {}

local TIMEOUT = 5 -- seconds for a header, unless told

-- --- one header -----------------------------------------------------------------------------------

-- How many bytes can be read next of a header that begins with `data`, so that none is read that is behind it. Of a
-- line nobody knows the length, but what has come can be looked at. Nil, err, errno when there is nothing more.
local function next_size(conn, data, wanted)
  if #data < parse.LEAST or data:sub(1, 1) ~= "P" then return wanted - #data end
  local seen, err, errno = conn:recv(parse.MOST_TEXT - #data, csock.MSG_PEEK)
  if not seen then return nil, err, errno end
  return seen:find("\n", 1, true) or math.max(#seen, 1)
end

local function read_header(conn, limit, left)
  local data = ""
  while true do
    local info, size, errno = parse.parse(data, limit)
    if info then return info end
    if info == nil then return nil, size, errno end
    conn:settimeout(left())
    local n, err, number = next_size(conn, data, size)
    if not n then return nil, err, number end
    conn:settimeout(left())
    local piece
    piece, err, number = conn:recv(n)
    if not piece then return nil, err, number end
    if piece == "" then return parse.fail "the connection ended before the header did" end
    data = data .. piece
  end
end

local RECEIVING = {
  timeout = { check.TIMEOUT, TIMEOUT, math.huge }, limit = { check.integer(parse.FIXED), parse.LIMIT },
}

--- Reads a header from a connection, and not a byte of what follows it.
-- @function receive
-- @tparam socket conn
-- @tparam[opt] table options
-- @tparam[opt=5] number options.timeout seconds for all of it (false: no limit)
-- @tparam[opt=4096] int options.limit the most bytes of a header
-- @treturn[1] table as of `parse`
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EPROTO`: that is none; `ETIMEDOUT`)
-- @usage
-- a:sendall "PROXY TCP4 192.0.2.1 192.0.2.2 5000 80\r\nhello"
-- print(proxyproto.receive(b).source, b:recv(100)) --> ('192.0.2.1', 5000) hello
function M.receive(conn, options)
  options = check.options(options, RECEIVING, 2, "receive")
  local timeout = options.timeout < math.huge and options.timeout or nil
  local before = conn:gettimeout()
  local _ <close> = internal.guard(function() conn:settimeout(before) end)
  return read_header(conn, options.limit, internal.countdown(timeout))
end

-- --- who may send one -----------------------------------------------------------------------------

-- Address bytes of a host, without its scope; those of IPv4 among those of IPv6 as what they are. Nil for no address.
local function bytes_of(host)
  local ipv6 = host:find(":", 1, true) ~= nil
  local bytes = csock.inet_pton(ipv6 and csock.AF_INET6 or csock.AF_INET, (host:gsub("%%.*", "")))
  return bytes and bytes:match "^%z%z%z%z%z%z%z%z%z%z\xff\xff(....)$" or bytes
end

-- The first `count` bits of some bytes.
local function prefix(bytes, count)
  local whole, rest = count // 8, count % 8
  if rest == 0 then return bytes:sub(1, whole) end
  return bytes:sub(1, whole) .. string.char(bytes:byte(whole + 1) & (0xff00 >> rest) & 0xff)
end

-- One entry of the list: a function that says whether an address (bytes) is meant; nil when it is none.
local function network(entry)
  if type(entry) == "userdata" then entry = entry.host end
  if type(entry) ~= "string" then return nil end
  local host, bits = entry:match "^([^/]+)/(%d%d?%d?)$"
  local bytes = bytes_of(host or entry)
  if not bytes then return nil end
  local count = bits and math.tointeger(tonumber(bits)) or 8 * #bytes
  if count > 8 * #bytes then return nil end
  local wanted = prefix(bytes, count)
  return function(other) return #other == #bytes and prefix(other, count) == wanted end
end

local RULES = {
  timeout = RECEIVING.timeout, limit = RECEIVING.limit,
  others = { check.one_of("'refuse' or 'serve'", "refuse", "serve"), "refuse" }, failed = { check.FUNCTION },
}

local Rules = {}
Rules.__index = Rules
Rules.__name = "csock.proxyproto.rules"

local made = setmetatable({}, { __mode = "k" }) -- by the tables that they were made of

--- Makes rules of what the option `proxy_protocol` of a server takes (which does that itself): the addresses and
-- networks of the proxies that are believed, and more.
-- @function rules
-- @tparam table list any number of `"192.0.2.1"`, `"10.0.0.0/8"`, `"fd00::/8"`, addresses, or `"unix"`: who comes by a
-- Unix socket; and
-- @tparam[opt="refuse"] string list.others what becomes of all others: their connections are closed; or `"serve"`: they
-- are served as they are, and what they send is never taken for a header
-- @tparam[opt=5] number list.timeout in how many seconds the header must be there (false: no limit)
-- @tparam[opt=4096] int list.limit the most bytes of it
-- @tparam[opt] function list.failed called with the error and the proxy's address when there was no header, or one from
-- somebody else (default: nobody is told)
-- @treturn rules
-- @raise for what is none
-- @usage local rules = proxyproto.rules {"127.0.0.1", "10.0.0.0/8", others = "serve"}
function M.rules(list)
  if getmetatable(list) == Rules then return list end
  check.argument(check.TABLE, list, 1, "proxy_protocol")
  if made[list] then return made[list] end
  local options, networks, unix = {}, {}, false
  for name, value in pairs(list) do
    if math.type(name) ~= "integer" then
      options[name] = value
    elseif value == "unix" then
      unix = true
    else
      networks[#networks + 1] = network(value)
        or check.bad("proxy_protocol", 1, ("'%s' is no address and no network"):format(tostring(value)))
    end
  end
  options = check.options(options, RULES, 1, "proxy_protocol")
  local rules = setmetatable({
    networks = networks, unix = unix, others = options.others, failed = options.failed,
    receiving = { timeout = options.timeout == math.huge and false or options.timeout, limit = options.limit },
  }, Rules)
  made[list] = rules
  return rules
end

-- Whether headers of this peer are believed.
function Rules:allow(addr)
  if type(addr) == "string" then return self.unix end
  local bytes = bytes_of(addr.host)
  for _, contains in ipairs(self.networks) do
    if bytes and contains(bytes) then return true end
  end
  return false
end

local infos = setmetatable({}, { __mode = "k" }) -- connection -> its header

local function receive(rules, conn, addr)
  if not rules:allow(addr) then
    if rules.others == "serve" then return addr end
    return csock.make_error { call = "proxy_protocol", errno = csock.errno.EACCES, address = addr }
  end
  local info, err, errno = M.receive(conn, rules.receiving)
  if not info then return nil, err, errno end
  infos[conn] = info
  return info.source or addr
end

-- Reads the header of a connection that was accepted from `addr`, by these rules. The client's address; or nil, err,
-- errno, of which `failed` has been told.
function Rules:greet(conn, addr)
  local client, err, errno = receive(self, conn, addr)
  if client == nil then
    if self.failed then self.failed(err, addr) end
    return nil, err, errno
  end
  return client
end

--- What a proxy has said of a connection that a server has taken.
-- @function info
-- @tparam socket conn
-- @treturn ?table as of `parse`; nil: nothing
-- @usage print(proxyproto.info(s)) --> nil
function M.info(conn) return infos[conn] end

return M
