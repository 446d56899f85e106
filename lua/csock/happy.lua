--- Happy Eyeballs: the quickest of several addresses (RFC 8305). `create_connection` uses it in tasks.
-- @module csock.happy
local loop = require "csock.loop"
local internal = require "csock.loop.internal"

local M = {
  --- Seconds before the next address has its try (RFC 8305, 5): 0.25. May be set.
  -- @field ATTEMPT_DELAY
  ATTEMPT_DELAY = 0.25,
}

--- Orders addresses so that their families take turns, beginning with the first one's (RFC 8305, 4).
-- @tparam {table,...} infos as `getaddrinfo` gives them
-- @treturn {table,...}
-- @usage local infos = happy.interleave(assert(csock.getaddrinfo("localhost", 80)))
function M.interleave(infos)
  local families, by_family, result = {}, {}, {}
  for _, info in ipairs(infos) do
    local list = by_family[info.family]
    if not list then
      list = { next = 1 }
      by_family[info.family] = list
      families[#families + 1] = list
    end
    list[#list + 1] = info
  end
  while #result < #infos do
    for _, list in ipairs(families) do
      result[#result + 1] = list[list.next]
      list.next = list.next + 1
    end
  end
  return result
end

-- What is under way. Leaving it ends the attempts that are left, and closes a socket that nobody took.
local Race = {}
Race.__index = Race

function Race:__close()
  for task in pairs(self.tasks) do task:cancel() end
  if self.winner then self.winner:close() end
end

local function run_attempt(race, i, attempt, info)
  local ok, s, err = pcall(attempt, info)
  race.tasks[loop.current()] = nil
  race.under_way = race.under_way - 1
  if not ok then
    race.raised = race.raised or { s }
  elseif s and race.winner then
    s:close()
  elseif s then
    race.winner = s
  else
    race.errors[i] = err
  end
  race.changed:wake(true)
end

--- Connects to the first address that answers: tries one after the other without waiting for the
-- outcome, `ATTEMPT_DELAY` apart, or at once when one has failed. The others' sockets are closed.
-- Must be called in a task.
-- @tparam {table,...} infos in the order of the tries
-- @tparam function attempt `attempt(info)` gives a connected socket, or nil and an error; what it
-- raises is raised again
-- @treturn[1] socket
-- @treturn[2] nil
-- @treturn[2] {error,...} what each address said
-- @usage
-- csock.run(function()
--   local infos = assert(csock.getaddrinfo("localhost", 21567, csock.AF_INET, csock.SOCK_STREAM))
--   local s <close> = assert(happy.connect(infos, function(info) return csock.create_connection(info.addr) end))
-- end)
function M.connect(infos, attempt)
  local race <close> = setmetatable({
    tasks = {}, under_way = 0, errors = {}, changed = internal.waiters(),
  }, Race)
  local i = 0
  repeat
    if i < #infos then
      i = i + 1
      race.under_way = race.under_way + 1
      race.tasks[loop.spawn(run_attempt, race, i, attempt, infos[i])] = true
    end
    race.changed:wait(i < #infos and M.ATTEMPT_DELAY or nil)
  until race.winner or race.raised or (i == #infos and race.under_way == 0)
  if race.raised then error(race.raised[1], 0) end -- a wrong argument: the others would raise it, too
  local winner = race.winner
  race.winner = nil
  return winner, race.errors
end

return M
