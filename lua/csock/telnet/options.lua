-- options.lua: which options are on, on which side, agreed without loops (RFC 1143's "Q method").
local codec = require "csock.telnet.codec"

local M = {}

M.BINARY, M.ECHO, M.SGA, M.TTYPE, M.NAWS, M.LINEMODE = 0, 1, 3, 24, 31, 34

local Options = {}
Options.__index = Options

-- What is said of a side: the peer's (`him`) it announces by WILL and WONT, and is asked by DO and DONT for; this one's
-- (`us`) the other way round.
local SIDES = {
  him = { heard_on = codec.WILL, heard_off = codec.WONT, say_on = codec.DO, say_off = codec.DONT },
  us = { heard_on = codec.DO, heard_off = codec.DONT, say_on = codec.WILL, say_off = codec.WONT },
}
local SIDE_OF = {}
for name, side in pairs(SIDES) do
  side.name = name
  SIDE_OF[side.heard_on], SIDE_OF[side.heard_off] = side, side
end

local function say(self, side, on, option)
  self.send(codec.option(on and side.say_on or side.say_off, option))
end

local function set(self, side, option, state)
  local was = self[side.name][option]
  self[side.name][option] = state
  if (was == "yes") ~= (state == "yes") then self.changed(side.name, option, state == "yes") end
end

-- state -> what it is when the peer says on, or off. ("opposite": it was asked for, and then for the contrary.)
local HEARD = {
  wanting_no = { on = "no", off = "no" },
  wanting_no_opposite = { on = "yes", off = "wanting_yes" },
  wanting_yes = { on = "yes", off = "no" },
  wanting_yes_opposite = { on = "wanting_no", off = "no" },
}

-- The peer has said this.
function Options:heard(verb, option)
  local side = SIDE_OF[verb]
  local on = verb == side.heard_on
  local state = self[side.name][option] or "no"
  local next_one = HEARD[state]
  if next_one then
    local becomes = next_one[on and "on" or "off"]
    set(self, side, option, becomes)
    if becomes == "wanting_yes" then say(self, side, true, option) end
    if becomes == "wanting_no" then say(self, side, false, option) end
  elseif on and state == "no" then
    local agreed = self.agrees(side.name, option)
    say(self, side, agreed, option)
    if agreed then set(self, side, option, "yes") end
  elseif not on and state == "yes" then
    say(self, side, false, option)
    set(self, side, option, "no")
  end
end

local ASKED = {
  on = { wanting_no = "wanting_no_opposite", wanting_yes_opposite = "wanting_yes" },
  off = { wanting_yes = "wanting_yes_opposite", wanting_no_opposite = "wanting_no" },
}

-- Asks for an option of a side ("him", "us") to be on, or off.
function Options:ask(name, option, on)
  local side, state = SIDES[name], self[name][option] or "no"
  if state == (on and "no" or "yes") then
    set(self, side, option, on and "wanting_yes" or "wanting_no")
    say(self, side, on, option)
  else
    self[name][option] = ASKED[on and "on" or "off"][state] or state
  end
end

-- Whether it is on.
function Options:on(name, option) return self[name][option] == "yes" end

-- `send(bytes)`; `agrees(side, option)`: whether the peer may have it on, or have this side have it on;
-- `changed(side, option, on)`.
function M.new(send, agrees, changed)
  return setmetatable({ him = {}, us = {}, send = send, agrees = agrees, changed = changed }, Options)
end

return M
