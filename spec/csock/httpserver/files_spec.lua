-- Files below a directory: httpserver.files for `serve`, SimpleHTTPRequestHandler, and their command line.
local csock = require "csock"
local httpd = require "spec.support.httpd"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local process = require "spec.support.process"

local get, ask = httpd.get, httpd.ask

local SECRET = "the secret\n"
local TEXT = ("0123456789"):rep(30000)
local OLD = "Sun, 06 Nov 1994 08:49:37 GMT"

local function run(command, ...) assert(os.execute(command:format(...))) end

-- A directory `root` with things to be shown, and beside it some that are not.
local function make_tree()
  local top = assert(posix.mkdtemp())
  local function write(name, text)
    local file <close> = assert(io.open(top .. "/" .. name, "wb"))
    file:write(text)
  end
  run("cd '%s' && mkdir -p root/sub/deep root/pages root/empty 'root/a b&<c>' outside", top)
  write("secret.txt", SECRET)
  write("outside/secret.txt", SECRET)
  write("root/hello.txt", "hello, world\n")
  write("root/big.bin", TEXT)
  write("root/empty.txt", "")
  write("root/UP.HTML", "<p>up</p>")
  write("root/nothing", "no type")
  write("root/pages/index.html", "<p>index</p>")
  write("root/sub/deep/x.css", "p {}")
  write("root/a b&<c>/100%.txt", "odd")
  write("root/\xc3\xa9.txt", "accent")
  run("cd '%s/root' && touch -d '%s' hello.txt big.bin && ln -s ../secret.txt link.txt && ln -s ../outside linked " ..
    "&& ln -s hello.txt inner.txt && mkfifo fifo && touch unreadable && chmod 0 unreadable", top, OLD)
  return top, top .. "/root"
end

local KINDS = {
  files = [[
    serve(httpserver.files(%q))
    csock.run()
  ]],
  SimpleHTTPRequestHandler = [[
    local Files = class("Files", httpserver.SimpleHTTPRequestHandler)
    Files.directory, Files.protocol_version = %q, "HTTP/1.1"
    function Files.log_message() end
    serve_class(Files)
  ]],
}

