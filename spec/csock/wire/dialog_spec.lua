-- A client's end of a line protocol, against servers that do as they are told, each in a process of its own.
local contexts = require "spec.support.contexts"
local csock = require "csock"
local dialog = require "csock.wire.dialog"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local scripted = require "spec.support.scripted"
local streams = require "spec.support.streams"

local E = csock.errno
local LIMIT = 10 * process.slowness

local function greeted(d) return d:ok(220) end

-- A dialog with a server, in the clear or over TLS.
local function connect(server, options, greet)
  local all = { what = "SMTP", timeout = LIMIT }
  if server.tls then all.tls, all.context = true, contexts.client() end
  for name, value in pairs(options or {}) do all[name] = value end
  local d, err, errno = dialog.connect("localhost", server.port, all, greet or greeted)
  if d then keep(d) end
  return d, err, errno
end

local function start(...) return keep(scripted.start(...)) end

-- The same with the greeting said.
local function say(...) return start { "220 hi", ... } end

local transports = { ["in the clear"] = start }
if not contexts.missing then
  transports["over TLS"] = function(...)
    local server = keep(scripted.start_tls(...))
    server.tls = true
    return server
  end
end

-- Whether a call failed so, and the dialog is broken: each one after it gives the same.
local function assert_broken(d, name, value, err, errno)
  assert.is_nil(value)
  assert.equal(name, err.name, tostring(err))
  assert.equal(E[name] or err.errno, errno)
  assert.equal(err, d.err)
  assert.is_true(d.closed)
  for _, call in ipairs {
    d.line, d.reply, d.ok, d.block, d.text, d.flush, d.wait, function() return d:put "x" end,
    function() return d:exactly(1) end, function() return d:run(d.line, d) end,
  } do
    if call ~= d.flush then assert.same({ err, errno }, { select(2, call(d, 1)) }) end
  end
  return err
end

