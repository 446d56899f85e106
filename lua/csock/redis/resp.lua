--- The protocol of Redis: requests, and replies in RESP2 and RESP3.
--
-- What a reply becomes:
--
-- - a string, also a verbatim one or one in chunks: a string
-- - an integer: an integer; a double: a float; a big number: an integer, or its digits where it is too
--   big for one
-- - a boolean: a boolean
-- - null: `null`
-- - an array, a set, a push: a list; a map: a table
-- - an error: an error value of the kind `"redis"`
-- @module csock.redis.resp
local csock = require "csock"

local LINE = 65536 -- bytes: a longer line is no reply
local BULK = 512 * 1024 * 1024 -- bytes: what Redis allows a string to have
local DEPTH = 64 -- of replies in replies
local SLOT = 16 -- bytes that a value takes in a list, whatever it is

local M = {}

--- How many bytes a whole reply may have by default: 512 MiB, as much as Redis allows one string.
-- @field LIMIT
M.LIMIT = BULK

--- Stands for null in a reply, since a list cannot hold nil.
-- @field null
M.null = setmetatable({}, { __tostring = function() return "null" end, __name = "csock.redis.resp.null" })

-- --- requests -------------------------------------------------------------------------------------

local function text_of(argument, i)
  local kind = math.type(argument)
  if kind == "integer" then return ("%d"):format(argument) end
  if kind == "float" then return ("%.17g"):format(argument) end
  if type(argument) == "string" then return argument end
  error(("bad argument #%d of a command (string or number expected, got %s)"):format(i, type(argument)), 0)
end

