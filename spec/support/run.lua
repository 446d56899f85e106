-- Runs busted in this very interpreter: `lua5.4 spec/support/run.lua [busted's options] [specs]`.
-- Distributions' own `busted` script takes whatever `lua` is first in the PATH, or none.
local ok, runner = pcall(require, "busted.runner")
if not ok then
  io.stderr:write("busted is not installed for ", _VERSION, ": make deps\n", runner, "\n")
  os.exit(1)
end
runner { standalone = false, output = "spec/support/output.lua" }
