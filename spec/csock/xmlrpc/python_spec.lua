-- XML-RPC with Python: its client at csock's server, csock's client at its server, types for types.
local csock = require "csock"
local httpd = require "spec.support.httpd"
local keep = require "spec.support.keep"
local process = require "spec.support.process"
local python = require "spec.support.python"
local trials = require "spec.support.random"
local streams = require "spec.support.streams"
local tls = require "spec.support.tls"
local xmlrpc = require "csock.xmlrpc"

if not python.name or not pcall(require, "lxp") then
  pending "XML-RPC with Python: no Python 3.11, or no lua-expat"
  return
end

local LIMIT = 10 * process.slowness

local SERVER = [[
  local xmlrpc = require "csock.xmlrpc"
  local Object = class "Object"
  function Object:method(n) return n + self.one end
  function Object._hidden() return 1 end
  local server = assert(xmlrpc.SimpleXMLRPCServer({ "127.0.0.1", 0 }, {
    logRequests = false, allow_none = true, ssl_context = ctx,
  }))
  function server.method_error() end
  server:register_function(function(value) return value end, "echo")
  server:register_function(function(a, b) return a + b end, "add", "Adds two numbers.")
  server:register_function(function() return 1 << 40 end, "big")
  server:register_function(function() end, "nothing")
  server:register_function(function(...) return select("#", ...) end, "count")
  server:register_function(function(code, text) error(xmlrpc.Fault(code, text)) end, "fail")
  server:register_function(function() error "went wrong" end, "raises")
  server:register_function(function() return nil, "no, thank you" end, "refuses")
  server:register_function(function() return print end, "unsendable")
  local object = Object()
  object.one = 1
  server:register_instance({ object = object }, true)
  server:register_introspection_functions()
  server:register_multicall_functions()
  ready(server.server_port)
  server:serve_forever()
]]

describe("Python's xmlrpc.client at csock's server", function()
  after_each(keep.close)

  local function run(server, scheme, ...)
    local url = ("%s://localhost:%d/"):format(scheme, server.port)
    local status, out, err = process.run({ python.name, "spec/csock/xmlrpc/client.py", url, ... }, { timeout = 60 })
    assert.same({ 0, "as it should be\n", "" }, { status, out, err })
  end

  it("gets what it gets from Python's own", function() run(httpd.start("local ctx\n" .. SERVER), "http") end)

  it("does so over TLS", function()
    if tls.missing then return pending(tls.missing) end
    local contexts = require "spec.support.contexts"
    run(httpd.start(contexts.SERVER .. SERVER), "https", tls.certificates.ca.cert)
  end)
end)

describe("csock's client at Python's xmlrpc.server", function()
  after_each(keep.close)

  local function start(...)
    local program = keep(process.start { python.name, "spec/csock/xmlrpc/server.py", ... })
    return tonumber(program:expect "port (%d+)")
  end

  local function proxy_to(port, options, scheme)
    options = options or {}
    options.timeout, options.allow_none, options.proxies = LIMIT, true, false
    return keep(xmlrpc.ServerProxy(("%s://localhost:%d/"):format(scheme or "http", port), options))
  end

  local function check(proxy)
    assert.equal(5, proxy.add(2, 3))
    assert.equal("['a<&>\"', 'ü€', 1, -1, 1.5, 1.0, True, False, None, [], {}, {a: [1]}, 1099511627776]",
      proxy.shown('a<&>"', "ü€", 1, -1, 1.5, 1.0, true, false, nil, {}, xmlrpc.struct {}, { a = { 1 } }, 1 << 40))
    assert.equal("[Binary b'\\x00\\xff', DateTime 19980717T14:08:55]",
      proxy.shown(xmlrpc.Binary "\0\xff", xmlrpc.DateTime "19980717T14:08:55"))
    assert.equal("['a\\r\\nb\\r']", proxy.shown "a\r\nb\r")
    assert.equal(xmlrpc.null, proxy.echo(nil))
    local nothing, err, errno = proxy.fail(7, "seven <&>")
    assert.is_nil(nothing)
    assert.same({ "Fault", 7, "seven <&>", csock.errno.EPROTO }, { err.name, err.code, err.text, errno })
    nothing, err = proxy.missing()
    assert.is_nil(nothing)
    assert.matches("is not supported", err.text)
    local names = assert(proxy.system.listMethods())
    assert.equal("add echo fail shown system.listMethods system.methodHelp system.methodSignature system.multicall",
      table.concat(names, " "))
    local multi = xmlrpc.MultiCall(proxy)
    multi.add(1, 2)
    multi.fail(3, "three")
    multi.echo(nil)
    multi.echo { 1 }
    local results = assert(multi())
    assert.equal(4, #results)
    assert.equal(3, results:get(1))
    assert.equal(3, select(2, results:get(2)).code)
    assert.equal(xmlrpc.null, results:get(3))
    assert.same({ 1 }, results:get(4))
  end

  for how, run in pairs(streams.ways) do
    it("gets types for types, " .. how, function()
      local port = start()
      run(function() check(proxy_to(port)) end)
    end)

    it("does so over TLS, " .. how, function()
      if tls.missing then return pending(tls.missing) end
      local port = start(tls.certificates.good.cert, tls.certificates.good.key)
      run(function() check(proxy_to(port, { context = tls.client() }, "https")) end)
    end)
  end

  it("gets back any value that it has sent", function()
    local random = trials.generator(5)
    local function value(depth)
      local kind = random(depth > 4 and 7 or 9)
      if kind == 1 then return random(1 << 31) - (1 << 30) end
      if kind == 2 then return random(1 << 31) / random(1000) end
      if kind == 3 then return random(2) == 1 end
      if kind == 4 then return xmlrpc.Binary(("x"):rep(random(9) - 1) .. string.char(random(256) - 1)) end
      if kind == 5 then return xmlrpc.null end
      if kind < 8 then
        local list, odd = {}, { 9, 10, 0xfc, 0x20ac, 0x1f600 } -- not 13: what Python sends has line feeds then
        for i = 1, random(6) - 1 do list[i] = utf8.char(random(2) == 1 and random(94) + 32 or odd[random(5)]) end
        return table.concat(list)
      end
      local list = kind == 8 and xmlrpc.array() or xmlrpc.struct()
      for i = 1, random(5) - 1 do list[kind == 8 and i or "n" .. i] = value(depth + 1) end
      return list
    end
    local values = xmlrpc.array()
    for i = 1, 2000 do values[i] = value(0) end
    local returned = assert(proxy_to(start()).echo(values))
    assert.same(values, returned)
  end)
end)
