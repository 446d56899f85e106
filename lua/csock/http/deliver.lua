-- deliver.lua: where the body of an answer goes: into memory, into a file, to a function; with how much of it came.
local check = require "csock.check"
local csock = require "csock"
local failure = require "csock.http.failure"
local readers = require "csock.http.reader"

local M = {}

local BLOCK = 65536

local function writes(value)
  if io.type(value) == "file" then return true end
  local ok, write = pcall(function() return value.write end)
  return ok and write ~= nil
end

-- What a body may go to.
M.SINK = check.kind("function or file", function(value)
  return type(value) == "function" or type(value) ~= "string" and writes(value)
end)

-- Copies what comes to `put(piece)`, which may refuse with nil, err: the number of bytes; nil, err, errno.
local function copy(response, put, progress)
  local total, count = response.length, 0
  if progress then progress(0, total) end
  while true do
    local piece, err, errno = response:read1(BLOCK)
    if not piece then return nil, err, errno end
    if piece == "" then return count end
    count = count + #piece
    local ok, why, code = put(piece, count)
    if not ok and why then return nil, why, code end
    if progress then progress(count, total) end
    if count == total then return count end
  end
end

local function too_long(limit)
  return failure("request", "ResponseTooLong", ("the body is longer than the limit of %d bytes"):format(limit))
end

local function into_memory(response, settings)
  local pieces, limit = {}, settings.limit
  if limit and response.length and response.length > limit then return too_long(limit) end
  local count, err, errno = copy(response, function(piece, so_far)
    if limit and so_far > limit then return too_long(limit) end
    pieces[#pieces + 1] = piece
    return true
  end, settings.on_download)
  if not count then return nil, err, errno end
  local body = pieces[2] and table.concat(pieces) or pieces[1] or ""
  response.body, response.length = body, #body
  response.fp = readers.of(body)
  return response
end

-- Lua's files say why as a text.
local function written(file, piece)
  local ok, why, code = file:write(piece)
  if ok or type(why) ~= "string" then return ok, why, code end
  return csock.make_error { call = "write", errno = code or csock.errno.EIO, strerror = why }
end

local function elsewhere(response, settings)
  local to = settings.to
  local function put(piece)
    if type(to) ~= "function" then return written(to, piece) end
    return to(piece)
  end
  local count, err, errno = copy(response, put, settings.on_download)
  if not count then return nil, err, errno end
  response.received = count
  return response
end

-- Does with an answer what the options say: the answer; nil, err, errno.
function M.response(response, settings)
  if settings.stream or response.raw == nil and response.status == 101 then return response end
  if settings.to and response.status < 300 then return elsewhere(response, settings) end
  return into_memory(response, settings)
end

-- Reads what is left of an answer that nobody wants, so that its connection can be used again; closes it where that
-- would be much.
function M.drain(response)
  local left = BLOCK
  while not response:isclosed() and left > 0 do
    local piece = response:read1(left)
    if not piece or piece == "" then break end
    left = left - #piece
  end
  response:close()
end

return M
