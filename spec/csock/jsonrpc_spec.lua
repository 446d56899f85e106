-- JSON-RPC: messages, what is refused; with jsonrpclib in both directions. By the module for JSON that is installed;
-- the other one in a process of its own.
local csock = require "csock"
local http_server = require "spec.support.http_server"
local httpd = require "spec.support.httpd"
local jsonrpc = require "csock.jsonrpc"
local keep = require "spec.support.keep"
local process = require "spec.support.process"
local streams = require "spec.support.streams"
local tls = require "spec.support.tls"

local E = csock.errno
local LIMIT = 10 * process.slowness

if not pcall(require, "cjson") and not pcall(require, "dkjson") then
  pending "csock.jsonrpc: neither cjson nor dkjson"
  return
end

local text = require "csock.jsonrpc.text"

local function new()
  local server = jsonrpc.SimpleJSONRPCDispatcher()
  function server.method_error() end
  server:register_function(function(a, b) return a + b end, "add")
  server:register_function(function(...) return ... end, "echo")
  server:register_function(function(...) return select("#", ...) end, "count")
  server:register_function(function() error(jsonrpc.Fault(7, "seven", { more = true })) end, "fail")
  server:register_function(function() error "went wrong" end, "raises")
  server:register_function(function() return print end, "unsendable")
  return server
end

describe("JSON", function()
  it("has each value of Lua's that it can have", function()
    for value, expected in pairs {
      [1] = "1", [math.maxinteger] = "9223372036854775807", [1.5] = "1.5", [0.1] = "0.1", [1e300] = "1e+300",
      [true] = "true", [jsonrpc.null] = "null", [jsonrpc.array()] = "[]", [jsonrpc.struct()] = "{}", ["ä"] = '"ä"',
      [{ 1, { 2 }, jsonrpc.null }] = "[1,[2],null]", [jsonrpc.struct { a = { b = false } }] = '{"a":{"b":false}}',
    } do
      assert.equal(expected, text.encode(value))
    end
    for _, value in ipairs { "\xff", 0 / 0, math.huge, print, { 1, a = 2 }, { [2] = 1 } } do
      assert.is_false(pcall(text.encode, value))
    end
  end)

  it("comes as it was sent, with integers and null", function()
    local value = assert(text.decode '{"a":[1,-2,1.5,1e2,null,true,"\\u00e4"],"b":null}')
    assert.same({ a = { 1, -2, 1.5, 100, jsonrpc.null, true, "ä" }, b = jsonrpc.null }, value)
    assert.equal("integer", math.type(value.a[1]))
    assert.equal("float", math.type(value.a[3]))
    for _, bad in ipairs {
      "", "{", "[1,]", "1 2", "nul", ("["):rep(101) .. ("]"):rep(101), ("["):rep(1000000), "[NaN]",
    } do
      local nothing, err = text.decode(bad)
      assert.is_nil(nothing)
      assert.is_true(csock.is_error(err))
    end
    assert.is_table(text.decode(("["):rep(100) .. ("]"):rep(100)))
  end)

  it("is the same by dkjson", function()
    if not pcall(require, "dkjson") then return pending "no dkjson" end
    local status, out, err = process.run { process.interpreter, "-e", [[
      package.preload.cjson = function() error "absent" end
      local text = require "csock.jsonrpc.text"
      local jsonrpc = require "csock.jsonrpc"
      for _, sent in ipairs { '[]', '{}', '[1,null,{"a":null}]', '9223372036854775807', '"ä"', 'null' } do
        print(text.encode(text.decode(sent)))
      end
      local server = jsonrpc.SimpleJSONRPCDispatcher()
      server:register_function(function(a, b) return a + b end, "add")
      print(server:_marshaled_dispatch '{"jsonrpc":"2.0","method":"add","params":[1,2],"id":1}')
      print(server:_marshaled_dispatch '{"jsonrpc":"2.0","method":"add","params":[1,2]}')
      print(text.decode '[NaN]')
    ]] }
    assert.same({ 0, "" }, { status, err })
    assert.equal('[]\n{}\n[1,null,{"a":null}]\n9223372036854775807\n"ä"\nnull\n'
      .. '{"jsonrpc":"2.0","result":3,"id":1}\nnil\n', out:match "^(.*\nnil\n)nil\t")
  end)
end)

