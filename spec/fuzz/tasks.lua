-- Tasks that do anything to a few sockets, streams, queues and each other, in an order that a seed
-- decides: `lua5.4 spec/fuzz/tasks.lua SEED ROUNDS`. They also close each other's coroutines, throw errors into
-- each other, and fork; a child does some more, and ends. Each round ends with everything closed and the rest
-- cancelled; then no descriptor may be left. What went wrong is printed.
local csock = require "csock"
local posix = require "spec.support.posix"

local loop = csock.loop
local seed, rounds = tonumber(arg[1]), tonumber(arg[2])
local random = math.random
math.randomseed(seed)

-- A child that is forked while a resolver's thread is in the sanitizer's allocator finds that locked for good: there
-- nothing is looked up in a thread.
local NAME = (os.getenv "LD_PRELOAD" or ""):find "asan" and "127.0.0.1" or "localhost"

local function complain(...)
  print(("seed %d: "):format(seed) .. table.concat({ ... }, " "))
end

-- Errors that a program brings about itself: by raising them, and by waiting for what is closed.
local function expected(err)
  err = tostring(err)
  return err:find "on purpose" or err:find "EBADF" or err:find "^lines: "
    or err:find "would wait where Lua cannot yield" or err:find "would wait in a coroutine that"
    or err:find "cannot resume dead coroutine" or err:find "buffer holds"
end

function loop.onerror(err, traceback)
  if not expected(err) then complain(traceback) end
end

local children = {} -- process id -> true

local function one_in(n) return random(n) == 1 end
local function moment() return random() / 100 end
local function maybe_moment() return one_in(2) and moment() or nil end

