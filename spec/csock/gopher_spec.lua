-- Gopher: what is asked, what is read of the answer, and a folder that is served.
local csock = require "csock"
local gopher = require "csock.gopher"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local scripted = require "spec.support.scripted"
local streams = require "spec.support.streams"

local E = csock.errno
local LIMIT = 10 * process.slowness

local function start(...) return keep(scripted.start(...)) end

local function address(server, path) return ("gopher://127.0.0.1:%d/%s"):format(server.port, path or "") end

-- A server that answers each request with these bytes.
local function answers(bytes) return start { { expect = "" }, { send = bytes }, { close = true } } end

describe("gopher's client", function()
  after_each(keep.close)

  local MENU = "1Files\t/files\tlocalhost\t70\r\n0About\t/about\thost.test\t7070\t+\r\niline\t\t\t0\r\n"
    .. "no item\r\n0x\ty\tz\t99999\r\n"

  for how, run in pairs(streams.ways) do
    for ending, dot in pairs { ["a dot"] = ".\r\n", ["the end of the connection"] = "" } do
      it(("reads a menu up to %s, %s"):format(ending, how), function()
        local server = answers(MENU .. dot)
        run(function()
          local items, kind = gopher.fetch(address(server, "1/menu"), { timeout = LIMIT })
          assert.equal("1", kind)
          assert.same({
            { type = "1", name = "Files", selector = "/files", host = "localhost", port = 70 },
            { type = "0", name = "About", selector = "/about", host = "host.test", port = 7070 },
            { type = "i", name = "line", selector = "", host = "", port = 0 },
          }, items)
          assert.same({ "/menu" }, server:heard())
        end)
      end)
    end

    it("reads a text, whose dots were doubled, " .. how, function()
      local server = answers "one\r\n..two\r\n\r\nthree\n.\r\nmore"
      run(function()
        assert.equal("one\n.two\n\nthree\n", (gopher.fetch(address(server, "0/t"), { timeout = LIMIT })))
      end)
    end)

    it("reads bytes as they are, " .. how, function()
      local bytes = ("\0\r\n.\r\n\255"):rep(20000)
      local server = answers(bytes)
      run(function()
        assert.equal(bytes, (gopher.fetch(address(server, "9/b"), { timeout = LIMIT })))
      end)
    end)

    it("has one deadline for what trickles, " .. how, function()
      local server = start { { expect = "" }, { send = ("x\r\n"):rep(10000), piece = 1, every = 0.01 } }
      run(function()
        for _, kind in ipairs { "0", "1", "9" } do
          assert.equal(E.ETIMEDOUT, select(3, gopher.fetch(address(server, kind), { timeout = 0.1 })))
        end
      end)
    end)
  end

  it("asks for the selector of a URL, and with a query", function()
    local server = start { { expect = "" }, { close = true } }
    for path, line in pairs {
      [""] = "", ["1"] = "", ["0/a%20b"] = "/a b", ["7/find%09two%20words"] = "/find\ttwo words", ["0a?b=c"] = "a?b=c",
    } do
      gopher.fetch(address(server, path), { timeout = LIMIT })
      local number = (server.asked or 0) + 1
      server.asked = number
      assert.same({ line }, server:heard(number))
    end
    local reply = keep(gopher.send_query("/s", "q", "127.0.0.1", server.port))
    assert.equal("", gopher.get_binary(reply))
  end)

  it("says that the server has refused", function()
    local server = answers "3no \27such thing\t\terror.host\t1\r\n.\r\n"
    local none, err, errno = gopher.fetch(address(server), { timeout = LIMIT })
    assert.same({ nil, E.EPROTO }, { none, errno })
    assert.matches("no %?such thing", tostring(err))
  end)

  it("takes no more than its limits", function()
    local server = start { { expect = "" }, { endless = "0123456789\r\n" } }
    for _, kind in ipairs { "0", "1", "9" } do
      assert.equal(E.EMSGSIZE, select(3, gopher.fetch(address(server, kind), { timeout = LIMIT, limit = 100000 })))
    end
    server = start { { expect = "" }, { endless = "x" } }
    assert.equal(E.EMSGSIZE, select(3, gopher.fetch(address(server, "1"), { timeout = LIMIT })))
  end)

  it("sends no selector that is two lines", function()
    for _, bad in ipairs { "a\r\nb", "a\nb", "a\0b", "a\tb" } do
      assert.error_matches(function() gopher.send_selector(bad, "127.0.0.1") end, "bad argument #1 to 'send_selector'")
      assert.error_matches(function() gopher.send_query("a", bad, "127.0.0.1") end, "bad argument #2 to 'send_query'")
    end
    for _, path in ipairs { "0/a%0d%0ab", "0/a%00", "7/a%09b%09c" } do
      assert.equal(E.EINVAL, select(3, gopher.fetch("gopher://127.0.0.1:1/" .. path)))
    end
    assert.equal(E.EINVAL, select(3, gopher.fetch "http://127.0.0.1/"))
    assert.equal(E.EINVAL, select(3, gopher.fetch "gopher:///1"))
  end)

  it("knows the names of types", function()
    assert.same({ "TEXT", "MENU", "IMAGE" },
      { gopher.type_to_name "0", gopher.type_to_name(gopher.A_MENU), gopher.path_to_datatype_name "/I/x.png" })
    assert.equal('TYPE="?"', gopher.type_to_name "?")
    assert.equal("MENU", gopher.path_to_datatype_name "/")
    assert.equal("/a/b", gopher.path_to_selector "/0/a/b")
    assert.equal("", gopher.path_to_selector "/")
  end)
end)

