--- Files, as bytes and as lines.
-- @module csock.ftp
local check = require "csock.check"
local csock = require "csock"
local internal = require "csock.loop.internal"
local replies = require "csock.ftp.replies"

-- The methods: csock.ftp gives them to its class.
local FTP = {}

local BLOCK, LINE = 65536, 8192 -- bytes

local SINK = check.kind("function or file", function(value)
  return type(value) == "function" or io.type(value) == "file"
end)
local SOURCE = check.kind("string, function or file", function(value)
  return type(value) == "string" or SINK.fits(value)
end)
local REST = check.integer(0)
local BUFFER = check.kind("buffer", function(value)
  return type(value) == "userdata" and pcall(function() return value.tostring end) and #value > 0
end)

local OPTIONS = {
  blocksize = { check.integer(1), BLOCK }, rest = { REST }, callback = { check.FUNCTION },
  progress = { check.FUNCTION }, buffer = { BUFFER },
}

local function file_failure(words, code)
  return csock.make_error { call = "FTP", errno = code or csock.errno.EIO, strerror = words }
end

-- What takes pieces: put(piece) -> true; nil, err, errno.
local function putter(sink)
  if type(sink) == "function" then
    return function(piece, length)
      local ok, err, errno = sink(piece, length)
      if ok == nil and err ~= nil then return nil, err, errno end
      return true
    end
  end
  return function(piece)
    local ok, words, code = sink:write(piece)
    if not ok then return file_failure(words, code) end
    return true
  end
end

-- What gives pieces: take() -> a piece; nil at the end; nil, err, errno.
local function taker(source, size)
  if type(source) == "function" then return source end
  local at = 1
  return function()
    if type(source) == "string" then
      local piece = source:sub(at, at + size - 1)
      at = at + size
      return piece ~= "" and piece or nil
    end
    local piece, words, code = source:read(size)
    if not piece and words then return file_failure(words, code) end
    return piece
  end
end

-- Says that all was sent, and waits for the end of the other side: over TLS it still sends what nobody reads (tickets),
-- and a connection that is closed meanwhile is reset, with what is on its way.
local function say_all_sent(sock)
  local ok, err, errno = sock:shutdown(csock.SHUT_WR)
  if not ok then return nil, err, errno end
  local left = BLOCK
  repeat
    local bytes = sock:recv(left)
    left = left - #(bytes or "")
  until not bytes or bytes == "" or left <= 0
  return true -- the server's verdict tells what has come
end

-- The end of a transfer: the server says how it went, also where it has gone wrong on this side.
local function settle(d, err, errno)
  local code, text, number = d:ok(2)
  if err then return nil, err, errno end
  if not code then return nil, text, number end
  return replies.whole(code, text)
end

-- Runs a transfer: the type (and `before` it a command, if any), the data connection, `move(socket, size)`, the
-- verdict. Each wait for data has the whole time, since nobody knows how much there is. Where `move` raises, or its
-- task is cancelled, the conversation ends: the verdict would be taken for another reply.
local function transfer(self, kind, line, rest, move, before)
  local sock, size, errno = replies.run(self, function()
    local reply, err, errno = true, nil, nil
    if before then reply, err, errno = self:sendcmd(before) end
    if reply then reply, err, errno = self:voidcmd("TYPE " .. kind) end
    if not reply then return nil, err, errno end
    return self:ntransfercmd(line, rest)
  end)
  if not sock then return nil, size, errno end
  local moved = false
  local _ <close> = internal.guard(function()
    sock:close()
    if not moved then self:close() end
  end)
  local ok, err
  ok, err, errno = move(sock, size)
  moved = true
  sock:close()
  return replies.run(self, function(d) return settle(d, not ok and err or nil, errno) end)
end

-- The next piece, and how long it is: 0 at the end; nil, err, errno.
local function receive(sock, options)
  if options.buffer then
    local length, err, errno = sock:recv_into(options.buffer)
    if not length then return nil, err, errno end
    return options.buffer, length
  end
  local piece, err, errno = sock:recv(options.blocksize)
  if not piece then return nil, err, errno end
  return piece, #piece
end

