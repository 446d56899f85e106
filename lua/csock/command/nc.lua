-- nc.lua: `csock nc`: standard input and output as one end of a connection. When it ends, and which half of it when, is
-- as OpenBSD's nc has it.
local address = require "csock.command.address"
local csock = require "csock"
local failure = require "csock.command.failure"
local loop = require "csock.loop"
local options = require "csock.command.options"
local pump = require "csock.command.pump"
local secure = require "csock.secure"
local tls = require "csock.command.tls"

local M = {
  name = "nc",
  usage = { "[OPTIONS] HOST PORT", "-l [OPTIONS] [HOST] PORT", "[-l] -U [OPTIONS] PATH" },
  about = "Connects standard input and output with a server, or with whoever comes.",
  options = {
    { "-l", key = "listen", help = "wait for a connection; port 0 is any free one" },
    { "-k", key = "keep", help = "with -l: when it has ended, wait for the next one" },
    { "-u", key = "udp", help = "UDP" },
    { "-U", key = "unix", help = "a Unix socket" },
    { "-N", key = "finish", help = "at the end of standard input, tell the peer that nothing more will come" },
    { "-w", "SECONDS", key = "timeout", kind = options.SECONDS,
      help = "give up connecting after so long, and end when nothing has passed for so long" },
    { "-v", key = "verbose", help = "say on standard error what goes on" },
    { "--tls", help = "TLS, verified; with -l --cert is needed" },
    { "--cert", "FILE", help = "with -l --tls: the certificate and those of its authorities (PEM)" },
    { "--key", "FILE", help = "its key, unless that is in the same file" },
  },
  text = {
    "It ends when both sides have ended, with -l when the peer has. A peer that is waiting for the end of what it "
      .. "reads wants -N.",
  },
  operands = { 1, 2 },
}
table.move(tls.CLIENT, 1, #tls.CLIENT, #M.options + 1, M.options)

-- --- one conversation -----------------------------------------------------------------------------

-- Standard output that nobody reads any more ends this as it ends others.
local function fail_at(standard, err, where)
  if where == standard and err.name == "EPIPE" then failure.signal "SIGPIPE" end
  failure.fail("%s%s", where == standard and "standard input or output: " or "", tostring(err))
end

-- Copies both ways until it is over. Raises what has gone wrong.
local function converse(settings, far)
  local near, passed, finished = settings.standard, loop.now(), {}
  local function seen() passed = loop.now() end
  local group <close> = loop.group()

  -- One direction: `after` is what comes when it has ended. A peer that has told that it is over may be gone. (EPIPE is
  -- how the system says that of a peer whose end has come and was not read yet.)
  local function direction(from, to, after)
    local ok, err, where = pump.copy(from, to, seen)
    if not ok and not (to == far and where == far and (finished[far] or err.name == "EPIPE")) then
      fail_at(near, err, where)
    end
    finished[from] = true
    after()
    if finished[near] and finished[far] then group:cancel() end
  end

  group:spawn(direction, near, far, function()
    if settings.finish then far.finish() end
  end)
  group:spawn(direction, far, near, function()
    if settings.listen then group:cancel() end
  end)
  if settings.timeout then
    group:spawn(function()
      repeat
        local left = passed + settings.timeout - loop.now()
      until left <= 0 or not csock.sleep(left)
      group:cancel()
    end)
  end
end

local function say(settings, text, ...)
  if settings.verbose then io.stderr:write("csock nc: ", text:format(...), "\n") end
end

-- --- who connects ---------------------------------------------------------------------------------

-- A UDP socket at this address, by `bind` or `connect`.
local function datagram_socket(place, call)
  local flags = call == "bind" and csock.AI_PASSIVE or 0
  local infos = failure.check(csock.getaddrinfo(place.host ~= "" and place.host or nil, place.port,
    { type = csock.SOCK_DGRAM, flags = flags, family = place.host == "" and csock.AF_INET or 0 }))
  local sock = failure.check(csock.socket(infos[1].family, csock.SOCK_DGRAM))
  failure.check(sock[call](sock, infos[1].addr))
  return sock
end

local function connect(settings, place)
  if settings.udp then
    local sock <close> = datagram_socket(place, "connect")
    say(settings, "sending to %s", address.text_of(sock:getpeername()))
    return converse(settings, pump.datagrams(sock))
  end
  local context = settings.tls and tls.client(settings) or nil
  local sock <close> = failure.check(address.connect(place, settings.timeout, context, context and settings.name))
  sock:settimeout(nil)
  say(settings, "connected to %s", address.text(place))
  converse(settings, pump.connection(sock))
end

-- --- who listens ----------------------------------------------------------------------------------

local GREETING = secure.HANDSHAKE_TIMEOUT

local function attend(settings, context, conn)
  if context then
    secure.cover(context, conn)
    failure.check(secure.greet(conn, GREETING))
  end
  converse(settings, pump.connection(conn))
end

-- A connection that fails does not end what keeps listening.
local function attend_and_keep(settings, context, conn)
  local ok, err = pcall(attend, settings, context, conn)
  if ok then return end
  if not failure.is(err) or err.signal then error(err, 0) end
  say(settings, "%s", err.text)
end

local function listen(settings, place)
  local context = settings.tls and tls.server(settings.cert, settings.key) or nil
  local listener <close> = failure.check(address.listen(place))
  local _ <close> = address.cleaner(place)
  say(settings, "listening on %s", address.text_of(listener:getsockname()))
  repeat
    local conn <close>, from = failure.check(listener:accept())
    say(settings, "connection from %s", address.text_of(from))
    if not settings.keep then listener:close() end
    (settings.keep and attend_and_keep or attend)(settings, context, conn)
  until not settings.keep
end

local function listen_for_datagrams(settings, place)
  local sock <close> = datagram_socket(place, "bind")
  say(settings, "listening on %s", address.text_of(sock:getsockname()))
  if settings.keep then -- from everybody; there is nobody in particular to answer
    local ok, err, where = pump.copy(pump.datagrams(sock), settings.standard)
    if not ok then fail_at(settings.standard, err, where) end
  end
  local _, from = failure.check(sock:recvfrom(1, csock.MSG_PEEK))
  failure.check(sock:connect(from))
  say(settings, "datagrams from %s", address.text_of(from))
  converse(settings, pump.datagrams(sock))
end

-- --- the command line -----------------------------------------------------------------------------

-- Where to; and what does not go together is refused.
local function place_of(found, operands)
  local function excluded(name, others)
    for _, other in ipairs(others) do
      if found[other[1]] then failure.usage("%s and %s do not go together", name, other[2]) end
    end
  end
  if found.udp then excluded("-u", { { "unix", "-U" }, { "tls", "--tls" } }) end
  if found.keep and not found.listen then failure.usage "-k is for -l" end
  if found.tls and found.listen and not found.cert then failure.usage "--tls with -l needs --cert" end
  if found.tls and found.unix and not found.listen and not found.name and not found.insecure then
    failure.usage "--tls with -U needs --name"
  end
  for _, name in ipairs { "cert", "key", "cafile", "insecure", "name" } do
    if found[name] and not found.tls then failure.usage("--%s is for --tls", name) end
  end
  if found.unix then
    if #operands ~= 1 then failure.usage "-U takes a path alone" end
    return { path = operands[1] }
  end
  if #operands == 1 and not found.listen then failure.usage "a host and a port are needed" end
  local host = #operands == 2 and operands[1] or ""
  return { host = host, port = failure.expect(address.port(operands[#operands], found.listen and 0 or 1)) }
end

function M.run(found, operands)
  local place = place_of(found, operands)
  found.standard = pump.standard()
  local serve = found.listen and (found.udp and listen_for_datagrams or listen) or connect
  csock.run(serve, found, place)
end

return M