describe("gopher's server", function()
  local dir, names

  local function write(name, text)
    local file = assert(io.open(dir .. "/" .. name, "wb"))
    file:write(text)
    file:close()
    names[#names + 1] = name
  end

  before_each(function()
    dir, names = assert(posix.mkdtemp()), {}
    os.execute(("mkdir '%s/sub' '%s/own'"):format(dir, dir))
    write("about.txt", "one\n.two\r\n\nlast")
    write("bytes.zip", "\0\1\2\r\n.\r\n")
    write("unknown", "text\n")
    write("strange", "\0text\n")
    write(".hidden", "secret")
    write("sub/page.html", "<p>")
    write("own/gophermap", "Welcome\n0About us\t/about.txt\n1Near\tnear\n1Far\t/\tfar.test\t7070\n")
  end)

  after_each(function()
    keep.close()
    os.execute(("rm -r '%s'"):format(dir))
  end)

  -- Runs `f(get, port)` with a server; get(path) fetches.
  local function serving(root, f, options)
    streams.in_task(function()
      local server = keep(gopher.serve({ "127.0.0.1", 0 }, root, options))
      local port = server:getsockname().port
      f(function(path)
        return gopher.fetch(("gopher://127.0.0.1:%d/%s"):format(port, path), { timeout = LIMIT })
      end, port)
      server:close()
    end)
  end

  it("shows what is in a folder", function()
    serving(dir, function(get, port)
      local seen = {}
      for i, item in ipairs(assert(get "")) do
        assert.same({ "127.0.0.1", port }, { item.host, item.port })
        seen[i] = item.type .. item.name .. " " .. item.selector
      end
      assert.same({ "0about.txt /about.txt", "9bytes.zip /bytes.zip", "1own /own", "9strange /strange", "1sub /sub",
        "0unknown /unknown" }, seen)
      assert.equal("/sub/page.html", get "1/sub"[1].selector)
      assert.equal("h", get "1/sub/"[1].type)
    end)
  end)

  it("gives texts and bytes", function()
    serving(dir, function(get)
      assert.equal("one\n.two\n\nlast\n", (get "0/about.txt"))
      assert.equal("\0\1\2\r\n.\r\n", (get "9/bytes.zip"))
      assert.equal("<p>", (get "h/sub/page.html"))
    end)
  end)

  it("gives a long text whole, wherever it is cut", function()
    local lines = {}
    for i = 1, 20000 do lines[i] = ("."):rep(i % 4) .. ("x"):rep(i % 37) end
    write("long.txt", table.concat(lines, "\n") .. "\n")
    serving(dir, function(get) assert.equal(table.concat(lines, "\n") .. "\n", (get "0/long.txt")) end)
  end)

  it("has menus made by hand", function()
    serving(dir, function(get)
      local seen = {}
      for i, item in ipairs(assert(get "1/own")) do
        seen[i] = ("%s%s %s %s"):format(item.type, item.name, item.selector, item.host)
      end
      assert.same({ "iWelcome  here.test", "0About us /about.txt here.test", "1Near /own/near here.test",
        "1Far / far.test" }, seen)
    end, { host = "here.test" })
  end)

  it("shows nothing that is hidden, outside, or behind a symbolic link", function()
    os.execute(("ln -s /etc '%s/link'"):format(dir))
    serving(dir, function(get)
      for _, path in ipairs { "0/.hidden", "1/..", "0/../etc/passwd", "0/sub/../.hidden", "0/link/passwd", "0/none",
        "0/%2e%2e/etc/passwd", "0//etc/passwd", "1/link" } do
        local _, err = get(path:gsub("^.", "1"))
        assert.matches("nothing of this name", tostring(err), path)
      end
    end)
  end)

  it("answers by a function", function()
    serving(function(selector, query)
      if selector == "/find" then return { { type = "0", name = "found\t" .. query, selector = "/x" } } end
      if selector == "/x" then return "text\r\n.\r\n" end
    end, function(get)
      assert.equal("found me", get "7/find%09me"[1].name)
      assert.equal("text\n", (get "0/x"))
      assert.matches("nothing of this name", tostring(select(2, get "1/y")))
    end)
  end)

  it("does not wait for those who say nothing, or too much", function()
    serving(dir, function(_, port)
      local sock = keep(csock.create_connection { "127.0.0.1", port })
      sock:settimeout(LIMIT)
      sock:sendall(("x"):rep(5000))
      local bytes, _, errno = sock:recv(100)
      assert.is_true(bytes == "" or errno == E.ECONNRESET)
    end)
  end)

  it("is what curl asks", function()
    local server = keep(process.lua({ "-e", [[
      local csock, gopher = require "csock", require "csock.gopher"
      local server = assert(gopher.serve({ "127.0.0.1", 0 }, os.getenv "FOLDER"))
      print(server:getsockname().port)
      io.stdout:flush()
      csock.run()
    ]] }, { env = { FOLDER = dir } }))
    local port = server:expect "(%d+)\n"
    local curl = keep(process.start { "curl", "-sS", ("gopher://127.0.0.1:%s/0/about.txt"):format(port) })
    assert.equal(0, curl:wait())
    assert.equal("one\r\n..two\r\n\r\nlast\r\n.\r\n", curl.out)
  end)
end)
