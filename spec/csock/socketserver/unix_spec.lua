-- UnixStreamServer, UnixDatagramServer: the path.
local csock = require "csock"
local socketserver = require "csock.socketserver"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local serving = require "spec.support.serving"

local dir

before_each(function() dir = assert(posix.mkdtemp()) end)
after_each(function()
  keep.close()
  os.execute("rm -rf '" .. dir .. "'")
end)

local function exists(path) return os.rename(path, path) ~= nil end

-- A path that a dead server has left behind.
local function leave(path, kind)
  local socket <close> = assert(csock.socket(csock.AF_UNIX, kind))
  assert(socket:bind(path))
end

for _, kind in ipairs { "UnixStreamServer", "UnixDatagramServer" } do
  describe(kind, function()
    local Server = socketserver[kind]
    local type = kind == "UnixStreamServer" and csock.SOCK_STREAM or csock.SOCK_DGRAM
    local function make(path) return Server(path, serving.Echo) end

    it("takes its path away when it is closed", function()
      local path = dir .. "/socket"
      local server = assert(make(path))
      assert.equal(path, server.server_address)
      assert.is_true(csock.is_socket(path))
      server:server_close()
      assert.is_false(exists(path))
      server:server_close()
    end)

    it("replaces a path that a dead server has left behind", function()
      local path = dir .. "/socket"
      leave(path, type)
      keep(assert(make(path)))
    end)

    it("does not replace a path at which somebody answers, whatever kind of socket that is", function()
      local path = dir .. "/socket"
      for _, other in ipairs { "UnixStreamServer", "UnixDatagramServer" } do
        local first = keep(assert(socketserver[other](path, serving.Echo)))
        local server, err = make(path)
        assert.is_nil(server)
        assert.equal("EADDRINUSE", err.name)
        assert.is_true(exists(path))
        first:server_close()
      end
    end)

    it("does not replace a path that is no socket", function()
      local path = dir .. "/file"
      io.open(path, "w"):write("precious"):close()
      os.execute("mkfifo " .. dir .. "/fifo; ln -s " .. path .. " " .. dir .. "/link; mkdir " .. dir .. "/dir")
      for _, name in ipairs { "file", "fifo", "link", "dir" } do
        local server, err = make(dir .. "/" .. name)
        assert.is_nil(server)
        assert.equal("EADDRINUSE", err.name)
        assert.is_true(exists(dir .. "/" .. name))
      end
      assert.equal("precious", io.open(path):read "a")
    end)

    it("leaves the path to whoever has it meanwhile", function()
      local path = dir .. "/socket"
      local first = keep(assert(make(path)))
      os.remove(path)
      keep(assert(make(path)))
      first:server_close()
      assert.is_true(exists(path))
    end)
  end)
end

describe("UnixStreamServer", function()
  for _, kind in ipairs { "UnixStreamServer", "ThreadingUnixStreamServer" } do
    it("serves, also as a " .. kind, function()
      local server = keep(assert(socketserver[kind](dir .. "/socket", serving.Echo)))
      serving.during(server, function() assert.equal("hi", serving.ask_once(server, "hi")) end)
    end)
  end

  it("serves with processes, and the path is there as long as the server is", function()
    local path = dir .. "/socket"
    local program <close> = serving.start(([[
      local server = assert(socketserver.ForkingUnixStreamServer(%q, serving.Echo))
      loop.on_signal("SIGTERM", function() server:shutdown() end)
    ]]):format(path))
    program.server_address = path
    for _ = 1, 3 do assert.equal("hi", serving.ask_once(program, "hi")) end
    assert.is_true(exists(path))
    program:signal "SIGTERM"
    assert.equal(0, program:wait())
    assert.is_false(exists(path))
  end)

  it("serves a name of Linux's that is no path", function()
    local name = "\0csock-spec-" .. dir
    local server = socketserver.UnixStreamServer(name, serving.Echo)
    if not server then return pending "this system has no such names" end
    serving.during(keep(server), function() assert.equal("hi", serving.ask_once(server, "hi")) end)
  end)
end)

describe("UnixDatagramServer", function()
  it("answers a client that has a path of its own", function()
    local server = keep(assert(socketserver.UnixDatagramServer(dir .. "/server",
      serving.handler(function(self) self.wfile:write("<", self.packet, ">") end,
        socketserver.DatagramRequestHandler))))
    serving.during(server, function()
      local client = keep(assert(csock.socket(csock.AF_UNIX, csock.SOCK_DGRAM)))
      client:settimeout(5)
      assert(client:bind(dir .. "/client"))
      assert(client:connect(dir .. "/server"))
      assert(client:send "hi")
      assert.equal("<hi>", client:recv(10))
    end)
  end)
end)

describe("is_socket", function()
  it("knows sockets from other things", function()
    leave(dir .. "/socket", csock.SOCK_STREAM)
    os.execute(("ln -s %s/socket %s/link; touch %s/file"):format(dir, dir, dir))
    assert.is_true(csock.is_socket(dir .. "/socket"))
    for _, name in ipairs { "/link", "/file", "", "/nothing" } do
      assert.is_false(csock.is_socket(dir .. name))
    end
  end)
end)
