--- Reading headers: from bytes to values, and nothing else.
-- @module csock.proxyproto
local check = require "csock.check"
local csock = require "csock"

local M = {}

M.SIGNATURE = "\r\n\r\n\0\r\nQUIT\n" -- version 2 begins with it, version 1 with WORD
local WORD = "PROXY "

-- Bytes. Nothing that is shorter is a header: "PROXY UNKNOWN\r\n".
M.LEAST, M.MOST_TEXT, M.FIXED = 15, 107, 16
M.LIMIT = 4096

-- The types of what may follow the addresses.
M.TLVS = { alpn = 0x01, authority = 0x02, crc32c = 0x03, noop = 0x04, unique_id = 0x05, ssl = 0x20, netns = 0x30 }
local SSL_TLVS = {
  [0x21] = "version", [0x22] = "cn", [0x23] = "cipher", [0x24] = "sig_alg", [0x25] = "key_alg",
}
local NAMED = {}
for _, name in ipairs { "alpn", "authority", "unique_id", "netns" } do NAMED[M.TLVS[name]] = name end

function M.fail(why)
  return csock.make_error { call = "proxy_protocol", errno = csock.errno.EPROTO, message = "proxy_protocol: " .. why }
end

local fail = M.fail

-- --- the sum --------------------------------------------------------------------------------------

local sums = {}
for byte = 0, 255 do
  local sum = byte
  for _ = 1, 8 do sum = sum & 1 == 1 and sum >> 1 ~ 0x82f63b78 or sum >> 1 end
  sums[byte] = sum
end

--- The sum that a header of version 2 may carry: CRC-32C. Source: RFC 3309.
-- @function crc32c
-- @tparam string data
-- @treturn int
-- @usage print(("%x"):format(proxyproto.crc32c "123456789")) --> e3069283
function M.crc32c(data)
  check.argument(check.STRING, data, 1, "crc32c")
  local sum = 0xffffffff
  for i = 1, #data do sum = sum >> 8 ~ sums[(sum ~ data:byte(i)) & 255] end
  return sum ~ 0xffffffff
end

-- --- version 1 ------------------------------------------------------------------------------------

-- Digits alone, and no zero before others.
local function number_of(text, most)
  if not text:find "^%d%d?%d?%d?%d?$" or text:find "^0." then return nil end
  local number = tonumber(text)
  return number <= most and math.tointeger(number) or nil
end

local function is_ipv4(host)
  local count = 0
  for part in (host .. "."):gmatch "([^.]*)%." do
    count = count + 1
    if not number_of(part, 255) then return false end
  end
  return count == 4
end

local FAMILIES = {
  TCP4 = { csock.AF_INET, is_ipv4 },
  TCP6 = { csock.AF_INET6, function(host)
    return host:find "^[%x:.]+$" and csock.inet_pton(csock.AF_INET6, host) ~= nil
  end },
}

