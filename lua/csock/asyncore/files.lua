--- Channels over descriptors that are no sockets: pipes, terminals.
-- @module csock.asyncore
local csock = require "csock"
local class = require "csock.class"
local dispatcher = require("csock.asyncore.dispatcher").dispatcher

local EAGAIN = csock.errno.EAGAIN

-- POSIX' least PIPE_BUF: so much goes into a pipe that is writable, whole.
local SMALL = 512
local MOST = 65536 -- bytes that are written before other channels have a turn

--- A descriptor with the methods of a socket that a channel calls. It copies the descriptor, and closes its copy.
-- Source: Python's `asyncore.file_wrapper`.
-- @type file_wrapper
local FileWrapper = class("file_wrapper")

--- Made by calling the class.
-- @function file_wrapper:__init
-- @param fd a descriptor, or anything with a `fileno` method
-- @treturn[1] file_wrapper
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
function FileWrapper:__init(fd)
  local copy, err, errno = csock.dup(fd)
  if not copy then return nil, err, errno end
  self.stream, err, errno = csock.stream(copy, "rw", 0)
  if not self.stream then
    csock.close(copy)
    return nil, err, errno
  end
  self.stream:settimeout(0)
end

--- Reads what there is. The same as `read`.
-- @function file_wrapper:recv
-- @tparam int size bytes at most
-- @treturn[1] string `""` at the end
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EAGAIN`: there is nothing)
function FileWrapper:recv(size)
  local data, err, errno = self.stream:peek()
  if not data or data == "" then return data, err, errno end
  return self.stream:read(math.min(#data, size))
end

--- Writes what there is room for. The same as `write`.
-- @function file_wrapper:send
-- @tparam string data
-- @treturn[1] int how many bytes were taken
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EAGAIN`: there is no room)
function FileWrapper:send(data)
  local stream, taken = self.stream, 0
  local ok, err, errno = stream:flush() -- what a terminal has left of the last piece
  while ok and taken < math.min(#data, MOST) do
    local _, writable = csock.select(nil, { stream }, nil, 0)
    if not writable or #writable == 0 then break end
    local piece = data:sub(taken + 1, taken + SMALL)
    ok, err, errno = stream:write(piece)
    if ok or errno == EAGAIN then taken = taken + #piece end -- the stream has it in any case
  end
  if taken > 0 or data == "" then return taken end
  if not ok then return nil, err, errno end
  return csock.make_error { call = "send", errno = EAGAIN }
end

FileWrapper.read, FileWrapper.write = FileWrapper.recv, FileWrapper.send

--- The same as `recv`.
-- @function file_wrapper:read

--- The same as `send`.
-- @function file_wrapper:write

--- Has one option, `SO_ERROR`: there is none.
-- @function file_wrapper:getsockopt
-- @tparam int level
-- @tparam int option
-- @treturn int 0
function FileWrapper:getsockopt(level, option) -- luacheck: ignore 212
  if level == csock.SOL_SOCKET and option == csock.SO_ERROR then return 0 end
  error("a descriptor that is no socket has no option but SO_ERROR", 2)
end

--- Whether something is there to be read that the system does not know of any more.
-- @function file_wrapper:dirty
-- @treturn boolean
function FileWrapper:dirty() return self.stream:buffered() > 0 end

--- The copy of the descriptor.
-- @function file_wrapper:fileno
-- @treturn int -1 when closed
function FileWrapper:fileno() return self.stream:fileno() end

--- Closes the copy of the descriptor.
-- @function file_wrapper:close
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
function FileWrapper:close() return self.stream:close() end

--- A channel over a descriptor that is no socket: a `dispatcher` with a `file_wrapper` for its socket. The descriptor's
-- `O_NONBLOCK` is left alone, since others may share it; the channel does not wait all the same.
-- Source: Python's `asyncore.file_dispatcher`.
-- @type file_dispatcher
local FileDispatcher = class("file_dispatcher", dispatcher)

--- Made by calling the class.
-- @function file_dispatcher:__init
-- @param fd a descriptor, a Lua file, or anything with a `fileno` method; the channel makes a copy of it
-- @tparam[opt=socket_map] table map
-- @treturn[1] file_dispatcher
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
function FileDispatcher:__init(fd, map)
  dispatcher.__init(self, nil, map)
  local ok, err, errno = self:set_file(fd)
  if not ok then return nil, err, errno end
  self.connected = true
end

--- Gives the channel a descriptor, and enters it in the map.
-- @function file_dispatcher:set_file
-- @param fd as in the constructor
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local channel = asyncore.file_dispatcher(a)
-- assert(channel:set_file(b))
function FileDispatcher:set_file(fd)
  local file, err, errno = FileWrapper(fd)
  if not file then return nil, err, errno end
  self:set_socket(file)
  return true
end

return { file_dispatcher = FileDispatcher, file_wrapper = FileWrapper }
