-- attach.lua: `csock attach`.
local M = {
  name = "attach",
  usage = { "PATH" },
  about = "The prompt of a running program that serves one at this Unix socket: csock.repl.serve(PATH).",
  operands = { 1, 1 },
}

function M.run(_, operands) return require "csock.repl".attach(operands[1]) end

return M
