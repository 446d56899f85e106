--- Being a service: what programs do that run for a long time and are looked after, by systemd or by nobody.
--
--     local csock = require "csock"
--     local service = require "csock.service"
--
--     local sockets, named = service.listen_fds()
--     local listener = sockets[1] or assert(csock.create_server {"", 80})
--     if csock.geteuid() == 0 then assert(service.drop_privileges {user = "nobody"}) end
--     local server = assert(csock.serve(listener, function(conn) conn:sendall "hello\n" end))
--     csock.loop.on_signal("SIGTERM", function()
--       service.notify "STOPPING=1"
--       csock.spawn(server.close, server, {drain = 10})
--     end)
--     service.watchdog()
--     service.notify {READY = true, STATUS = "serving"}
--     csock.run()
--
-- Without a service manager the same program runs as well: what is told to one is told to nobody then.
--
-- **A restart that keeps its connections.** What the service manager holds for a program (`store`) outlives that:
--
--     local _, named = service.listen_fds()
--     for _, conn in ipairs(named.client or {}) do csock.spawn(handle, conn) end
--     ...
--     service.store(conn, "client") -- once, when it is made; `service.forget "client"` when it has ended
--
-- It needs `FileDescriptorStoreMax=` in the service's unit; and `Type=notify`.
-- @module csock.service
local notify = require "csock.service.notify"
local activation = require "csock.service.activation"

return {
  notify = notify.notify,
  barrier = notify.barrier,
  watchdog = notify.watchdog,
  store = notify.store,
  forget = notify.forget,
  listen_fds = activation.listen_fds,
  drop_privileges = require "csock.service.privileges",
  pidfile = require "csock.service.pidfile",
  daemonize = require "csock.service.daemonize",
}
