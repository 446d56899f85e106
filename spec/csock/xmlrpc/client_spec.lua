-- Clients of XML-RPC: what they send, and servers that answer badly.
local csock = require "csock"
local http_server = require "spec.support.http_server"
local keep = require "spec.support.keep"
local streams = require "spec.support.streams"
local process = require "spec.support.process"
local xmlrpc = require "csock.xmlrpc"

if not pcall(require, "lxp") then
  pending "a ServerProxy: no lua-expat"
  return
end

local E = csock.errno
local LIMIT = 10 * process.slowness

local FIVE = xmlrpc.dumps({ 5 }, { methodresponse = true })
local HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n"

local function answer(body) return ("%sContent-Length: %d\r\n\r\n%s"):format(HEAD, #body, body) end

local function proxy_to(server, options, path, login)
  options = options or {}
  options.timeout, options.proxies = options.timeout or LIMIT, false
  local url = ("http://%s127.0.0.1:%d%s"):format(login or "", server.port, path or "")
  return keep(assert(xmlrpc.ServerProxy(url, options)))
end

local function serving(body)
  return keep(http_server.start(function(conn)
    while conn:request() do conn:send(answer(body)) end
  end))
end

describe("a ServerProxy", function()
  after_each(keep.close)

  for how, run in pairs(streams.ways) do
    it("posts calls over one kept connection, " .. how, function()
      local server = keep(http_server.start(function(conn, number)
        while conn:request() do conn:send(answer(xmlrpc.dumps({ number }, { methodresponse = true }))) end
      end))
      run(function()
        local proxy = proxy_to(server, { headers = { ["X-A"] = "b" } }, "", "joe:se%20cret@")
        for i = 1, 3 do assert.equal(1, proxy.some.method(i, "x")) end
      end)
      local text = server:request()
      assert.matches("^POST /RPC2 HTTP/1.1\r\n", text)
      for _, field in ipairs {
        "Content%-Type: text/xml", "Authorization: Basic am9lOnNlIGNyZXQ=", "X%-A: b", "Host: 127.0.0.1:%d+",
      } do
        assert.matches("\r\n" .. field .. "\r\n", text)
      end
      local params, method = xmlrpc.loads(text:match "\r\n\r\n(.*)$")
      assert.same({ { 1, "x" }, "some.method" }, { params, method })
    end)

    it("tells what is wrong with an answer, " .. how, function()
      local deep = ("<params><param>%s"):format(("<value><array><data>"):rep(200))
      local cases = {
        { "ProtocolError", E.EPROTO, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n" },
        { "ProtocolError", E.EPROTO, "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n" },
        { "ProtocolError", E.EPROTO, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1\r\n\r\nx" },
        { "ResponseError", E.EBADMSG, answer "" },
        { "ResponseError", E.EBADMSG, answer "<methodResponse>" },
        { "ResponseError", E.EBADMSG, answer(FIVE:sub(1, -10)) },
        { "ResponseError", E.EBADMSG, answer(xmlrpc.dumps({ 1 }, "call")) },
        { "ResponseError", E.EBADMSG, answer '<!DOCTYPE a [<!ENTITY a "b">]><params/>' },
        { "TooLarge", E.EMSGSIZE, answer(deep) },
        { "Fault", E.EPROTO, answer(xmlrpc.dumps(xmlrpc.Fault(1, "one"))) },
        { nil, E.EMSGSIZE, answer(FIVE .. (" "):rep(100000)) },
        { nil, E.EMSGSIZE, ("%sContent-Length: 99999999999\r\n\r\n<a"):format(HEAD) },
        { nil, E.EBADMSG, ("%sContent-Length: 1000\r\n\r\n%s"):format(HEAD, FIVE) },
        { nil, E.EBADMSG, ("%sContent-Length: -1\r\n\r\n%s"):format(HEAD, FIVE) },
        { nil, E.EBADMSG, ("%sTransfer-Encoding: chunked\r\n\r\nzz\r\n"):format(HEAD) },
        { nil, nil, "" }, { nil, nil, "nonsense\r\n\r\n" },
      }
      for i, case in ipairs(cases) do
        for _, size in ipairs { 1, 100000 } do
          if size > 1 or #case[3] < 1000 then
            local server = http_server.saying(case[3], size)
            run(function()
              local proxy = proxy_to(server, { limit = 50000 })
              local value, err, errno = proxy.f()
              assert.is_nil(value)
              assert.is_true(csock.is_error(err), i)
              if case[1] then assert.equal(case[1], err.name) end
              if case[2] then assert.equal(case[2], errno, i) end
              if case[1] == "ProtocolError" then assert.equal(err.code, err.response.status) end
            end)
            server:close()
          end
        end
      end
    end)

    it("does not wait longer than its timeout, also for an answer without end, " .. how, function()
      local silent = keep(http_server.start(function(conn)
        conn:request()
        conn:send(HEAD .. "\r\n<params>")
        while conn:send(" ") do csock.sleep(0.02) end
      end))
      run(function()
        local before = csock.now()
        local value, _, errno = proxy_to(silent, { timeout = 0.2 }).f()
        assert.same({ nil, E.ETIMEDOUT }, { value, errno })
        assert.is_true(csock.now() - before < LIMIT / 2)
      end)
    end)
  end

  it("serves many tasks at once", function()
    local server = serving(FIVE)
    local proxy, sum = proxy_to(server), 0
    csock.run(function()
      local group <close> = csock.loop.group()
      for _ = 1, 20 do
        group:spawn(function()
          local value = assert(proxy.f())
          sum = sum + value
        end)
      end
      group:join()
    end)
    assert.equal(100, sum)
  end)

  it("packs what it sends, where that is asked for, and unpacks what comes", function()
    local found, zlib = pcall(require, "zlib")
    if not found then return pending "no lua-zlib" end
    local text = xmlrpc.dumps({ ("x"):rep(10000) }, { methodresponse = true })
    local packed = zlib.deflate(6, 31)(text, "finish")
    local server = keep(http_server.start(function(conn)
      conn:request()
      conn:send(("%sContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s"):format(HEAD, #packed, packed))
    end))
    assert.equal(("x"):rep(10000), proxy_to(server, { gzip = true }).f(("y"):rep(10000)))
    local request = server:request()
    assert.matches("\r\nContent%-Encoding: gzip\r\n", request)
    assert.is_true(#request < 1000)
    assert.equal(("y"):rep(10000), xmlrpc.loads((zlib.inflate(31)(request:match "\r\n\r\n(.*)$")))[1])
  end)

  it("ends a packed answer that grows over the limit", function()
    local found, zlib = pcall(require, "zlib")
    if not found then return pending "no lua-zlib" end
    local packed = zlib.deflate(9, 31)(("x"):rep(1 << 24), "finish")
    local server = keep(http_server.saying(("%sContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s"):format(HEAD,
      #packed, packed)))
    local value, _, errno = proxy_to(server, { limit = 1 << 20 }).f()
    assert.same({ nil, E.EMSGSIZE }, { value, errno })
  end)

  it("raises for what is the caller's mistake, before anything is sent", function()
    local proxy = keep(assert(xmlrpc.ServerProxy "http://127.0.0.1:1/a?b"))
    local function complains(pattern, f)
      local ok, err = pcall(f)
      assert.is_false(ok)
      assert.matches("client_spec.lua:%d+: .*" .. pattern, err)
    end
    complains("write .add%(...%)", function() proxy:add(1) end)
    complains("write .a.b%(...%)", function() proxy.a:b(1) end)
    complains("cannot be assigned", function() proxy.x = 1 end)
    complains("nil cannot be sent", function() proxy.f(nil) end)
    complains("a function cannot be sent", function() proxy.f(print) end)
    complains("unknown option", function() xmlrpc.ServerProxy("http://h/", { nonsense = 1 }) end)
    complains("http or https", function() xmlrpc.ServerProxy "ftp://h/" end)
    complains("ServerProxy expected", function() xmlrpc.MultiCall {} end)
    assert.equal("<ServerProxy for http://127.0.0.1:1/a?b>", tostring(proxy))
    assert.equal("<ServerProxy for http://h/RPC2>", tostring(xmlrpc.ServerProxy "http://me:secret@h"))
    assert.is_nil((xmlrpc.ServerProxy "http://[/"))
    local value, _, errno = proxy.f()
    assert.same({ nil, E.ECONNREFUSED }, { value, errno })
  end)

  it("leaves a session of others open", function()
    local http = require "csock.http"
    local session = keep(http.Session { timeout = LIMIT, proxies = false })
    local server = serving(FIVE)
    local proxy = assert(xmlrpc.ServerProxy(server.url, { session = session }))
    assert.equal(5, proxy.f())
    assert.is_true(proxy "close"())
    assert.equal(1, #session.pool.list)
    assert.equal(session, proxy "transport"())
  end)
end)

describe("a MultiCall", function()
  after_each(keep.close)

  it("does not believe results that are none", function()
    for _, list in ipairs {
      { 1 }, { { 1 } }, { { 1 }, { 1, 2 } }, { { 1 }, {} }, { { 1 }, "x" }, { { 1 }, { a = 1 } },
    } do
      local multi = xmlrpc.MultiCall(proxy_to(serving(xmlrpc.dumps({ list }, { methodresponse = true }))))
      multi.a()
      multi.b()
      assert.equal(2, #multi)
      local results, err = multi()
      if results then
        assert.equal(1, results:get(1))
        local value, why = results:get(2)
        assert.same({ nil, "ResponseError" }, { value, why.name })
        assert.has_error(function() results:get(3) end)
      else
        assert.equal("ResponseError", err.name)
      end
      assert.equal(0, #multi)
    end
  end)
end)