describe("a dialog", function()
  after_each(keep.close)

  for how, run in pairs(streams.ways) do
    for where, begin in pairs(transports) do
      local place = (" %s, %s"):format(where, how)

      it("sends lines and reads replies" .. place, function()
        local server = begin { "220-hello\r\n220 there", { expect = "^EHLO me$" }, "250-one\r\n250-two\r\n250",
          { expect = "" }, "550 5.1.1 nobody\r\n354 go on" }
        run(function()
          local d, code, text = connect(server)
          assert.same({ 220, "hello\nthere" }, { code, text })
          assert.equal(where == "over TLS", d.secure)
          d:run(function()
            assert(d:put "EHLO me")
            assert.same({ 250, "one\ntwo\n", { "one", "two", "" } }, { d:reply() })
            assert(d:put { "a", "b" })
            local none, err, errno = d:ok(250, 251)
            assert.is_nil(none)
            assert.equal(E.EPROTO, errno)
            assert.same({ 550, "5.1.1 nobody", "permanent" }, { err.code, err.text, err.kind })
            assert.equal("SMTP: 550 5.1.1 nobody [EPROTO]", tostring(err))
            assert.equal(354, (d:ok(3)))
          end)
          assert.is_nil(d.err)
          d:close()
          assert.same({ "EHLO me", "a", "b" }, server:heard())
        end)
      end)

      it("reads blocks and bytes" .. place, function()
        local server = begin { "220 hi", {
          send = "a\r\n..b\r\n\r\n.c\nd\r\n.\r\n" .. "a\r\n..b\r\n.\r\n" .. ".\r\n" .. "..x\r\n\r\n.\r\n"
            .. ".\r\n" .. "12345 end\r\n",
          piece = 1,
        } }
        run(function()
          local d = connect(server)
          assert.same({ "a", ".b", "", "c\nd" }, d:block())
          local lines = {}
          assert.equal(2, d:block(function(line) lines[#lines + 1] = line end))
          assert.same({ "a", ".b" }, lines)
          assert.same({}, d:block())
          assert.equal(".x\r\n\r\n", d:text())
          assert.equal("", d:text())
          assert.equal("", d:exactly(0))
          assert.equal("12345", d:exactly(5))
          assert.equal(" end", d:line())
        end)
      end)

      it("is broken by the end, after each byte of a reply" .. place, function()
        local bytes = "250-a\r\n250 b\r\n"
        local server = begin(table.unpack(scripted.cuts(bytes, { "220 hi" })))
        run(function()
          for n = 0, #bytes - 1 do
            local d = connect(server)
            local err = assert_broken(d, "ECONNRESET", d:run(d.reply, d))
            assert.matches("^SMTP: the server has closed the connection", tostring(err))
            assert.equal(n ~= 0 and n ~= 7, tostring(err):find "mid%-sentence" ~= nil, n)
          end
        end)
      end)

      it("is broken by the end, after each byte of a block" .. place, function()
        local bytes = ".a\r\n..b\r\n.\r\n"
        for _, read in ipairs { "block", "text" } do
          local server = begin(table.unpack(scripted.cuts(bytes, { "220 hi" })))
          run(function()
            for _ = 1, #bytes do
              local d = connect(server)
              assert_broken(d, "ECONNRESET", d:run(d[read], d))
            end
          end)
        end
      end)
    end

    it("gives the greeting's refusal instead of itself " .. how, function()
      local server = start({ "554 go away" }, { "421 busy" }, { "hello" })
      run(function()
        for _, row in ipairs { { 554, "permanent" }, { 421, "temporary" }, { nil, "protocol" } } do
          local d, err, errno = connect(server)
          assert.is_nil(d)
          assert.same({ row[1], row[2], E.EPROTO }, { err.code, err.kind, errno })
        end
      end)
    end)

    it("gives all calls of an operation one deadline " .. how, function()
      local server = say { endless = "250-x\r\n" }
      run(function()
        local d = connect(server, { replies = math.maxinteger })
        local began = csock.now()
        assert_broken(d, "ETIMEDOUT", d:within(0.2, d.reply, d))
        assert(csock.now() - began < LIMIT)
      end)
    end)

    it("gives up on a server that is slow, byte by byte, " .. how, function()
      local server = say { send = ("x"):rep(1000), piece = 1, every = 0.02 }
      run(function()
        local d = connect(server)
        assert_broken(d, "ETIMEDOUT", d:within(0.2, d.line, d))
      end)
    end)

    it("does not wait for a server that reads nothing " .. how, function()
      local server = start { "220 hi", { send = "", every = 60 } }
      run(function()
        local d = connect(server)
        assert_broken(d, "ETIMEDOUT", d:within(0.2, function()
          d:write(("x"):rep(1 << 24))
          return d:reply()
        end))
      end)
    end)

    it("hears what the server has said before it hung up " .. how, function()
      local server = start { "220 hi", { expect = "a" }, { send = "421 4.3.2 closing\r\n", reset = true } }
      run(function()
        local d = connect(server, { goodbye = 421 })
        d:put "a"
        d:flush()
        server:heard()
        for _ = 1, 10 do
          assert(d:put(("x"):rep(1000)))
          assert(d:flush())
        end
        local err = assert_broken(d, "EPROTO", d:reply())
        assert.same({ 421, "4.3.2 closing" }, { err.code, err.text })
      end)
    end)

    it("waits for something to come " .. how, function()
      local server = say({ expect = "a" }, "b", { close = true })
      run(function()
        local d = connect(server)
        assert.is_false(d:wait(0))
        assert.is_false(d:wait(0.01))
        d:put "a"
        assert.is_true(d:wait(LIMIT))
        assert.equal("b", d:line())
        assert.is_true(d:wait(LIMIT))
        assert_broken(d, "ECONNRESET", d:line())
      end)
    end)
  end

  it("is broken by lines, replies and blocks without end", function()
    local server = start({ "220 hi", { endless = "x" } }, { "220 hi", { endless = "250-x\r\n" } },
      { "220 hi", { endless = "x\r\n" } }, { "220 hi", { endless = "x" } }, { "220 hi", { endless = "x" } })
    local small = { limit = 100, replies = 50, block_limit = 1000 }
    for _, row in ipairs {
      { "line", "EMSGSIZE", "a line of more than 100 bytes" }, { "reply", "EPROTO", "a reply of more than 50 lines" },
      { "block", "EMSGSIZE", "more than 1000 bytes" }, { "block", "EMSGSIZE", "a line of more than 100 bytes" },
      { "text", "EMSGSIZE", "more than 1000 bytes" },
    } do
      local d = connect(server, small)
      local err = assert_broken(d, row[2], d:run(d[row[1]], d))
      assert.matches(row[3], tostring(err), 1, true)
      assert.equal("protocol", err.kind)
    end
    local d = connect(server, small)
    assert_broken(d, "EMSGSIZE", d:exactly(1001))
  end)

  it("takes a line and a reply of just the limit", function()
    local line = "250 " .. ("x"):rep(96)
    for _, last in ipairs { "\n", "\r\n" } do
      local server = say { send = line .. last .. "250-\r\n250-\r\n250 \r\n", piece = 1 }
      local d = connect(server, { limit = 101, replies = 3 })
      assert.equal(line, d:line())
      assert.equal(250, d:reply())
    end
  end)

  it("refuses what is no reply", function()
    for _, bytes in ipairs {
      "", "25", "25 x", "2500 x", "0250 x", "250x", "x250 ", " 250 x", "+250 x", "0x25 x", "999 x", "250-a\r\n251 b",
      "250-a\r\nb\r\n250 c", "250-a\r\n 250 c", "250\0x", "２５０ x",
    } do
      local server = say(bytes, "250 more")
      local d = connect(server)
      local err = assert_broken(d, "EPROTO", d:reply())
      assert.equal("protocol", err.kind)
      assert.matches("^SMTP: no reply: ", tostring(err))
      server:close()
    end
  end)

  it("lets any lines stand in an FTP server's reply, if told", function()
    local server = say "230-one\r\ntwo\r\n 230 three\r\n220 four\r\n230-five\r\n230 six\r\n331 seven"
    local d = connect(server, { free_lines = true, what = "FTP" })
    local code, text = d:reply()
    assert.same({ 230, "one\ntwo\n 230 three\n220 four\nfive\nsix" }, { code, text })
    assert.equal(331, (d:ok(331)))
  end)

  it("keeps the terminal safe from what a server says", function()
    local d = connect(say "550 a\27[2Jb\r\n")
    local _, err = d:ok(250)
    assert.equal("SMTP: 550 a?[2Jb [EPROTO]", tostring(err))
    assert.equal("a\27[2Jb", err.text)
  end)

  it("raises for CR, LF and NUL in a line before a byte is sent", function()
    local server = say({ expect = "^fine$" }, "250 ok")
    local d = connect(server)
    d:run(function()
      for _, line in ipairs { "a\rb", "a\nb", "a\0b", "\r\n", { "a", "b\n" }, { 1 }, 7 } do
        assert.error_matches(function() d:put(line) end, "SMTP: a line without CR, LF and NUL expected")
      end
    end)
    local ok, err = pcall(d.run, d, d.put, d, "\n")
    assert.is_false(ok)
    assert.matches("^spec/csock/wire/dialog_spec.lua:%d+: ", err)
    d:put "fine" -- nothing was sent: it is in step
    assert.equal(250, d:ok(250))
    d:close()
    assert.same({ "fine" }, server:heard())
  end)

  it("is broken by an error in the middle of an operation", function()
    local d = connect(say "250 late")
    assert.error_matches(function()
      d:run(function()
        d:put "a"
        error "on purpose"
      end)
    end, "on purpose")
    assert_broken(d, "ECANCELED", d:run(d.reply, d))
  end)

  it("is broken by a task that is cancelled in the middle of an operation", function()
    local server = say()
    streams.in_task(function()
      local d = connect(server)
      local task = csock.spawn(d.run, d, d.reply, d)
      csock.sleep(0)
      task:cancel()
      assert_broken(d, "ECANCELED", d:run(d.reply, d))
    end)
  end)

  it("is one task's during an operation", function()
    local server = say({ expect = "go" }, "250 ok")
    streams.in_task(function()
      local d = connect(server)
      local task = csock.spawn(d.run, d, d.reply, d)
      csock.sleep(0)
      local none, err, errno = d:run(d.reply, d)
      assert.is_nil(none)
      assert.same({ "EBUSY", E.EBUSY }, { err.name, errno })
      d:put "go"
      d:flush()
      assert.equal(250, (task:join()))
      assert.is_nil(d.err)
    end)
  end)

  it("gives a run within a run the outer one's deadline", function()
    local d = connect(say())
    assert_broken(d, "ETIMEDOUT", d:within(0.05, function() return d:within(60, d.reply, d) end))
  end)

  it("is closed for good", function()
    local d = connect(say())
    assert.is_true(d:close())
    assert.is_true(d:close())
    local none, err, errno = d:reply()
    assert.same({ "SMTP", "EBADF", E.EBADF }, { none or err.call, err.name, errno })
  end)

  it("says where it could not connect", function()
    local listener = assert(csock.create_server { "127.0.0.1", 0 })
    local port = listener:getsockname().port
    listener:close()
    local d, err, errno = dialog.connect("127.0.0.1", port, { what = "SMTP" })
    assert.is_nil(d)
    assert.equal(E.ECONNREFUSED, errno)
    assert.matches("^SMTP: create_connection %('127.0.0.1', " .. port, tostring(err))
  end)

  it("raises for wrong options", function()
    assert.error_matches(function() dialog.connect("h", 1, { color = 1 }) end, "unknown option 'color'")
    assert.error_matches(function() dialog.connect("h", 1, { timeout = 0 }) end, "timeout: seconds > 0")
  end)

  it("takes a socket, or a stream, that is open already", function()
    local a, b = keep(csock.socketpair())
    local d = keep(dialog.connect(nil, nil, { socket = a }))
    b:sendall "one\r\n"
    assert.equal("one", d:line())
    a, b = keep(csock.socketpair())
    d = keep(dialog.connect(nil, nil, { socket = assert(a:makefile "rw") }))
    d:put "two"
    d:flush()
    assert.equal("two\r\n", b:recv(10))
    assert_broken(d, "ETIMEDOUT", d:within(0.01, d.line, d))
  end)

  it("goes to the path of a Unix socket, too", function()
    local dir = assert(posix.mkdtemp())
    finally(function() os.execute("rm -rf '" .. dir .. "'") end)
    local listener = keep(csock.create_server(dir .. "/s", { family = csock.AF_UNIX }))
    local d = keep(dialog.connect(dir .. "/s"))
    d:put "x"
    d:flush()
    assert.equal("x\r\n", keep(listener:accept()):recv(10))
    local none, err = dialog.connect(dir .. "/none")
    assert.same({ "ENOENT" }, { none or err.name })
  end)

  it("sends what goes out together at once", function()
    local a, b = keep(csock.socketpair(csock.AF_UNIX, csock.SOCK_SEQPACKET))
    local d = keep(dialog.connect(nil, nil, { socket = a }))
    d:put "MAIL"
    d:put { "RCPT", "DATA" }
    d:flush()
    assert.equal("MAIL\r\nRCPT\r\nDATA\r\n", b:recv(100))
  end)

  if contexts.missing then return it("over TLS", function() pending(contexts.missing) end) end

  for how, run in pairs(streams.ways) do
    it("puts TLS under itself " .. how, function()
      local server = say({ expect = "STARTTLS" }, "220 go", { starttls = true }, { expect = "NOOP" }, "250 secret")
      run(function()
        local d = connect(server)
        d:run(function()
          d:put "STARTTLS"
          assert(d:ok(220))
          assert(d:starttls(contexts.client()))
          assert.is_true(d.secure)
          d:put "NOOP"
          assert.same({ 250, "secret", { "secret" } }, { d:ok(250) })
        end)
        d:close()
        assert.same({ "STARTTLS", "NOOP" }, server:heard())
      end)
    end)

    it("refuses what came in the clear behind STARTTLS, wherever it is cut, " .. how, function()
      local scripts = {}
      for n = 1, 8 do
        scripts[n] = { "220 hi", { expect = "STARTTLS" }, { send = "220 go\r\n" .. ("250 fake\r\n"):sub(1, n) },
          { starttls = true } }
      end
      local server = start(table.unpack(scripts))
      run(function()
        for _ = 1, #scripts do
          local d = connect(server)
          d:put "STARTTLS"
          assert(d:ok(220))
          local err = assert_broken(d, "EPROTO", d:starttls(contexts.client()))
          assert.matches("in the clear", tostring(err))
        end
      end)
    end)

    it("does not go on where the certificate is not the server's " .. how, function()
      local server = start({ "220 hi", { starttls = true } }, { "220 hi", { starttls = true } })
      run(function()
        local d = connect(server)
        assert_broken(d, "CERTIFICATE_VERIFY_FAILED", d:starttls(contexts.client "unknown_ca"))
        d = connect(server)
        assert_broken(d, "CERTIFICATE_VERIFY_FAILED", d:starttls(contexts.client(), "elsewhere.test"))
      end)
    end)

    it("ends a handshake that never comes " .. how, function()
      local server = say()
      run(function()
        local d = connect(server)
        assert_broken(d, "ETIMEDOUT", d:within(0.1, d.starttls, d, contexts.client()))
      end)
    end)
  end
end)
