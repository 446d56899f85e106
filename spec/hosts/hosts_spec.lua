-- Hosts with ways of their own: hooks, signals, few descriptors, several states in one thread, and calls from within
-- what csock calls.
local csock = require "csock"
local embed = require "spec.support.embed"
local hostile = require "spec.support.hostile"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"

local function host(options) return keep(embed.new(options or {})) end

local function run(state)
  while state:step(-1) > 0 do end
end

after_each(keep.close)

-- A server and its clients, in tasks, with a name to look up.
local TALK = [[
  local csock = require "csock"
  local server <close> = assert(csock.serve({ "127.0.0.1", 0 }, function(conn)
    for line in conn:makefile():lines() do assert(conn:sendall(line .. "\n")) end
  end))
  local clients = {}
  for i = 1, 5 do
    clients[i] = csock.spawn(function()
      local conn <close> = assert(csock.create_connection { "localhost", server:getsockname().port })
      local answers = conn:makefile()
      for n = 1, 5 do
        assert(conn:sendall(i .. " " .. n .. "\n"))
        assert(answers:read() == i .. " " .. n)
      end
    end)
  end
  for _, client in ipairs(clients) do
    local _, err = client:join()
    assert(not err, err)
  end
  return "talked"
]]

describe("a host with a debug hook that stays", function()
  for _, name in ipairs { "MASKCOUNT", "MASKLINE" } do
    it("has it run in tasks too (" .. name .. ")", function()
      local state = host()
      state:hook(embed[name])
      state:spawn(TALK)
      run(state)
      assert.equal("0:talked", state:ended())
      assert.equal("", state:logged())
      assert.is_true(state:hooked() > 1000)
    end)

    it("sleeps as long as there is nothing to do (" .. name .. ")", function()
      local state = host()
      state:hook(embed[name])
      state:spawn "require 'csock'.sleep(60)"
      state:step()
      local began = csock.now()
      assert.equal(1, state:step(0.3))
      assert.is_true(csock.now() - began >= 0.3)
    end)
  end
end)

describe("a host with signal handlers of its own", function()
  local SIGNALS = { "SIGPIPE", "SIGCHLD", "SIGINT" }

  after_each(function()
    for _, name in ipairs(SIGNALS) do posix.signal(posix[name], "default") end
  end)

  it("keeps them, and its mask, and hears nothing of csock's", function()
    for _, name in ipairs(SIGNALS) do posix.signal(posix[name], "count") end
    local before, seen = hostile.dispositions(), posix.signals_seen()
    local state = host()
    state:waker()
    state:spawn(TALK)
    run(state)
    state:spawn [[
      local csock = require "csock"
      local a, b = csock.socketpair()
      b:close()
      return select(2, a:sendall "x").name
    ]]
    run(state)
    assert.equal("0:talked 0:EPIPE", state:ended())
    assert.equal(before, hostile.dispositions())
    state:close()
    assert.equal(before, hostile.dispositions())
    assert.equal(seen, posix.signals_seen())
  end)

  it("waits for its own children, while the script waits for its", function()
    posix.signal(posix.SIGCHLD, "count")
    local state = host()
    state:run "csock = require 'csock'"
    local pid = assert(posix.fork())
    if pid == 0 then csock._exit(3) end
    state:spawn [[
      local pid = csock.fork()
      if pid == 0 then csock._exit(4) end
      return csock.waitstatus_to_exitcode(select(2, csock.waitpid(pid)))
    ]]
    run(state)
    assert.equal("0:4", state:ended())
    assert.equal(3, csock.waitstatus_to_exitcode(select(2, assert(csock.waitpid(pid)))))
  end)
end)

