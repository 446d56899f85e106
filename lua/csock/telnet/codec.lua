-- codec.lua: the bytes of telnet (RFC 854): which are data, and which are commands, options and what is said of them.
local M = {}

M.SE, M.NOP, M.DM, M.BRK, M.IP, M.AO, M.AYT = 240, 241, 242, 243, 244, 245, 246
M.EC, M.EL, M.GA, M.SB = 247, 248, 249, 250
M.WILL, M.WONT, M.DO, M.DONT, M.IAC = 251, 252, 253, 254, 255

local IAC = "\255"

-- Bytes of data as they are sent.
function M.escape(bytes) return (bytes:gsub(IAC, IAC .. IAC)) end

-- Lines of text as the network's virtual terminal has them: "\n" is CR LF, and a CR alone CR NUL.
function M.text(text)
  text = text:gsub("\r\n", "\n"):gsub("\r", "\r\0"):gsub("\n", "\r\n")
  return M.escape(text)
end

function M.option(verb, option) return string.char(M.IAC, verb, option) end

function M.command(command) return string.char(M.IAC, command) end

function M.sub(option, bytes)
  return string.char(M.IAC, M.SB, option) .. M.escape(bytes) .. string.char(M.IAC, M.SE)
end

-- --- reading --------------------------------------------------------------------------------------

local Decoder = {}
Decoder.__index = Decoder

-- Each state takes the bytes from `at` on, adds what is data to `out`, sets the next state, and gives where to go on.
local in_data, behind_cr, behind_iac, at_option, in_sub, behind_sub_iac

function in_data(self, bytes, at, out)
  local special = bytes:find("[\r\255]", at)
  if not special then
    out[#out + 1] = bytes:sub(at)
    return #bytes + 1
  end
  local cr = bytes:byte(special) == 13
  out[#out + 1] = bytes:sub(at, cr and special or special - 1)
  self.state = cr and behind_cr or behind_iac
  return special + 1
end

function behind_cr(self, bytes, at)
  self.state = in_data
  return bytes:byte(at) == 0 and not self.binary and at + 1 or at
end

function behind_iac(self, bytes, at, out)
  local byte = bytes:byte(at)
  self.state = in_data
  if byte == M.IAC then
    out[#out + 1] = IAC
  elseif byte >= M.WILL then
    self.verb, self.state = byte, at_option
  elseif byte == M.SB then
    self.pieces, self.size, self.state = {}, 0, in_sub
  else
    out[#out + 1] = self.on_command(byte)
  end
  return at + 1
end

function at_option(self, bytes, at)
  self.state = in_data
  self.on_option(self.verb, bytes:byte(at))
  return at + 1
end

-- What is longer than the limit is passed over.
local function keep(self, piece)
  self.size = self.size + #piece
  if self.size <= self.sub_limit then self.pieces[#self.pieces + 1] = piece end
end

function in_sub(self, bytes, at)
  local iac = bytes:find(IAC, at, true)
  keep(self, bytes:sub(at, (iac or #bytes + 1) - 1))
  if not iac then return #bytes + 1 end
  self.state = behind_sub_iac
  return iac + 1
end

function behind_sub_iac(self, bytes, at)
  local byte = bytes:byte(at)
  if byte == M.IAC then
    keep(self, IAC)
    self.state = in_sub
    return at + 1
  end
  if byte ~= M.SE then -- it was not ended: what follows is a command
    self.state = behind_iac
    return at
  end
  local said = table.concat(self.pieces)
  self.state, self.pieces = in_data, nil
  if self.size <= self.sub_limit and said ~= "" then self.on_sub(said:byte(), said:sub(2)) end
  return at + 1
end

-- Takes bytes as they come, in pieces of any size, and gives those that are data.
function Decoder:feed(bytes)
  local out, at = {}, 1
  while at <= #bytes do at = self.state(self, bytes, at, out) end
  return table.concat(out)
end

-- `on`: what is called: `on_command(command)`, which may give data in its place, `on_option(verb, option)`,
-- `on_sub(option, bytes)`; `sub_limit`: bytes of the last.
function M.decoder(on)
  return setmetatable({
    state = in_data, binary = false, sub_limit = on.sub_limit,
    on_command = on.on_command, on_option = on.on_option, on_sub = on.on_sub,
  }, Decoder)
end

return M
