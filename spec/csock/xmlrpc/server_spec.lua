-- Servers of XML-RPC: what may be called, what is refused, the page.
local class = require "csock.class"
local csock = require "csock"
local http = require "csock.http"
local httpd = require "spec.support.httpd"
local keep = require "spec.support.keep"
local process = require "spec.support.process"
local xmlrpc = require "csock.xmlrpc"

if not pcall(require, "lxp") then
  pending "SimpleXMLRPCServer: no lua-expat"
  return
end

local LIMIT = 10 * process.slowness

-- What a server answers to a call, without a network.
local function ask(server, name, ...)
  local call = xmlrpc.dumps(table.pack(...), { methodname = name, allow_none = true })
  return xmlrpc.loads(server:_marshaled_dispatch(call))
end

local function value_of(server, ...)
  local params, err = ask(server, ...)
  return params and params[1], err
end

local function new(options)
  local dispatcher = xmlrpc.SimpleXMLRPCDispatcher()
  function dispatcher.method_error() end
  for name, value in pairs(options or {}) do dispatcher[name] = value end
  return dispatcher
end

describe("a dispatcher", function()
  it("calls functions and nothing else", function()
    local server = new()
    server:register_function(function(a, b) return a - b end, "sub")
    assert.equal(1, value_of(server, "sub", 3, 2))
    for _, name in ipairs { "", "register_function", "funcs", "__index", "_dispatch", "sub.x", "system.listMethods" } do
      local value, err = value_of(server, name)
      assert.same({ nil, 1 }, { value, err.code }, name)
    end
  end)

  it("gives functions nil for null, and null for nil where that is allowed", function()
    local server = new()
    server:register_function(function(...) return select("#", ...) == 2 and ... == nil end, "two_nils")
    server:register_function(function() end, "nothing")
    assert.is_true(value_of(server, "two_nils", nil, nil))
    local _, err = value_of(server, "nothing")
    assert.matches("allow_none", err.text)
    server.allow_none = true
    assert.equal(xmlrpc.null, value_of(server, "nothing"))
  end)

  it("calls the methods of an object, but for hidden ones and those of its fields", function()
    local Base = class "Base"
    function Base.inherited() return "inherited" end
    local Object = class("Object", Base)
    function Object:own(n) return self.n + n end
    function Object._hidden() return "hidden" end
    local object = Object()
    object.n, object.inner = 1, { f = function() return "inner" end, _g = print }
    local server = new()
    server:register_instance(object)
    server:register_introspection_functions()
    assert.equal(3, value_of(server, "own", 2))
    assert.equal("inherited", value_of(server, "inherited"))
    for _, name in ipairs {
      "_hidden", "__init", "inner.f", "inner", "n", "__class", "__class.own", "super", "super.own", "inner..f",
    } do
      assert.is_nil((value_of(server, name)), name)
    end
    assert.same({ "inherited", "own", "system.listMethods", "system.methodHelp", "system.methodSignature" },
      value_of(server, "system.listMethods"))
    server:register_instance(object, true)
    assert.equal("inner", value_of(server, "inner.f"))
    for _, name in ipairs { "inner._g", "__class.own", "n.rep", "inner.f.x", ".own", "own.", "super.own" } do
      assert.is_nil((value_of(server, name)), name)
    end
  end)

  it("bears an object that raises for names that it has not", function()
    local server = new()
    server:register_instance(setmetatable({ there = function() return 1 end }, {
      __index = function(_, name) error("no field " .. name) end,
    }))
    assert.equal(1, value_of(server, "there"))
    assert.same({ "there" }, server:system_listMethods())
    local value, err = value_of(server, "missing")
    assert.same({ nil, 'method "missing" is not supported' }, { value, err.text })
  end)

  it("asks an object that dispatches itself", function()
    local server = new()
    server:register_instance {
      _dispatch = function(_, name, params) return name .. #params end,
      _listMethods = function() return { "any" } end,
      _methodHelp = function(_, name) return "help for " .. name end,
    }
    server:register_introspection_functions()
    assert.equal("a.b2", value_of(server, "a.b", 1, 2))
    assert.equal("any", value_of(server, "system.listMethods")[1])
    assert.equal("help for any", value_of(server, "system.methodHelp", "any"))
  end)

  it("tells what a function does by the comment above it", function()
    local server = new()
    -- Adds one.
    -- That is all.
    local function increment(n) return n + 1 end
    server:register_function(increment, "increment")
    assert.equal("Adds one.\nThat is all.", server:system_methodHelp "increment")
  end)

  it("tells the client the message of an error alone, and itself the rest", function()
    local told
    local server = new { method_error = function(_, name, err, traceback) told = { name, err, traceback } end }
    server:register_function(function() error "went\0 wrong \xff" end, "f")
    local _, err = value_of(server, "f")
    assert.equal("went? wrong ?", err.text)
    assert.equal("f", told[1])
    assert.matches("server_spec.lua", told[3])
    told = nil
    server:register_function(function() error(xmlrpc.Fault(3, "three")) end, "g")
    _, err = value_of(server, "g")
    assert.same({ 3, "three", nil }, { err.code, err.text, told })
  end)

  it("answers what is no call with a fault", function()
    local server = new()
    for text, code in pairs {
      [""] = xmlrpc.NOT_WELLFORMED_ERROR, ["<a>"] = xmlrpc.NOT_WELLFORMED_ERROR, ["<params/>"] = xmlrpc.INVALID_XMLRPC,
      ["<!DOCTYPE a><methodCall/>"] = xmlrpc.NOT_WELLFORMED_ERROR,
      [xmlrpc.dumps({ 1 }, { methodresponse = true })] = xmlrpc.INVALID_XMLRPC,
      ["<params><param>" .. ("<value><array><data>"):rep(200)] = xmlrpc.INVALID_XMLRPC,
      [xmlrpc.dumps(xmlrpc.Fault(1, "x"))] = xmlrpc.INVALID_XMLRPC,
    } do
      local params, err = xmlrpc.loads(server:_marshaled_dispatch(text))
      assert.same({ nil, code }, { params, err.code }, text)
    end
  end)

  it("makes several calls at once, in a bounded number, and none of itself", function()
    local server = new { allow_none = true }
    server:register_multicall_functions()
    server:register_function(function(n) return n end, "f")
    local function call(name, ...) return { methodName = name, params = xmlrpc.array { ... } } end
    local results = value_of(server, "system.multicall", {
      call("f", 1), call("g"), call("system.multicall", {}), { methodName = "f" }, "x", call "f",
    })
    assert.same({ 1 }, results[1])
    for i = 2, 5 do assert.is_number(results[i].faultCode, i) end
    assert.same({ xmlrpc.null }, results[6])
    local many = {}
    for i = 1, 1001 do many[i] = call("f", i) end
    local _, err = value_of(server, "system.multicall", many)
    assert.matches("more than 1000", err.text)
    _, err = value_of(server, "system.multicall", "x")
    assert.matches("an array", err.text)
  end)
end)

