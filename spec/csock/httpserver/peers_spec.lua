-- Other programs' clients: curl, wget, Python's http.client, node, ab, wrk.
local httpd = require "spec.support.httpd"
local keep = require "spec.support.keep"
local process = require "spec.support.process"

local SERVER = [[
  serve(function(request)
    if request.path == "/pieces" then
      local n = 0
      return 200, nil, function()
        n = n + 1
        return n < 100 and ("piece %d\n"):format(n) or nil
      end
    end
    if request.path == "/file" then
      local file = io.open "CHANGELOG.md"
      return 200, { ["Content-Type"] = "text/markdown" }, file, file
    end
    if request.path == "/nothing" then return 204 end
    return 200, { ["X-Method"] = request.method }, assert(request.body:read "a")
  end, { max_body = 1 << 24 })
  csock.run()
]]

local PYTHON = [[
import http.client, sys
c = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=10)
def ask(*a, **k):
    c.request(*a, **k)
    r = c.getresponse()
    return r.status, r.read(), r
s = c.sock
for i in range(20):
    status, body, r = ask("POST", "/", body=b"x" * (i * 5000))
    assert (status, len(body)) == (200, i * 5000), (i, status, len(body))
    assert r.getheader("x-method") == "POST"
assert ask("GET", "/pieces")[1].count(b"piece") == 99
assert ask("GET", "/file")[1] == open("CHANGELOG.md", "rb").read()
assert ask("HEAD", "/file")[0:2] == (200, b"")
assert ask("GET", "/nothing")[0:2] == (204, b"")
def pieces():
    for i in range(100): yield b"%d," % i
chunked = {"Transfer-Encoding": "chunked"}
assert ask("PUT", "/", body=pieces(), encode_chunked=True, headers=chunked)[1].startswith(b"0,1,")
print("well")
]]

local NODE = [[
const http = require("http")
const agent = new http.Agent({ keepAlive: true, maxSockets: 4 })
function ask(method, path, body) {
  return new Promise((resolve, reject) => {
    const r = http.request({ host: "127.0.0.1", port: +process.argv[1], method, path, agent }, answer => {
      const pieces = []
      answer.on("data", d => pieces.push(d))
      answer.on("end", () => resolve([answer.statusCode, Buffer.concat(pieces).toString()]))
      answer.on("error", reject)
    })
    r.on("error", reject)
    if (body) r.write(body)
    r.end()
  })
}
async function main() {
  const all = []
  for (let i = 1; i < 100; i++) all.push(ask("POST", "/", "n" + i))
  const got = await Promise.all(all)
  got.forEach((a, i) => { if (a[1] !== "n" + (i + 1)) throw new Error(a) })
  if ((await ask("GET", "/pieces"))[1].split("\n").length !== 100) throw new Error("pieces")
  if ((await ask("HEAD", "/file"))[1] !== "") throw new Error("HEAD")
  if ((await ask("GET", "/nothing"))[0] !== 204) throw new Error("204")
  console.log("well")
  agent.destroy()
}
main().catch(e => { console.log(e); process.exit(1) })
]]

local function has(program) return os.execute("command -v " .. program .. " >/dev/null 2>&1") end

describe("a server of HTTP, asked by", function()
  local server
  setup(function() server = httpd.start(SERVER) end)
  teardown(keep.close)

  local function base(path) return ("http://127.0.0.1:%d%s"):format(server.port, path) end

  it("curl", function()
    if not has "curl" then return pending "no curl" end
    local big = ("x"):rep(1 << 20)
    local function curl(...)
      local input = table.concat({ ... }, " "):find "[@ ]%- " and big or nil
      local status, out, err = process.run({ "curl", "-sS", "--max-time", "20", ... }, { input = input })
      assert.same({ 0, "" }, { status, err })
      return out
    end
    assert.is_true(big == curl("--data-binary", "@-", base "/"))
    assert.is_true(big == curl("-T", "-", base "/"))
    assert.is_true(big == curl("-H", "Expect: 100-continue", "--data-binary", "@-", base "/"))
    assert.matches("^HTTP/1.1 200 OK\r\n", curl("-I", base "/file"))
    assert.equal("piece 1\n", curl("--http1.0", base "/pieces"):match "^[^\n]*\n")
    assert.equal("well", curl("-d", "well", base "/nothing", "--next", "-d", "well", base "/"))
  end)

  it("Python's http.client", function()
    if not has "python3" then return pending "no python3" end
    local status, out, err = process.run { "python3", "-c", PYTHON, tostring(server.port) }
    assert.same({ 0, "well\n", "" }, { status, out, err })
  end)

  it("node's http", function()
    if not has "node" then return pending "no node" end
    local status, out, err = process.run { "node", "-e", NODE, tostring(server.port) }
    assert.same({ 0, "well\n", "" }, { status, out, err })
  end)

  -- How often something is in what a program prints.
  local function number(pattern, text) return tonumber(text:match(pattern) or "0") end

  for what, arguments in pairs {
    ["a connection for each request"] = {}, ["kept connections"] = { "-k" },
    ["kept connections and bodies"] = { "-k", "-p", "CHANGELOG.md", "-T", "text/plain" },
  } do
    it("ab: thousands of requests, " .. what, function()
      if not has "ab" then return pending "no ab" end
      local command = { "ab", "-q", "-l", "-n", "3000", "-c", "50", "-s", "20", table.unpack(arguments) }
      command[#command + 1] = base "/"
      local status, out, err = process.run(command, { timeout = 30 })
      assert.same({ 0, "" }, { status, err })
      assert.equal(3000, number("Complete requests: +(%d+)", out))
      assert.equal(0, number("Failed requests: +(%d+)", out))
      assert.equal(0, number("Non%-2xx responses: +(%d+)", out))
      assert.equal(#arguments > 0 and 3000 or 0, number("Keep%-Alive requests: +(%d+)", out))
    end)
  end

  it("wrk: 64 connections for a second", function()
    if not has "wrk" then return pending "no wrk" end
    for _, path in ipairs { "/", "/file", "/pieces" } do
      local command = { "wrk", "-t1", "-c64", "-d1s", "--timeout", "20s", base(path) }
      local status, out = process.run(command, { timeout = 30 })
      assert.equal(0, status)
      assert.is_true(number("(%d+) requests in", out) > 0)
      assert.is_nil(out:find "Socket errors")
      assert.is_nil(out:find "Non%-2xx")
    end
  end)
end)
