-- web_client: what it says and saves for every way in which a server can send a page.
local example = require "spec.support.example"
local csock = require "csock"

describe("examples/web_client", function()
  local listener, port, file

  before_each(function()
    listener = assert(csock.create_server { "127.0.0.1", 0 })
    listener:settimeout(5)
    port = listener:getsockname()[2]
    file = os.tmpname()
  end)

  after_each(function()
    listener:close()
    os.remove(file)
    example.stop_all()
  end)

  -- Starts the client, answers its request with the text (in pieces of `size` bytes) and hangs up.
  -- Returns the client and the head of its request.
  local function serve(text, size)
    local client = example.start("web_client", "127.0.0.1", port, file)
    local socket <close> = assert(listener:accept())
    socket:settimeout(5)
    assert(socket:setsockopt(csock.IPPROTO_TCP, csock.TCP_NODELAY, 1))
    local request = ""
    while not request:find("\r\n\r\n", 1, true) do
      request = request .. assert(socket:recv(1024))
    end
    size = size or #text + 1
    for i = 1, #text, size do
      if not socket:sendall(text:sub(i, i + size - 1)) then break end
    end
    return client, request
  end

  local function saved()
    local handle <close> = assert(io.open(file, "rb"))
    return handle:read("a")
  end

  it("sends a request that a web server understands", function()
    local client, request = serve("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
    assert.equal("GET / HTTP/1.1\r\nHost: 127.0.0.1:" .. port
      .. "\r\nConnection: close\r\n\r\n", request)
    client:ends(0)
  end)

  for _, size in ipairs { false, 1, 2, 3, 7 } do
    local how = size and size .. " byte(s) at a time" or "at once"

    it("saves a page of an announced length that comes " .. how, function()
      local body = "line one\r\nline two\r\n\0\255"
      local client = serve("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\ncontent-LENGTH:"
        .. #body .. "\r\n\r\n" .. body, size)
      client:expect("^HTTP/1%.1 200 OK\n22 bytes saved to " .. file:gsub("%p", "%%%0")
        .. ": all of the 22 announced bytes came\n$")
      assert.equal("", client:ends(0))
      assert.equal(body, saved())
    end)

    it("saves a page in chunks that comes " .. how, function()
      local client = serve("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        .. "5\r\nhello\r\nA;name=value\r\n, chunked \r\n005\r\nworld\r\n0\r\n\r\n", size)
      client:expect("20 bytes saved to [^\n]*: all chunks came\n$")
      assert.equal("", client:ends(0))
      assert.equal("hello, chunked world", saved())
    end)
  end

  it("saves a page without an announced length", function()
    local client = serve("HTTP/1.0 200 OK\r\n\r\nhello")
    client:expect("5 bytes saved to [^\n]*: no length was announced\n$")
    client:ends(0)
    assert.equal("hello", saved())
  end)

  it("says that a page is too short, and exits with 1", function()
    local client = serve("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
    client:expect("5 bytes saved to [^\n]*: INCOMPLETE: 100 bytes were announced\n$")
    client:ends(1)
    assert.equal("hello", saved())
  end)

  for _, body in ipairs { "5\r\nhel", "5\r\nhello", "5\r\nhello\r\n", "zz\r\n", "" } do
    it(("says that chunks are missing after %q, and exits with 1"):format(body), function()
      local client = serve("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" .. body)
      client:expect("INCOMPLETE: the last chunk did not come\n$")
      client:ends(1)
    end)
  end

  it("passes over a preliminary status", function()
    local client = serve("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
      .. "HTTP/1.1 203 Ask\r\nContent-Length: 4\r\n\r\nhere")
    client:expect("^HTTP/1%.1 203 Ask\n4 bytes saved")
    client:ends(0)
  end)

  for status, place in pairs { ["404 Not Found"] = false, ["301 Moved"] = "http://localhost/x", ["500 Oh"] = false } do
    it("saves nothing that comes with " .. status .. ", says so, and exits with 1", function()
      local client = serve("HTTP/1.1 " .. status .. "\r\nContent-Length: 4\r\n"
        .. (place and "Location: " .. place .. "\r\n" or "") .. "\r\ngone")
      client:expect("^HTTP/1%.1 " .. status .. "\n$")
      assert.equal("web_client.lua: nothing is saved: this is not the page"
        .. (place and "; it is at " .. place or "") .. "\n", client:ends(1))
      assert.equal("", saved())
    end)
  end

  it("says in one line that it cannot write the file", function()
    local own = file
    for path, why in pairs {
      ["/does/not/exist"] = "No such file or directory", ["/dev/full"] = "No space left on device",
    } do
      file = path
      local client = serve "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
      file = own
      assert.matches("^web_client%.lua: [^\n]*" .. why .. "\n$", client:ends(1))
    end
  end)

  it("takes no more than was announced", function()
    local client = serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more")
    client:expect("5 bytes saved to [^\n]*: all of the 5")
    client:ends(0)
    assert.equal("hello", saved())
  end)

  for answer, complaint in pairs {
    ["SSH-2.0-OpenSSH_9.2\r\n"] = "this is no web server: it says 'SSH%-2%.0%-OpenSSH_9%.2'",
    [""] = "the server has closed the connection",
    ["HTTP/1.1 200 OK\r\nContent-Le"] = "the server has closed the connection",
    ["HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"] = "the announced length is no number: 'many'",
  } do
    it(("says in one line what is wrong with %q"):format(answer), function()
      assert.matches("^web_client%.lua: " .. complaint .. "\n$", (serve(answer)):ends(1))
    end)
  end

  it("refuses a head without an end", function()
    local client = serve("HTTP/1.1 200 OK\r\n" .. ("x"):rep(200000))
    assert.matches("^web_client%.lua: [^\n]+\n$", client:ends(1))
  end)

  it("ends on Ctrl-C while it waits for the page", function()
    local client = example.start("web_client", "127.0.0.1", port, file)
    local socket <close> = assert(listener:accept())
    assert(socket:recv(1024))
    client:interrupt()
    assert.equal("", client:ends(0))
  end)
end)