--- Fetches a file as it is.
-- @tparam string line `"RETR name"`
-- @tparam function|file sink `sink(piece)`, which may refuse by nil and an error; or a file of `io.open`
-- @tparam[opt] table options
-- @tparam[opt=65536] int options.blocksize bytes of a piece, at most
-- @tparam[opt] int options.rest the byte to begin at: to go on where it broke off
-- @tparam[opt] buffer options.buffer where each piece is put, which makes no strings: the sink is a function then,
-- `sink(buffer, count)`
-- @tparam[opt] function options.progress `progress(count, total)`: bytes so far, and in all where the server tells
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local ftp <close> = assert(ftps.FTP("localhost", {port = 21}))
-- print(ftp:retrbinary("RETR README", io.write)) --> 226 done
function FTP:retrbinary(line, sink, options)
  check.argument(replies.LINE, line, 1, "retrbinary")
  check.argument(SINK, sink, 2, "retrbinary")
  options = check.options(options, OPTIONS, 3, "retrbinary")
  local put, progress = putter(sink), options.progress
  if options.buffer and type(sink) ~= "function" then check.expected("retrbinary", 2, "function", sink) end
  return transfer(self, "I", line, options.rest, function(sock, size)
    local count = options.rest or 0
    if progress then progress(count, size) end
    while true do
      local piece, length, errno = receive(sock, options)
      if not piece then return nil, length, errno end
      if length == 0 then return true end
      local ok, err, code = put(piece, length)
      if not ok then return nil, err, code end
      count = count + length
      if progress then progress(count, size) end
    end
  end)
end

-- Fetches lines; `before` that a command is said, if any, in the time that the first line has.
function FTP:__lines(line, sink, before)
  return transfer(self, "A", line, nil, function(sock)
    local stream <close> = sock:makefile "r"
    while true do
      local text, whole, errno = stream:read_until("\n", LINE)
      if not text then
        if whole then return nil, whole, errno end
        return true
      end
      sink((text:gsub("\r$", "")))
    end
  end, before)
end

--- Fetches a text, line by line.
-- @tparam string line `"RETR name"`, `"LIST"` ...
-- @tparam[opt] function sink `sink(line)` (default: prints it)
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EMSGSIZE`: a line of more than 8192 bytes)
-- @usage
-- local ftp <close> = assert(ftps.FTP("localhost", {port = 21}))
-- ftp:retrlines("RETR README", print)
function FTP:retrlines(line, sink)
  check.argument(replies.LINE, line, 1, "retrlines")
  return self:__lines(line, check.argument(check.FUNCTION, sink or print, 2, "retrlines"))
end

--- Stores a file as it is.
-- @tparam string line `"STOR name"`, `"APPE name"`
-- @tparam string|function|file source the bytes, what gives them piece by piece (nil at the end), or a file
-- @tparam[opt] table options
-- @tparam[opt=65536] int options.blocksize bytes of a piece
-- @tparam[opt] int options.rest the byte of the server's file to begin at (the source begins there already)
-- @tparam[opt] function options.callback called with each piece that was sent
-- @tparam[opt] function options.progress `progress(count)`: bytes so far
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local ftp <close> = assert(ftps.FTP("localhost", {port = 21}))
-- print(ftp:storbinary("STOR new", "bytes")) --> 226 done
function FTP:storbinary(line, source, options)
  check.argument(replies.LINE, line, 1, "storbinary")
  check.argument(SOURCE, source, 2, "storbinary")
  options = check.options(options, OPTIONS, 3, "storbinary")
  local take, count = taker(source, options.blocksize), options.rest or 0
  return transfer(self, "I", line, options.rest, function(sock)
    while true do
      local piece, err, errno = take()
      if not piece then
        if err then return nil, err, errno end
        return say_all_sent(sock)
      end
      local ok
      ok, err, errno = sock:sendall(piece)
      if not ok then return nil, err, errno end
      count = count + #piece
      if options.callback then options.callback(piece) end
      if options.progress then options.progress(count) end
    end
  end)
end

--- Stores a text: its lines end with CR LF on their way.
-- @tparam string line `"STOR name"`
-- @tparam string|function|file source the text, what gives its lines (nil at the end), or a file
-- @tparam[opt] function callback called with each line that was sent
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local ftp <close> = assert(ftps.FTP("localhost", {port = 21}))
-- print(ftp:storlines("STOR new", "one\ntwo\n")) --> 226 done
function FTP:storlines(line, source, callback)
  check.argument(replies.LINE, line, 1, "storlines")
  check.argument(SOURCE, source, 2, "storlines")
  local take = source
  if type(source) == "string" then take = (source:sub(-1) == "\n" and source or source .. "\n"):gmatch "(.-)\n" end
  if io.type(source) then take = function() return source:read "l" end end
  if source == "" then take = function() end end
  return transfer(self, "A", line, nil, function(sock)
    local stream <close> = sock:makefile "w"
    for text in take do
      local sent = text:gsub("[\r\n]+$", "") .. "\r\n"
      local ok, err, errno = stream:write(sent)
      if not ok then return nil, err, errno end
      if callback then callback(sent) end
    end
    local ok, err, errno = stream:flush()
    if not ok then return nil, err, errno end
    return say_all_sent(sock)
  end)
end

return FTP
