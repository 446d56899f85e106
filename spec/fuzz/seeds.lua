--- Writes what libFuzzer begins with, as files: the cases of the specs. `lua spec/fuzz/seeds.lua DIRECTORY TARGET`
local directory, target, count = assert(arg[1]), assert(arg[2]), 0

local function save(...)
  count = count + 1
  local file <close> = assert(io.open(("%s/%d"):format(directory, count), "wb"))
  assert(file:write(...))
end

local targets = {}

function targets.http()
  for _, list in pairs(require "spec.http.vectors") do
    for _, case in pairs(list) do
      for _, first in ipairs { "\x0f", "\x10" } do save(first, case[1]) end -- see http.c
    end
  end
end

function targets.websocket()
  local f = require "spec.websocket.frames"
  for _, case in pairs(require "spec.websocket.vectors") do
    for first, make in pairs { ["\x13"] = f.masked, ["\x03"] = f.plain } do -- see websocket.c
      local bytes = {}
      for i, frame in ipairs(case[1]) do bytes[i] = make(table.unpack(frame)) end
      save(first, table.concat(bytes))
    end
  end
end

function targets.coding()
  for first = 0, 255, 7 do
    for _, bytes in ipairs { "aGVsbG8=", "a =3D=\r\n b \r\n", "..a\r\n.b\r\n.\r\n", "Zg==Zg", "\0\xff=A" } do
      save(string.char(first), bytes) -- see coding.c
    end
  end
end

targets[target]()
