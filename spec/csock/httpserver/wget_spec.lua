-- wget and Python's urllib, with a SimpleHTTPRequestHandler.
local csock = require "csock"
local http = require "csock.http"
local httpd = require "spec.support.httpd"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local url = require "csock.url"

local function has(program) return os.execute("command -v " .. program .. " >/dev/null 2>&1") end

describe("a directory that is shown, to", function()
  local root, copy, server

  local function write(path, text)
    local file <close> = assert(io.open(path, "w"))
    assert(file:write(text))
  end

  local function read(path)
    local file <close> = assert(io.open(path))
    return file:read "a"
  end

  local NAMES = { "plain.txt", "with blank.txt", "a&b=c;d.txt", "50%25.txt", "q?x#y.txt", "\195\188.txt", "<i>'\".txt",
    "deep/er/still.txt", "deep/%2e%2e.txt" }

  setup(function()
    root, copy = assert(posix.mkdtemp()), assert(posix.mkdtemp())
    assert(os.execute("mkdir -p " .. root .. "/deep/er"))
    for i, name in ipairs(NAMES) do write(root .. "/" .. name, ("%d: %s\n"):format(i, name):rep(1000)) end
    server = httpd.start(([[
      local Files = class("Files", httpserver.SimpleHTTPRequestHandler)
      Files.directory, Files.protocol_version = %q, "HTTP/1.1"
      function Files:log_message(form, ...) print(form:format(...)) end
      serve_class(Files)
    ]]):format(root))
  end)
  teardown(function()
    keep.close()
    os.execute(("rm -rf '%s' '%s'"):format(root, copy))
  end)

  local function base(path) return ("http://127.0.0.1:%d%s"):format(server.port, path) end

  local function wget(...)
    local status, _, err = process.run({ "wget", "--no-config", "--no-proxy", "-nv", "-T", "10", "-t", "1", ... },
      { cwd = copy, env = { LC_ALL = "C.UTF-8" }, timeout = 30 })
    return status, err
  end

  it("wget, which finds every file by the index pages", function()
    if not has "wget" then return pending "no wget" end
    local status, err = wget("-r", "-l", "5", "-nH", "-np", "--restrict-file-names=unix,nocontrol", "-e", "robots=off",
      base "/")
    assert.equal(0, status, err)
    for _, name in ipairs(NAMES) do
      local saved = copy .. "/" .. url.unquote(name) -- wget decodes names once more before it writes them
      assert.is_true(read(root .. "/" .. name) == read(saved), name)
    end
  end)

  it("wget, which goes on with a file, and does not fetch what it has", function()
    if not has "wget" then return pending "no wget" end
    local text = read(root .. "/plain.txt")
    write(copy .. "/plain.txt", text:sub(1, 5000))
    assert.equal(0, (wget("-c", base "/plain.txt")))
    assert.is_true(text == read(copy .. "/plain.txt"))
    server:expect '"GET /plain.txt HTTP/1.1" 206'
    assert.equal(0, (wget("-c", base "/plain.txt")))
    server:expect '"GET /plain.txt HTTP/1.1" 416'
    assert.equal(0, (wget("-N", base "/plain.txt")))
    server:expect '"GET /plain.txt HTTP/1.1" 304'
    assert.is_true(text == read(copy .. "/plain.txt"))
  end)

  it("Python's urllib", function()
    if not has "python3" then return pending "no python3" end
    local status, out, err = process.run({ "python3", "-c", [[
import sys, urllib.request, urllib.error, urllib.parse
base, root = sys.argv[1:3]
names = sys.argv[3:]
for name in names:
    url = base + urllib.parse.quote(name)
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == open(root + "/" + name, "rb").read(), name
        since = answer.headers["Last-Modified"]
    try:
        urllib.request.urlopen(urllib.request.Request(url, headers={"If-Modified-Since": since}))
        assert False
    except urllib.error.HTTPError as e:
        assert e.code == 304, e.code
    path, info = urllib.request.urlretrieve(url)
    assert info["Content-Type"].startswith("text/plain")
try:
    urllib.request.urlopen(base + "nowhere")
except urllib.error.HTTPError as e:
    assert e.code == 404 and b"File not found" in e.read()
assert urllib.request.urlopen(base + "deep").geturl() == base + "deep/"
print("well")
]], base "/", root, table.unpack(NAMES) }, { env = { http_proxy = false, LC_ALL = "C.UTF-8" } })
    assert.same({ 0, "well\n", "" }, { status, out, err })
  end)

  it("curl, which asks for several ranges, a suffix, what is beyond the end", function()
    if not has "curl" then return pending "no curl" end
    local text = read(root .. "/plain.txt")
    local function curl(...)
      local status, out, err = process.run { "curl", "-sS", "--noproxy", "*", "--max-time", "20", "-w", "|%{http_code}",
        base "/plain.txt", ... }
      assert.same({ 0, "" }, { status, err })
      local body, code = out:match "^(.*)|(%d+)$"
      return tonumber(code), body
    end
    assert.same({ 206, text:sub(11, 21) }, { curl("-r", "10-20") })
    assert.same({ 206, text:sub(-5) }, { curl("-r", "-5") })
    assert.same({ 206, text:sub(-100) }, { curl("-r", #text - 100 .. "-" .. #text * 2) })
    assert.same({ 200, text }, { curl("-r", "0-1,5-6") })
    assert.equal(416, (curl("-r", #text .. "-")))
    assert.same({ 206, text }, { curl("-r", "-" .. #text * 2) })
  end)

  it("itself", function()
    csock.run(function()
      local session <close> = http.Session { timeout = httpd.LIMIT, proxies = false }
      for _, name in ipairs(NAMES) do
        local path = "/" .. url.quote(name)
        assert.is_true(assert(session:get(base(path))).body == read(root .. "/" .. name), name)
      end
    end)
  end)
end)