for kind, program in pairs(KINDS) do
  describe("the files of " .. kind, function()
    local server, top, root

    setup(function()
      top, root = make_tree()
      server = httpd.start(program:format(root))
    end)
    teardown(function()
      keep.close()
      run("rm -rf '%s'", top)
    end)

    it("are shown with their types, lengths and dates", function()
      local status, fields, body = get(server, "/hello.txt")
      assert.same({ 200, "hello, world\n" }, { status, body })
      assert.equal("text/plain", fields["content-type"])
      assert.equal("13", fields["content-length"])
      assert.equal(OLD, fields["last-modified"])
      assert.matches('^"[%x-]+"$', fields.etag)
      assert.equal("bytes", fields["accept-ranges"])
      assert.equal("text/html", select(2, get(server, "/UP.HTML"))["content-type"])
      assert.equal("application/octet-stream", select(2, get(server, "/nothing"))["content-type"])
      assert.equal("", select(3, get(server, "/empty.txt")))
      assert.is_true(TEXT == select(3, get(server, "/big.bin")))
    end)

    it("have names of any bytes", function()
      assert.equal("odd", select(3, get(server, "/a%20b%26%3Cc%3E/100%25.txt")))
      assert.equal("accent", select(3, get(server, "/%C3%A9.txt?query")))
      assert.equal("hello, world\n", select(3, get(server, "http://a//hello.txt")))
    end)

    it("have heads", function()
      local bytes = ask(server, "HEAD /big.bin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
      assert.matches("Content%-Length: 300000\r\n", bytes)
      assert.matches("\r\n\r\n$", bytes)
    end)

    it("are shown in part", function()
      for range, expected in pairs {
        ["bytes=0-0"] = { 206, "0", "bytes 0-0/300000" },
        ["bytes=5-"] = { 206, TEXT:sub(6), "bytes 5-299999/300000" },
        ["bytes=-3"] = { 206, "789", "bytes 299997-299999/300000" },
        ["bytes=-999999"] = { 206, TEXT, "bytes 0-299999/300000" },
        ["BYTES= 10-19 "] = { 206, "0123456789", "bytes 10-19/300000" },
        ["bytes=299999-999999"] = { 206, "9", "bytes 299999-299999/300000" },
        ["bytes=300000-"] = { 416, "", "bytes */300000" },
        ["bytes=-0"] = { 416, "", "bytes */300000" },
        ["bytes=5-4"] = { 200, TEXT }, ["bytes=0-1,3-4"] = { 200, TEXT }, ["bytes=-"] = { 200, TEXT },
        ["bytes=a-b"] = { 200, TEXT }, ["lines=0-1"] = { 200, TEXT }, ["bytes=0x0-1"] = { 200, TEXT },
        ["bytes=99999999999999999999-"] = { 200, TEXT }, ["bytes=+1-2"] = { 200, TEXT },
      } do
        local status, fields, body = get(server, "/big.bin", "Range: " .. range)
        assert.same({ expected[1], expected[3] }, { status, fields["content-range"] }, range)
        assert.is_true(expected[2] == body, range)
      end
    end)

    it("are shown in part only when they are the very ones", function()
      local tag = select(2, get(server, "/hello.txt")).etag
      for condition, status in pairs {
        [tag] = 206, [OLD] = 206, ["W/" .. tag] = 200, ['"x"'] = 200, ["Sun, 06 Nov 1994 08:49:38 GMT"] = 200,
        ["rubbish"] = 200,
      } do
        assert.equal(status, (get(server, "/hello.txt", "Range: bytes=0-1", "If-Range: " .. condition)), condition)
      end
    end)

    it("are not shown again to who has them", function()
      local tag = select(2, get(server, "/hello.txt")).etag
      for field, status in pairs {
        ["If-None-Match: " .. tag] = 304, ["If-None-Match: W/" .. tag] = 304, ['If-None-Match: "x", ' .. tag] = 304,
        ["If-None-Match: *"] = 304, ['If-None-Match: "x"'] = 200,
        ["If-Modified-Since: " .. OLD] = 304, ["If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT"] = 304,
        ["If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT"] = 200, ["If-Modified-Since: yesterday"] = 200,
        ["If-Match: " .. tag] = 200, ['If-Match: "x"'] = 412, ["If-Match: *"] = 200, ["If-Match: W/" .. tag] = 412,
        ["If-Unmodified-Since: " .. OLD] = 200, ["If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT"] = 412,
      } do
        assert.equal(status, (get(server, "/hello.txt", field)), field)
      end
      assert.equal(200, (get(server, "/hello.txt", 'If-None-Match: "x"', "If-Modified-Since: " .. OLD)))
    end)

    it("are those below the directory, whatever the path looks like", function()
      for _, path in ipairs {
        "/../secret.txt", "/%2e%2e/secret.txt", "/%2E%2E/secret.txt", "/.%2e/secret.txt", "/sub/../../secret.txt",
        "/sub/%2e%2e/%2e%2e/secret.txt", "/..%2fsecret.txt", "/..%2Fsecret.txt", "/%2e%2e%2fsecret.txt",
        "/..%5csecret.txt", "/..\\secret.txt", "/%252e%252e/secret.txt", "//../secret.txt", "/./../secret.txt",
        "/sub/..", "/..", "/%2e%2e", "/hello.txt%00.html", "/%00", "/..%00/secret.txt", "/%c0%ae%c0%ae/secret.txt",
        "/%uff0e%uff0e/secret.txt", "/....//secret.txt", "/..;/secret.txt", "/sub/./x", "/%2f..%2fsecret.txt",
        "/" .. top .. "/secret.txt", "/%2f" .. top:gsub("/", "%%2f") .. "%2fsecret.txt", "http://a/../secret.txt",
        "/" .. ("x"):rep(300), "/hello.txt/", "/hello.txt/x", "/nowhere",
      } do
        local status, _, body = get(server, path)
        assert.equal(404, status, path)
        assert.not_matches("secret", (body:gsub("secret%.txt", "")))
      end
    end)

    it("are no symbolic links, and nothing that is no file", function()
      assert(keep(csock.socket(csock.AF_UNIX, csock.SOCK_STREAM)):bind(root .. "/socket"))
      for path, status in pairs {
        ["/link.txt"] = 404, ["/linked/secret.txt"] = 404, ["/linked/"] = 404, ["/inner.txt"] = 404, ["/fifo"] = 403,
        ["/socket"] = 403,
      } do
        assert.equal(status, (get(server, path)), path)
      end
    end)

    it("are listed, with names that are no more than names", function()
      local status, fields, body = get(server, "/")
      assert.equal(200, status)
      assert.equal("text/html; charset=utf-8", fields["content-type"])
      assert.matches('<a href="./a%20b%26%3Cc%3E/">a b&amp;&lt;c&gt;/</a>', body, 1, true)
      assert.matches('<a href="./hello.txt">hello.txt</a>', body, 1, true)
      assert.matches('<a href="./%C3%A9.txt">\xc3\xa9.txt</a>', body, 1, true)
      for _, name in ipairs { "link", "inner", "fifo", "<c>" } do assert.not_matches(name, body, 1, true) end
      local odd = select(3, get(server, "/a%20b%26%3Cc%3E/"))
      assert.matches("<h1>Directory listing for /a b&amp;&lt;c&gt;/</h1>", odd, 1, true)
    end)

    it("have index pages, and directories a slash at their end", function()
      assert.equal("<p>index</p>", select(3, get(server, "/pages/")))
      local status, fields = get(server, "/pages?a=b")
      assert.same({ 301, "/pages/?a=b" }, { status, fields.location })
      assert.equal("/sub/", select(2, get(server, "//sub")).location)
    end)

    it("take no other method", function()
      local bytes = ask(server, "POST /hello.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
      assert.matches(kind == "files" and "^HTTP/1.1 405 .*Allow: GET, HEAD\r\n" or "^HTTP/1.1 501 ", bytes)
    end)
  end)
end

describe("httpserver.files", function()
  local top, root
  setup(function() top, root = make_tree() end)
  teardown(function() run("rm -rf '%s'", top) end)
  after_each(keep.close)

  it("follows symbolic links where it is told to, and lists no directory where it is told not to", function()
    local server = httpd.start(("serve(httpserver.files(%q, { links = true, listing = false, index = {'x.css'}, "
      .. "types = { ['.css'] = 'text/odd' } })) csock.run()"):format(root))
    assert.equal(SECRET, select(3, get(server, "/link.txt")))
    assert.equal(SECRET, select(3, get(server, "/linked/secret.txt")))
    assert.equal(404, (get(server, "/../secret.txt")))
    assert.equal(403, (get(server, "/")))
    local _, fields, body = get(server, "/sub/deep/")
    assert.same({ "p {}", "text/odd" }, { body, fields["content-type"] })
    assert.equal("text/plain", select(2, get(server, "/hello.txt"))["content-type"])
  end)

  it("are, of a handler, what its translate_path says", function()
    local server = httpd.start(([[
      local Files = class("Files", httpserver.SimpleHTTPRequestHandler)
      Files.directory = %q
      function Files.log_message() end
      function Files:translate_path(path)
        return Files.super.translate_path(self, path:gsub("^/other", ""))
      end
      serve_class(Files)
    ]]):format(root))
    assert.equal("hello, world\n", select(3, get(server, "/other/hello.txt")))
    assert.equal(404, (get(server, "/other/../hello.txt")))
  end)

  it("is what `main` shows, which says where", function()
    local code = ("require'csock.httpserver'.main(%q, 0, { bind = '127.0.0.1' })"):format(root)
    local program = keep(process.lua { "-e", code })
    program.port = math.tointeger(program:expect "listening on port (%d+)\n")
    assert.equal("hello, world\n", select(3, get(program, "/hello.txt")))
    program:expect_err '"GET /hello.txt HTTP/1.1" 200 13\n'
    program:signal "SIGINT"
    program:wait()
  end)

  it("leaves no file open", function()
    local server = httpd.start(("serve(httpserver.files(%q)) csock.run()"):format(root))
    local function count()
      local pipe <close> = io.popen(("ls /proc/%d/fd 2>/dev/null | wc -l"):format(server.pid))
      return pipe:read "n"
    end
    get(server, "/hello.txt")
    local before = count()
    for _ = 1, 20 do
      get(server, "/big.bin")
      get(server, "/")
      get(server, "/pages/")
      get(server, "/sub")
      get(server, "/hello.txt", "If-None-Match: *")
      get(server, "/hello.txt", "Range: bytes=99-")
    end
    local socket <close> = httpd.dial(server)
    socket:sendall "GET /big.bin HTTP/1.1\r\nHost: a\r\n\r\n"
    socket:recv(100)
    socket:close()
    require "spec.support.serving".eventually(function() return count() <= before end)
  end)
end)

describe("the example http_server", function()
  local example = require "spec.support.example"
  after_each(example.stop_all)

  it("shows a directory", function()
    local server = example.start("http_server", "examples", 0)
    server.port = math.tointeger(server:expect "^listening on port (%d+)\n")
    assert.equal(io.open("examples/common.lua"):read "a", select(3, get(server, "/common.lua")))
    server:interrupt()
    assert.matches('"GET /common.lua HTTP/1.1" 200 %-\n', server:ends(0))
    assert.is_number(csock.now())
  end)
end)
