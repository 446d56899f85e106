--- A handler that runs programs (RFC 3875).
-- @module csock.httpserver
local is_bare = require "csock.httpserver.answer".is_bare
local class = require "csock.class"
local csock = require "csock"
local headers = require "csock.wire.headers"
local internal = require "csock.loop.internal"
local log = require "csock.httpserver.log"
local simple = require "csock.httpserver.simple"
local split = require "csock.httpserver.target"

local http = require "csock.core".http

--- A handler that shows files, as `SimpleHTTPRequestHandler`, and runs the programs in `cgi_directories`: each gets
-- the request in its environment and on its standard input (RFC 3875), and its standard output is the answer.
--
-- The environment has what RFC 3875 names, and of the server's own PATH alone. What fields become there cannot be taken
-- for something else: not Proxy, which would be `HTTP_PROXY`, nor names with an underscore, nor credentials. The body
-- is read, up to `max_body`, before the program begins. What the program says on its standard error is the server's.
-- Source: Python's `http.server.CGIHTTPRequestHandler`.
-- @type cgihttprequesthandler
local CGIHTTPRequestHandler = class("CGIHTTPRequestHandler", simple.SimpleHTTPRequestHandler)

--- Where the programs are: `{"/cgi-bin"}`.
-- @field cgihttprequesthandler:cgi_directories
CGIHTTPRequestHandler.cgi_directories = { "/cgi-bin" }

--- How many seconds a program has, before it and what it has started are killed: 30. (csock's own.)
-- @field cgihttprequesthandler:cgi_timeout
CGIHTTPRequestHandler.cgi_timeout = 30

--- The most bytes of a line of the head of a program's answer: 8 KiB; and the most lines, 100. (csock's own.)
-- @field cgihttprequesthandler:cgi_line
CGIHTTPRequestHandler.cgi_line = 8192
CGIHTTPRequestHandler.cgi_lines = 100

-- --- which program ---------------------------------------------------------------------------------

