-- full.lua: the whole terminal for a while: its other screen, which leaves the one with what was typed as it is, and
-- keys as they are pressed. Whatever ends that, the terminal is as before.
local csock = require "csock"
local internal = require "csock.loop.internal"
local loop = csock.loop

local OTHER, BACK, CLEAR = "\27[?1049h", "\27[?1049l", "\27[H\27[J"

-- Calls f(show, key): show(text) puts a text on the empty screen; key(seconds) waits for a key for so long, and gives
-- it, or nil.
return function(face, f)
  local active, before = true, {}

  local function enter()
    face.keys(true)
    face:put(OTHER)
  end

  local function leave()
    face.keys(false)
    face:put(BACK)
    face.flush()
  end

  local function listen(name)
    local _, former = loop.on_signal(name, function()
      if active then leave() end
      loop.on_signal(name, before[name])
      csock.kill(csock.getpid(), name) -- SIGTSTP: here it stops, and goes on
      if name == "SIGTSTP" and active then
        listen(name)
        enter()
      end
    end)
    before[name] = former
  end

  enter()
  for _, name in ipairs { "SIGTERM", "SIGHUP", "SIGQUIT", "SIGTSTP" } do listen(name) end
  local _ <close> = internal.guard(function()
    active = false
    for name in pairs(before) do loop.on_signal(name, before[name]) end
    leave()
  end)
  f(function(text) face:put(CLEAR .. text) end, face.key)
end
