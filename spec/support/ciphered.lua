--- Sockets over the toy cipher (cipher.c), for specs: pairs, and a peer in a process of its own.
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
function M.serve()
  local server = assert(csock.serve({ "127.0.0.1", 0 }, function(conn)
    M.wrap(conn)
    local line = ""
    repeat line = line .. assert(conn:recv(1)) until line:sub(-1) == "\n"
    local role, n = line:match "^(%a+) ?(%d*)\n$"
    roles[role](conn, tonumber(n))
  end))
  print(server:getsockname().port)
  io.stdout:flush()
  csock.run()
end

local program = "require('spec.support.ciphered').serve()"

--- Starts a peer; it is kept.
function M.start()
  local peer = process.lua { "-e", program }
  peer.port = tonumber(peer:read_line(M.LIMIT))
  return peer
end

--- A connection to the peer, over the cipher, which does there what `role` says ("source 1000").
function M.dial(peer, role, timeout, options)
  local s = keep((csock.create_connection({ "127.0.0.1", peer.port }, { timeout = M.LIMIT })))
  s:settimeout(timeout)
  M.wrap(s, options)
  if role then assert(s:sendall(role .. "\n")) end
  return s
end

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
