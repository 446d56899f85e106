-- link.lua: an end of a telnet connection: a socket, what has come of data, and the options.
local codec = require "csock.telnet.codec"
local csock = require "csock"
local internal = require "csock.loop.internal"
local options = require "csock.telnet.options"

local M = {}

local Link = {}
Link.__index = Link

local PIECE, SUB_LIMIT = 16384, 4096
local WORDS = "more than %d bytes, and not what is waited for"

-- Sends bytes as they are. After a failure all that is read says so.
function Link:send(bytes)
  if self.err then return nil, self.err, self.errno end
  self.sock:settimeout(self.timeout)
  local sent, err, errno = self.sock:sendall(bytes)
  if sent then return true end
  self.err, self.errno = err, errno
  return nil, err, errno
end

-- Receives something: true; false at the end; nil, err, errno.
function Link:fill(seconds)
  if self.ended then return false end
  if self.err then return nil, self.err, self.errno end
  self.sock:settimeout(seconds)
  local bytes, err, errno = self.sock:recv(PIECE)
  if not bytes then return nil, err, errno end
  if bytes == "" then
    self.ended = true
    return false
  end
  local data = self.decoder:feed(bytes)
  if data ~= "" then self.data = self.data .. data end
  if self.err then return nil, self.err, self.errno end -- an answer could not be sent
  return true
end

-- The first so many bytes of the data, which are then gone.
function Link:take(size)
  local bytes = self.data:sub(1, size)
  self.data = self.data:sub(size + 1)
  return bytes
end

-- Receives until `find(from)` gives something, which is asked about all data; `from`: what lies before was there the
-- last time. Gives that; false at the end; nil, err, errno: what has come stays.
function Link:wait(seconds, limit, find)
  local left = internal.countdown(seconds)
  local from = 1
  while true do
    local found = find(from)
    if found then return found end
    from = #self.data + 1
    if from > limit then
      return csock.make_error { call = "telnet", errno = csock.errno.EMSGSIZE, strerror = WORDS:format(limit) }
    end
    local time = left()
    local ok, err, errno = internal.in_time(time, "telnet")
    if ok then ok, err, errno = self:fill(time) end
    if not ok then return ok, err, errno end
  end
end

function Link:close()
  self.sock:close()
  self.ended = true
end

-- `timeout`: seconds that sending may take (nil: any). `on`: on_command(command), on_sub(option, bytes), agrees(side,
-- option), changed(side, option, on); on_option(verb, option), or nil: whether the option has been dealt with.
function M.new(sock, timeout, on)
  local self = setmetatable({ sock = sock, timeout = timeout, data = "", ended = false }, Link)
  self.options = options.new(function(bytes) self:send(bytes) end, on.agrees, function(side, option, is_on)
    if side == "him" and option == options.BINARY then self.decoder.binary = is_on end
    on.changed(side, option, is_on)
  end)
  self.decoder = codec.decoder {
    sub_limit = SUB_LIMIT, on_command = on.on_command, on_sub = on.on_sub,
    on_option = function(verb, option)
      if not (on.on_option and on.on_option(verb, option)) then self.options:heard(verb, option) end
    end,
  }
  return self
end

return M
