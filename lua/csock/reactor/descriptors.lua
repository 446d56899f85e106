-- descriptors.lua: descriptors of the program's own in the reactor: objects whose `doRead` is called whenever theirs is
-- readable, and `doWrite` whenever it is writable.
--
-- For each descriptor a task waits, and has the reactor's task call the methods: so what is not read yet comes again
-- (level-triggered, as Twisted's), whatever the object reads by.
local csock = require "csock"
local class = require "csock.class"
local loop = require "csock.loop"
local given = require "csock.reactor.arguments"
local reason = require "csock.reactor.reason"
local turns = require "csock.reactor.turns"
local internal = require "csock.loop.internal"

local hub = internal.hub
local descriptor = internal.descriptor

local M, functions = {}, {}

M.functions = functions -- of the reactor

-- Descriptor -> what is asked of it: `object`, which is told; whether it is `reading` and `writing`; the `task` that
-- waits for it, by `poll`, and whether it waits for the system now (`asks`).
local watched = {}

-- --- what is asked --------------------------------------------------------------------------------

local READ, WRITE = csock.POLLIN | csock.POLLPRI, csock.POLLOUT
local GONE = csock.POLLERR | csock.POLLHUP

local wait_for

-- Something else is asked of the descriptor, or nothing any more.
local function change(w)
  local mask = (w.reading and READ or 0) | (w.writing and WRITE or 0)
  local task = w.task
  if task and not w.asks and mask ~= 0 then return w.poll:modify(w.fd, mask) end -- it will ask for that
  if task then task:cancel() end
  w.task, watched[w.fd] = nil, mask ~= 0 and w or nil
  if mask == 0 then return end
  w.poll, w.asks = csock.poll(), false
  assert(w.poll:register(w.fd, mask))
  w.task = csock.spawn(wait_for, w):daemon()
end

-- The record of an object, which may have no descriptor any more.
local function of(object)
  local fd = descriptor(object)
  if fd >= 0 then return watched[fd] end
  for _, w in pairs(watched) do
    if w.object == object then return w end
  end
end

local function add(call, object, method, what)
  given.object(call, 1, object, "descriptor", method)
  local fd = descriptor(object)
  if fd < 0 then return csock.make_error { call = call, errno = csock.errno.EBADF } end
  local w = watched[fd] or { fd = fd }
  if w[what] then return true end
  w.object, w[what] = object, true
  change(w)
  return true
end

local function remove(object, what)
  local w = of(object)
  if not w or not w[what] then return end
  w[what] = false
  change(w)
end

-- --- serving --------------------------------------------------------------------------------------

local function lose(w, why, reading)
  local object = w.object
  w.reading = false
  local half = reading and object.readConnectionLost and why:check(reason.ConnectionDone)
  if not half then w.writing = false end
  change(w)
  turns.call(half and object.readConnectionLost or object.connectionLost, object, why)
end

-- Calls one of the object's methods. Whether there is no reason to lose it.
local function tell(w, method, reading)
  local ok, result, err = turns.call(w.object[method], w.object)
  local why
  if not ok then
    why = reason.CallbackError(result.err)
    why.traceback = result.traceback
  elseif class.isinstance(result, reason.Reason) then
    why = result
  elseif result == nil and err ~= nil then
    why = reason.ConnectionLost(err)
  end
  if why then lose(w, why, reading) end
  return not why
end

-- What poll(2) said; in the reactor's task.
local function serve(w, event)
  if event & csock.POLLNVAL ~= 0 then
    lose(w, reason.ConnectionLost("the descriptor is closed"))
  elseif event & GONE ~= 0 and event & csock.POLLIN == 0 then -- and nothing is left to be read
    lose(w, w.reading and reason.ConnectionDone() or reason.ConnectionLost(), w.reading)
  elseif not (event & READ ~= 0 and w.reading) or tell(w, "doRead", true) then
    if event & WRITE ~= 0 and w.writing then tell(w, "doWrite", false) end
  end
end

function wait_for(w)
  local me, served = loop.current(), internal.waiters()
  local function serve_and_wake(event)
    if w.task == me then serve(w, event) end
    served:wake()
  end
  local function give_up(err)
    if w.task == me then lose(w, reason.ConnectionLost(err)) end
  end
  while true do
    w.asks = true
    local ready, err = w.poll:poll()
    w.asks = false
    if not ready then return turns.notice(give_up, err) end -- no memory, or so
    turns.notice(serve_and_wake, ready[1].event)
    served:wait()
  end
end

-- The parent's tasks are the parent's.
internal.in_child(function()
  for _, w in pairs(watched) do
    w.task = nil
    change(w)
  end
end)

-- --- for the reactor ------------------------------------------------------------------------------

-- Whether it is one of the reactor's own: a port, a transport.
local function is_own(object) return type(object) == "table" and object.startReading and not object.doRead end

--- Has an object's `doRead()` called whenever its descriptor is readable, in the reactor's task: as long as it is
-- (level-triggered), until `removeReader`. An object has these methods:
--
-- - `fileno()`: the descriptor;
-- - `doRead()`, `doWrite()`: where one gives a reason (@{csock.reactor.reason}), or nil and an error, the object is
--   lost; so it is after an error that one raises, which goes to `csock.loop.onerror`;
-- - `connectionLost(reason)`: it is lost, and nothing more is called; also when the other end is gone and nothing is
--   left to be read (`ConnectionDone`), and when the reactor stops. It closes the descriptor;
-- - `readConnectionLost(reason)`, if it has one, is called in its place where `doRead` gives `ConnectionDone`: it may
--   still write;
-- - `logPrefix()`, for other readers of the same text: nothing is logged here.
--
-- A descriptor has one object; the last one that was added is told. A port or a transport may be given, too, and
-- receives again.
-- Source: Twisted's `IReactorFDSet.addReader`.
-- @tparam table reader
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EBADF`: it has no descriptor)
-- @usage
-- local reader = {socket = a}
-- function reader:fileno() return self.socket:fileno() end
-- function reader:doRead() print(self.socket:recv(100)) reactor.stop() end
-- function reader:connectionLost(why) self.socket:close() end
-- reactor.addReader(reader)
-- b:send "hello"
-- reactor.run() --> hello
function functions.addReader(reader)
  if not is_own(reader) then return add("addReader", reader, "doRead", "reading") end
  reader:startReading()
  return true
end

--- Has an object's `doWrite()` called whenever its descriptor is writable, until `removeWriter`.
-- Source: Twisted's `IReactorFDSet.addWriter`.
-- @tparam table writer see `addReader`
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EBADF`: it has no descriptor)
-- @usage
-- local writer = {socket = a}
-- function writer:fileno() return self.socket:fileno() end
-- function writer:doWrite() self.socket:send "hello" reactor.removeWriter(self) end
-- function writer:connectionLost(why) self.socket:close() end
-- reactor.addWriter(writer)
-- reactor.iterate(1)
-- print(b:recv(100)) --> hello
function functions.addWriter(writer)
  if not (is_own(writer) and writer.startWriting) then return add("addWriter", writer, "doWrite", "writing") end
  writer:startWriting()
  return true
