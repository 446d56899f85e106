-- help.lua: `csock help`.
local failure = require "csock.command.failure"

local M = {
  name = "help",
  usage = { "[NAME]" },
  about = "Tells what a command or a name of csock's is, such as nc, csock.spawn, socket:recv.",
  operands = { 0, 1 },
}

function M.run(_, operands)
  local options, command = require "csock.command.options", require "csock.command"
  local name = operands[1]
  if not name then
    io.write(options.help(command.itself, command.commands()))
    return
  end
  for _, known in ipairs(command.commands()) do
    if known.name == name then
      io.write(options.help(known))
      return
    end
  end
  local text = require "csock.help".text(name)
  if not text then failure.fail("nothing is known of '%s'", name) end
  print((text:gsub("\n$", "")))
end

return M
