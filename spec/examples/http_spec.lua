-- http_head, url_open, http_server, and web_client over TLS.
local certificates = require "spec.support.certificates"
local example = require "spec.support.example"
local http = require "csock.http"
local http_server = require "spec.support.http_server"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local tls = require "spec.support.tls"

after_each(function()
  keep.close()
  example.stop_all()
end)

local PAGE = "<html><title> A page </title>\n" .. ("x"):rep(20000)

local function pages(context)
  return keep(http_server.start(function(conn)
    while true do
      local text = conn:request()
      if not text then return end
      if text:find "^HEAD" then
        conn:send(("HTTP/1.1 200 Fine\r\nX-A: b\27[1m\r\nContent-Length: %d\r\n\r\n"):format(#PAGE):gsub("\27", "\t"))
      else
        conn:answer(PAGE)
      end
    end
  end, context))
end

describe("examples/http_head", function()
  it("prints the head, and how long the page is", function()
    local server = pages()
    local client = example.start("http_head", "127.0.0.1", server.port)
    client:expect "^200\tFine\nX%-A: b %[1m\nContent%-Length: 20030\n\nGET / gives 200 OK: 20030 bytes\n$"
    assert.equal("", client:ends(0))
    assert.matches("^HEAD / HTTP/1.1\r\n", (server:request()))
    assert.matches("^GET / HTTP/1.1\r\n", (server:request()))
  end)

  it("says in one line what is wrong", function()
    for bytes, why in pairs {
      ["HTTP/1.1 200 OK\r\nContent-Le"] = "ended in the middle", [""] = "without an answer",
      ["SSH-2.0-x\r\n\r\n"] = "no HTTP",
    } do
      local server = keep(http_server.saying(bytes))
      assert.matches("^http_head%.lua: [^\n]*" .. why .. "[^\n]*\n$",
        example.start("http_head", "127.0.0.1", server.port):ends(1))
    end
  end)
end)

describe("examples/http_server", function()
  local dir

  before_each(function()
    dir = assert(posix.mkdtemp())
    assert(os.execute(("mkdir '%s/cgi-bin' && printf 'a page' > '%s/page.html'"):format(dir, dir)))
    local program <close> = assert(io.open(dir .. "/cgi-bin/hello", "w"))
    program:write "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\nhello from %s' \"$REQUEST_METHOD\"\n"
    assert(os.execute(("chmod +x '%s/cgi-bin/hello'"):format(dir)))
  end)
  after_each(function() os.execute("rm -rf '" .. dir .. "'") end)

  local function get(server, path)
    return assert(http.get(("http://127.0.0.1:%d%s"):format(server.port, path), { timeout = 10 }))
  end

  it("shows what is below a directory, and nothing else", function()
    local server = example.server_on(dir, "http_server")
    local page = get(server, "/page.html")
    assert.same({ 200, "a page", "text/html" }, { page.status, page:read(), page:getheader "content-type" })
    assert.matches("page%.html", get(server, "/"):read())
    assert.equal(404, get(server, "/none").status)
    assert.is_true(get(server, "/%2e%2e/%2e%2e/etc/passwd").status >= 400)
  end)

  it("runs programs where it is told to", function()
    local server = example.server_on(dir, "http_server", "--cgi")
    assert.equal("hello from GET", get(server, "/cgi-bin/hello"):read())
  end)
end)

describe("examples/url_open", function()
  it("prints the title of a page, and saves it", function()
    local server, name = pages(), os.tmpname()
    local client = example.start("url_open", server.url .. "/", name)
    client:expect("^200\t" .. server.url .. "/\nA page\n\r0 of 20030 bytes.*\r20030 of 20030 bytes\nsaved to "
      .. name:gsub("%p", "%%%0") .. "\n$")
    assert.equal("", client:ends(0))
    local file <close> = assert(io.open(name, "rb"))
    assert.equal(PAGE, file:read "a")
    os.remove(name)
  end)

  it("opens data and files, and removes a temporary file", function()
    local client = example.start("url_open", "data:,hello")
    local name = client:expect "^200\tdata:,hello\nhello\n\r0 of 5 bytes\r5 of 5 bytes\nsaved to ([^\n]*)\n$"
    assert.equal("", client:ends(0))
    assert.is_nil((io.open(name)))
  end)

  it("says in one line what is wrong", function()
    local server = keep(http_server.saying "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    assert.matches("^url_open%.lua: [^\n]*404 Not Found[^\n]*\n$", example.start("url_open", server.url):ends(1))
    server = keep(http_server.saying "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut")
    assert.matches("^url_open%.lua: [^\n]*ended in the middle[^\n]*\n$", example.start("url_open", server.url):ends(1))
    assert.matches("^url_open%.lua: [^\n]*\n$", example.start("url_open", "gopher://h/"):ends(1))
  end)
end)

describe("examples/web_client --tls", function()
  if tls.missing then return it("needs csock.tls", function() pending(tls.missing) end) end

  it("saves a page that comes over TLS, from whom it trusts", function()
    local server, name = pages(tls.server()), os.tmpname()
    local trust = { "--tls", "--cafile", certificates.ca.cert }
    local client = example.start("web_client", trust[1], trust[2], trust[3], "localhost", server.port, name)
    client:expect "^HTTP/1.1 200 OK\n20030 bytes saved to [^\n]*: all of the 20030 announced bytes came\n$"
    assert.equal("", client:ends(0))
    local file <close> = assert(io.open(name, "rb"))
    assert.equal(PAGE, file:read "a")
    local stranger = keep(http_server.start(function() end, tls.server(certificates.wrong_host)))
    client = example.start("web_client", trust[1], trust[2], trust[3], "localhost", stranger.port, name)
    assert.matches("^web_client%.lua: [^\n]*CERTIFICATE_VERIFY_FAILED[^\n]*\n$", client:ends(1))
    os.remove(name)
  end)
end)
