-- multipart.lua: bodies of several parts (RFC 2046, section 5.1), as they come, cut anywhere.
--
-- A parser calls, for each part, `events.begin(headers)`, `events.data(bytes)` any number of times, and
-- `events.finish()`. Each of them stops it by returning nil, err, errno.
local csock = require "csock"
local headers = require "csock.wire.headers"

local E = csock.errno

local M = {}

local PADDING = 256 -- bytes of blanks behind a boundary

local function fail(words, errno)
  return csock.make_error { call = "multipart", kind = "cgi", errno = errno or E.EBADMSG, strerror = words }
end

M.fail = fail

local Parser = {}
Parser.__index = Parser

-- A parser of what this boundary divides. `most`: bytes of a part's head.
function M.parser(boundary, most, events)
  return setmetatable({
    delimiter = "\n--" .. boundary, most = most, events = events, state = "preamble", rest = "",
    fresh = true, -- whether `rest` begins with a line, as a boundary does
    scanned = 1,  -- up to where a head has been looked at
  }, Parser)
end

-- --- the head of a part ----------------------------------------------------------------------------

local function fields_of(text)
  local block = headers.new()
  text = text:gsub("\r\n", "\n"):gsub("\n[ \t]+", " ")
  for line in text:gmatch "([^\n]+)\n" do
    local name, value = line:match "^([^:]*):[ \t]*(.-)[ \t]*$"
    if not name or not headers.is_name(name) or not headers.is_value(value) then
      return fail "the head of a part is malformed"
    end
    block:add(name, value)
  end
  return block
end

-- Takes the head, if it is there: true; false: more is needed; nil, err, errno.
local function take_head(self)
  while true do
    local line, behind = self.rest:match("^([^\n]*)\n()", self.scanned)
    local size = behind and behind - 1 or #self.rest
    if size > self.most then
      return fail(("the head of a part is longer than %d bytes"):format(self.most), E.EMSGSIZE)
    end
    if not line then return false end
    local first = self.scanned
    self.scanned = behind
    if line == "" or line == "\r" then
      local block, err, errno = fields_of(self.rest:sub(1, first - 1))
      if not block then return nil, err, errno end
      self.rest, self.scanned, self.state, self.fresh = self.rest:sub(behind), 1, "body", true
      return self.events.begin(block)
    end
  end
end

-- --- the body of a part ----------------------------------------------------------------------------

-- Where the next boundary stands: the byte before its dashes (0: they are the first bytes), whether it is the last one,
-- and what comes behind it. nil, and the first byte that may be a boundary's, if that is not known yet.
local function find_boundary(self, at_end)
  local rest, delimiter, from = self.rest, self.delimiter, 1
  local first, last = 0, #delimiter - 1
  if not self.fresh or rest:sub(1, last) ~= delimiter:sub(2) then first, last = rest:find(delimiter, from, true) end
  while first do
    local dashes, behind = rest:match("^(%-?%-?)[ \t]*\r?\n()", last + 1)
    if not behind and at_end then dashes, behind = rest:match("^(%-%-)[ \t]*\r?()$", last + 1) end
    if behind and dashes ~= "-" then return first, dashes == "--", behind end
    local is_open = not behind and not at_end and #rest - last < PADDING
    if is_open and rest:find("^%-?%-?[ \t]*\r?$", last + 1) then return nil, first end
    from = first + 1
    first, last = rest:find(delimiter, from, true)
  end
  return nil, at_end and #rest + 1 or math.max(#rest - #delimiter + 1, from)
end

local function pass(self, bytes)
  if self.state ~= "body" or bytes == "" then return true end
  return self.events.data(bytes)
end

-- Takes what is there of a body (or of the preamble): true when it has ended; false: more is needed; nil, err, errno.
local function take_body(self, at_end)
  local first, is_last, behind = find_boundary(self, at_end)
  local last = (first or is_last) - 1
  if not (at_end and not first) and self.rest:byte(last) == 13 then last = last - 1 end -- the boundary's line end
  local ok, err, errno = pass(self, self.rest:sub(1, math.max(last, 0)))
  if ok and first and self.state == "body" then ok, err, errno = self.events.finish() end
  if not ok then return nil, err, errno end
  if first then
    self.state = is_last and "epilogue" or "head"
    self.rest = is_last and "" or self.rest:sub(behind)
  elseif last > 0 then
    self.rest, self.fresh = self.rest:sub(last + 1), false
  end
  return first ~= nil
end

-- --- from outside ----------------------------------------------------------------------------------

local function go_on(self, at_end)
  while self.state ~= "epilogue" do
    local more, err, errno
    if self.state == "head" then more, err, errno = take_head(self) else more, err, errno = take_body(self, at_end) end
    if more == nil then return nil, err, errno end
    if not more then break end
  end
  return true
end

-- Takes bytes. True; nil, err, errno.
function Parser:push(bytes)
  if self.state == "epilogue" then return true end
  self.rest = self.rest .. bytes
  return go_on(self, false)
end

-- To be called at the end: true, or nil, err, errno where something is missing.
function Parser:finish()
  local ok, err, errno = go_on(self, true)
  if not ok then return nil, err, errno end
  if self.state ~= "epilogue" then return fail "the body is cut, or has not the boundary that was said" end
  return true
end

return M
