-- What a loop has the system watch, from one turn to the next: with epoll where there is one, so that a channel
-- that goes on waiting costs nothing, else with poll.
local csock = require "csock"
local internal = require "csock.loop.internal"

-- epoll's numbers are the same.
local IN, OUT, PRI = csock.POLLIN, csock.POLLOUT, csock.POLLPRI
local BROKEN = csock.POLLERR | csock.POLLHUP

local M = {}

local Watch = {}
Watch.__index = Watch

local of_map = setmetatable({}, { __mode = "k" }) -- map -> the watch of the loop that runs

-- Begins anew: in a forked child, which shares its parent's epoll object, and when that tells of what is closed.
local function renew(self)
  if self.poller then self.poller:close() end
  local epoll = self.lasting and csock.epoll and csock.epoll() -- nil: no descriptor is left for it
  self.poller, self.per_second = epoll or csock.poll(), epoll and 1 or 1000
  self.pid = csock.getpid()
  self.masks, self.sources, self.channels = {}, {}, {} -- by descriptor
  self.reads, self.writes = {}, {} -- the events that a channel is told of as readable, and as writable: 0 is none
  self.always = {} -- descriptors that cannot be watched, since they are always ready: regular files
end

local function new(lasting)
  local self = setmetatable({ lasting = lasting }, Watch)
  renew(self)
  return self
end

-- The watch for a turn: that of the map's loop, or one for this turn alone.
function M.get(map) return of_map[map] or new(false) end

-- Keeps a watch for the loop of a map. To be put in a `<close>` variable; nil when there is one already.
function M.keep(map)
  if of_map[map] then return nil end
  of_map[map] = new(true)
  return internal.guard(function()
    of_map[map].poller:close()
    of_map[map] = nil
  end)
end

-- A descriptor that is about to be closed. (Closing is not enough where a child process has it, too.)
function M.forget(map, fd)
  if of_map[map] then of_map[map]:forget(fd) end
end

function Watch:forget(fd)
  if not self.masks[fd] then return end
  if not self.always[fd] then self.poller:unregister(fd) end -- which fails when it is closed, and so forgotten
  self.masks[fd], self.sources[fd], self.channels[fd], self.always[fd] = nil, nil, nil, nil
  self.reads[fd], self.writes[fd] = nil, nil
end

-- Begins a turn: nothing that is not asked for in it is watched in the end.
function Watch:begin()
  if self.pid ~= csock.getpid() then renew(self) end
  self.asked, self.ready = {}, {}
end

-- Asks for the events of a channel: true, or nil and the error. Over TLS it may have to write before it can read on,
-- and to read before it can write: then that is what it waits for.
function Watch:ask(fd, channel, readable, writable)
  local source = channel.socket or fd
  if source ~= fd and source:fileno() ~= fd then
    return csock.make_error { call = "poll", errno = csock.errno.EBADF }
  end
  if self.sources[fd] ~= source then self:forget(fd) end
  local reading_writes, writing_reads = internal.crossed(source)
  local reads = not readable and 0 or reading_writes and OUT or IN
  local writes = not writable and 0 or writing_reads and IN or OUT
  local mask = PRI | reads | writes
  if self.masks[fd] ~= mask then
    local change = self.masks[fd] and self.poller.modify or self.poller.register
    local ok, err, errno = true, nil, nil
    if not self.always[fd] then ok, err, errno = change(self.poller, source, mask) end
    if not ok and err.name ~= "EPERM" then return nil, err, errno end
    self.masks[fd], self.sources[fd], self.always[fd] = mask, source, self.always[fd] or not ok or nil
  end
  self.channels[fd], self.asked[fd], self.reads[fd], self.writes[fd] = channel, true, reads, writes
  local holds_input = readable and source ~= fd and source.dirty and source:dirty()
  if self.always[fd] then
    table.insert(self.ready, { fd = fd, event = mask & ~PRI })
  elseif holds_input then
    table.insert(self.ready, { fd = fd, event = reads })
  end
  return true
end

-- To be called with `poll` when all have been asked for, to wait: its argument.
function Watch:time(seconds)
  for fd in pairs(self.masks) do
    if not self.asked[fd] then self:forget(fd) end
  end
  if #self.ready > 0 then seconds = 0 end
  return seconds and seconds * self.per_second
end

-- The channels that events are for: a sequence of { fd=, channel=, readable=, writable=, urgent= }.
function Watch:sort(events)
  local list = {}
  local function add(found)
    for _, one in ipairs(found) do
      local fd, event = one.fd, one.event
      local reads, writes = self.reads[fd], self.writes[fd]
      if not reads then return renew(self) end
      list[#list + 1] = {
        fd = fd, channel = self.channels[fd],
        readable = reads ~= 0 and event & (reads | BROKEN) ~= 0,
        writable = writes ~= 0 and event & (writes | BROKEN) ~= 0,
        urgent = event & PRI ~= 0,
      }
    end
  end
  add(self.ready)
  add(events)
  return list
end

return M