local function parse_line(line)
  local info = { version = 1, command = "PROXY", type = csock.SOCK_STREAM, tlvs = {} }
  local rest = line:sub(#WORD + 1)
  if rest == "UNKNOWN" or rest:find "^UNKNOWN " then return info end
  local family, source, destination, from, to = rest:match "^(%u%u%u%d) (%S+) (%S+) (%d+) (%d+)$"
  local known = FAMILIES[family]
  if not known then return fail "no such line" end
  if not known[2](source) or not known[2](destination) then return fail "no such address" end
  from, to = number_of(from, 65535), number_of(to, 65535)
  if not from or not to then return fail "no such port" end
  info.family = known[1]
  info.source, info.destination = csock.address(known[1], source, from), csock.address(known[1], destination, to)
  return info
end

local function parse_text(data)
  local stop = data:find("[\r\n\0]")
  if stop and data:sub(stop, stop + 1) == "\r\n" then
    if stop + 1 > M.MOST_TEXT then return fail "the line is longer than 107 bytes" end
    local info, err, errno = parse_line(data:sub(1, stop - 1))
    return info, info and stop + 1 or err, errno
  end
  if stop and not (stop == #data and data:sub(-1) == "\r") then return fail "no end of a line" end
  local wanted = math.max(#data + (stop and 1 or 2), M.LEAST)
  if wanted > M.MOST_TEXT then return fail "the line is longer than 107 bytes" end
  return false, wanted
end

-- --- version 2 ------------------------------------------------------------------------------------

-- A sequence of `{type, value}`, with the number of the byte at which each value begins.
local function parse_tlvs(data, from, to)
  local list = {}
  while from <= to do
    if from + 2 > to then return fail "half a field" end
    local kind, length = (">BI2"):unpack(data, from)
    if from + 2 + length > to then return fail "half a field" end
    list[#list + 1] = { kind, data:sub(from + 3, from + 2 + length), at = from + 3 }
    from = from + 3 + length
  end
  return list
end

local function parse_ssl(value)
  if #value < 5 then return fail "half a field" end
  local client, verify = (">BI4"):unpack(value)
  local ssl = { client = client, verify = verify }
  local list, err, errno = parse_tlvs(value, 6, #value)
  if not list then return nil, err, errno end
  for _, tlv in ipairs(list) do
    if SSL_TLVS[tlv[1]] then ssl[SSL_TLVS[tlv[1]]] = tlv[2] end
  end
  return ssl
end

local function has_sum(data, at, value)
  if #value ~= 4 then return false end
  return M.crc32c(data:sub(1, at - 1) .. "\0\0\0\0" .. data:sub(at + 4)) == (">I4"):unpack(value)
end

-- What the fields say, into the header's table. True; nil, err, errno.
local function read_tlvs(info, data, from)
  local list, err, errno = parse_tlvs(data, from, #data)
  if not list then return nil, err, errno end
  for _, tlv in ipairs(list) do
    local kind, value = tlv[1], tlv[2]
    if kind == M.TLVS.crc32c then
      if not has_sum(data, tlv.at, value) then return fail "the sum is wrong" end
    elseif kind == M.TLVS.ssl then
      info.ssl, err, errno = parse_ssl(value)
      if not info.ssl then return nil, err, errno end
    elseif kind == M.TLVS.unique_id and #value > 128 then
      return fail "an id of more than 128 bytes"
    elseif NAMED[kind] then
      info[NAMED[kind]] = value
    end
    tlv.at = nil
  end
  info.tlvs = list
  return true
end

-- A path, or a name of Linux's that is none, as csock has them.
local function unix_address(bytes)
  if bytes:sub(1, 1) ~= "\0" then return bytes:match "^%Z*" end
  local name = bytes:match "^(.-)%z*$"
  return name == "" and "" or name
end

local function inet_address(family, bytes, port)
  return csock.address(family, csock.inet_ntop(family, bytes), port)
end

-- By the upper four bits of a byte: how many bytes of addresses there are, and what they are.
local LAYOUTS = {
  [1] = { csock.AF_INET, 12, ">c4c4I2I2", inet_address },
  [2] = { csock.AF_INET6, 36, ">c16c16I2I2", inet_address },
  [3] = { csock.AF_UNIX, 216, "c108c108", function(_, bytes) return unix_address(bytes) end },
}
M.LAYOUTS = LAYOUTS

local TYPES = { [0] = false, csock.SOCK_STREAM, csock.SOCK_DGRAM }

local function parse_binary(data)
  local version, kind = data:byte(13, 14)
  local command = version & 15
  if version >> 4 ~= 2 or command > 1 then return fail "no such version or command" end
  local info = { version = 2, command = command == 0 and "LOCAL" or "PROXY", tlvs = {} }
  local layout, transport = LAYOUTS[kind >> 4], TYPES[kind & 15]
  if command == 0 then return info end -- the proxy's own connection: whatever follows says nothing
  if kind >> 4 > 3 or transport == nil then return fail "no such family" end
  if not layout or not transport then -- what the proxy cannot tell
    local skipped = layout and layout[2] or 0
    if #data - M.FIXED < skipped then return fail "half an address" end
    local ok, err, errno = read_tlvs(info, data, M.FIXED + 1 + skipped)
    if not ok then return nil, err, errno end
    return info
  end
  local family, length, format, address = table.unpack(layout)
  if #data - M.FIXED < length then return fail "half an address" end
  local source, destination, from, to = format:unpack(data, M.FIXED + 1)
  info.family, info.type = family, transport
  info.source, info.destination = address(family, source, from), address(family, destination, to)
  local ok, err, errno = read_tlvs(info, data, M.FIXED + length + 1)
  if not ok then return nil, err, errno end
  return info
end

-- --- both -----------------------------------------------------------------------------------------

local function begins(data, word) return data:sub(1, #word) == word:sub(1, #data) end

--- Reads a header at the beginning of some bytes.
--
-- A header is a table: `version` (1 or 2), `command` (`"PROXY"`; `"LOCAL"`: the proxy's own connection, such as a check
-- whether the server is there), `family`, `type`, `source` and `destination` (addresses; all four nil where the proxy
-- does not tell), and, of version 2: `tlvs`, a sequence of `{type, value}` (integer and string); of these by their
-- names `alpn`, `authority` (the name that the client has asked for), `unique_id`, `netns`, and `ssl`, a table with
-- `client` (bits: 1: over TLS; 2: a certificate on this connection; 4: in this session), `verify` (0: it was verified),
-- `version`, `cn`, `cipher`, `sig_alg`, `key_alg`.
-- @function parse
-- @tparam string data
-- @tparam[opt=4096] int limit the most bytes of a header
-- @treturn[1] table the header
-- @treturn[1] int how many bytes it has
-- @treturn[2] boolean false: this is the beginning of one
-- @treturn[2] int how many bytes there must be before more can be said; the header has at least as many
-- @treturn[3] nil this is no header
-- @treturn[3] error
-- @treturn[3] int errno (`EPROTO`)
-- @usage
-- local header, size = proxyproto.parse "PROXY TCP4 192.0.2.1 192.0.2.2 5000 80\r\nGET /"
-- print(header.source, size) --> ('192.0.2.1', 5000) 40
-- print(proxyproto.parse "PROXY TCP4 ") --> false 15
function M.parse(data, limit)
  check.argument(check.STRING, data, 1, "parse")
  if limit ~= nil then check.argument(check.integer(M.FIXED), limit, 2, "parse") end
  if begins(data, M.SIGNATURE) then
    if data == "" then return false, M.LEAST end
    if #data < M.FIXED then return false, M.FIXED end
    local size = M.FIXED + (">I2"):unpack(data, 15)
    if size > (limit or M.LIMIT) then return fail(("longer than %d bytes"):format(limit or M.LIMIT)) end
    if #data < size then return false, size end
    local info, err, errno = parse_binary(data:sub(1, size))
    return info, info and size or err, errno
  end
  if begins(data, WORD) then return parse_text(data) end
  return fail "no header"
end

return M