-- What the tasks of a round share, and what they may do with it.
local function things()
  local sockets, listeners, streams, tasks = {}, {}, {}, {}
  local buffer = csock.buffer(4)
  for _ = 1, random(1, 4) do
    local kind = one_in(4) and csock.SOCK_DGRAM or csock.SOCK_STREAM
    local a, b = assert(csock.socketpair(csock.AF_UNIX, kind))
    table.insert(sockets, a)
    table.insert(sockets, b)
  end
  for i = 1, random(1, 2) do listeners[i] = assert(csock.create_server { "127.0.0.1", 0 }) end
  for i = 1, random(1, 4) do
    local mode, buffering = ({ "r", "w", "rw" })[random(3)], ({ -1, 0, 1, "turn" })[random(4)]
    local s = sockets[random(#sockets)]
    -- Another object's descriptor, which that may close, or the socket itself.
    local object = one_in(3) and { fileno = function() return s:fileno() end } or s
    streams[i] = assert(csock.stream(object, mode, buffering))
  end
  return {
    sockets = sockets, listeners = listeners, streams = streams, tasks = tasks,
    buffer = buffer, coroutines = {},
    queues = { loop.queue(1), loop.queue() }, events = { loop.event(), loop.event() },
  }
end

-- Forks; the child does some of the operations, and ends.
local function fork(ops)
  io.stdout:flush()
  local pid = assert(csock.fork())
  if pid == 0 then
    local _ <close> = setmetatable({}, { __close = function() csock._exit(0) end }) -- when it is cancelled
    local ok, err = pcall(function()
      for _ = 1, 3 do loop.timeout(moment(), ops[random(#ops)]) end
    end)
    ok = ok or expected(err) or err:find "ETIMEDOUT" or err:find "ECANCELED"
    if not ok then complain("in a child:", tostring(err)) end
    io.stdout:flush()
    csock._exit(ok and 0 or 1)
  end
  children[pid] = true
end

-- Waits for the children that are over; `all`: for all of them.
local function reap(all)
  local deadline = loop.now() + 20
  for pid in pairs(children) do
    local got, status
    repeat
      got, status = csock.waitpid(pid, csock.WNOHANG)
      if got == 0 and all then csock.sleep(0.001) end
    until got ~= 0 or not all or loop.now() > deadline
    if got == 0 and all then
      complain("a child does not end")
      csock.kill(pid, "SIGKILL")
      csock.waitpid(pid)
      got, status = pid, 0
    end
    if got ~= 0 then children[pid] = nil end
    if got == pid and status ~= 0 then complain("a child ended with", status) end
  end
end

local function operations(of)
  local function any(list) return list[random(#list)] end
  local function socket() return any(of.sockets) end
  local function stream() return any(of.streams) end
  local ops
  ops = {
    function() socket():recv(random(5)) end,
    function() socket():recv(3, csock.MSG_WAITALL) end,
    function() socket():recvmsg(random(5)) end,
    function() socket():recvfrom(10) end,
    function() socket():recv_into(csock.buffer(4)) end,
    function() socket():recv_into(of.buffer, one_in(2) and 3 or 0) end,
    function()
      of.buffer:close()
      of.buffer = csock.buffer(4)
    end,
    function() socket():send(("x"):rep(random(100))) end,
    function() socket():sendall(("ab\n"):rep(random(300000))) end,
    function() socket():sendmsg { "abc", "def" } end,
    function()
      local file <close> = assert(io.open "spec/fuzz/tasks.lua")
      local s = socket()
      if s.type == csock.SOCK_STREAM then s:sendfile(file) end
    end,
    function() stream():read "l" end,
    function() stream():read(random(20)) end,
    function() stream():read_until "b" end,
    function()
      for _ in stream():lines() do
        if one_in(3) then break end
      end
    end,
    function() stream():write(("x\n"):rep(random(3000))) end,
    function() stream():flush() end,
    function() if one_in(4) then stream():close() end end,
    function() csock.select({ socket(), socket() }, { socket() }, {}, maybe_moment()) end,
    function()
      local p = csock.poll()
      p:register(socket(), csock.POLLIN)
      p:poll(one_in(2) and random(10) or nil)
    end,
    function()
      local listener = any(of.listeners)
      local conn = listener:accept()
      csock.sleep(moment())
      if conn then conn:close() end
    end,
    function()
      local address = any(of.listeners):getsockname()
      if not address then return end
      local host = one_in(2) and NAME or "127.0.0.1"
      local s <close> = csock.create_connection({ host, address.port }, { timeout = maybe_moment() })
      if s then s:recv(1) end
    end,
    function() csock.getaddrinfo(NAME, random(100)) end,
    function() csock.sleep(moment()) end,
    function() csock.yield() end,
    function() any(of.queues):get(maybe_moment()) end,
    function() any(of.queues):put(1, maybe_moment()) end,
    function() any(of.events):wait(maybe_moment()) end,
    function()
      local event = any(of.events)
      event:set()
      if one_in(2) then event:clear() end
    end,
    function() any(of.tasks):join(moment()) end, -- with a limit: two could wait for each other
    function()
      local task = any(of.tasks)
      if task ~= loop.current() or one_in(10) then task:cancel() end
    end,
    function() socket():settimeout(one_in(3) and 0 or maybe_moment()) end,
    function() if one_in(6) then socket():shutdown(random(0, 2)) end end,
    function() if one_in(6) then socket():close() end end,
    function() if one_in(10) then any(of.listeners):close() end end,
    function() error "on purpose" end,
    function()
      loop.add_reader(socket(), function()
        if one_in(3) then error "on purpose" end
        csock.yield()
      end)
    end,
    function() loop.remove_reader(socket()) end,
    function()
      local co = of.coroutines[random(math.max(1, #of.coroutines))]
      if co and one_in(4) and coroutine.status(co) == "suspended" then coroutine.close(co) end
    end,
    function()
      local task = any(of.tasks)
      if one_in(3) then task:throw "on purpose" end
    end,
    function()
      local task = any(of.tasks)
      loop.foreground(one_in(2) and task or nil)
      if one_in(10) then task:daemon() end
    end,
    function()
      local s = socket()
      local closer = csock.spawn(function()
        csock.yield()
        if one_in(3) then s:close() end
      end)
      csock.select({ s, stream() }, { socket() }, { s }, moment())
      closer:cancel()
    end,
    function() if one_in(10) then fork(ops) end end,
    function() collectgarbage(one_in(4) and "collect" or "step") end,
  }
  return ops
end

-- A task's work: some operations, in whatever may stand around them.
local function worker(ops, coroutines)
  local function operate()
    if one_in(4) then table.insert(coroutines, (coroutine.running())) end
    local ok, err = pcall(ops[random(#ops)])
    if ok then return end
    if not expected(err) then complain(tostring(err)) end
    if tostring(err):find "on purpose" then error(err, 0) end
  end
  local closing = { __close = operate }
  local function work(depth)
    local how = depth > 0 and random(6) or 1
    if how == 1 or how == 2 then
      for _ = 1, random(5) do operate() end
    elseif how == 3 then
      loop.timeout(moment() * 2, work, depth - 1)
    elseif how == 4 then
      local group <close> = loop.group()
      for _ = 1, random(3) do group:spawn(work, depth - 1) end
    elseif how == 5 then
      csock.wrap(function()
        local _ <close> = setmetatable({}, closing)
        work(depth - 1)
      end)()
    else
      local _ <close> = setmetatable({}, closing)
      work(depth - 1)
    end
  end
  return work
end

local function alive(task)
  local status = task:status()
  return status == "waiting" or status == "ready"
end

-- Closes it all; whoever waits for another task or a queue goes on by that.
local function close(of)
  if one_in(2) then
    for _, task in ipairs(of.tasks) do task:cancel() end
  end
  for _, list in ipairs { of.sockets, of.listeners, of.queues } do
    for _, thing in ipairs(list) do thing:close() end
  end
  for _, stream in ipairs(of.streams) do loop.timeout(0.01, stream.close, stream) end
  -- Some may wait for what a cancelled task has left open.
  local deadline = loop.now() + 0.1
  for _, task in ipairs(of.tasks) do
    while alive(task) and loop.now() < deadline do
      for _, event in ipairs(of.events) do event:set() end
      csock.sleep(0.001)
    end
    if alive(task) and not task:cancel() then complain("a task cannot be cancelled") end
  end
  -- And those whose group, or time limit, was closed with its coroutine.
  for _, row in ipairs(loop.tasks()) do
    if row.task ~= loop.current() then row.task:cancel() end
  end
end

local function round()
  local of = things()
  local work = worker(operations(of), of.coroutines)
  csock.run(function()
    for i = 1, random(5, 40) do of.tasks[i] = csock.spawn(work, random(0, 3)) end
    local over = loop.now() + 0.03 + moment()
    while loop.now() < over do
      csock.sleep(moment() / 2)
      table.insert(of.tasks, csock.spawn(work, random(0, 2)))
    end
    close(of)
    reap(true)
  end)
end

csock.run()
collectgarbage()
local before = #posix.fds()
for i = 1, rounds do
  round()
  local left
  for _ = 1, 5 do -- what a closed coroutine kept goes one after the other
    collectgarbage()
    left = #posix.fds() - before
    if left == 0 then break end
  end
  if left ~= 0 then complain(left, " descriptors are left after round ", i) end
  before = before + left
end