describe("a SimpleXMLRPCServer", function()
  local server

  setup(function()
    server = httpd.start [[
      local xmlrpc = require "csock.xmlrpc"
      local Small = class("Small", xmlrpc.DocXMLRPCRequestHandler)
      Small.max_body = 100000
      local server = assert(xmlrpc.DocXMLRPCServer({ "127.0.0.1", 0 }, Small, { logRequests = false }))
      server:register_function(function(value) return value end, "echo", "Gives <b>back</b>.\nAnything.")
      server:register_function(function() csock.sleep(1000) end, "<script>")
      server:register_introspection_functions()
      server:set_server_title "</title><b>"
      server:set_server_name "A & B"
      server:set_server_documentation "<i>"
      ready(server.server_port)
      server:serve_forever()
    ]]
  end)
  teardown(keep.close)

  local CALL = xmlrpc.dumps({ "hello" }, "echo")

  local function post(body, fields, path)
    fields = fields or {}
    fields["Content-Type"] = fields["Content-Type"] or "text/xml"
    return http.post(("http://127.0.0.1:%d%s"):format(server.port, path or "/RPC2"), {
      data = body, headers = fields, timeout = LIMIT, proxies = false,
    })
  end

  it("answers calls, each connection in a task of its own", function()
    local slow = httpd.dial(server)
    slow:sendall("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\nContent-Length: 1000\r\n\r\n<methodCall>")
    for _, path in ipairs { "/", "/RPC2" } do
      local response = assert(post(CALL, { ["Content-Type"] = "Application/XML; charset=utf-8" }, path))
      assert.equal(200, response.status)
      assert.equal("text/xml", response.headers["content-type"])
      assert.equal("hello", xmlrpc.loads(response.body)[1])
    end
  end)

  it("refuses what is no call", function()
    assert.equal(404, post(CALL, nil, "/other").status)
    for _, kind in ipairs {
      "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=text/xml",
    } do
      assert.equal(415, post(CALL, { ["Content-Type"] = kind }).status)
    end
    assert.equal(501, post(CALL, { ["Content-Encoding"] = "br" }).status)
    assert.equal(413, post(("x"):rep(100001)).status)
    for _, bytes in ipairs {
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\nContent-Length: 99999999999999999999\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\nContent-Length: 1x\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    } do
      assert.matches("^HTTP/1.1 4%d%d ", httpd.ask(server, bytes))
    end
  end)

  it("packs long answers, and unpacks calls, within its limit", function()
    local found, zlib = pcall(require, "zlib")
    if not found then return pending "no lua-zlib" end
    local function pack(text) return (zlib.deflate(9, 31)(text, "finish")) end
    local long = ("x"):rep(50000)
    local response = assert(post(pack(xmlrpc.dumps({ long }, "echo")), { ["Content-Encoding"] = "gzip" }))
    assert.equal("gzip", response.headers["content-encoding"])
    assert.equal(long, xmlrpc.loads(response.body)[1])
    response = assert(post(xmlrpc.dumps({ long }, "echo"), { ["Accept-Encoding"] = "gzip;q=0, identity" }))
    assert.is_nil(response.headers["content-encoding"])
    assert.equal(413, post(pack(("x"):rep(1 << 24)), { ["Content-Encoding"] = "gzip" }).status)
    for _, body in ipairs { "nonsense", pack(CALL):sub(1, -3), pack(CALL) .. "x" } do
      assert.equal(400, post(body, { ["Content-Encoding"] = "gzip" }).status)
    end
  end)

  it("shows a page in which everything is escaped", function()
    local function ask_for(method, path)
      local url = ("http://127.0.0.1:%d%s"):format(server.port, path)
      return assert(http.request(method, url, { timeout = LIMIT, proxies = false }))
    end
    local response = ask_for("GET", "/")
    assert.equal("text/html; charset=utf-8", response.headers["content-type"])
    for _, text in ipairs {
      "<title>&lt;/title&gt;&lt;b&gt;</title>", "<h1>A &amp; B</h1>", "<p>&lt;i&gt;</p>",
      "<strong>echo</strong>(value)", "Gives &lt;b&gt;back&lt;/b&gt;.<br>\nAnything.",
      "<strong>&lt;script&gt;</strong>",
    } do
      assert.is_truthy(response.body:find(text, 1, true), text)
    end
    assert.is_nil(response.body:find "<script>")
    assert.equal(tostring(#response.body), ask_for("HEAD", "/").headers["content-length"])
    assert.equal(404, ask_for("GET", "/x").status)
  end)

  it("sees to one request in the same process, too, by handle_request", function()
    local own = keep(assert(xmlrpc.SimpleXMLRPCServer({ "127.0.0.1", 0 }, { logRequests = false })))
    own:register_function(function() return "here" end, "where")
    csock.run(function()
      csock.spawn(function() own:handle_request() end)
      local proxy <close> = assert(xmlrpc.ServerProxy(("http://127.0.0.1:%d/"):format(own.server_port), {
        timeout = LIMIT, proxies = false,
      }))
      assert.equal("here", proxy.where())
    end)
  end)

  it("raises for wrong arguments", function()
    assert.has_error(function() xmlrpc.SimpleXMLRPCServer({ "127.0.0.1", 0 }, { nonsense = 1 }) end)
    assert.has_error(function() xmlrpc.SimpleXMLRPCServer({ "127.0.0.1", 0 }, { allow_none = 1 }) end)
    assert.has_error(function() new():register_function(print) end)
    assert.has_error(function() new():register_function("x", "x") end)
    assert.has_error(function() new():register_instance(print) end)
  end)
end)

describe("a CGIXMLRPCRequestHandler", function()
  local function run(input, env)
    local program = [[
      local xmlrpc = require "csock.xmlrpc"
      local handler = xmlrpc.CGIXMLRPCRequestHandler()
      handler.max_body = 1000
      handler:register_function(function(value) return value end, "echo")
      handler:handle_request()
    ]]
    local _, out = process.run({ process.interpreter, "-e", program }, { input = input, env = env })
    return out
  end

  it("answers the call on standard input", function()
    local call = xmlrpc.dumps({ 5 }, "echo")
    local out = run(call .. "behind", { REQUEST_METHOD = "POST", CONTENT_LENGTH = tostring(#call) })
    local length, body = out:match "^Status: 200 OK\nContent%-Type: text/xml\nContent%-Length: (%d+)\n\n(.*)$"
    assert.equal(tonumber(length), #body)
    assert.equal(5, xmlrpc.loads(body)[1])
  end)

  it("refuses what is none", function()
    assert.matches("^Status: 400 ", run("", { REQUEST_METHOD = "GET", CONTENT_LENGTH = false }))
    assert.matches("^Status: 411 ", run("", { REQUEST_METHOD = "POST", CONTENT_LENGTH = false }))
    assert.matches("^Status: 411 ", run("", { REQUEST_METHOD = "POST", CONTENT_LENGTH = "1e3" }))
    assert.matches("^Status: 413 ", run("", { REQUEST_METHOD = "POST", CONTENT_LENGTH = "1001" }))
    assert.matches("^Status: 400 ", run("abc", { REQUEST_METHOD = "POST", CONTENT_LENGTH = "4" }))
  end)
end)
