--- nginx for specs, in a process of its own.
--
--     local server = keep(nginx.start [[
--       server { listen 127.0.0.1:PORT; location / { return 200 "hello\n"; } }
--     ]])
--     ... server.port ...
--
-- `nginx.path` is the program; false where there is none (`make deps-specs` brings it).
local csock = require "csock"
local posix = require "spec.support.posix"
local process = require "spec.support.process"

local M = {}

local LIMIT = 10 * process.slowness

M.path = false
for _, path in ipairs { "nginx", "/usr/sbin/nginx" } do
  if not M.path and process.run { "sh", "-c", "command -v " .. path } == 0 then M.path = path end
end

-- A port of this machine that is free now.
local function free_port()
  local s <close> = assert(csock.create_server { "127.0.0.1", 0 })
  return s:getsockname().port
end

local CONFIG = [[
daemon off;
master_process off;
pid DIR/pid;
error_log stderr;
events {}
http {
  access_log off;
  default_type text/plain;
  client_body_temp_path DIR/body;
  proxy_temp_path DIR/proxy;
  fastcgi_temp_path DIR/fastcgi;
  uwsgi_temp_path DIR/uwsgi;
  scgi_temp_path DIR/scgi;
  SITE
}
]]

local Server = {}
Server.__index = Server

function Server:close()
  self.process:kill()
  os.execute("rm -rf '" .. self.dir .. "'")
end

Server.__close = Server.close

-- Starts it on a port, and waits until that can be connected to: nil where something else has the port.
local function try(site, port)
  local dir = assert(posix.mkdtemp())
  local words = { DIR = dir, PORT = tostring(port) }
  words.SITE = site:gsub("%u+", words)
  local file <close> = assert(io.open(dir .. "/conf", "w"))
  assert(file:write((CONFIG:gsub("%u+", words))))
  file:close()
  local program = process.start { M.path, "-p", dir, "-e", "stderr", "-c", dir .. "/conf" }
  local server = setmetatable({ process = program, dir = dir, port = port }, Server)
  local deadline = posix.monotonic() + LIMIT
  while program:running() and posix.monotonic() < deadline do
    local s <close> = csock.create_connection { "127.0.0.1", port }
    if s and program:running() then return server end
    posix.sleep(0.01)
  end
  server:close()
  if not program.err:find "in use" then error("nginx has not started: " .. program.err) end
end

--- Starts it on a free port.
-- @tparam string site what stands in the section `http`; in it PORT is the port, and DIR a folder of its own
-- @treturn table to be closed, with `port`, `dir` and `process`
function M.start(site)
  for _ = 1, 20 do -- somebody else may take the port
    local server = try(site, free_port())
    if server then return server end
  end
  error "nginx finds no port"
end

return M
