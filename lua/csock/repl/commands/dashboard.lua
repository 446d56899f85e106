-- dashboard.lua: the command that shows all in a browser.
local M = {}

-- Whether the session's dashboard is there, at this port (0: any).
local function is_there(dashboard, port)
  local address = dashboard and dashboard.server:getsockname()
  return address and (port == 0 or address.port == port)
end

M.dashboard = {
  usage = "[PORT]", help = "a page for a browser on this machine: sockets, tasks, curves (:close ends its socket)",
  run = function(session, argument)
    local port = argument == "" and 0 or #argument <= 5 and argument:find "^%d+$" and math.tointeger(tonumber(argument))
    if not port or port > 65535 then return nil, "expects a port" end
    if not is_there(session.dashboard, port) then
      local server, address = require "csock.repl.dashboard".start(port)
      if not server then return nil, address end
      session.dashboard = { server = server, address = address }
    end
    session:print(session.dashboard.address)
  end,
}

return M
