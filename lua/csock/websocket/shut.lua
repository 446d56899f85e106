-- shut.lua: the end of the connection under a WebSocket.
local csock = require "csock"
local internal = require "csock.loop.internal"

local M = {}

local DISCARDED = 1 << 20 -- the most bytes that are read after the end

-- Waits until the peer has ended the connection, too. `halt`: says first that nothing more will be sent.
local function linger(self, seconds, halt)
  local conn, left, discarded = self.conn, internal.countdown(seconds), 0
  if halt and not conn:shutdown(csock.SHUT_WR) then return end
  repeat
    conn:settimeout(left())
    local data = conn:recv(1 << 14)
    discarded = discarded + #(data or "")
  until not data or data == "" or discarded > DISCARDED
end

-- How many seconds the end of a connection that failed may take.
M.PATIENCE = 2

-- Closes the connection. `how`: "orderly", after the handshake; "refused": the peer may still be sending, and is to
-- learn why; "cut": at once.
function M.connection(self, how)
  local conn, stream = self.conn, self.stream
  local patient = how ~= "cut" and internal.may_wait()
  local seconds = how == "orderly" and math.min(self.close_timeout, M.PATIENCE) or M.PATIENCE
  conn:settimeout(patient and seconds or 0)
  if patient and stream:flush() and (how == "refused" or self.side == "client") then
    linger(self, seconds, how == "refused")
    conn:settimeout(0)
  end
  stream:close()
  conn:close()
  if self.pack then
    self.pack()
    self.unpack()
  end
end

return M
