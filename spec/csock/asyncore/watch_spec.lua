-- What the system is told to watch, from turn to turn: forks, other systems.
local csock = require "csock"
local channels = require "spec.support.channels"
local process = require "spec.support.process"

local LIMIT = channels.LIMIT

-- A program with an echo server that prints its port; `code` comes before it serves.
local function start(code)
  return process.lua({ "-e", [[
    io.stdout:setvbuf "no"
    local csock = require "csock"
  ]] .. code .. [[
    local asyncore, class = require "csock.asyncore", require "csock.class"
    turns = 0
    Echo = class("Echo", asyncore.dispatcher_with_send)
    function Echo:handle_read()
      local data = self:recv(1000)
      if not data then return end -- the other process was faster
      if data == "fork" and csock.fork() == 0 then data = "child"
      elseif data == "keep" and csock.fork() == 0 then os.execute "sleep 1000"
      elseif data == "turns" then data = ("%5d"):format(turns) end
      self:send(data)
    end
    local Server = class("Server", asyncore.dispatcher)
    function Server:readable() turns = turns + 1 return true end
    function Server:handle_accepted(sock) Echo(sock) end
    local server = Server()
    server:create_socket()
    server:bind("127.0.0.1", 0)
    server:listen(50)
    print(server.addr.port)
    asyncore.loop(1000)
  ]] }, { group = true })
end

local function connect(port)
  local socket = assert(csock.create_connection({ "127.0.0.1", port }, { timeout = LIMIT }))
  socket:settimeout(LIMIT)
  return socket
end

local function ask(socket, text, size)
  assert(socket:sendall(text))
  return channels.read(socket, size or #text)
end

describe("the watch of a loop", function()
  for name, code in pairs { epoll = "", poll = "csock.epoll = nil " } do
    it("works with " .. name, function()
      local program <close> = start(code)
      local port = tonumber(program:read_line())
      for _ = 1, 3 do
        local list = {}
        for i = 1, 20 do list[i] = connect(port) end
        for i = 20, 1, -1 do assert.equal("hi", ask(list[i], "hi")) end
        for i = 1, 20, 2 do list[i]:close() end
        for i = 2, 20, 2 do assert.equal("there", ask(list[i], "there")) end
        for i = 2, 20, 2 do list[i]:close() end
      end
      assert.equal("", program.err)
    end)
  end

  it("is the child's own after a fork, and the parent's stays", function()
    local server <close> = start ""
    local port = tonumber(server:read_line())
    local one <close> = connect(port)
    local other <close> = connect(port)
    assert.equal("hi", ask(other, "hi"))
    -- Both answer: "fork" and "child", in any order.
    local reply = ask(one, "fork", 9)
    assert.is_true(reply == "forkchild" or reply == "childfork")
    for _ = 1, 20 do assert.equal("x", ask(other, "x")) end -- whoever of the two is first
    other:close()
    one:close()
  end)

  it("is not kept busy by what a child still holds", function()
    local server <close> = start ""
    local port = tonumber(server:read_line())
    local one = connect(port)
    assert.equal("keep", ask(one, "keep"))
    local other = connect(port)
    one:close() -- the server closes its end; the child, which sleeps, keeps it
    assert.equal("hi", ask(other, "hi"))
    local before = tonumber(ask(other, "turns", 5))
    assert.is_true(before < 30)
    other:close()
  end)
end)