describe("a dispatcher of JSON-RPC", function()
  local server = new()

  it("answers as the specification says", function()
    for sent, expected in pairs {
      ['{"jsonrpc":"2.0","method":"add","params":[1,2],"id":1}'] = '{"jsonrpc":"2.0","result":3,"id":1}',
      ['{"jsonrpc":"2.0","method":"add","params":[1,2],"id":"x"}'] = '{"jsonrpc":"2.0","result":3,"id":"x"}',
      ['{"jsonrpc":"2.0","method":"add","params":[1,2],"id":null}'] = '{"jsonrpc":"2.0","result":3,"id":null}',
      ['{"jsonrpc":"2.0","method":"count","id":1}'] = '{"jsonrpc":"2.0","result":0,"id":1}',
      ['{"jsonrpc":"2.0","method":"count","params":{"a":1},"id":1}'] = '{"jsonrpc":"2.0","result":1,"id":1}',
      ['{"jsonrpc":"2.0","method":"count","params":[null,null],"id":1}'] = '{"jsonrpc":"2.0","result":2,"id":1}',
      ['[{"jsonrpc":"2.0","method":"count","id":1},{"jsonrpc":"2.0","method":"count"}]'] =
        '[{"jsonrpc":"2.0","result":0,"id":1}]',
    } do
      assert.equal(expected, server:_marshaled_dispatch(sent))
    end
    assert.is_nil(server:_marshaled_dispatch '{"jsonrpc":"2.0","method":"add","params":[1,2]}')
    assert.is_nil(server:_marshaled_dispatch '{"jsonrpc":"2.0","method":"missing"}')
    assert.is_nil(server:_marshaled_dispatch '[{"jsonrpc":"2.0","method":"count"}]')
  end)

  local function error_of(sent) return assert(text.decode(server:_marshaled_dispatch(sent))) end

  it("answers what is none with its code", function()
    for sent, code in pairs {
      [""] = -32700, ["{"] = -32700, ["[]"] = -32600, ["{}"] = -32600, ["1"] = -32600, ["null"] = -32600,
      ['"x"'] = -32600, ['{"jsonrpc":"1.0","method":"add","id":1}'] = -32600, ['{"method":"add","id":1}'] = -32600,
      ['{"jsonrpc":"2.0","method":1,"id":1}'] = -32600, ['{"jsonrpc":"2.0","method":"add","params":1,"id":1}'] = -32600,
      ['{"jsonrpc":"2.0","method":"add","params":null,"id":1}'] = -32600,
      ['{"jsonrpc":"2.0","method":"add","id":{}}'] = -32600, ['{"jsonrpc":"2.0","method":"add","id":true}'] = -32600,
      ['{"jsonrpc":"2.0","method":"missing","id":1}'] = -32601, ['{"jsonrpc":"2.0","method":"raises","id":1}'] = -32000,
      ['{"jsonrpc":"2.0","method":"unsendable","id":1}'] = -32603, ['{"jsonrpc":"2.0","method":"fail","id":1}'] = 7,
    } do
      local answer = error_of(sent)
      assert.equal(code, answer.error.code, sent)
      assert.is_string(answer.error.message)
    end
    assert.same({ more = true }, error_of('{"jsonrpc":"2.0","method":"fail","id":1}').error.data)
    assert.same({ -32600, -32600 }, { error_of("[1,2]")[1].error.code, error_of("[1,2]")[2].error.code })
    assert.equal("went wrong", error_of('{"jsonrpc":"2.0","method":"raises","id":1}').error.message)
    assert.equal(-32600, error_of("[" .. ("1,"):rep(1000) .. "1]").error.code)
  end)
end)

