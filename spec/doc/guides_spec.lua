-- The guide pages: every program in them runs, and prints what they say.
local contexts = require "spec.support.contexts"
local csock = require "csock"
local guide = require "spec.support.guide"
local keep = require "spec.support.keep"
local process = require "spec.support.process"
local tree = require "spec.support.tree"

local env = { LUA_PATH = package.path, LUA_CPATH = package.cpath }

describe("doc/from-python.md", function()
  local programs = guide.blocks("doc/from-python.md", "lua")

  for i, code in ipairs(programs) do
    local test = code:find "csock%.ssl" and contexts.missing and pending or it
    test(("has a program %d that prints what the page says"):format(i), function() guide.check(code) end)
  end

  it("has programs", function() assert.is_true(#programs >= 8) end)
end)

describe("doc/many-clients.md", function()
  after_each(keep.close)

  local page = tree.read "doc/many-clients.md"

  for _, way in ipairs { "select", "tasks", "forking", "prefork", "reactor" } do
    local path = "spec/bench/five_ways/" .. way .. ".lua"

    it("shows the server " .. way .. " as it is", function()
      assert.is_truthy(page:find("```lua\n" .. tree.read(path) .. "```", 1, true))
    end)

    it(way .. " serves many clients at once, and outlives those that are rude", function()
      local server = keep(process.lua({ path, "0" }, { env = env, group = true }))
      local port = server:read_line()
      local function connect()
        return keep(assert(csock.create_connection({ "127.0.0.1", port }, { timeout = 10 * process.slowness })))
      end
      connect() -- says nothing
      assert(connect():sendall "half a line")
      local rude = connect()
      assert(rude:sendall(("x"):rep(5000)))
      repeat local data = rude:recv(100) until not data or data == ""
      local reset = connect()
      assert(reset:setsockopt(csock.SOL_SOCKET, csock.SO_LINGER, string.pack("ii", 1, 0)))
      assert(reset:sendall "no answer wanted\n")
      reset:close()
      local streams = {}
      for i = 1, 10 do
        local socket = connect()
        streams[i] = keep(assert(socket:makefile()))
        assert(socket:sendall "in pieces")
        assert(socket:sendall((", %d\nand two\n"):format(i)))
      end
      for i = 10, 1, -1 do
        assert.equal("IN PIECES, " .. i, streams[i]:read())
        assert.equal("AND TWO", streams[i]:read())
      end
    end)

    it(way .. " waits when it is out of descriptors, and serves all in the end", function()
      local command = { "sh", "-c", 'ulimit -n 16; exec "$@"', "sh", process.interpreter, path, "0" }
      local server = keep(process.start(command, { group = true, env = {
        LUA_PATH = env.LUA_PATH, LUA_CPATH = env.LUA_CPATH, LD_PRELOAD = os.getenv "LD_PRELOAD" } }))
      local port = server:read_line()
      local clients = {}
      for i = 1, 24 do
        clients[i] = keep(assert(csock.create_connection({ "127.0.0.1", port }, { timeout = 10 * process.slowness })))
      end
      local function cpu() -- in seconds, where the system tells
        local file <close> = io.open(("/proc/%d/schedstat"):format(server.pid))
        return file and file:read "n" / 1e9 or 0
      end
      csock.sleep(0.1)
      local before = cpu()
      csock.sleep(0.5)
      assert.is_true(cpu() - before < 0.25)
      for _, client in ipairs(clients) do
        assert(client:sendall "hi\n")
        assert.equal("HI\n", client:recv(100))
        client:close()
      end
    end)
  end
end)
