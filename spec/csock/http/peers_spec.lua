-- Other people's servers: Python's http.server, node's http, nginx.
local csock = require "csock"
local http = require "csock.http"
local keep = require "spec.support.keep"
local process = require "spec.support.process"
local streams = require "spec.support.streams"
local tls = require "spec.support.tls"

local PYTHON = [[
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *args): pass
    def reply(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while True:
                size = int(self.rfile.readline(), 16)
                body += self.rfile.read(size)
                self.rfile.readline()
                if size == 0: break
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        text = ("%s %s " % (self.command, self.path)).encode() + body
        self.send_response(200)
        if self.path.startswith("/chunked"):
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            if self.command == "HEAD": return
            for i in range(0, len(text), 5):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(text[i:i+5]), text[i:i+5]))
            self.wfile.write(b"0\r\nTrailer: x\r\n\r\n")
        else:
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            if self.command != "HEAD": self.wfile.write(text)
    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = reply
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print("port", server.server_port, flush=True)
server.serve_forever()
]]

local NODE = [[
const http = require("http");
const server = http.createServer((request, response) => {
  const pieces = [];
  request.on("data", (d) => pieces.push(d));
  request.on("end", () => {
    const text = Buffer.concat([Buffer.from(request.method + " " + request.url + " "), ...pieces]);
    if (!request.url.startsWith("/chunked")) response.setHeader("Content-Length", text.length);
    for (let i = 0; i < text.length; i += 5) response.write(text.subarray(i, i + 5));
    response.end();
  });
});
server.on("checkContinue", (request, response) => {
  response.writeContinue();
  server.emit("request", request, response);
});
server.listen(0, "127.0.0.1", () => console.log("port " + server.address().port));
]]

local function program(...)
  if not os.execute("command -v " .. ... .. " >/dev/null") then return nil end
  local p = keep(process.start { ... })
  p.port = tonumber(p:expect "port (%d+)")
  return p
end

describe("csock.http speaks with", function()
  after_each(keep.close)
  teardown(tls.close)

  for name, start in pairs {
    ["Python's http.server"] = function() return program("python3", "-c", PYTHON) end,
    ["node's http"] = function() return program("node", "-e", NODE) end,
  } do
    for how, run in pairs(streams.ways) do
      it(name .. ": bodies of all kinds over one connection, " .. how, function()
        local server = start()
        if not server then return pending("no " .. name) end
        run(function()
          local session = keep(http.Session { timeout = tls.LIMIT, proxies = false })
          local base = "http://127.0.0.1:" .. server.port
          for _, path in ipairs { "/sized", "/chunked" } do
            assert.equal("GET " .. path .. "?a=b ", assert(session:get(base .. path, { params = { a = "b" } })).body)
            assert.equal("", assert(session:head(base .. path)).body)
            for _, method in ipairs { "POST", "PUT", "PATCH" } do
              assert.equal(("%s %s text"):format(method, path),
                assert(session:request(method, base .. path, { data = "text" })).body)
            end
            local pieces = { "one", "two", "three" }
            local response = assert(session:post(base .. path, {
              data = function() return table.remove(pieces, 1) end, stream = true,
            }))
            assert.equal(("POST %s onetwothree"):format(path), response:read())
            local long = tls.pattern(300000)
            assert.equal(("PUT %s %s"):format(path, long), assert(session:put(base .. path, {
              data = long, headers = { Expect = "100-continue" }, expect = 1,
            })).body)
            assert.equal("DELETE " .. path .. " ", assert(session:delete(base .. path)).body)
          end
          assert.equal(1, #session.pool.list)
        end)
      end)
    end
  end

  it("nginx over TLS: many tasks, one session", function()
    if tls.missing or not tls.peers.has.nginx then return pending "no nginx" end
    local server = keep(tls.peers.nginx(tls.certificates.chained))
    csock.run(function()
      local session = keep(http.Session { timeout = tls.LIMIT, ssl = tls.client(), proxies = false })
      local group <close> = csock.loop.group()
      local bodies = {}
      for _ = 1, 8 do
        group:spawn(function()
          for _ = 1, 5 do
            local body = assert(session:get(("https://localhost:%d/"):format(server.port))).body
            bodies[#bodies + 1] = body
          end
        end)
      end
      group:join()
      assert.equal(("nginx over TLSv1.3\n"):rep(40), table.concat(bodies))
      assert.is_true(#session.pool.list <= 8)
    end)
  end)

  it("itself on the backend poll", function()
    local code = [[
      local csock = require "csock"
      local http, httpserver = require "csock.http", require "csock.httpserver"
      local server = assert(httpserver.serve({ "127.0.0.1", 0 }, function(request)
        return 200, { ["content-type"] = "text/plain" }, request.method .. " " .. request.path
      end))
      csock.run(function()
        local session <close> = http.Session { timeout = 10, proxies = false }
        local group <close> = csock.loop.group()
        for i = 1, 5 do
          group:spawn(function()
            for k = 1, 5 do
              local path = ("/%d/%d"):format(i, k)
              local url = ("http://127.0.0.1:%d%s"):format(server:getsockname().port, path)
              assert(assert(session:get(url)).body == "GET " .. path)
            end
          end)
        end
        group:join()
        server:close()
      end)
      print "fine"
    ]]
    local status, out, err = process.run({ process.interpreter, "-e", code }, { env = { CSOCK_BACKEND = "poll" } })
    assert.same({ 0, "fine\n", "" }, { status, out, err })
  end)
end)