describe("a host with few descriptors", function()
  local soft = posix.nofile()

  after_each(function() posix.nofile(soft) end)

  it("hears EMFILE when there are no more, and nothing is broken after that", function()
    local state = host()
    state:run((TALK:gsub("local clients.*", ""))) -- what is loaded is so now
    posix.nofile(32)
    assert.equal("EMFILE", state:run [[
      csock, list = require "csock", {}
      listener = csock.create_server { "127.0.0.1", 0 }
      local names = {}
      for _, f in ipairs {
        function() return csock.create_connection(listener:getsockname()) end,
        csock.socket, csock.socketpair, csock.epoll or csock.socket,
        function() return csock.dup(listener) end,
        function() return csock.fromfd(listener:fileno()) end,
        function() return listener:dup() end,
        function() return nil, select(2, csock.getaddrinfo("localhost", 80)) end,
      } do
        local object, err
        for _ = 1, 100 do
          object, err = f()
          if not object then break end
          list[#list + 1] = object
        end
        names[err.name] = true
      end
      accepting = csock.spawn(function() return listener:accept() end)
      waiting = csock.spawn(function() return #csock.select({ listener }, {}, {}, 60) end)
      local all = {}
      for name in pairs(names) do all[#all + 1] = name end
      return table.concat(all, " ")
    ]])
    for _ = 1, 5 do state:step() end
    posix.nofile(soft)
    state:run [[
      for _, object in ipairs(list) do
        if type(object) == "number" then csock.close(object) else object:close() end
      end
      another = csock.create_connection(listener:getsockname())
    ]]
    run(state)
    assert.equal("done done", state:run "return accepting:status() .. ' ' .. waiting:status()")
    state:spawn(TALK)
    run(state)
    assert.equal("0:talked", state:ended())
  end)
end)

describe("several states in one thread", function()
  it("take turns", function()
    local list = {}
    for i = 1, 3 do
      list[i] = host()
      list[i]:spawn(TALK)
    end
    local live
    repeat
      live = 0
      for _, state in ipairs(list) do live = live + state:step(0.001) end
    until live == 0
    for _, state in ipairs(list) do assert.equal("0:talked", state:ended()) end
  end)

  it("talk to each other", function()
    local server, client = host(), host()
    local port = server:run [[
      local csock = require "csock"
      listener = csock.serve({ "127.0.0.1", 0 }, function(conn) conn:sendall(conn:recv(10):upper()) end)
      return listener:getsockname().port
    ]]
    client:spawn([[
      local conn <close> = assert(require "csock".create_connection { "127.0.0.1", tonumber((...)) })
      assert(conn:sendall "hello")
      return conn:recv(10)
    ]], port)
    while client:ended() == "" do
      server:step(0.001)
      client:step(0.001)
    end
    assert.equal("0:HELLO", client:ended())
  end)

  it("run within each other's callbacks", function()
    local inner, outer = host(), host()
    inner:spawn "return 'inside'"
    outer:at_end("step", inner)
    outer:spawn "return 'outside'"
    run(outer)
    assert.equal("0:outside step=0", outer:ended())
    assert.equal("0:inside", inner:ended())
  end)

  it("are closed within each other's callbacks", function()
    local inner, outer = host(), host()
    inner:spawn "local a, b = require 'csock'.socketpair() a:recv(1)"
    inner:step()
    outer:fd()
    local before = #posix.fds()
    outer:at_end("end", inner)
    outer:spawn "return 1"
    outer:spawn "require 'csock'.sleep(0.001) return 2"
    outer:step()
    outer:at_end("step")
    run(outer)
    assert.matches("^0:1 end=0 0:2 step=%-1", outer:ended())
    assert.is_true(#posix.fds() < before)
  end)
end)

describe("a callback of the host's", function()
  it("cannot step its own state: it is told so", function()
    local state = host()
    state:at_end "step"
    state:spawn "return 1"
    state:spawn "require 'csock'.sleep(0.001)"
    run(state)
    assert.matches("^0:1 step=%-1 the loop is running already", state:ended())
    assert.equal(0, state:depth())
  end)

  it("cannot close the loop that it was called by: EBUSY, and that goes on", function()
    local state = host()
    state:at_end "close"
    state:spawn "return 1"
    state:spawn "require 'csock'.sleep(0.001) return 2"
    run(state)
    local busy = "close=" .. csock.errno.EBUSY
    assert.equal(("0:1 %s 0:2 %s"):format(busy, busy), state:ended())
    state:at_end ""
    assert.equal(0, state:stop())
  end)
end)
