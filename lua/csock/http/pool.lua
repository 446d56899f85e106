-- pool.lua: connections that are kept for the next request to the same place, a bounded number for a bounded time.
local csock = require "csock"
local loop = require "csock.loop"

local Pool = {}
Pool.__index = Pool

local M = {}

-- `size`: connections in all; `idle`: seconds that one is kept.
function M.new(size, idle)
  return setmetatable({ size = size, idle = idle, list = {}, pid = csock.getpid() }, Pool)
end

-- In a forked process the connections are the parent's: they are dropped, and not closed, which over TLS would say
-- goodbye in the parent's name.
local function own(self)
  local pid = csock.getpid()
  if self.pid ~= pid then self.list, self.pid = {}, pid end
  return self.list
end

-- Closes those that have been idle for too long: the others. The oldest come first.
local function purge(self)
  local list, now = own(self), loop.now()
  while list[1] and list[1].idle_since + self.idle <= now do table.remove(list, 1):close() end
  return list
end

-- A connection to this place that still stands; nil where there is none. The one that was used last is taken: the
-- others may then grow old.
function Pool:take(key)
  local list = purge(self)
  for i = #list, 1, -1 do
    if list[i].key == key then
      local connection = table.remove(list, i)
      if connection:usable() then return connection end
      connection:close()
    end
  end
end

-- Keeps one.
function Pool:put(connection)
  if self.closed then return connection:close() end
  connection.idle_since = loop.now()
  local list = purge(self)
  list[#list + 1] = connection
  if #list > self.size then table.remove(list, 1):close() end
end

function Pool:close()
  self.closed = true
  for _, connection in ipairs(own(self)) do connection:close() end
  self.list = {}
end

return M
