--- Every call that may wait, for specs that try them all in some place or weather.
--
-- `waits.each(function(name, make) ... end)` visits them; `make()` gives a table:
--
-- * `wait()` makes the call, which has to wait;
-- * `feed()` lets it go on, and `good(...)` says whether its results are right then;
-- * `limit(seconds)` gives the call a time limit, if it can have one;
-- * `close()` closes what it waits on, if that is an object;
-- * `call` is its name in errors;
-- * `own`: it must be made in the process in which it is to go on.
--
-- What it opened is closed by `waits.close`, for after_each.
local csock = require "csock"
local http = require "csock.core".http
local posix = require "spec.support.posix"

local M = {}

local open = {}

local function keep(...)
  assert(...)
  for _, thing in ipairs { ... } do
    if type(thing) == "userdata" then open[#open + 1] = thing end
  end
  return ...
end

function M.close()
  for _, thing in ipairs(open) do thing:close() end -- peers before streams, which would wait for them
  open = {}
end

local rows = {}

local function fill(s)
  s:settimeout(0)
  repeat until not s:send(("x"):rep(65536))
  repeat until not s:send "x"
  s:settimeout(nil)
end

-- Takes all that is there.
local function drain(s)
  s:settimeout(0)
  repeat until not s:recv(1 << 20)
  s:settimeout(nil)
end

-- A wait on a socket, `row(a)`, whose peer sends "go\n".
local function reading(name, wait, good, text)
  rows[#rows + 1] = { name = name, make = function()
    local a, b = keep(csock.socketpair())
    return {
      call = name:match "^[%w_]+",
      wait = function() return wait(a) end,
      feed = function() assert(b:sendall(text or "go\n")) end,
      good = good or function(data) return data == "go\n" end,
      limit = function(seconds) a:settimeout(seconds) end,
      close = function() a:close() end,
    }
  end }
end

reading("recv", function(a) return a:recv(100) end)
reading("recvfrom", function(a) return a:recvfrom(100) end)
reading("recv with MSG_WAITALL", function(a) return a:recv(3, csock.MSG_WAITALL) end)
reading("recv_into with MSG_WAITALL", function(a)
  local buffer = csock.buffer(3)
  local n, err, errno = a:recv_into(buffer, 3, csock.MSG_WAITALL)
  if not n then return nil, err, errno end
  return buffer:sub(1, n)
end)
reading("recv_into", function(a)
  local buffer = csock.buffer(10)
  local n, err, errno = a:recv_into(buffer)
  if not n then return nil, err, errno end
  return buffer:sub(1, n)
end)
reading("recvfrom_into", function(a)
  local n, err, errno = a:recvfrom_into(csock.buffer(10))
  if not n then return nil, err, errno end
  return n
end, function(n) return n == 3 end)
reading("recvmsg", function(a) return a:recvmsg(100) end)
reading("recvmsg_into", function(a) return a:recvmsg_into { csock.buffer(10) } end,
  function(n) return n == 3 end)
reading("recv_fds", function(a) return csock.recv_fds(a, 100, 4) end)

-- The same on a stream from `makefile`.
local function reading_stream(name, wait, good, text)
  rows[#rows + 1] = { name = "stream " .. name, make = function()
    local a, b = keep(csock.socketpair())
    local stream = keep(a:makefile "rw")
    return {
      call = name:match "^[%w_]+",
      wait = function() return wait(stream) end,
      feed = function() assert(b:sendall(text or "go\n")) end,
      good = good or function(data) return data == "go" end,
      limit = function(seconds) a:settimeout(seconds) end,
      close = function() stream:close() end,
    }
  end }
end

reading_stream("read a line", function(stream) return stream:read() end)
reading_stream("read bytes", function(stream) return stream:read(2) end)
reading_stream("read a number", function(stream) return stream:read "n" end, function(n) return n == 42 end, "42\n")
reading_stream("lines", function(stream)
  local ok, line = pcall(stream:lines()) -- which raises, as Lua's does
  if ok then return line end
  if type(line) == "string" then error(line, 0) end
  return nil, line, line.errno
end)
reading_stream("read_until", function(stream) return stream:read_until "\n" end,
  function(data) return data == "go" or data == "go\n" end)
reading_stream("readline", function(stream) return stream:readline() end, function(data) return data == "go\n" end)

reading_stream("read_request", http.read_request, function(head) return head.headers.host == "a" end,
  "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
do
  local bodies = setmetatable({}, { __mode = "k" })
  reading_stream("read a body", function(stream)
    bodies[stream] = bodies[stream] or http.body(stream, "chunked")
    return bodies[stream]:read(2)
  end, nil, "2\r\ngo\r\n")
end

rows[#rows + 1] = { name = "stream read all", make = function()
  local a, b = keep(csock.socketpair())
  local stream = keep(a:makefile "r")
  return {
    call = "read",
    wait = function() return stream:read "a" end,
    feed = function()
      b:sendall "go"
      b:close()
    end,
    good = function(data) return data == "go" end,
    limit = function(seconds) a:settimeout(seconds) end,
    close = function() stream:close() end,
    own = true, -- the stream ends when nobody has its other end any more
  }
end }

-- A wait for room to write: `wait(a)`.
local function writing(name, wait, good)
  rows[#rows + 1] = { name = name, make = function()
    local a, b = keep(csock.socketpair())
    fill(a)
    return {
      call = name,
      wait = function() return wait(a) end,
      feed = function() drain(b) end,
      good = good or function(n) return n == 2 end,
      limit = function(seconds) a:settimeout(seconds) end,
      close = function() a:close() end,
    }
  end }
end

writing("send", function(a) return a:send "go" end)
writing("sendall", function(a) return a:sendall "go" end)
writing("sendmsg", function(a) return a:sendmsg { "g", "o" } end)
writing("send_fds", function(a) return csock.send_fds(a, { "go" }, { 0 }) end)
writing("sendfile", function(a)
  local file <close> = assert(io.open("spec/support/run.lua", "rb"))
  return a:sendfile(file, 0, 2)
end)

rows[#rows + 1] = { name = "sendto", make = function()
  local a, b = keep(csock.socketpair(csock.AF_UNIX, csock.SOCK_DGRAM))
  fill(a)
  return {
    call = "send", -- a pair is connected
    wait = function() return a:send "go" end,
    feed = function() drain(b) end,
    good = function(n) return n == 2 end,
    limit = function(seconds) a:settimeout(seconds) end,
    close = function() a:close() end,
  }
end }

-- (Closing such a stream waits too: it sends what is left.)
local function writing_stream(name, wait)
  rows[#rows + 1] = { name = "stream " .. name, make = function()
    local a, b = keep(csock.socketpair())
    fill(a)
    local stream = keep(a:makefile "w")
    return {
      call = name:match "^[%w_]+",
      wait = function() return wait(stream) end,
      feed = function() drain(b) end,
      good = function(ok) return ok == stream or ok == true end,
      limit = function(seconds) a:settimeout(seconds) end,
    }
  end }
end

writing_stream("write", function(stream) return stream:write(("x"):rep(10000)) end)
writing_stream("flush", function(stream)
  stream:write "x"
  return stream:flush()
end)

rows[#rows + 1] = { name = "accept", make = function()
  local l = keep(csock.create_server { "127.0.0.1", 0 })
  return {
    call = "accept",
    wait = function()
      local conn, err, errno = l:accept()
      if not conn then return nil, err, errno end
      keep(conn)
      return "accepted"
    end,
    feed = function()
      local s = keep(csock.socket())
      s:settimeout(0) -- this must not wait
      s:connect(l:getsockname())
    end,
    good = function(what) return what == "accepted" end,
    limit = function(seconds) l:settimeout(seconds) end,
    close = function() l:close() end,
  }
end }

-- To a listener whose backlog is full.
rows[#rows + 1] = { name = "connect", make = function()
  local l = keep(csock.socket(csock.AF_UNIX))
  assert(l:bind(("\0csock-spec-%d-%s"):format(posix.getpid(), tostring(l:fileno()))))
  assert(l:listen(0))
  local address = l:getsockname()
  local s
  repeat
    local full = s
    s = keep(csock.socket(csock.AF_UNIX))
    s:settimeout(0)
    if full then keep(full) end
  until not s:connect(address)
  s:settimeout(nil)
  return {
    call = "connect",
    wait = function() return s:connect(address) end,
    feed = function() keep(l:accept()) end,
    good = function(ok) return ok == true end,
    limit = function(seconds) s:settimeout(seconds) end,
    close = function() s:close() end,
  }
end }

-- A wait for one of several, `wait(a, timeout)`; `a` becomes readable.
local function choosing(name, prepare, good)
  rows[#rows + 1] = { name = name, make = function()
    local a, b = keep(csock.socketpair())
    local timeout
    local wait, close = prepare(a)
    return {
      call = name:match "%w+$",
      wait = function() return wait(timeout) end,
      feed = function() b:send "x" end,
      good = function(...) return good(a, ...) end,
      limit = function(seconds) timeout = seconds end,
      close = close,
      silent = true, -- no error when the time is over
    }
  end }
end

choosing("select", function(a)
  return function(timeout) return csock.select({ a }, {}, {}, timeout) end, function() a:close() end
end, function(a, r) return r and r[1] == a end)

choosing("poll", function(a)
  local p = csock.poll()
  p:register(a, csock.POLLIN)
  return function(timeout) return p:poll(timeout and timeout * 1000) end
end, function(a, events) return events and events[1] and events[1][1] == a:fileno() end)

if csock.epoll then
  choosing("epoll:poll", function(a)
    local p = keep(csock.epoll())
    p:register(a, csock.EPOLLIN)
    return function(timeout) return p:poll(timeout) end, function() p:close() end
  end, function(a, events) return events and events[1] and events[1][1] == a:fileno() end)
end

if csock.kqueue then
  choosing("kqueue:control", function(a)
    local kq = keep(csock.kqueue())
    kq:control({ csock.kevent(a) }, 0)
    return function(timeout) return kq:control(nil, 1, timeout) end, function() kq:close() end
  end, function(a, events) return events and events[1] and events[1].ident == a:fileno() end)
end

-- Waits that are not for descriptors. `own`: as above.
local function parking(name, prepare, own)
  rows[#rows + 1] = { name = name, make = function()
    local wait, feed, good = prepare()
    local timeout
    return {
      call = name:match "%w+$",
      wait = function() return wait(timeout) end,
      feed = feed,
      good = good,
      limit = function(seconds) timeout = seconds end,
      own = own,
    }
  end }
end

parking("queue:get", function()
  local q = csock.loop.queue()
  return function(timeout) return q:get(timeout) end, function() q:put "go" end,
    function(value) return value == "go" end
end)

parking("queue:put", function()
  local q = csock.loop.queue(1)
  q:put(1)
  return function(timeout) return q:put(2, timeout) end, function() q:get() end,
    function(ok) return ok == true end
end)

parking("event:wait", function()
  local e = csock.loop.event()
  return function(timeout) return e:wait(timeout) end, function() e:set() end,
    function(ok) return ok == true end
end)

-- A task that is over when the spec is.
local function keep_task(task)
  open[#open + 1] = { close = function() task:cancel() end }
  return task
end

parking("task:join", function()
  local e = csock.loop.event()
  local task = keep_task(csock.spawn(function()
    e:wait()
    return "go"
  end))
  return function(timeout) return task:join(timeout) end, function() e:set() end,
    function(value) return value == "go" end
end, true)

parking("group:join", function()
  local e, group = csock.loop.event(), csock.loop.group()
  keep_task(group:spawn(e.wait, e))
  return function(timeout) return group:join(timeout) end, function() e:set() end,
    function(ok) return ok == true end
end, true)

if (os.getenv "LD_PRELOAD" or ""):find "slow_resolver" then
  for name, wait in pairs {
    getaddrinfo = function(timeout) return csock.getaddrinfo("never.slow", 80, { timeout = timeout }) end,
    create_connection = function(timeout)
      return csock.create_connection({ "never.slow", 80 }, { timeout = timeout })
    end,
  } do
    rows[#rows + 1] = { name = name, make = function()
      local timeout
      return {
        call = "getaddrinfo",
        wait = function() return wait(timeout) end,
        limit = function(seconds) timeout = seconds end,
      }
    end }
  end
end

function M.each(f)
  for _, row in ipairs(rows) do f(row.name, row.make) end
end

return M
