--- Sockets over a transport, for specs: pairs, and a peer in a process of its own. There are two layers, with the same
-- functions: the toy cipher (cipher.c), whose functions are this module's as well, and TLS.
--
--     for _, layer in ipairs(ciphered.layers) do
--       describe("a stream over " .. layer.name, function() ... layer.pair() ... end)
--     end
local contexts = require "spec.support.contexts"
local csock = require "csock"
local cipher = require "spec.support.cipher"
local keep = require "spec.support.keep"
local process = require "spec.support.process"

local M = { cipher = cipher }

--- Seconds that nothing here takes.
M.LIMIT = 10 * process.slowness

--- `n` bytes in which a lost, doubled or misplaced one is noticed.
function M.pattern(n)
  local parts = {}
  for i = 1, n // 8 + 1 do parts[i] = ("%07d\n"):format(i) end
  return table.concat(parts):sub(1, n)
end

--- Puts a TCP socket over the cipher.
function M.wrap(s, options)
  assert(s:setsockopt(csock.IPPROTO_TCP, csock.TCP_NODELAY, 1)) -- its records are small, and many
  return assert(cipher.wrap(s, options))
end

--- A connected pair over TCP, both ends over the cipher.
function M.pair(options)
  local listener <close> = assert(csock.create_server { "127.0.0.1", 0 })
  local a = keep((csock.create_connection(listener:getsockname(), { timeout = M.LIMIT })))
  local b = keep((assert(listener:accept())))
  a:settimeout(nil)
  return M.wrap(a, options), M.wrap(b, options)
end

--- The layers: `name`; `wrap(s)`, for a server's socket; `wrap_client(s)`; `pair()`; `start()`, `dial(peer, role,
-- timeout)`: see below; `cut`: the name of the error where the end was not said; `reads_to_write`: whether that happens
-- behind a handshake. Options are the cipher's alone.
local over_cipher = {
  name = "a transport", wrap = M.wrap, wrap_client = M.wrap, pair = M.pair, cut = "NO_GOODBYE", reads_to_write = true,
}
local over_tls = { name = "TLS", cut = "UNEXPECTED_EOF_WHILE_READING" }
M.layers = { over_cipher, not contexts.missing and over_tls or nil }

local shared = {} -- contexts

-- The handshake is made by the first use: both ends may be this process's.
local function wrap_by(side, s, hostname)
  shared[side] = shared[side] or contexts[side]()
  return assert(shared[side]:wrap_socket(s, { server_hostname = hostname, do_handshake_on_connect = false }))
end

function over_tls.wrap(s) return wrap_by("server", s) end
function over_tls.wrap_client(s) return wrap_by("client", s, "localhost") end

function over_tls.pair()
  local a, b = require("spec.support.tls").pair()
  a:settimeout(nil)
  b:settimeout(nil)
  return a, b
end

--- What a peer does that was sent this word and a number, in a line.
local roles = {}

-- Sends lines back in capitals.
function roles.lines(conn)
  local stream <close> = assert(conn:makefile "rw")
  for line in stream:lines "L" do
    assert(assert(stream:write(line:upper())):flush())
  end
end

function roles.echo(conn)
  while true do
    local data = assert(conn:recv(1000))
    if data == "" then break end
    assert(conn:sendall(data))
  end
end

-- Sends so many bytes.
function roles.source(conn, n)
  assert(conn:sendall(M.pattern(n)))
  assert(conn:shutdown(csock.SHUT_WR))
  assert(conn:recv(1) == "")
end

-- Takes all, and says whether it was the pattern.
function roles.sink(conn)
  local stream <close> = assert(conn:makefile "r")
  local data = assert(stream:read "a")
  assert(conn:sendall(("%d %s\n"):format(#data, data == M.pattern(#data) and "right" or "wrong")))
end

--- The peer's program.
function M.serve(name)
  local layer = name == over_tls.name and over_tls or over_cipher
  local server = assert(csock.serve({ "127.0.0.1", 0 }, function(conn)
    layer.wrap(conn)
    local line = ""
    repeat line = line .. assert(conn:recv(1)) until line:sub(-1) == "\n"
    local role, n = line:match "^(%a+) ?(%d*)\n$"
    roles[role](conn, tonumber(n))
  end))
  print(server:getsockname().port)
  io.stdout:flush()
  csock.run()
end

local program = "require('spec.support.ciphered').serve(%q)"

for _, layer in ipairs { over_cipher, over_tls } do
  --- Starts a peer; it is kept.
  function layer.start()
    local peer = process.lua { "-e", program:format(layer.name) }
    peer.port = tonumber(peer:read_line(M.LIMIT))
    return peer
  end

  --- A connection to the peer, which does there what `role` says ("source 1000").
  function layer.dial(peer, role, timeout, options)
    local s = keep((csock.create_connection({ "127.0.0.1", peer.port }, { timeout = M.LIMIT })))
    s:settimeout(timeout)
    layer.wrap_client(s, options)
    if role then assert(s:sendall(role .. "\n")) end
    return s
  end
end
M.start, M.dial = over_cipher.start, over_cipher.dial

--- Runs f in a task, with the loop for it, and raises its error.
function M.in_task(f, ...)
  local ok, err = false, "it took too long"
  local args = table.pack(...)
  csock.run(function()
    local task = csock.spawn(function()
      ok, err = xpcall(f, debug.traceback, table.unpack(args, 1, args.n))
    end)
    task:join(2 * M.LIMIT)
    task:cancel()
    keep.close()
    csock.loop.stop()
  end)
  if not ok then error(err, 0) end
end

return M
