-- coding.lua: bodies that were packed (gzip, deflate), unpacked where lua-zlib is installed.
local ascii = require "csock.wire.ascii"
local failure = require "csock.http.failure"
local readers = require "csock.http.reader"
local zlib = require "csock.wire.zlib"

local M = {}

-- So many bytes are unpacked at once: zlib makes at most 1032 of one, so at most 4 MiB of them.
local PIECE = 4096

-- What Accept-Encoding says.
function M.accepted() return zlib() and "gzip, deflate" or "identity" end

-- Which packed form a header names; nil for none, and for such as are not known.
local CODINGS = { gzip = "gzip", ["x-gzip"] = "gzip", deflate = "deflate" }

-- zlib's number for the form: gzip; deflate is zlib's, or from some servers the bare one, which begins otherwise.
local function window(coding, first, second)
  if coding == "gzip" then return 31 end
  return first & 15 == 8 and (first << 8 | (second or 0)) % 31 == 0 and 15 or -15
end

local function broken(words) return failure("read", "ContentDecodingError", words) end

-- Has a response's body unpacked while it is read.
function M.unpack(response)
  local name = response.headers["content-encoding"]
  local coding = name and CODINGS[ascii.lower(name)]
  if not coding or not zlib() or not response.raw then return end
  local raw, owner = response.raw, response.owner
  local inflate, begun, done, used = nil, false, false, 0

  local function unpack(piece)
    if not inflate then
      if done and coding ~= "gzip" then return broken "bytes behind the packed body" end
      inflate, used, done = zlib().inflate(window(coding, piece:byte(1, 2))), 0, false
    end
    local ok, bytes, over, total = pcall(inflate, piece)
    if not ok then return broken "the packed body is malformed" end
    if not over then
      used = total
      return bytes
    end
    local rest = piece:sub(total - used + 1)
    inflate, done = nil, true
    if rest == "" then return bytes end
    local more, err, errno = unpack(rest) -- gzip's members follow each other
    if not more then return nil, err, errno end
    return bytes .. more
  end

  local function more()
    while true do
      local first, err, errno = owner:may_wait()
      if first then first, err, errno = raw:peek(begun and 1 or 2) end
      if not first then return nil, err, errno end
      if first == "" then
        if done or not begun then return "" end
        return broken "the packed body is cut"
      end
      begun = true
      local bytes
      bytes, err, errno = unpack(raw:read(math.min(raw:buffered(), PIECE)))
      if not bytes then return nil, err, errno end
      if bytes ~= "" then return bytes end
    end
  end

  response.fp, response.length = readers.new(more), nil
  response.unpacked = function() return done or not begun end
end

return M
