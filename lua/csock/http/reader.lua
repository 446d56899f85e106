-- reader.lua: the reading methods of a stream over bytes that somebody else makes: unpacked ones, and such in memory.
-- A failure loses nothing: what came before it can still be read.
local check = require "csock.check"
local csock = require "csock"

local Reader = {}
Reader.__index = Reader
Reader.__name = "csock.http.reader"

local M = {}

-- A reader; `more()` gives the next piece, "" at the end, or nil, err, errno. (`more` is false once it has ended.)
function M.new(more)
  return setmetatable({ more = more, held = "", at = 1, size = 0, pieces = nil }, Reader)
end

-- A reader of these bytes.
function M.of(bytes)
  return setmetatable({ more = false, held = bytes, at = 1, size = #bytes, pieces = nil }, Reader)
end

-- Whether it is a reader, and all of it has been read.
function M.ended(value) return getmetatable(value) == Reader and not value.more and value.size == 0 end

-- --- what is held: `size` bytes, from the byte `at` of `held` on, and then in `pieces`, if there are any -------

local function refuse(call) return csock.make_error { call = call, errno = csock.errno.EBADF } end

-- Gets a piece: that; false at the end; nil, err, errno.
local function fill(self)
  if not self.more then return false end
  local piece, err, errno = self.more()
  if not piece then return nil, err, errno end
  if piece == "" then
    self.more = false
    return false
  end
  local pieces = self.pieces or {}
  self.pieces, pieces[#pieces + 1] = pieces, piece
  self.size = self.size + #piece
  return piece
end

local function joined(self)
  if self.pieces then
    self.held, self.at, self.pieces = self.held:sub(self.at) .. table.concat(self.pieces), 1, nil
  end
  return self.held
end

local function take(self, n)
  local bytes = joined(self)
  if n < self.size or self.at > 1 then bytes = bytes:sub(self.at, self.at + n - 1) end
  self.at, self.size = self.at + #bytes, self.size - #bytes
  if self.size == 0 then self.held, self.at = "", 1 end
  return bytes
end

-- Gets pieces until so many bytes are held, or all: true; nil, err, errno.
local function hold(self, n)
  while self.size < n do
    local piece, err, errno = fill(self)
    if piece == nil then return nil, err, errno end
    if not piece then break end
  end
  return true
end

-- The length of the next line with its end, `limit` bytes at most.
local function line_length(self, limit)
  local before = self.size
  local lf = joined(self):find("\n", self.at, true)
  if lf then return math.min(lf - self.at + 1, limit) end
  while before < limit do
    local piece, err, errno = fill(self)
    if piece == nil then return nil, err, errno end
    if not piece then break end
    lf = piece:find("\n", 1, true)
    if lf then return math.min(before + lf, limit) end
    before = before + #piece
  end
  return math.min(self.size, limit)
end

-- --- methods ---------------------------------------------------------------------------------------

local function read_one(self, format)
  if math.type(format) == "integer" and format >= 0 then
    local ok, err, errno = hold(self, math.max(format, 1))
    if not ok then return nil, err, errno end
    if self.size == 0 then return nil end
    return take(self, format)
  end
  format = type(format) == "string" and format:gsub("^%*", "")
  if format == "a" then
    local ok, err, errno = hold(self, math.huge)
    if not ok then return nil, err, errno end
    return take(self, self.size)
  end
  if format ~= "l" and format ~= "L" then check.fail "bad argument to 'read' (invalid format)" end
  local n, err, errno = line_length(self, math.huge)
  if not n then return nil, err, errno end
  if n == 0 then return nil end
  local line = take(self, n)
  return format == "l" and line:gsub("\r?\n$", "") or line
end

function Reader:read(...)
  if self.closed then return refuse "read" end
  local count = select("#", ...)
  if count <= 1 then
    local value, err, errno = read_one(self, count == 1 and ... or "l")
    if err then return nil, err, errno end
    return value
  end
  local values = {}
  for i = 1, count do
    local value, err, errno = read_one(self, (select(i, ...)))
    if err then return nil, err, errno end
    values[i] = value
    if value == nil then return table.unpack(values, 1, i) end
  end
  return table.unpack(values, 1, count)
end

function Reader:readline(limit)
  if self.closed then return refuse "readline" end
  local n, err, errno = line_length(self, limit and limit >= 0 and limit or math.huge)
  if not n then return nil, err, errno end
  return take(self, n)
end

-- The first `n` bytes, which stay there.
function Reader:peek(n)
  if self.closed then return refuse "peek" end
  local ok, err, errno = hold(self, n or 1)
  if not ok then return nil, err, errno end
  return joined(self):sub(self.at, n and self.at + n - 1)
end

function Reader:buffered() return self.size end

function Reader:close()
  self.closed = true
  self.held, self.at, self.size, self.pieces = "", 1, 0, nil
  return true
end

return M
