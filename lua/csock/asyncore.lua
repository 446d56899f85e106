--- Servers and clients as objects with handlers: Python's `asyncore`.
--
-- A *channel* is a socket with methods that are called when something happens to it. `loop` calls them, for all
-- channels that there are:
--
--     local class = require "csock.class"
--     local asyncore = require "csock.asyncore"
--
--     local Echo = class("Echo", asyncore.dispatcher_with_send)
--     function Echo:handle_read() self:send(assert(self:recv(8192))) end
--
--     local Server = class("Server", asyncore.dispatcher)
--     function Server:__init(host, port)
--       Server.super.__init(self)
--       assert(self:create_socket())
--       self:set_reuse_addr()
--       assert(self:bind(host, port))
--       assert(self:listen(5))
--     end
--     function Server:handle_accepted(sock, addr)
--       print("connected from: " .. addr)
--       Echo(sock)
--     end
--
--     Server("", 8080)
--     asyncore.loop()
--
-- Names and meaning are Python's, with these differences:
--
-- - What the world refuses is nil, an error and its number, as everywhere in csock. `assert` raises the error; one
--   that is raised in a handler goes to `handle_error`, or to `handle_close` when it says that the peer has gone.
-- - Nothing that a peer does can eat memory, or keep the loop busy: what waits to be sent is limited
--   (`max_outgoing`), a listening channel has patience when descriptors run out and outlives an error in
--   `handle_accepted`, and the handlers that are not overridden leave nothing behind that would be reported again.
-- - The loop is csock's own: tasks run beside it, and may use its channels.
-- - A channel is over TLS when its socket is: `context:wrap_socket(self.socket, ...)` (@{csock.ssl}) before `connect`,
--   on one that listens (then what it accepts is over TLS, too), or on a socket without a timeout that is given to
--   `set_socket`. The handshake is made as data is received and sent, and before `handle_connect`; `loop` waits for
--   what TLS needs, whatever that is. A handshake that fails is an error of `recv` or `send`. Where a context's
--   `sni_callback` is a function, `handle_read` calls `self.socket:do_handshake()` until that is done.
--
-- @{csock.asynchat} is for protocols of lines and messages. New programs are written more easily with tasks
-- (@{csock.serve}), in which code needs no handlers; these modules are for those that know Python's.
-- @module csock.asyncore
local dispatchers = require "csock.asyncore.dispatcher"
local errors = require "csock.asyncore.errors"
local files = require "csock.asyncore.files"
local polling = require "csock.asyncore.polling"

-- The very table whose `socket_map` counts, so that a program may put another map there.
local M = polling
M.ExitNow, M.compact_traceback = errors.ExitNow, errors.compact_traceback
M.dispatcher, M.dispatcher_with_send = dispatchers.dispatcher, dispatchers.dispatcher_with_send
M.file_dispatcher, M.file_wrapper = files.file_dispatcher, files.file_wrapper

return M
