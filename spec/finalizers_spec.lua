-- Finalizers that still use csock when the state is closed, before and after the loop's own.
local posix = require "spec.support.posix"
local process = require "spec.support.process"

-- Calls everything once, under pcall; nothing of it may wait for long.
local OPERATIONS = [[
  local function use_everything()
    for _, s in ipairs { a, b, c, d, l } do s:settimeout(0.001) end
    for _, f in ipairs {
      function() a:recv(1) end,
      function() a:recvmsg(1) end,
      function() b:send "x" end,
      function() b:sendall(("x"):rep(1 << 20)) end,
      function() b:sendmsg { "x" } end,
      function() l:accept() end,
      function() local s <close> = csock.socket() s:connect(l:getsockname()) end,
      function() local s <close> = csock.create_connection(l:getsockname()) end,
      function() local s <close> = csock.create_connection("localhost", l:getsockname().port) end,
      function() csock.getaddrinfo("localhost", 80) end,
      function() csock.gethostbyname "localhost" end,
      function() csock.select({ a, d }, { b }, {}, 0.001) end,
      function() local p = csock.poll() p:register(a) p:poll(1) end,
      function() local p <close> = csock.epoll() p:register(a) p:poll(0.001) end,
      function() stream:write "x" stream:flush() end,
      function() stream:read(1) end,
      function() turn:write "x" turn:flush() end,
      function() turn:write "x" end,
      function() csock.sleep(0.001) end,
      function() csock.yield() end,
      function() csock.spawn(print) end,
      function() csock.run(function() csock.sleep(0.001) loop.stop() end) end,
      function() loop.step(0.001) end,
      function() loop.stop() end,
      function() loop.fileno() loop.backend() loop.current() loop.now() end,
      function() loop.queue():get(0.001) end,
      function() queue:get(0.001) end,
      function() queue:put(1) queue:put(1, 0) end,
      function() queue:close() end,
      function() event:wait(0.001) end,
      function() event:set() end,
      function() local g <close> = loop.group() g:spawn(csock.sleep, 0.001) end,
      function() group:join(0.001) end,
      function() group:cancel() end,
      function() loop.timeout(0.001, csock.sleep, 1) end,
      function() loop.call_later(0.001, print) end,
      function() loop.call_at(0, print) end,
      function() loop.add_reader(b, print) end,
      function() loop.remove_reader(b) end,
      function() loop.on_signal("SIGUSR2", print) end,
      function() loop.on_signal("SIGUSR1", nil) end,
      function() internal.hub.add(a, {}, true, true) end,
      function() internal.hub.wake() internal.hub.objects() internal.hub.remove(a) end,
      function() internal.hub.add(b, {}, true, true) end,
      function() csock.wrap(function() return a:recv(1) end)() end,
      function() local s <close> = csock.serve({ "127.0.0.1", 0 }, print) end,
      function() server:close { drain = 0.001 } end,
      function() tostring(task) task:status() task:join(0.001) end,
      function() task:watch() task:daemon() end,
      function() task:cancel() end,
      function() unstarted:cancel() end,
      function() looker:cancel() end,
      function() if csock.fork() == 0 then csock._exit(0) end csock.waitpid(-1) end,
      function() stream:close() end,
      function() a:shutdown(csock.SHUT_RDWR) a:close() end,
      function() l:close() end,
      function() c:detach() end,
      function() collectgarbage() end,
    } do
      pcall(f)
    end
    print "used"
  end
  local function make_finalizer() finalizer = setmetatable({}, { __gc = use_everything }) end
]]

local OBJECTS = [[
  csock = require "csock"
  loop, internal = csock.loop, require "csock.loop.internal"
  a, b = csock.socketpair()
  c, d = csock.socketpair()
  l = csock.create_server { "127.0.0.1", 0 }
  stream, turn = a:makefile "rw", c:makefile("w", "turn")
  queue, event, group = loop.queue(), loop.event(), loop.group()
]]

-- What the loop has done by then.
local LOOPS = {
  ["has never run"] = "",
  ["has run"] = "csock.run(csock.yield)",
  ["has tasks"] = [[
    task = csock.spawn(a.recv, a, 1)
    looker = csock.spawn(csock.getaddrinfo, "never.slow", 80)
    server = csock.serve({ "127.0.0.1", 0 }, print)
    for _, f in ipairs {
      function() c:recv(1) end,
      function() csock.select({ a, d }, {}, {}) end,
      function() csock.sleep(60) end,
      function() l:accept() end,
      function() queue:get() end,
      function() event:wait() end,
      function() turn:write "x" csock.sleep(60) end,
      function() internal.hub.add(d, {}, true, false) internal.hub.wait() end,
    } do csock.spawn(f) end
    group:spawn(csock.sleep, 60)
    loop.add_reader(b, print)
    loop.on_signal("SIGUSR1", print)
    loop.step()
    loop.step(0.01)
    unstarted = csock.spawn(print)
  ]],
}

-- When the finalizer was made: the younger come first.
local AGES = {
  ["that is older than csock"] = { "make_finalizer()", "", "", "" },
  ["that is older than the loop"] = { "", "make_finalizer()", "", "" },
  ["that is younger than the loop"] = { "", "", "make_finalizer()", "" },
  ["that runs because a task ends the program"] =
    { "", "", "make_finalizer()", "csock.run(function() csock.yield() os.exit(0, true) end)" },
}

describe("a finalizer", function()
  for age, at in pairs(AGES) do
    for state, prepare in pairs(LOOPS) do
      it(age .. " may use everything when the loop " .. state, function()
        local program = table.concat({ OPERATIONS, at[1], OBJECTS, at[2], prepare, at[3], at[4] }, "\n")
        local p <close> = process.lua({ "-e", program },
          { env = { LD_PRELOAD = process.preload "spec.support.slow_resolver" } })
        assert.equal(0, p:wait(), p.err)
        assert.equal("", p.err)
        assert.matches("used", p.out)
      end)
    end
  end

  it("that makes the loop leaves no descriptor behind", function()
    local host = require "spec.support.host"
    local before = posix.fds()
    local state <close> = host()
    state:run [[
      finalizer = setmetatable({}, { __gc = function()
        csock.run(csock.sleep, 0.001)
        csock.loop.on_signal("SIGUSR1", print)
      end })
      csock = require "csock"
    ]]
    state:close()
    assert.same(before, posix.fds())
  end)
end)
