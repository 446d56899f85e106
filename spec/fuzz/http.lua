--- Messages of HTTP that are right, nearly right and wrong, and what csock's parser finds in them: as a text, to be
-- compared with that of http_peer.js.
local http = require "csock.core".http

local M = {}

-- --- what is in the bytes -------------------------------------------------------------------------

-- The body at `at` in `bytes`: body, trailers, next; or nil and "more" or an error.
local function body_at(head, bytes, at)
  if head.body == "none" then return "", "", at end
  if head.body == "close" then return bytes:sub(at), "", #bytes + 1 end
  if head.body == "length" then
    if head.length > #bytes - at + 1 then return nil, "more" end
    return bytes:sub(at, at + head.length - 1), "", at + head.length
  end
  local decoder = http.decoder()
  local body, next, done = decoder:feed(bytes, at)
  if not body then return nil, next end
  if not done then return nil, "more" end
  local trailers = decoder:trailers()
  return body, table.concat(trailers, "\0") .. (trailers[1] and "\0" or ""), next
end

--- The messages in `bytes`, as texts, and `last`: what comes after them: "more", "close" (of the connection),
-- "upgrade", or "error", with `why`.
-- @tparam string letter see http_peer.js
-- @tparam string bytes
-- @treturn table
function M.look(letter, bytes)
  local found, at = {}, 1
  local function ends(last, why)
    found.last, found.why = last, why
    return found
  end
  while true do
    local head, next
    if letter == "Q" then
      head, next = http.parse_request(bytes, at)
    else
      head, next = http.parse_response(bytes, letter == "H" and "HEAD" or nil, at)
    end
    if not head then return ends(next and "error" or "more", next) end
    local list = table.concat(head.headers, "\0")
    local upgrade = head.upgrade or head.body == "tunnel"
    local text = ("%s\0%s\0%d\0%s\0%s%s"):format(head.method or head.status, head.target or head.reason,
      head.version, upgrade and "upgrade" or head.keep_alive and "keep" or "close", list, list ~= "" and "\0" or "")
    if upgrade then
      found[#found + 1] = text
      return ends "upgrade"
    end
    local body, trailers, after = body_at(head, bytes, next)
    if not body then
      if trailers == "more" then return ends "more" end
      return ends("error", trailers)
    end
    found[#found + 1] = ("%s\0%s\0%s"):format(text, body, trailers)
    if not head.keep_alive then return ends "close" end
    at = after
  end
end

-- --- making them ----------------------------------------------------------------------------------

-- All choices are made by this generator, so that a seed says which messages there are. (xorshift64*)
local state

function M.seed(n) state = n * 0x9E3779B97F4A7C15 | 1 end

local function random(n)
  state = state ~ state >> 12
  state = state ~ state << 25
  state = state ~ state >> 27
  return (state * 0x2545F4914F6CDD1D >> 33) % n + 1
end

local function one_of(list) return list[random(#list)] end

local function chance(n) return random(n) == 1 end

local METHODS = {
  "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "CONNECT", "TRACE", "get", "G", "", "GE T",
}
local TARGETS = {
  "/", "/a/b?c=d&e", "*", "http://a.example/x", "a.example:80", "/%00", "//", "/a#b", "/\xc3\xa9", "",
  "http://", "/a b", "?x", "x", "https://[::1]:8/", "/\t", "ftp://u@h/",
}
local VERSIONS = {
  "HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "HTTP/0.9", "http/1.1", "HTTP/1.1 ",
  "HTTP/11", "HTTP/1.", "HTTP /1.1", "",
}
local STATUSES = {
  "200 OK", "200 OK", "200 OK", "204 No Content", "304 Not Modified", "100 Continue", "101 Switching", "404",
  "500 ", "20 OK", "2000 OK", "099 x", "999 x", " 200 OK", "200  OK", "2x0 OK", "200 \xe9\t!",
}
local NAMES = {
  "Content-Length", "Transfer-Encoding", "Host", "Connection", "Upgrade", "X", "content-length",
  "TRANSFER-ENCODING", "Expect", "Trailer", "Hostess", "Content-Length2", "X_Y", "!#$%&'*+-.^_`|~",
}
local VALUES = {
  "", "5", "0", "3", "chunked", "Chunked", "chunked, chunked", "gzip, chunked", "chunked, gzip", "identity",
  "close", "keep-alive", "Upgrade", "upgrade, close", "websocket", "a.example", "a:80", "[::1]", "5, 5", "+5",
  "-1", "0x5", "5 ", " 5", "05", "5a", "18446744073709551616", "9223372036854775808", "9999999999", "xchunked",
  "chunked ", " \tchunked\t ", "chunked;a=b", ",chunked", "chunked,", '"chunked"', "100-continue",
  "\xa0chunked", "a, b", "Keep-Alive", "closed", "\xe9",
}
local CHUNKS = {
  "5\r\nhello\r\n", "1\r\na\r\n", "A\r\n0123456789\r\n", "003\r\nabc\r\n", "5;a=b\r\nhello\r\n",
  '3;x="y;\\"z"\r\nabc\r\n', "0x5\r\nhello\r\n", "5 \r\nhello\r\n", "5\nhello\r\n", "5\r\nhelloXX",
  "-1\r\na\r\n", "4\r\nhello\r\n", "5;\r\nhello\r\n", "5;a=\r\nhello\r\n", "5 ;a\r\nhello\r\n",
  "5; a\r\nhello\r\n", "fffffffffffffffff\r\n", "\r\n", "5;a b\r\nhello\r\n", "5\r\nhello\n",
  "5;a\n\r\nhello\r\n", '5;"a"\r\nhello\r\n', '5;a="b"c\r\nhello\r\n', "5;a==b\r\nhello\r\n",
}
local ENDS = {
  "0\r\n\r\n", "0\r\n\r\n", "000\r\n\r\n", "0;a\r\n\r\n", "0\r\nX: y\r\n\r\n",
  "0\r\nContent-Length: 5\r\n\r\n", "0\r\nX : y\r\n\r\n", "0\r\n\n", "0\r\nX: y\r\n z\r\n\r\n",
  "0\r\nTransfer-Encoding: chunked\r\n\r\n", "0\r\nConnection: close\r\n\r\n",
}
local ODD = {
  "\0", "\t", "\n", "\r", "\r\n", " ", "  ", ":", ";", ",", "\v", "\f", "\x7f", "\x80", "\xff", '"', "\\", "#",
  "0", "1", "\r\n\r\n", "chunked", "\r\n ", "\n\n", "A", "\x1b",
}

local function header() return one_of(NAMES) .. (chance(12) and ":" or ": ") .. one_of(VALUES) end

-- A body that fits what `framing` promises.
local function body_of(framing)
  if framing == "length" then return "hello" end
  if framing ~= "chunked" then return "" end
  local parts = {}
  for i = 1, random(3) do parts[i] = CHUNKS[chance(15) and random(#CHUNKS) or random(6)] end
  parts[#parts + 1] = chance(8) and one_of(ENDS) or ENDS[1]
  return table.concat(parts)
end

local function message(letter)
  local lines = {}
  if letter == "Q" then
    local target = chance(15) and one_of(TARGETS) or "/"
    local method = chance(15) and one_of(METHODS) or METHODS[random(7)]
    lines[1] = method .. " " .. target .. " " .. (chance(12) and one_of(VERSIONS) or VERSIONS[1])
    if not chance(30) then lines[2] = "Host: a.example" end
  else
    local version = chance(12) and one_of(VERSIONS) or VERSIONS[1]
    lines[1] = version .. " " .. (chance(3) and one_of(STATUSES) or STATUSES[1])
  end
  local framing = one_of { "none", "length", "chunked" }
  if framing == "length" then lines[#lines + 1] = "Content-Length: 5" end
  if framing == "chunked" then lines[#lines + 1] = "Transfer-Encoding: chunked" end
  for _ = 2, random(4) do lines[#lines + 1] = chance(8) and header() or "X-" .. random(9) .. ": some value" end
  return table.concat(lines, "\r\n") .. "\r\n\r\n" .. body_of(framing)
end

-- A few bytes changed, added, taken away or said twice.
local function mutate(bytes)
  for _ = 1, random(3) do
    local at, n = random(#bytes + 1), random(5) - 1
    local kind = random(5)
    if kind == 1 then
      bytes = bytes:sub(1, at - 1) .. one_of(ODD) .. bytes:sub(at)
    elseif kind == 2 then
      bytes = bytes:sub(1, at - 1) .. one_of(ODD) .. bytes:sub(at + 1)
    elseif kind == 3 then
      bytes = bytes:sub(1, at - 1) .. bytes:sub(at + n)
    elseif kind == 4 then
      bytes = bytes:sub(1, at - 1) .. string.char(random(256) - 1) .. bytes:sub(at + 1)
    else
      bytes = bytes:sub(1, at + n) .. bytes:sub(at)
    end
  end
  return bytes
end

--- One or two messages, or what became of them.
-- @treturn string letter
-- @treturn string bytes
function M.make()
  local letter = one_of { "Q", "Q", "Q", "R", "H" }
  local bytes = message(letter)
  if chance(3) then bytes = bytes .. message(letter) end
  if chance(3) then bytes = mutate(bytes) end
  return letter, bytes
end

return M
