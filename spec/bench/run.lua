-- make bench: runs the benches named as arguments, or all: lua spec/bench/run.lua [pingpong ...]
local ALL = {
  "pingpong", "lines", "small", "embed", "loop", "prefork", "five_ways", "tls", "http", "mail", "dashboard",
  "task", "defer",
}

local names = #arg > 0 and arg or ALL
io.stdout:setvbuf "line"
print(("%s; every number is a median\n"):format(_VERSION))
for _, name in ipairs(names) do require("spec.bench." .. name .. ".bench")() end
