-- proxy.lua: `csock proxy`: stands between clients and a server, and tells what passes.
local address = require "csock.command.address"
local csock = require "csock"
local failure = require "csock.command.failure"
local hex = require "csock.repl.hex"
local loop = require "csock.loop"
local options = require "csock.command.options"
local pump = require "csock.command.pump"
local tls = require "csock.command.tls"

local M = {
  name = "proxy",
  usage = { "[OPTIONS] LISTEN TARGET" },
  about = "Passes on what comes at one address to another, both ways, and tells of each connection.",
  options = {
    { "-t", "--trace", help = "print what passes, as hexadecimal and text, with times; > is to the target" },
    { "-w", "SECONDS", key = "timeout", kind = options.SECONDS,
      help = "give up connecting to the target after so long" },
    { "--tls-listen", "CERT", "KEY", help = "TLS for those who come, with this certificate and key (PEM)" },
    { "--tls-target", help = "TLS to the target, verified" },
  },
  text = {
    "An address is PORT, :PORT, HOST:PORT, [IPV6]:PORT or unix:PATH; without a host: to listen at every address, to "
      .. "connect to localhost. Times are seconds since the start. Under TLS what is printed is what the two say, not "
      .. "what is on the wire.",
  },
  operands = { 2, 2 },
}
table.move(tls.CLIENT, 1, #tls.CLIENT, #M.options + 1, M.options)

-- --- what it says ---------------------------------------------------------------------------------

local Proxy = {}
Proxy.__index = Proxy

function Proxy:head(id, text, ...)
  return ("%11.6f #%d "):format(loop.now() - self.start, id) .. text:format(...)
end

-- Waits until it is taken: what cannot be printed that fast passes more slowly.
function Proxy:print(line)
  local ok, err = self.output.write(line .. "\n")
  if ok then return end
  self.failed = err -- nobody hears of anything any more
  loop.stop()
end

function Proxy:say(...) self:print(self:head(...)) end

-- What notes the bytes of one direction.
function Proxy:meter(id, sign, counts)
  counts[sign] = 0
  return function(data)
    counts[sign] = counts[sign] + #data
    if self.trace then self:print(hex.dump(self:head(id, sign), data, #data)) end
  end
end

-- --- a connection ---------------------------------------------------------------------------------

-- Passes on both directions, each until its end, which is passed on, too. The first error, which ends both.
local function pass(client, target, seen_up, seen_down)
  local failed
  do
    local group <close> = loop.group()
    local function direction(from, to, seen)
      local ok, err = pump.copy(from, to, seen)
      if ok then ok, err = to.finish() end
      if ok then return end
      failed = failed or err
      group:cancel()
    end
    group:spawn(direction, client, target, seen_up)
    group:spawn(direction, target, client, seen_down)
  end
  return failed
end

function Proxy:serve(conn, from)
  self.count = self.count + 1
  local id, began = self.count, loop.now()
  self:say(id, "from %s", address.text_of(from))
  local target <close>, err = address.connect(self.target, self.timeout, self.context, self.name)
  if not target then return self:say(id, "no connection to the target: %s", err) end
  target:settimeout(nil)
  local counts = {}
  local failed = pass(pump.connection(conn), pump.connection(target), self:meter(id, ">", counts),
    self:meter(id, "<", counts))
  self:say(id, "closed after %.3f s: %d bytes >, %d bytes <%s", loop.now() - began, counts[">"], counts["<"],
    failed and ": " .. tostring(failed) or "")
end

-- --- the command line -----------------------------------------------------------------------------

function M.run(found, operands)
  local from = failure.expect(address.parse(operands[1]))
  local to = failure.expect(address.parse(operands[2], 1))
  for _, name in ipairs { "cafile", "insecure", "name" } do
    if found[name] and not found.tls_target then failure.usage("--%s is for --tls-target", name) end
  end
  if found.tls_target and to.path and not found.name and not found.insecure then
    failure.usage "--tls-target with unix: needs --name"
  end
  local proxy = setmetatable({
    count = 0, start = loop.now(), output = pump.standard(), trace = found.trace,
    target = to, timeout = found.timeout, name = found.name, context = found.tls_target and tls.client(found) or nil,
  }, Proxy)
  local listener = failure.check(address.listen(from))
  local _ <close> = address.cleaner(from)
  local server <close> = csock.serve(listener, function(conn, who) proxy:serve(conn, who) end, {
    ssl = found.tls_listen and tls.server(table.unpack(found.tls_listen)) or nil,
    handshake_failed = function(err, who)
      proxy.count = proxy.count + 1
      proxy:say(proxy.count, "from %s: %s", address.text_of(who), err)
    end,
  })
  failure.check(proxy.output.write(("listening on %s, passing on to %s\n"):format(
    address.text_of(server:getsockname()), address.text(to))))
  csock.run()
  if proxy.failed.name == "EPIPE" then failure.signal "SIGPIPE" end
  failure.fail("standard output: %s", tostring(proxy.failed))
end

return M