-- The program that a path names, and what comes behind it: {name, rest}; false when it is in a directory of programs,
-- but is none; nil when it is not in one.
local function find_program(self, relative)
  for _, directory in ipairs(self.cgi_directories) do
    local prefix = directory:gsub("^/", ""):gsub("/$", "") .. "/"
    if relative:sub(1, #prefix) == prefix then
      local position = #prefix
      while position do
        position = relative:find("/", position + 1, true)
        local name = relative:sub(1, (position or 0) - 1)
        local file <close> = http.open(self.directory, name, self.follow_symlinks)
        if not file then return false end
        if not file:is_directory() then
          return file:is_executable() and { name = name, rest = relative:sub(#name + 1) }
        end
      end
      return false
    end
  end
end

--- Whether the request is for a program.
-- @treturn boolean
function CGIHTTPRequestHandler:is_cgi()
  local relative = self:translate_path(self.path)
  self.cgi_info = nil
  if relative then self.cgi_info = find_program(self, relative) end
  return self.cgi_info ~= nil
end

-- --- the environment -------------------------------------------------------------------------------

-- Fields that have variables of their own, or that a program has no business with, or that it would take for others.
local NOT_PASSED = {
  ["content-type"] = true, ["content-length"] = true, ["transfer-encoding"] = true, authorization = true,
  ["proxy-authorization"] = true, proxy = true, connection = true, ["keep-alive"] = true, te = true, upgrade = true,
  expect = true,
}

-- The variables of a request, as a sequence of "NAME=value".
local function environment(self, program, body)
  local name, port = self.server.server_name or "localhost", self.server.server_port or 0
  local list = {}
  local function set(variable, value)
    if not value:find "\0" then list[#list + 1] = variable .. "=" .. value end
  end
  set("PATH", os.getenv "PATH" or "/usr/bin:/bin")
  set("GATEWAY_INTERFACE", "CGI/1.1")
  set("SERVER_SOFTWARE", self:version_string())
  set("SERVER_NAME", name)
  set("SERVER_PORT", tostring(port))
  set("SERVER_PROTOCOL", self.request_version)
  set("REQUEST_METHOD", self.command)
  set("SCRIPT_NAME", "/" .. program.name)
  set("PATH_INFO", program.rest)
  if program.rest ~= "" then set("PATH_TRANSLATED", self.directory .. program.rest) end
  set("QUERY_STRING", select(2, split(self.path)) or "")
  set("REMOTE_ADDR", log.host(self.client_address))
  set("REMOTE_HOST", log.host(self.client_address))
  if self.headers["content-type"] then set("CONTENT_TYPE", self.headers["content-type"]) end
  if body ~= "" then set("CONTENT_LENGTH", tostring(#body)) end
  local seen = {}
  for given in self.headers:each() do
    local field = given:lower()
    if not seen[field] and not NOT_PASSED[field] and field:find "^[%w-]+$" then
      seen[field] = true
      set("HTTP_" .. field:upper():gsub("-", "_"), self.headers:get(field))
    end
  end
  return list
end

-- --- the answer ------------------------------------------------------------------------------------

-- Reads the head of what the program says: the fields; nil when it is none.
local function read_head(self, output)
  local block = headers.new()
  for _ = 1, self.cgi_lines do
    local line = output:read "l"
    if not line then return nil end
    if line == "" then return block end
    local name, value = line:match "^([^:%s]+):[ \t]*(.-)[ \t]*$"
    if not name or not headers.is_name(name) or not headers.is_value(value) then return nil end
    block:add(name, value)
  end
end

local function status_of(block)
  local code, phrase = (block:get "status" or ""):match "^(%d%d%d) ?(.*)$"
  code = math.tointeger(tonumber(code))
  if code and code >= 200 then return code, phrase ~= "" and phrase or nil end
  if block:get "status" then return nil end
  return block:get "location" and 302 or 200
end

-- Passes on what follows the head.
local function relay(self, output, length)
  local left = length or math.huge
  while left > 0 do
    local piece = output:read(math.min(left, 1 << 14))
    if not piece or not self.wfile:write(piece) then break end
    left = left - #piece
  end
  if length and left > 0 then self.close_connection = true end
end

local function answer(self, output)
  local block = read_head(self, output)
  local status, phrase
  if block then status, phrase = status_of(block) end
  if not status then return self:send_error(self._late and 504 or 502) end
  self:send_response(status, phrase)
  local bare = is_bare(status) -- what follows would be taken for the next answer
  local length = not bare and block:get("content-length", ""):match "^%d+$"
  length = length and #length <= 18 and math.tointeger(tonumber(length)) or nil
  for _, name in ipairs { "status", "content-length", "transfer-encoding", "connection", "date", "server" } do
    block:remove(name)
  end
  for name, value in block:each() do self:send_header(name, value) end
  if length then self:send_header("Content-Length", length) end
  self:end_headers()
  if self.command ~= "HEAD" and not bare then relay(self, output, length) end
end

-- Gives the program the body: a task of its own, since the program may answer before it has read that, or not read it.
local function feed(socket, body)
  socket:sendall(body)
  socket:close()
end

-- A task of its own: no process stays a zombie.
local function reap(pid, done)
  csock.waitpid(pid)
  done.over = true
end

--- Runs the program of the request.
function CGIHTTPRequestHandler:run_cgi()
  local program = self.cgi_info
  if not program then return self:send_error(404, "No such program") end
  local body = ""
  if not http.body_ended(self.rfile) then
    local got = self.rfile:read "a"
    if not got and not http.body_ended(self.rfile) then
      return self:send_error(http.body_status(self.rfile) or 413)
    end
    body = got or ""
  end
  -- Two pairs: who ends one with bytes in it that nobody has read resets it for both directions.
  local input <close>, its_input = assert(csock.socketpair())
  local _ <close> = its_input
  local output <close>, its_output = assert(csock.socketpair())
  local _ <close> = its_output
  local path = self.directory .. "/" .. program.name
  local descriptors = { 0, its_input, 1, its_output, 2, 2 }
  for _, its in ipairs { its_input, its_output } do its:setblocking(true) end -- whatever setdefaulttimeout says
  local pid, err = internal.program.run({ path }, { path }, environment(self, program, body), descriptors, "group")
  if not pid then
    self:log_error("cannot run %s: %s", path, tostring(err))
    return self:send_error(500)
  end
  its_input:close()
  its_output:close()
  local done = {}
  csock.spawn(reap, pid, done):daemon()
  local _ <close> = internal.guard(function()
    if not done.over then csock.kill(-pid, "SIGKILL") end
  end)
  csock.spawn(feed, input, body):daemon()
  local _ <close> = csock.loop.call_later(self.cgi_timeout, function()
    self._late = true
    if not done.over then csock.kill(-pid, "SIGKILL") end
  end)
  local stream <close> = assert(output:makefile("r", -1, { limit = self.cgi_line }))
  answer(self, stream)
end

--- Shows a file, or runs a program.
function CGIHTTPRequestHandler:do_GET()
  if self:is_cgi() then return self:run_cgi() end
  return CGIHTTPRequestHandler.super.do_GET(self)
end

--- The same, and sends the head alone.
function CGIHTTPRequestHandler:do_HEAD()
  if self:is_cgi() then return self:run_cgi() end
  return CGIHTTPRequestHandler.super.do_HEAD(self)
end

--- Runs a program; 501 for what is none.
function CGIHTTPRequestHandler:do_POST()
  if self:is_cgi() then return self:run_cgi() end
  self:send_error(501, "Can only POST to CGI scripts")
end

return { CGIHTTPRequestHandler = CGIHTTPRequestHandler }
