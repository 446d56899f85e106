-- dashboard.lua: the command that shows all in a browser.
local M = {}

M.dashboard = {
  usage = "[PORT]", help = "a page for a browser on this machine: sockets, tasks, curves (:close ends its socket)",
  run = function(session, argument)
    local port = argument == "" and 0 or #argument <= 5 and argument:find "^%d+$" and math.tointeger(tonumber(argument))
    if not port then return nil, "expects a port" end
    local server, address = require "csock.repl.dashboard".start(port)
    if not server then return nil, address end
    session:print(address)
  end,
}

return M
