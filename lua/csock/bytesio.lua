--- Bytes in memory, with the methods of a stream.
-- @module csock.bytesio
local check = require "csock.check"
local csock = require "csock"
local class = require "csock.class"

--- Bytes in memory that are read and written like a stream. What is written goes to the end.
-- Source: Python's `io.BytesIO`.
-- @type bytesio
local BytesIO = class("BytesIO")

--- Made by calling the class: `BytesIO(bytes)`.
-- @function csock.bytesio
-- @tparam[opt=""] string bytes
-- @treturn bytesio
-- @usage
-- local bytes = BytesIO "one\ntwo\n"
-- print(bytes:read "l") --> one
function BytesIO:__init(bytes)
  self.pieces = { bytes or "" }
  self.position = 1 -- of the next byte to be read
  self.closed = false
end

local function refuse(call)
  return csock.make_error { call = call, errno = csock.errno.EBADF }
end

--- All the bytes, whatever was read of them.
-- @treturn string
-- @usage
-- local bytes = BytesIO "one\ntwo\n"
-- print(#bytes:getvalue()) --> 8
function BytesIO:getvalue()
  if #self.pieces > 1 then self.pieces = { table.concat(self.pieces) } end
  return self.pieces[1]
end

-- Takes the bytes up to a place; nil when there are none left (unless `empty` is as good).
local function take(self, last, empty)
  local value = self:getvalue()
  if self.position > #value and not empty then return nil end
  local piece = value:sub(self.position, last)
  self.position = self.position + #piece
  return piece
end

-- Where the line ends that is to be read next, at most `limit` bytes on.
local function end_of_line(self, limit)
  local value = self:getvalue()
  local last = value:find("\n", self.position, true) or #value
  return limit and math.min(last, self.position + limit - 1) or last
end

-- The longest numeral that follows, as Lua's files read one; nil, and they are taken all the same, if
-- the characters make none.
local function read_number(self)
  local value = self:getvalue()
  local first = value:match("^%s*()", self.position)
  local text = value:match("^[+-]?0[xX][%x.]*[pP][+-]?%d*", first) or value:match("^[+-]?0[xX][%x.]*", first)
    or value:match("^[+-]?[%d.]*[eE][+-]?%d*", first) or value:match("^[+-]?[%d.]*", first)
  self.position = first + #text
  return tonumber(text)
end

local function read_one(self, format)
  if math.type(format) == "integer" and format >= 0 then
    local left = #self:getvalue() - self.position + 1
    return take(self, self.position + format - 1, format == 0 and left > 0)
  end
  format = type(format) == "string" and format:gsub("^%*", "")
  if format == "a" then return take(self, -1, true) end
  if format == "n" then return read_number(self) end
  if format ~= "l" and format ~= "L" then check.fail "bad argument to 'read' (invalid format)" end
  local line = take(self, end_of_line(self))
  return line and format == "l" and line:gsub("\r?\n$", "") or line
end

--- Reads by formats, as a stream does.
-- Source: Lua's `file:read`.
-- @param[opt="l"] ... formats
-- @treturn[1] string|number... one for each format; nil for the first that finds nothing, which is the last
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EBADF`)
-- @usage
-- local bytes = BytesIO "one\ntwo\n"
-- print(bytes:read("l", 2)) --> one tw
function BytesIO:read(...)
  if self.closed then return refuse "read" end
  local formats, values = table.pack(...), {}
  if formats.n == 0 then formats = { "l", n = 1 } end
  for i = 1, formats.n do
    values[i] = read_one(self, formats[i])
    if values[i] == nil then return table.unpack(values, 1, i) end
  end
  return table.unpack(values, 1, formats.n)
end

--- Reads a line with its line end.
-- Source: Python's `io.BytesIO.readline`.
-- @tparam[opt] int limit at most so many bytes
-- @treturn[1] string `""` at the end
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EBADF`)
-- @usage
-- local bytes = BytesIO "one\ntwo\n"
-- print(bytes:readline()) --> one
function BytesIO:readline(limit)
  if self.closed then return refuse "readline" end
  return take(self, end_of_line(self, limit), true)
end

--- Reads all lines, each with its line end.
-- Source: Python's `io.BytesIO.readlines`.
-- @treturn {string,...}
-- @usage
-- local bytes = BytesIO "one\ntwo\n"
-- print(#bytes:readlines()) --> 2
function BytesIO:readlines()
  local lines = {}
  for line in self:lines "L" do lines[#lines + 1] = line end
  return lines
end

--- An iterator that reads by the formats on each step.
-- Source: Lua's `file:lines`.
-- @param[opt="l"] ... formats
-- @treturn function
-- @usage
-- local bytes = BytesIO "one\ntwo\n"
-- for line in bytes:lines() do print(line) end --> one two
function BytesIO:lines(...)
  local formats = table.pack(...)
  return function() return self:read(table.unpack(formats, 1, formats.n)) end
end

--- Writes at the end.
-- Source: Lua's `file:write`.
-- @tparam string|number ...
-- @treturn[1] bytesio itself
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EBADF`)
-- @usage
-- local bytes = BytesIO "one\ntwo\n"
-- print(bytes:write("three"):read "a") --> one two three
function BytesIO:write(...)
  if self.closed then return refuse "write" end
  for i = 1, select("#", ...) do
    local value = select(i, ...)
    if type(value) ~= "string" and type(value) ~= "number" then check.expected("write", i, "string", value) end
    self.pieces[#self.pieces + 1] = tostring(value)
  end
  return self
end

--- Does nothing: there is nowhere to send it.
-- @treturn bytesio itself
-- @usage
-- local bytes = BytesIO "one\ntwo\n"
-- bytes:flush()
function BytesIO:flush() return self end

--- Ends reading and writing; `getvalue` still gives the bytes.
-- @treturn boolean true
-- @usage
-- local bytes = BytesIO "one\ntwo\n"
-- bytes:close()
function BytesIO:close()
  self.closed = true
  return true
end

BytesIO.__close = BytesIO.close

return BytesIO
