--- What a server answers.
-- @module csock.gopher
local check = require "csock.check"
local csock = require "csock"
local internal = require "csock.loop.internal"
local secure = require "csock.secure"

local E = csock.errno

local M = { DEF_PORT = 70 }

--- What a server answers, to be read by one of the `get_` functions, or line by line. Close it.
-- @type gopherreply
local Reply = {}
M.Reply = Reply
Reply.__index = Reply
Reply.__name = "csock.gopherreply"

local LINE = 8192 -- bytes of one

local OPTIONS = {
  timeout = { secure.SECONDS, nil, false }, limit = { check.integer(1), 1 << 26 },
  source_address = { check.ANY }, ssl = { secure.CLIENT },
}

function M.failure(name, words) return csock.make_error { call = "gopher", errno = E[name], strerror = words } end

-- To be called before each wait.
local function arm(self)
  local seconds = self.left()
  local ok, err, errno = internal.in_time(seconds, "gopher")
  if not ok then return nil, err, errno end
  self.stream:settimeout(seconds)
  return true
end

-- Counts what was read: nil, err, errno when it is more than the limit.
local function count(self, bytes)
  self.count = self.count + #bytes
  if self.count <= self.limit then return bytes end
  return M.failure("EMSGSIZE", ("more than %d bytes"):format(self.limit))
end

--- Reads the next line, as it is.
-- @function gopherreply:line
-- @treturn[1] string without its end
-- @treturn[2] nil at the end of all
-- @treturn[3] nil
-- @treturn[3] error
-- @treturn[3] int errno
-- @usage
-- local server = assert(gopher.serve({"127.0.0.1", 7070}, function() return {{type = "i", name = "hello"}} end))
-- csock.run(function()
--   local reply <close> = assert(gopher.send_selector("", "127.0.0.1", 7070))
--   print(reply:line():match "^i(.-)\t") --> hello
--   server:close()
-- end)
function Reply:line()
  local ok, err, errno = arm(self)
  if not ok then return nil, err, errno end
  local line
  line, err, errno = self.stream:read_until("\n", LINE)
  if not line then
    if errno == E.EMSGSIZE then return M.failure("EMSGSIZE", ("a line of more than %d bytes"):format(LINE)) end
    return nil, err, errno
  end
  return count(self, (line:gsub("\r$", "")))
end

--- Reads the next bytes, as they are.
-- @function gopherreply:read
-- @treturn[1] string
-- @treturn[2] nil at the end of all
-- @treturn[3] nil
-- @treturn[3] error
-- @treturn[3] int errno
-- @usage
-- local server = assert(gopher.serve({"127.0.0.1", 7070}, function() return "text" end))
-- csock.run(function()
--   local reply <close> = assert(gopher.send_selector("", "127.0.0.1", 7070))
--   print(reply:read()) --> text
--   server:close()
-- end)
function Reply:read()
  local ok, err, errno = arm(self)
  if not ok then return nil, err, errno end
  local bytes
  bytes, err, errno = self.stream:peek()
  if not bytes then return nil, err, errno end
  if bytes == "" then return nil end
  return count(self, self.stream:read(#bytes))
end

--- Closes the connection.
-- @function gopherreply:close
-- @treturn boolean true
-- @usage
-- local server = assert(gopher.serve({"127.0.0.1", 7070}, function() return "text" end))
-- csock.run(function()
--   local reply = assert(gopher.send_selector("", "127.0.0.1", 7070))
--   reply:close()
--   server:close()
-- end)
function Reply:close()
  self.stream:close()
  self.sock:close()
  return true
end

Reply.__close = Reply.close

-- What stands between tabs, or in a line.
M.PART = check.kind("string without CR, LF, tab and NUL", function(value)
  return type(value) == "string" and not value:find "[\r\n\t\0]"
end)

function M.ask(selector, host, port, options, call, number)
  options = check.options(options, OPTIONS, number, call)
  if options.timeout == nil then options.timeout = csock.getdefaulttimeout() or false end
  local left = internal.countdown(options.timeout ~= math.huge and options.timeout)
  local sock, err, errno = csock.create_connection({ host, port or M.DEF_PORT }, {
    timeout = left() or false, source_address = options.source_address, ssl = options.ssl,
  })
  if not sock then return nil, err, errno end
  local holder <close> = internal.holder(sock)
  sock:settimeout(left() or nil)
  local ok
  ok, err, errno = sock:sendall(selector .. "\r\n")
  if not ok then return nil, err, errno end
  local stream
  stream, err, errno = sock:makefile "r"
  if not stream then return nil, err, errno end
  holder:take()
  return setmetatable({ sock = sock, stream = stream, left = left, limit = options.limit, count = 0 }, Reply)
end

return M
