--- Writes what libFuzzer begins with, as files: the cases of the specs. `lua spec/fuzz/seeds.lua DIRECTORY`
local vectors = require "spec.http.vectors"

local directory, count = assert(arg[1]), 0
for _, list in pairs(vectors) do
  for _, case in pairs(list) do
    for _, first in ipairs { "\x0f", "\x10" } do -- see http.c
      count = count + 1
      local file <close> = assert(io.open(("%s/%d"):format(directory, count), "wb"))
      assert(file:write(first, case[1]))
    end
  end
end
