-- HTTP over TLS, with a client of csock's and with curl.
local contexts = require "spec.support.contexts"
local csock = require "csock"
local httpd = require "spec.support.httpd"
local keep = require "spec.support.keep"
local process = require "spec.support.process"
local certificates = require "spec.support.certificates"

if contexts.missing then
  pending("httpserver over TLS: " .. contexts.missing)
  return
end

local SERVER = [[
  local big = ("0123456789"):rep(200000)
  serve(function(request)
    if request.path == "/big" then return 200, nil, big end
    if request.path == "/pieces" then
      local n = 0
      return 200, nil, function()
        n = n + 1
        return n < 4 and ("x"):rep(50000) or nil
      end
    end
    if request.path == "/file" then
      local file = io.open "CHANGELOG.md"
      return 200, nil, file, file
    end
    return 200, nil, "secret " .. assert(request.body:read "a")
  end, { ssl = ctx })
  csock.run()
]]

describe("httpserver.serve over TLS", function()
  local server
  setup(function() server = httpd.start(contexts.SERVER .. SERVER) end)
  teardown(keep.close)

  local function dial()
    return keep(assert(csock.create_connection({ "localhost", server.port },
      { ssl = contexts.client(), timeout = httpd.LIMIT })))
  end

  it("answers, also with what is large, in pieces and from files", function()
    local socket = dial()
    socket:settimeout(httpd.LIMIT)
    local stream = keep(socket:makefile())
    for path, expected in pairs {
      ["/"] = "secret abc", ["/big"] = ("0123456789"):rep(200000), ["/pieces"] = ("x"):rep(150000),
      ["/file"] = io.open "CHANGELOG.md":read "a",
    } do
      socket:sendall("POST " .. path .. " HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
      local status, _, body = httpd.read_answer(stream)
      assert.equal(200, status)
      assert.is_true(expected == body, path)
    end
  end)

  it("refuses what is no HTTP, and the client reads that", function()
    local socket = dial()
    socket:settimeout(httpd.LIMIT)
    socket:sendall "nonsense\r\n\r\n"
    assert.matches("^HTTP/1.1 400 ", httpd.rest(socket))
  end)

  it("closes connections that do not speak TLS, and goes on", function()
    local plain = httpd.dial(server)
    plain:sendall "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    assert.not_matches("secret", httpd.rest(plain))
    local socket = dial()
    socket:sendall "GET / HTTP/1.0\r\n\r\n"
    assert.matches("secret", httpd.rest(socket))
  end)

  it("is what curl takes for https", function()
    if not os.execute "command -v curl >/dev/null 2>&1" then return pending "no curl" end
    local status, out = process.run { "curl", "-s", "--cacert", certificates.ca.cert, "-d", "abc",
      ("https://localhost:%d/"):format(server.port) }
    assert.same({ 0, "secret abc" }, { status, out })
  end)
end)
