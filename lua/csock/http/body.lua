-- body.lua: what the body of a request may be, and the pieces in which it is sent.
--
-- A source has `length` (bytes; nil: nobody knows before its end) and `start()`, which gives a function `next()`: the
-- next piece; nil at the end; nil, err, errno. One with `again` can be started anew, to be sent once more.
local check = require "csock.check"
local failure = require "csock.http.failure"

local M = {}

M.BLOCK = 65536 -- bytes that are read and sent at once

local function of_string(bytes)
  local function start()
    local at = 1
    return function()
      if at > #bytes then return nil end
      local piece = at == 1 and #bytes <= M.BLOCK and bytes or bytes:sub(at, at + M.BLOCK - 1)
      at = at + #piece
      return piece
    end
  end
  return { length = #bytes, start = start, again = true }
end

-- What can be read only once.
local function once(next_piece, length)
  local used = false
  return {
    length = length,
    start = function()
      if used then
        return failure("request", "UnrewindableBodyError", "the body has been read, and cannot be sent again")
      end
      used = true
      return next_piece
    end,
  }
end

local function of_function(f)
  return once(function()
    while true do
      local piece, err, errno = f()
      if piece == nil then return nil, err, errno end
      if type(piece) ~= "string" then check.fail("request: the body's function gave a " .. type(piece)) end
      if piece ~= "" then return piece end
    end
  end)
end

local function reading(file)
  return function()
    local piece, err, errno = file:read(M.BLOCK)
    if piece == "" then return nil end
    return piece, err, errno
  end
end

-- A file from where it stands to its end; a pipe or a stream as it comes.
local function of_file(file)
  local seek = io.type(file) and file.seek
  local from = seek and file:seek "cur"
  local last = from and file:seek "end"
  if not last then return once(reading(file)) end
  file:seek("set", from)
  local function start()
    local ok, words = file:seek("set", from)
    if not ok then return failure("request", "UnrewindableBodyError", words) end
    return reading(file)
  end
  return { length = last - from, start = start, again = true }
end

-- Sources one after the other.
function M.joined(sources)
  local length, again = 0, true
  for _, source in ipairs(sources) do
    length = length and source.length and length + source.length
    again = again and source.again
  end
  local function start()
    local i, next_piece = 0, nil
    return function()
      while true do
        local piece, err, errno
        if next_piece then piece, err, errno = next_piece() end
        if piece or err then return piece, err, errno end
        i = i + 1
        if not sources[i] then return nil end
        next_piece, err, errno = sources[i].start()
        if not next_piece then return nil, err, errno end
      end
    end
  end
  return { length = length, start = start, again = again }
end

local function can_read(value)
  local kind = type(value)
  if io.type(value) == "file" then return true end
  if kind ~= "table" and kind ~= "userdata" then return false end
  local ok, read = pcall(function() return value.read end)
  return ok and read ~= nil
end

M.KIND = check.kind("string, sequence of strings, function or file", function(value)
  return type(value) == "string" or type(value) == "function" or type(value) == "table" or can_read(value)
end)

-- The source of a body, the argument `number` of `call`; nil is an empty one.
function M.source(value, number, call)
  if type(value) == "table" and value.start then return value end
  check.argument(M.KIND, value, number, call)
  if type(value) == "string" then return of_string(value) end
  if type(value) == "function" then return of_function(value) end
  if can_read(value) then return of_file(value) end
  local sources = {}
  for key in next, value do
    if not math.type(key) then check.bad(call, number, "sequence of strings expected: fields are a 'form'") end
  end
  for i, piece in ipairs(value) do
    if type(piece) ~= "string" then check.expected(call, number, ("piece %d: string"):format(i), piece) end
    sources[i] = of_string(piece)
  end
  return M.joined(sources)
end

return M
