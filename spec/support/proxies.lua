--- haproxy, and nginx as a proxy of streams, for specs.
--
--     local proxy = keep(proxies.haproxy("frontend in\n bind 127.0.0.1:PORT\n ..."))
--     ... proxy.port ...
--
-- `proxies.missing(name)` says what is not here (`make deps-specs` brings it): nil, or words for it.
local csock = require "csock"
local posix = require "spec.support.posix"
local process = require "spec.support.process"

local M = {}

local LIMIT = 10 * process.slowness
local STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"

local function find(name)
  for _, path in ipairs { name, "/usr/sbin/" .. name } do
    if process.run { "sh", "-c", "command -v " .. path } == 0 then return path end
  end
end

local PATHS = { haproxy = find "haproxy", nginx = find "nginx" }

function M.missing(name)
  if not PATHS[name] then return "no " .. name end
  local module = name == "nginx" and io.open(STREAM_MODULE)
  if module then module:close() end
  return name == "nginx" and not module and "no libnginx-mod-stream" or nil
end

local Proxy = {}
Proxy.__index = Proxy

function Proxy:close()
  self.process:kill()
  os.execute("rm -rf '" .. self.dir .. "'")
end

Proxy.__close = Proxy.close

-- Starts one on a port, and waits until that can be connected to: nil where something else has the port.
local function try(command, config, port)
  local dir = assert(posix.mkdtemp())
  local file <close> = assert(io.open(dir .. "/conf", "w"))
  assert(file:write((config:gsub("%u+", { PORT = tostring(port), DIR = dir }))))
  file:close()
  local words = {}
  for i, word in ipairs(command) do words[i] = word:gsub("DIR", dir) end
  local proxy = setmetatable({ process = process.start(words), dir = dir, port = port }, Proxy)
  local deadline = posix.monotonic() + LIMIT
  while proxy.process:running() and posix.monotonic() < deadline do
    local s <close> = csock.create_connection { "127.0.0.1", port }
    if s and proxy.process:running() then return proxy end
    posix.sleep(0.01)
  end
  proxy:close()
  if not proxy.process.err:find "in use" then error("it has not started: " .. proxy.process.err) end
end

local function start(command, config)
  for _ = 1, 20 do -- somebody else may take the port
    local listener <close> = assert(csock.create_server { "127.0.0.1", 0 })
    local port = listener:getsockname().port
    listener:close()
    local proxy = try(command, config, port)
    if proxy then return proxy end
  end
  error "no free port"
end

--- haproxy, with what stands in its configuration behind the times.
-- @tparam string config in it PORT is its port
-- @treturn table to be closed, with `port` and `process`
function M.haproxy(config)
  return start({ PATHS.haproxy, "-db", "-f", "DIR/conf" }, ([[
global
  maxconn 100
defaults
  mode tcp
  timeout connect 10s
  timeout client 60s
  timeout server 60s
]] .. config))
end

--- nginx, with what stands in the section `stream`.
function M.nginx(config)
  return start({ PATHS.nginx, "-p", "DIR", "-e", "stderr", "-c", "DIR/conf" }, ([[
load_module %s;
daemon off;
master_process off;
pid DIR/pid;
error_log stderr;
events {}
stream {
%s
}
]]):format(STREAM_MODULE, config))
end

return M
