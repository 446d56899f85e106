-- CGIHTTPRequestHandler: programs that answer (RFC 3875).
local httpd = require "spec.support.httpd"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local serving = require "spec.support.serving"

local ask, get = httpd.ask, httpd.get

local PROGRAMS = {
  env = [[echo "Content-Type: text/plain"; echo; env | sort]],
  echo = [[printf 'Content-Type: text/plain\r\n\r\n'; cat]],
  status = [[printf 'Status: 404 Not Here\nX-A: b\n\n'; echo gone]],
  location = [[printf 'Location: /elsewhere\n\n']],
  length = [[printf 'Content-Length: 5\n\nhello, world']],
  short = [[printf 'Content-Length: 500\n\nhello']],
  garbage = [[echo "no head"; echo; echo x]],
  injection = [[printf 'X: a\rSet-Cookie: b\n\n']],
  name = [[printf 'X Y: a\n\n']],
  framing = [[printf 'Transfer-Encoding: chunked\nConnection: keep-alive\n\nraw']],
  no_content = [[printf 'Status: 204\nContent-Length: 5\n\nhello']],
  not_modified = [[printf 'Status: 304\n\nHTTP/1.1 200 OK\r\n\r\nsmuggled']],
  nothing = [[exit 1]],
  endless = [[printf 'X: '; while :; do printf '%s' yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy; done]],
  slow = [[echo $$ > "${0%/*}/pid"; sleep 1000]],
  flags = [[printf '\n'; for i in 0 1; do grep flags: /proc/$$/fdinfo/$i; done]],
  big = [[printf 'Content-Type: text/plain\n\n'; head -c 1000000 /dev/zero]],
}