--- Encodes a request.
-- @tparam {string|number,...} command the command's name and its arguments
-- @treturn string
-- @raise for an argument that is neither
-- @usage print(#resp.encode {"GET", "key"}) --> 22
function M.encode(command)
  local n = command.n or #command -- of table.pack
  if n == 0 then error("a command has a name", 0) end
  local parts = { ("*%d\r\n"):format(n) }
  for i = 1, n do
    local text = text_of(command[i], i)
    parts[i + 1] = ("$%d\r\n"):format(#text) .. text .. "\r\n"
  end
  return table.concat(parts)
end

-- --- replies --------------------------------------------------------------------------------------

local END = {} -- after the last element of an aggregate that did not announce how many it has

local function broken(what)
  return csock.make_error { call = "redis", errno = csock.errno.EPROTO, strerror = what }
end

local function ended()
  return csock.make_error {
    call = "redis", errno = csock.errno.ECONNRESET, strerror = "the server has closed the connection",
  }
end

local function read_line(stream)
  local line, whole, errno = stream:read_until("\r\n", LINE)
  if line and whole then return line end
  if line or not whole then return ended() end
  if errno == csock.errno.EMSGSIZE then return broken "a line without an end" end
  return nil, whole, errno
end

local function read_bytes(stream, n)
  local data, line_end, errno = stream:read(n, 2)
  if line_end == "\r\n" then return data end
  if data == nil and line_end ~= nil then return nil, line_end, errno end
  if data == nil or #data < n or line_end == nil or #line_end < 2 then return ended() end
  return broken "a string without its end"
end

local function integer_of(text)
  return text:find "^[+-]?%d+$" and math.tointeger(tonumber(text))
end

-- An announced length: an integer; -1 for null; or "?", for one that is not known yet.
local function length_of(text, most)
  if text == "?" then return text end
  local n = integer_of(text)
  if n and n >= -1 and n <= most then return n end
end

-- What a server calls an error begins with its name, in capitals.
local function error_of(text, command)
  local name, rest = text:match "^(%u[%u%d_]*) ?(.*)$"
  local _, err = csock.make_error {
    call = command and "redis " .. command or "redis", errno = 0, kind = "redis",
    name = name or "ERR", strerror = rest or text,
  }
  return err
end

local read

-- While a reply is read, `reply` has the `command` that it answers, its `deadline` on the clock of `csock.now`, and how
-- many bytes it may have yet: `left`.

-- Each piece may take the stream's timeout; this is for all of them. True; nil, err, errno.
local function in_time(reply)
  if not reply.deadline or csock.now() <= reply.deadline then return true end
  return csock.make_error { call = "redis", errno = csock.errno.ETIMEDOUT }
end

-- That many bytes more have come, or are to come. True; nil, err, errno.
local function grow(reply, n)
  reply.left = reply.left - n
  if reply.left >= 0 then return true end
  return csock.make_error {
    call = "redis", errno = csock.errno.EMSGSIZE, strerror = ("a reply of more than %.0f bytes"):format(reply.limit),
  }
end

-- A string of chunks, up to an empty one.
local function read_chunks(stream, reply)
  local parts, size = {}, 0
  while true do
    local line, err, errno = read_line(stream)
    if not line then return nil, err, errno end
    local n = line:byte() == 59 and length_of(line:sub(2), BULK - size) -- ;
    if not math.type(n) or n < 0 then return broken "no chunk of a string" end
    if n == 0 then return table.concat(parts) end
    size = size + n
    local ok
    ok, err, errno = grow(reply, SLOT + n)
    if not ok then return nil, err, errno end
    parts[#parts + 1], err, errno = read_bytes(stream, n)
    if err then return nil, err, errno end
    ok, err, errno = in_time(reply)
    if not ok then return nil, err, errno end
  end
end

local function read_string(stream, length, reply)
  local n = length_of(length, BULK)
  if not n then return broken "no length of a string" end
  if n == "?" then return read_chunks(stream, reply) end
  if n == -1 then return M.null end
  local ok, err, errno = grow(reply, n)
  if not ok then return nil, err, errno end
  return read_bytes(stream, n)
end

local function read_list(stream, length, reply, depth)
  local n = length_of(length, math.maxinteger)
  if not n then return broken "no length of a list" end
  if n == -1 then return M.null end
  local list = {}
  if n == "?" then n = math.maxinteger end
  for i = 1, n do
    local value, err, errno = read(stream, reply, depth + 1)
    if value == nil then return nil, err, errno end
    local ok
    ok, err, errno = in_time(reply)
    if not ok then return nil, err, errno end
    if value == END then
      if length ~= "?" then return broken "an end where none was expected" end
      break
    end
    list[i] = value
  end
  return list
end

local function read_map(stream, length, reply, depth)
  local map = {}
  local n = length_of(length, math.maxinteger // 2)
  local list, err, errno = read_list(stream, n and math.type(n) and n >= 0 and ("%d"):format(2 * n) or length,
    reply, depth)
  if not list then return nil, err, errno end
  if list == M.null then return list end
  if #list % 2 ~= 0 then return broken "a key without a value" end
  for i = 1, #list, 2 do
    local key = list[i]
    if key ~= key then key = "nan" end -- which no Lua table takes as a key
    map[key] = list[i + 1]
  end
  return map
end

local doubles = { inf = math.huge, ["+inf"] = math.huge, ["-inf"] = -math.huge, nan = 0 / 0, ["-nan"] = 0 / 0 }

local function double_of(text)
  if doubles[text:lower()] then return doubles[text:lower()] end
  local number = text:find "^[+-]?[%d.]+[eE]?[+-]?%d*$" and tonumber(text)
  return number and number + 0.0
end

-- By the first byte of a reply: reads what follows the line, of which it gets the rest.
local readers = {
  ["+"] = function(_, text) return text end,
  ["-"] = function(_, text, reply) return error_of(text, reply.command) end,
  [":"] = function(_, text)
    local number = integer_of(text)
    if number then return number end
    return broken "no integer"
  end,
  ["("] = function(_, text)
    if text:find "^[+-]?%d+$" then return integer_of(text) or text end
    return broken "no number"
  end,
  [","] = function(_, text)
    local number = double_of(text)
    if number then return number end
    return broken "no double"
  end,
  ["#"] = function(_, text)
    if text == "t" then return true end
    if text == "f" then return false end
    return broken "no boolean"
  end,
  ["_"] = function() return M.null end,
  ["."] = function() return END end,
  ["$"] = read_string,
  ["="] = function(stream, text, reply) -- with three letters that say what it is
    local value, err, errno = read_string(stream, text, reply)
    if type(value) ~= "string" then return value, err, errno end
    return (value:gsub("^%w%w%w:", "", 1))
  end,
  ["!"] = function(stream, text, reply)
    local value, err, errno = read_string(stream, text, reply)
    if type(value) ~= "string" then return value, err, errno end
    return error_of(value, reply.command)
  end,
  ["*"] = read_list,
  ["~"] = read_list,
  [">"] = read_list,
  ["%"] = read_map,
}

-- Any value of a reply, or END.
function read(stream, reply, depth)
  if depth > DEPTH then return broken "replies in replies without end" end
  local line, err, errno = read_line(stream)
  if not line then return nil, err, errno end
  local ok
  ok, err, errno = grow(reply, SLOT + #line)
  if not ok then return nil, err, errno end
  local kind = line:sub(1, 1)
  if kind == "|" then -- attributes: about the reply that follows
    local attributes
    attributes, err, errno = read_map(stream, line:sub(2), reply, depth)
    if not attributes then return nil, err, errno end
    return read(stream, reply, depth + 1)
  end
  local reader = readers[kind]
  if not reader then return broken "a reply of no known kind" end
  local value
  value, err, errno = reader(stream, line:sub(2), reply, depth)
  if value == nil then return nil, err, errno end
  return value, kind == ">"
end

--- Reads a reply. When it fails in the middle of one, the stream is of no more use.
-- @tparam stream stream from `makefile`
-- @tparam[opt] string command what it answers, for the text of an error
-- @tparam[opt] number deadline on the clock of `csock.now`: when all of it must have come
-- @tparam[opt=LIMIT] number limit how many bytes it may have in all; each value in it counts as 16 more
-- @return[1] the value, never nil
-- @treturn[1] boolean whether it answers nothing (RESP3's push)
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`ECONNRESET` at the end of the stream, `EPROTO` for what is no reply,
-- `EMSGSIZE` for one over the limit, `ETIMEDOUT`)
-- @usage
-- b:send "$5\r\nhello\r\n"
-- print((resp.read(a:makefile()))) --> hello
function M.read(stream, command, deadline, limit)
  limit = limit or M.LIMIT
  local value, push, errno = read(stream, { command = command, deadline = deadline, limit = limit, left = limit }, 1)
  if value == END then return broken "an end where none was expected" end
  return value, push, errno
end

return M
