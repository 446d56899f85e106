--- Waiting for news (RFC 2177).
-- @module csock.imap
local check = require "csock.check"
local csock = require "csock"
local session = require "csock.imap.session"

-- The methods: csock.imap gives them to its class.
local IMAP4 = {}

-- After half an hour without a word servers hang up (RFC 2177: 29 minutes).
local RENEW = 28 * 60

local Idle = {}
Idle.__index = Idle
Idle.__name = "csock.idle"

-- One answer is read: true, and it is in the queue, or all is over; nil, err, errno.
local function hear(self, d)
  local imap = self.imap
  imap.left = d.block_limit
  local kind, name, data = session.read(imap, d)
  if kind == "*" then
    self.queue[#self.queue + 1] = { name, data }
    return true
  end
  imap.idling = nil -- the server has ended it
  return session.outcome(d, kind, name, data)
end

local function begin(self, d)
  local imap = self.imap
  d:put(session.new_tag(imap) .. " IDLE")
  imap.idling = self
  while true do
    imap.left = d.block_limit
    local kind, name, data = session.read(imap, d)
    if kind == "+" then
      self.renew_at = csock.now() + self.renew
      return true
    elseif kind ~= "*" then
      imap.idling = nil
      if kind == "tagged" and name == "OK" then return d:protest "IDLE has ended before it began" end
      return session.outcome(d, kind, name, data)
    end
    self.queue[#self.queue + 1] = { name, data }
  end
end

local function finish(self, d)
  d:put "DONE"
  while self.imap.idling == self do
    local ok, err, errno = hear(self, d)
    if not ok then return nil, err, errno end
  end
  return true
end

-- One step: true; nil, err, errno.
local function go_on(self)
  local d, now = self.imap.d, csock.now()
  if not d then return session.failure("EBADF", "there is no connection") end
  local left = math.min(self.deadline, self.renew_at) - now
  if left > 0 then
    local came, err, errno = d:within(false, d.wait, d, left)
    if came == nil then return nil, err, errno end
    if not came then return true end
    return d:run(hear, self, d)
  end
  return d:run(function()
    local ok, err, errno = finish(self, d)
    if not ok or now >= self.deadline then return ok, err, errno end
    return begin(self, d)
  end)
end

function Idle:__call()
  while true do
    local first = table.remove(self.queue, 1)
    if first then return first[1], first[2] end
    if self.imap.idling ~= self then return nil end
    local ok, err = go_on(self)
    if not ok then
      self.imap.idling = nil
      error(err, 0)
    end
  end
end

-- Where there can be no waiting, as in a task that is cancelled, the connection ends: its answer would be left over.
function Idle:__close()
  local imap = self.imap
  if imap.idling ~= self then return end
  local d = imap.d
  if not d or not pcall(d.run, d, finish, self, d) then imap:shutdown() end
  imap.idling = nil
end

--- Waits for what the server tells by itself, as new messages: an iterator, which gives what `noop` would have the
-- server say. It ends when the loop is left (or, of `local news <close> = mail:idle()`, the block), when the time is
-- over, or the server has enough; other commands may be said again then. It is renewed before servers lose
-- their patience. The time that a call may take does not count here. Raises what goes wrong meanwhile.
--
-- (Python has this from 3.14 on.)
-- @tparam[opt] number duration seconds (default: as long as one likes)
-- @tparam[opt=1680] number renew seconds after which it is begun anew
-- @treturn[1] function gives name and data: `"EXISTS"`, `{"3"}`
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EOPNOTSUPP`: the server cannot)
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- mail:select()
-- for name, data in assert(mail:idle()) do
--   print(name, data[1]) --> EXISTS 3
--   break
-- end
function IMAP4:idle(duration, renew)
  if duration ~= nil then check.timeout(duration, 1, "idle") end
  if renew ~= nil then check.seconds(renew, 2, "idle") end
  local idle = setmetatable({
    imap = self, queue = {}, renew = renew or RENEW, deadline = csock.now() + (duration or math.huge),
  }, Idle)
  local ok, err, errno = session.where_offered(self, "IDLE", function()
    return session.run(self, "IDLE", function(d) return begin(idle, d) end)
  end)
  if not ok then return nil, err, errno end
  return idle, nil, nil, idle
end

return IMAP4