describe("CGIHTTPRequestHandler", function()
  local server, root

  setup(function()
    root = assert(posix.mkdtemp())
    assert(os.execute(("mkdir -p '%s/cgi-bin/sub' '%s/other'"):format(root, root)))
    local function write(path, text)
      local file <close> = assert(io.open(root .. "/" .. path, "w"))
      file:write(text)
    end
    for name, text in pairs(PROGRAMS) do write("cgi-bin/" .. name, "#!/bin/sh\n" .. text .. "\n") end
    write("cgi-bin/sub/inner", "#!/bin/sh\nprintf 'X: y\\n\\ninner'\n")
    assert(os.execute(("chmod +x '%s'/cgi-bin/*"):format(root)))
    assert(os.execute(("chmod +x '%s'/cgi-bin/sub/inner"):format(root)))
    write("cgi-bin/plain", "no program")
    write("other/file.txt", "a file")
    assert(os.execute(("ln -s /bin/ls '%s/cgi-bin/link'"):format(root)))
    server = httpd.start(([[
      local Programs = class("Programs", httpserver.CGIHTTPRequestHandler)
      Programs.directory, Programs.protocol_version, Programs.cgi_timeout = %q, "HTTP/1.1", 1
      Programs.max_body = 100000
      function Programs.log_message() end
      serve_class(Programs)
    ]]):format(root))
  end)
  teardown(function()
    keep.close()
    os.execute(("rm -rf '%s'"):format(root))
  end)

  local function post(path, body)
    return table.concat({ "POST " .. path .. " HTTP/1.1", "Host: a", "Connection: close",
      "Content-Length: " .. #body }, "\r\n") .. "\r\n\r\n" .. body
  end

  it("gives a program the request in its environment, and nothing else", function()
    local status, fields, body = get(server, "/cgi-bin/env/more/info%20x?a=b%20c", "X-A: 1", "x-a: 2", "Proxy: evil",
      "Authorization: secret", "X_B: 3", "User-Agent: me", "Content-Type: a/b", "Cookie: c")
    assert.equal(200, status)
    assert.equal("text/plain", fields["content-type"])
    local env = {}
    for name, value in body:gmatch "([^=\n]+)=([^\n]*)" do env[name] = value end
    for name, value in pairs {
      GATEWAY_INTERFACE = "CGI/1.1", REQUEST_METHOD = "GET", SCRIPT_NAME = "/cgi-bin/env", PATH_INFO = "/more/info x",
      PATH_TRANSLATED = root .. "/more/info x", QUERY_STRING = "a=b%20c", REMOTE_ADDR = "127.0.0.1",
      SERVER_NAME = "127.0.0.1", SERVER_PORT = tostring(server.port), SERVER_PROTOCOL = "HTTP/1.1", HTTP_X_A = "1, 2",
      HTTP_USER_AGENT = "me", HTTP_HOST = "a", CONTENT_TYPE = "a/b", HTTP_COOKIE = "c",
    } do
      assert.equal(value, env[name], name)
    end
    for _, name in ipairs { "HTTP_PROXY", "HTTP_AUTHORIZATION", "HTTP_X_B", "HOME", "LUA_PATH", "CONTENT_LENGTH" } do
      assert.is_nil(env[name], name)
    end
  end)

  it("gives it descriptors that wait, also where sockets have a time-out by default", function()
    local other = httpd.start(([[
      local Programs = class("Programs", httpserver.CGIHTTPRequestHandler)
      Programs.directory = %q
      function Programs.log_message() end
      csock.setdefaulttimeout(30)
      serve_class(Programs)
    ]]):format(root))
    local _, _, body = get(other, "/cgi-bin/flags")
    local count = 0
    for flags in body:gmatch "flags:%s*(%d+)" do
      count = count + 1
      assert.equal(0, tonumber(flags, 8) & 2048)
    end
    assert.equal(2, count)
  end)

  it("gives it the body, however that comes", function()
    local long = ("x"):rep(100000)
    assert.is_true(long == ask(server, post("/cgi-bin/echo", long)):match "\r\n\r\n(.*)$")
    assert.matches("\r\n\r\nabcde$", ask(server, "POST /cgi-bin/echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
      .. "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"))
    assert.matches("CONTENT_LENGTH=5\n", ask(server, post("/cgi-bin/env", "abcde")))
    assert.matches("^HTTP/1.1 413 ", ask(server, post("/cgi-bin/echo", long .. "x")))
    assert.matches("^HTTP/1.1 400 ", ask(server, "POST /cgi-bin/echo HTTP/1.1\r\nHost: a\r\n"
      .. "Transfer-Encoding: chunked\r\n\r\nxyz\r\n"))
  end)

  it("passes on the program's status, fields and body", function()
    local status, fields, body = get(server, "/cgi-bin/status")
    assert.same({ 404, "b", "gone\n" }, { status, fields["x-a"], body })
    assert.is_nil(fields.status)
    assert.matches("^HTTP/1.1 404 Not Here\r\n", ask(server, "GET /cgi-bin/status HTTP/1.0\r\n\r\n"))
    status, fields = get(server, "/cgi-bin/location")
    assert.same({ 302, "/elsewhere" }, { status, fields.location })
    assert.equal("hello", select(3, get(server, "/cgi-bin/length")))
    assert.equal("inner", select(3, get(server, "/cgi-bin/sub/inner")))
    assert.equal(1000000, #select(3, get(server, "/cgi-bin/big")))
    assert.matches("\r\n\r\n$", ask(server, "HEAD /cgi-bin/big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
    local bytes = ask(server, "GET /cgi-bin/short HTTP/1.1\r\nHost: a\r\n\r\n")
    assert.matches("Content%-Length: 500\r\n\r\nhello$", bytes)
  end)

  it("leaves the framing to the server", function()
    local _, fields, body = get(server, "/cgi-bin/framing")
    assert.same({ "close", "raw" }, { fields.connection, body })
    assert.is_nil(fields["transfer-encoding"])
  end)

  it("sends nothing behind a status that has no body, where it would be taken for the next answer", function()
    for path, status in pairs { no_content = 204, not_modified = 304 } do
      local stream = keep(httpd.dial(server):makefile "rw")
      local head = " HTTP/1.1\r\nHost: a\r\n\r\n"
      stream:write("GET /cgi-bin/" .. path .. head, "GET /other/file.txt" .. head):flush()
      local got, fields = httpd.read_answer(stream)
      assert.same({ status, nil }, { got, fields["content-length"] })
      assert.equal("a file", select(3, httpd.read_answer(stream)))
    end
  end)

  it("answers 502 where the program says no head", function()
    for _, name in ipairs { "garbage", "injection", "name", "nothing", "endless" } do
      local status, fields = get(server, "/cgi-bin/" .. name)
      assert.equal(502, status, name)
      assert.is_nil(fields["set-cookie"])
    end
  end)

  it("kills a program that takes too long, and leaves no zombies", function()
    assert.equal(504, (get(server, "/cgi-bin/slow")))
    local pid = assert(io.open(root .. "/cgi-bin/pid")):read "n"
    serving.eventually(function() return not io.open(("/proc/%d/stat"):format(pid)) end)
    serving.eventually(function() return next(serving.children(server.pid)) == nil end)
  end)

  it("runs a program, and does not show it, whatever the path looks like", function()
    for _, target in ipairs { "/cgi-bin/status", "//cgi-bin//status", "/%63gi-bin/s%74atus", "/cgi-bin/status/x",
      "http://a/cgi-bin/status", "HTTP://a//cgi-bin/status?http://a/" } do
      local status, _, body = get(server, target)
      assert.same({ 404, "gone\n" }, { status, body }, target)
    end
  end)

  it("runs nothing but programs in its directory", function()
    for path, status in pairs {
      ["/cgi-bin/plain"] = 404, ["/cgi-bin/nowhere"] = 404, ["/cgi-bin/sub"] = 404, ["/cgi-bin/"] = 404,
      ["/cgi-bin/link"] = 404, ["/cgi-bin/../../../bin/ls"] = 404, ["/cgi-bin/%2e%2e/other/file.txt"] = 404,
      ["/cgi-bin/..%2f..%2fbin/ls"] = 404, ["/other/file.txt"] = 200,
    } do
      assert.equal(status, (get(server, path)), path)
    end
    assert.matches("^HTTP/1.1 501 ", ask(server, post("/other/file.txt", "")))
  end)
end)