end

--- Ends `addReader`. A port or a transport receives nothing any more.
-- Source: Twisted's `IReactorFDSet.removeReader`.
-- @tparam table reader
-- @usage
-- local reader = {socket = a}
-- function reader:fileno() return self.socket:fileno() end
-- function reader:doRead() end
-- reactor.addReader(reader)
-- reactor.removeReader(reader)
function functions.removeReader(reader)
  if is_own(reader) then return reader:stopReading() end
  remove(given.object("removeReader", 1, reader, "descriptor", "fileno"), "reading")
end

--- Ends `addWriter`. A transport sends nothing any more, until something else is written to it.
-- Source: Twisted's `IReactorFDSet.removeWriter`.
-- @tparam table writer
-- @usage
-- local writer = {socket = a}
-- function writer:fileno() return self.socket:fileno() end
-- function writer:doWrite() end
-- reactor.addWriter(writer)
-- reactor.removeWriter(writer)
function functions.removeWriter(writer)
  if is_own(writer) and writer.stopWriting then return writer:stopWriting() end
  remove(given.object("removeWriter", 1, writer, "descriptor", "fileno"), "writing")
end

-- All for which something is asked: of the reactor's own those that fit, and of the program's those with `what`.
local function list(fits, what)
  local found = {}
  for _, object in ipairs(hub.objects()) do
    if fits(object) then found[#found + 1] = object end
  end
  for _, w in pairs(watched) do
    if w[what] then found[#found + 1] = w.object end
  end
  return found
end

local function reads(object) return object.reading end
local function writes(object) return object.stopWriting and hub.unsent(object.socket) > 0 end

--- All that wait for something to be read, in no order: what `addReader` was given, ports, transports.
-- Source: Twisted's `IReactorFDSet.getReaders`.
-- @treturn table a sequence
-- @usage print(#reactor.getReaders())
function functions.getReaders() return list(reads, "reading") end

--- All that wait until something can be written, in no order: what `addWriter` was given, and transports with something
-- to send.
-- Source: Twisted's `IReactorFDSet.getWriters`.
-- @treturn table a sequence
-- @usage print(#reactor.getWriters())
function functions.getWriters() return list(writes, "writing") end

--- Ends `addReader` and `addWriter` for everything that was given to them, and has ports and transports receive and
-- send nothing any more.
-- Source: Twisted's `IReactorFDSet.removeAll`.
-- @treturn table a sequence of those which it has changed anything for
-- @usage
-- for _, object in ipairs(reactor.removeAll()) do object:connectionLost(reason.ConnectionLost()) end
function functions.removeAll()
  local found, seen = functions.getReaders(), {}
  for _, reader in ipairs(found) do
    functions.removeReader(reader)
    seen[reader] = true
  end
  for _, writer in ipairs(functions.getWriters()) do
    functions.removeWriter(writer)
    if not seen[writer] then found[#found + 1] = writer end
  end
  return found
end

-- Loses all that the program has added.
function M.lose_all(why)
  local all = {}
  for _, w in pairs(watched) do all[#all + 1] = w end
  for _, w in ipairs(all) do
    if watched[w.fd] == w then lose(w, why) end
  end
end

return M
