-- datagrams.lua: how datagrams travel in a network: a task for each socket takes what that sends, and what is not lost
-- reaches the receiver in its time. On the way a datagram has a head: see csrc/socket/simulated.c.
local csock = require "csock"
local loop = require "csock.loop"

local HEAD = 32 -- bytes: the length of the raw address, the address
local LARGEST = 65536
local OVERTAKEN = 0.001 -- seconds by which a datagram is late at least that others are to overtake

local M = {}

local function head_of(address)
  local raw = address.raw
  return string.char(#raw) .. raw .. ("\0"):rep(HEAD - 1 - #raw)
end

-- To whom a datagram goes, as the network stands when it arrives.
local function deliver(network, source, destination, data)
  local record = network:find(csock.SOCK_DGRAM, destination)
  if not record or (record.peer_address and record.peer_address ~= source) then return end
  record.raw:send(head_of(source) .. data, csock.MSG_DONTWAIT) -- a receiver whose buffer is full gets no more
end

local function send(network, record, bytes)
  local destination = csock.address { raw = bytes:sub(2, 1 + bytes:byte()) }
  local source = network:own_address(record, destination)
  local chance, data = network.chance, bytes:sub(HEAD + 1)
  if chance:hits(network.loss) or network.silent[destination.host] then return end
  local latency = network:latency()
  if chance:hits(network.reorder) then latency = latency + network.delay + network.jitter + OVERTAKEN end
  if latency == 0 then return deliver(network, source, destination, data) end
  loop.call_later(latency, deliver, network, source, destination, data):daemon()
end

-- Serves a socket of datagrams, by the other end of its pair, until it is closed.
function M.serve(network, record)
  local raw = record.raw
  loop.spawn(function()
    while true do
      local bytes = raw:recv(LARGEST)
      if not bytes or bytes == "" then break end
      send(network, record, bytes)
    end
    network:unbind(record)
    raw:close()
  end):daemon()
end

return M