describe("a JSON-RPC ServerProxy", function()
  after_each(keep.close)

  local SERVER = [[
    local jsonrpc = require "csock.jsonrpc"
    local server = assert(jsonrpc.SimpleJSONRPCServer({ "127.0.0.1", 0 }, { logRequests = false, ssl_context = ctx }))
    function server.method_error() end
    server:register_function(function(value) return value end, "echo")
    server:register_function(function(a, b) return a + b end, "add")
    server:register_function(function(named) return "hello, " .. named.name end, "greet")
    server:register_function(function() return jsonrpc.array() end, "empty_array")
    server:register_function(function() return jsonrpc.struct() end, "empty_object")
    server:register_function(function() error(jsonrpc.Fault(7, "seven", { more = true })) end, "fail")
    server:register_function(function() error "went wrong" end, "raises")
    server:register_introspection_functions()
    ready(server.server_port)
    server:serve_forever()
  ]]

  local function proxy_to(port, options, scheme)
    options = options or {}
    options.timeout, options.proxies = options.timeout or LIMIT, false
    return keep(assert(jsonrpc.ServerProxy(("%s://localhost:%d/"):format(scheme or "http", port), options)))
  end

  local function check(proxy)
    assert.equal(5, proxy.add(2, 3))
    for _, value in ipairs { 1, -1.5, true, "ä\n", { 1, { 2 } }, { a = { b = jsonrpc.null } }, jsonrpc.null } do
      assert.same(value, (proxy.echo(value)))
    end
    assert.equal(jsonrpc.null, proxy.echo(nil))
    assert.equal("hello, x", proxy.greet(jsonrpc.named { name = "x" }))
    assert.is_true(proxy._notify.add(1, 2))
    local nothing, err, errno = proxy.fail()
    assert.same({ nil, "Fault", 7, "seven", true, E.EPROTO },
      { nothing, err.name, err.code, err.text, err.response.data.more, errno })
    nothing, err = proxy.missing()
    assert.same({ nil, -32601 }, { nothing, err.code })
    assert.equal("add", proxy.system.listMethods()[1])
    local multi = jsonrpc.MultiCall(proxy)
    multi.add(1, 2)
    multi._notify.add(3, 4)
    multi.fail()
    multi.echo "x"
    assert.equal(4, #multi)
    local results, list = assert(multi()), {}
    for i, value, why in results:each() do list[i] = value or why.code end
    assert.same({ 3, 7, "x" }, list)
    assert.equal(0, #assert(multi()))
    multi._notify.add(3, 4)
    assert.equal(0, #assert(multi()))
  end

  for how, run in pairs(streams.ways) do
    it("calls csock's server, " .. how, function()
      local port = httpd.start("local ctx\n" .. SERVER).port
      run(function() check(proxy_to(port)) end)
    end)

    it("calls it over TLS, " .. how, function()
      if tls.missing then return pending(tls.missing) end
      local port = httpd.start(require "spec.support.contexts".SERVER .. SERVER).port
      run(function() check(proxy_to(port, { context = tls.client() }, "https")) end)
    end)
  end

  it("is refused where another site's page could call", function()
    local http = require "csock.http"
    local server = httpd.start("local ctx\n" .. SERVER)
    local response = assert(http.post(("http://127.0.0.1:%d/"):format(server.port), {
      data = '{"jsonrpc":"2.0","method":"add","params":[1,2],"id":1}', headers = { ["Content-Type"] = "text/plain" },
      timeout = LIMIT, proxies = false,
    }))
    assert.equal(415, response.status)
  end)

  local HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
  local function answer(body) return ("%sContent-Length: %d\r\n\r\n%s"):format(HEAD, #body, body) end

  it("tells what is wrong with an answer", function()
    for _, case in ipairs {
      { "ProtocolError", "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n" },
      { "ProtocolError", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1\r\n\r\nx" },
      { "Fault", "HTTP/1.1 400 No\r\nContent-Type: application/json\r\nContent-Length: 70\r\n\r\n"
        .. '{"jsonrpc":"2.0","error":{"code":-32700,"message":"broken"},"id":null}' },
      { "JSONDecodeError", answer "nonsense" }, { "ResponseError", answer "[]" }, { "ResponseError", answer "1" },
      { "ResponseError", answer '{"jsonrpc":"2.0","result":1,"id":2}' },
      { "ResponseError", answer '{"result":1,"id":1}' },
      { "ResponseError", answer '{"jsonrpc":"2.0","id":1}' },
      { "ResponseError", answer '{"jsonrpc":"2.0","error":1,"id":1}' },
      { "ResponseError", "HTTP/1.1 204 No Content\r\n\r\n" },
    } do
      local server = http_server.saying(case[2])
      local value, err = proxy_to(server.port).f()
      server:close()
      assert.is_nil(value)
      assert.equal(case[1], err.name, case[2])
    end
  end)

  it("finds each answer of a batch by its id", function()
    local server = keep(http_server.saying(answer('[{"jsonrpc":"2.0","result":"two","id":2},{"jsonrpc":"2.0",'
      .. '"result":"one","id":1},{"jsonrpc":"2.0","result":"again","id":1},7,{"jsonrpc":"2.0","result":9,"id":99}]')))
    local multi = jsonrpc.MultiCall(proxy_to(server.port))
    for _ = 1, 3 do multi.f() end
    local results = assert(multi())
    assert.equal("one", results:get(1))
    assert.equal("two", results:get(2))
    local value, err = results:get(3)
    assert.same({ nil, "ResponseError" }, { value, err.name })
  end)

  describe("and jsonrpclib:", function()
    local python = "/usr/bin/python3"
    local found = process.run { "sh", "-c", python .. " -c 'import jsonrpclib'" } == 0

    it("its client at csock's server", function()
      if not found then return pending "no python3-jsonrpclib-pelix" end
      local server = httpd.start("local ctx\n" .. SERVER)
      local url = ("http://127.0.0.1:%d/"):format(server.port)
      local status, out, err = process.run({ python, "spec/csock/jsonrpc/client.py", url }, { timeout = 60 })
      assert.same({ 0, "as it should be\n", "" }, { status, out, err })
    end)

    it("csock's client at its server", function()
      if not found then return pending "no python3-jsonrpclib-pelix" end
      local program = keep(process.start { python, "spec/csock/jsonrpc/server.py" })
      local proxy = proxy_to(tonumber(program:expect "port (%d+)"))
      assert.equal(5, proxy.add(2, 3))
      assert.equal("['ä', 1, 1.5, True, None, [], {}, {'a': [1]}, 1099511627776]",
        proxy.shown("ä", 1, 1.5, true, nil, {}, jsonrpc.struct {}, { a = { 1 } }, 1 << 40))
      assert.equal("hello, x", proxy.greet(jsonrpc.named { name = "x" }))
      assert.equal(jsonrpc.null, proxy.echo(nil))
      local nothing, err = proxy.fail(7, "seven")
      assert.same({ nil, 7, "seven" }, { nothing, err.code, err.text })
      nothing, err = proxy.missing()
      assert.same({ nil, -32601 }, { nothing, err.code })
      assert.is_true(proxy._notify.add(1, 2))
      local multi = jsonrpc.MultiCall(proxy)
      multi.add(1, 2)
      multi._notify.add(3, 4)
      multi.echo { "x" }
      local results = assert(multi())
      assert.same({ 3, { "x" } }, { results:get(1), (results:get(2)) })
    end)
  end)
end)
