--- Writing headers.
-- @module csock.proxyproto
local check = require "csock.check"
local csock = require "csock"
local parse = require "csock.proxyproto.parse"

local M = {}

local MAPPED = ("\0"):rep(10) .. "\xff\xff" -- an IPv4 address among those of IPv6

local TYPES = { [csock.SOCK_STREAM] = 1, [csock.SOCK_DGRAM] = 2 }

local KINDS = {
  version = { check.one_of("1 or 2", 1, 2), 2 }, command = { check.one_of("'PROXY' or 'LOCAL'", "PROXY", "LOCAL") },
  source = { check.ANY }, destination = { check.ANY },
  type = { check.one_of("SOCK_STREAM or SOCK_DGRAM", csock.SOCK_STREAM, csock.SOCK_DGRAM), csock.SOCK_STREAM },
  tlvs = { check.TABLE, {} }, crc32c = { check.ANY },
  alpn = { check.STRING }, authority = { check.STRING }, netns = { check.STRING },
  unique_id = { check.kind("string of at most 128 bytes", function(id)
    return type(id) == "string" and #id <= 128
  end) },
  -- what a header that was read has as well
  family = { check.INTEGER }, ssl = { check.TABLE },
}

local function bad(words) check.bad("header", 1, words) end

-- Family, bytes and port of an address: a value, a path, or a table with a numeric host.
local function take_apart(address, name)
  if type(address) == "string" then return csock.AF_UNIX, address end
  local host, port
  if type(address) == "table" or type(address) == "userdata" then
    host, port = address[1] or address.host, address[2] or address.port
  end
  if type(host) ~= "string" or math.type(port) ~= "integer" or port < 0 or port > 65535 then
    bad(name .. ": address expected")
  end
  local family = host:find(":", 1, true) and csock.AF_INET6 or csock.AF_INET
  local bytes = csock.inet_pton(family, (host:gsub("%%.*", ""))) -- the scope is this side's alone
  if not bytes then bad(name .. ": numeric address expected") end
  return family, bytes, port
end

-- Both addresses, of one family; nil where there are none to be told.
local function endpoints(fields)
  if fields.command == "LOCAL" or fields.source == nil then return nil end
  if fields.destination == nil then bad "source without destination" end
  local family, source, from = take_apart(fields.source, "source")
  local other, destination, to = take_apart(fields.destination, "destination")
  if family ~= other then
    if family == csock.AF_UNIX or other == csock.AF_UNIX then bad "source and destination of different families" end
    if family == csock.AF_INET then source = MAPPED .. source else destination = MAPPED .. destination end
    family = csock.AF_INET6
  end
  return family, source, destination, from, to
end

local function write_text(fields)
  local family, source, destination, from, to = endpoints(fields)
  if not family or family == csock.AF_UNIX then return "PROXY UNKNOWN\r\n" end
  return ("PROXY TCP%d %s %s %d %d\r\n"):format(family == csock.AF_INET and 4 or 6,
    csock.inet_ntop(family, source), csock.inet_ntop(family, destination), from, to)
end

local function tlv(kind, value)
  if math.type(kind) ~= "integer" or kind < 0 or kind > 255 or type(value) ~= "string" or #value > 65535 then
    bad "tlvs: pairs of a type (0 to 255) and a string expected"
  end
  return (">Bs2"):pack(kind, value)
end

local function write_tlvs(fields)
  local pieces = {}
  for _, name in ipairs { "alpn", "authority", "unique_id", "netns" } do
    if fields[name] then pieces[#pieces + 1] = tlv(parse.TLVS[name], fields[name]) end
  end
  for _, pair in ipairs(fields.tlvs) do
    if type(pair) ~= "table" then bad "tlvs: a sequence of pairs expected" end
    pieces[#pieces + 1] = tlv(pair[1], pair[2])
  end
  return table.concat(pieces)
end

local function layout_of(family)
  for number, layout in pairs(parse.LAYOUTS) do
    if layout[1] == family then return number, layout[3] end
  end
  return 0
end

local function write_binary(fields)
  local addresses, kind = "", 0
  local family, source, destination, from, to = endpoints(fields)
  if family then
    local number, format = layout_of(family)
    if #source > 108 or #destination > 108 then bad "a path of more than 108 bytes" end
    addresses = format:pack(source, destination, from, to)
    kind = number << 4 | TYPES[fields.type]
  end
  local tlvs = write_tlvs(fields)
  local sum = fields.crc32c and tlv(parse.TLVS.crc32c, "\0\0\0\0") or ""
  local length = #addresses + #tlvs + #sum
  if length > 65535 then bad "longer than 65535 bytes" end
  local command = fields.command == "LOCAL" and 0x20 or 0x21
  local text = parse.SIGNATURE .. (">BBI2"):pack(command, kind, length) .. addresses .. tlvs .. sum
  if sum == "" then return text end
  return text:sub(1, -5) .. (">I4"):pack(parse.crc32c(text))
end

--- The bytes of a header.
-- @function header
-- @tparam table fields
-- @tparam[opt=2] int fields.version 1 or 2
-- @tparam[opt="PROXY"] string fields.command `"LOCAL"`: this is the proxy's own connection
-- @param[opt] fields.source the client's address: a value, `{host, port}` with a numeric host, or a Unix path; without
-- one, the header says that it is not known
-- @param[opt] fields.destination what the client was connected to
-- @tparam[opt=SOCK_STREAM] int fields.type of version 2
-- @tparam[opt] string fields.authority of version 2, as are the following: the name that the client has asked for
-- @tparam[opt] string fields.alpn the protocol on top
-- @tparam[opt] string fields.unique_id at most 128 bytes
-- @tparam[opt] string fields.netns
-- @tparam[opt] {{int,string},...} fields.tlvs further ones
-- @tparam[opt=false] boolean fields.crc32c with a sum
-- @treturn string
-- @raise for what cannot be said in a header
-- @usage
-- local from, to = {"192.0.2.1", 5000}, {"192.0.2.2", 80}
-- local line = proxyproto.header {version = 1, source = from, destination = to}
-- print(line:sub(1, -3)) --> PROXY TCP4 192.0.2.1 192.0.2.2 5000 80
function M.header(fields)
  check.argument(check.TABLE, fields, 1, "header")
  fields = check.options(fields, KINDS, 1, "header")
  return (fields.version == 1 and write_text or write_binary)(fields)
end

-- The header for a connection that was made, by create_connection's option.
function M.of_connection(option, socket)
  if type(option) == "string" then return option end
  local fields = { version = option ~= true and option or 2 }
  if type(option) == "table" then
    fields = {}
    for name, value in pairs(option) do fields[name] = value end
  end
  if fields.source == nil then fields.source = socket:getsockname() end
  if fields.destination == nil then fields.destination = socket:getpeername() end
  return M.header(fields)
end

return M
