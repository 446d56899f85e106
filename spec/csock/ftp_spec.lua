-- The client of FTP, against a server of this process and servers that do as they are told.
local contexts = require "spec.support.contexts"
local csock = require "csock"
local data = require "csock.ftp.data"
local ftpd = require "spec.support.ftpd"
local ftps = require "csock.ftp"
local keep = require "spec.support.keep"
local listing = require "csock.ftp.listing"
local process = require "spec.support.process"
local scripted = require "spec.support.scripted"
local streams = require "spec.support.streams"

local E = csock.errno
local LIMIT = 10 * process.slowness

local function connect(port, options, Class)
  options = options or {}
  options.port = port
  if options.timeout == nil then options.timeout = LIMIT end
  local host = options.host or "127.0.0.1"
  options.host = nil
  local ftp, err, errno = (Class or ftps.FTP)(host, options)
  if ftp then keep(ftp) end
  return ftp, err, errno
end

-- Runs f(ftp, server) in a task, with a server that has these files.
local function conversing(files, options, f, address)
  streams.in_task(function()
    local server = keep(ftpd.serve(files, options, address))
    f(assert(connect(server.port)), server)
    server.close()
  end)
end

local function gather()
  local pieces = {}
  return function(piece) pieces[#pieces + 1] = piece end, function() return table.concat(pieces) end
end

describe("a client of FTP", function()
  after_each(keep.close)

  for _, passive in ipairs { true, false } do
    local how = passive and "opening data connections" or "having them opened"

    it("fetches and stores, " .. how, function()
      local large = ("0123456789abcdef"):rep(40000)
      conversing({ README = "hello", large = large }, nil, function(ftp, server)
        ftp:set_pasv(passive)
        assert.equal("230 in", ftp:login())
        local take, all = gather()
        assert.equal("226 done", ftp:retrbinary("RETR large", take))
        assert.is_true(large == all())
        assert.equal("226 done", ftp:storbinary("STOR new", large))
        assert.is_true(large == server.files.new)
        assert.equal("226 done", ftp:storlines("STOR text", "one\ntwo\r\nthree"))
        assert.equal("one\r\ntwo\r\nthree\r\n", server.files.text)
        assert.equal("226 done", ftp:storbinary("APPE README", " there"))
        assert.equal("hello there", server.files.README)
        local lines = {}
        ftp:retrlines("RETR text", function(line) lines[#lines + 1] = line end)
        assert.same({ "one", "two", "three" }, lines)
      end)
    end)

    it("does so over IPv6, " .. how, function()
      if not csock.has_ipv6 then return pending "no IPv6" end
      streams.in_task(function()
        local server = keep(ftpd.serve({ README = "hello" }, nil, { "::1", 0 }))
        local ftp = assert(connect(server.port, { socket = assert(csock.create_connection { "::1", server.port }) }))
        ftp:set_pasv(passive)
        local take, all = gather()
        assert(ftp:retrbinary("RETR README", take))
        assert.equal("hello", all())
        assert.equal(passive and "EPSV" or "EPRT", server.heard[2]:sub(1, 4))
        server.close()
      end)
    end)

    it("takes the older commands where the server knows no others, " .. how, function()
      conversing({ README = "hello" }, { answers = { EPSV = "500 what", EPRT = "500 what" } }, function(ftp, server)
        ftp:set_pasv(passive)
        for _ = 1, 2 do
          local take, all = gather()
          assert(ftp:retrbinary("RETR README", take))
          assert.equal("hello", all())
        end
        local count = 0
        for _, line in ipairs(server.heard) do count = count + (line:find "^EPSV" and 1 or 0) end
        assert.equal(passive and 1 or 0, count)
      end)
    end)
  end

  it("connects to the server, whatever address it names", function()
    local files, options = { README = "hello" }, { answers = { EPSV = "500 what" }, address = "127.66.66.66" }
    conversing(files, options, function(ftp)
      local take, all = gather()
      assert(ftp:retrbinary("RETR README", take))
      assert.equal("hello", all())
      assert.same({ "127.0.0.1" }, { (ftp:makepasv()) })
      ftp.trust_server_pasv_ipv4_address = true
      assert.same({ "127.66.66.66" }, { (ftp:makepasv()) })
    end)
  end)

  it("goes on where a file broke off", function()
    conversing({ README = "hello" }, nil, function(ftp, server)
      local take, all = gather()
      local seen = {}
      assert(ftp:retrbinary("RETR README", take, {
        rest = 2, blocksize = 2,
        progress = function(count, total) seen[#seen + 1] = count .. "/" .. tostring(total) end,
      }))
      assert.equal("llo", all())
      assert.equal("5/5", seen[#seen])
      assert(ftp:storbinary("STOR README", "LLO", { rest = 2 }))
      assert.equal("heLLO", server.files.README)
    end)
  end)

  it("fetches into a buffer", function()
    conversing({ README = ("hello"):rep(1000) }, nil, function(ftp)
      local buffer, pieces = csock.buffer(64), {}
      assert(ftp:retrbinary("RETR README", function(filled, count)
        assert.equal(buffer, filled)
        pieces[#pieces + 1] = filled:tostring():sub(1, count)
      end, { buffer = buffer }))
      assert.equal(("hello"):rep(1000), table.concat(pieces))
      assert.error_matches(function() ftp:retrbinary("RETR README", io.stdout, { buffer = buffer }) end,
        "bad argument #2 to 'retrbinary'")
      assert.error_matches(function() ftp:retrbinary("RETR README", print, { buffer = 7 }) end, "buffer")
    end)
  end)

  it("lists directories", function()
    conversing({ README = "hello", ["a b; c"] = "x" }, nil, function(ftp)
      assert.same({ "README", "a b; c" }, ftp:nlst())
      local lines = {}
      ftp:dir("/pub", function(line) lines[#lines + 1] = line end)
      assert.same({ "-rw-r--r-- README", "-rw-r--r-- a b; c" }, lines)
      assert.same({ README = { type = "file", size = "5" }, ["a b; c"] = { type = "file", size = "1" },
        ["."] = { type = "cdir", ["unix.mode"] = "0755" } }, ftp:mlsd("/pub", { "type", "size" }))
    end)
  end)

  it("goes about directories", function()
    conversing({ README = "hello" }, nil, function(ftp, server)
      assert.equal("220 ready", ftp:getwelcome())
      assert.equal("/pub", ftp:pwd())
      assert.equal("/pub/new", ftp:mkd "new")
      assert.equal("250 done", ftp:cwd "..")
      assert.equal("250 done", ftp:cwd "")
      assert.equal("250 done", ftp:rename("a", "b"))
      assert.equal("250 done", ftp:delete "a")
      assert.equal("250 done", ftp:rmd "a")
      assert.equal(5, ftp:size "README")
      assert.equal(550, select(2, ftp:size "none").code)
      assert.equal("221 bye", ftp:quit())
      assert.same({ "PWD", "MKD new", "CDUP", "CWD .", "RNFR a", "RNTO b", "DELE a", "RMD a", "SIZE README",
        "SIZE none", "QUIT" }, server.heard)
      assert.equal(E.EBADF, select(3, ftp:pwd()))
    end)
  end)

  it("says the password only where it is asked for", function()
    conversing({}, nil, function(ftp, server)
      assert.equal("230 in", ftp:login("jane", "secret"))
      assert.same({ "USER jane", "PASS secret" }, server.heard)
    end)
    conversing({}, { answers = { USER = "331 who", PASS = "530 no" } }, function(ftp)
      assert.equal(530, select(2, ftp:login("jane", "x")).code)
    end)
    conversing({}, { answers = { USER = "332 account" } }, function(ftp)
      assert.equal(332, select(2, ftp:login("jane", "x")).code)
    end)
  end)

  it("tells what the server says of a transfer", function()
    conversing({ README = "hello" }, { verdict = "426 cut" }, function(ftp)
      local take = gather()
      local none, err, errno = ftp:retrbinary("RETR README", take)
      assert.same({ nil, 426, "temporary", E.EPROTO }, { none, err.code, err.kind, errno })
      assert.equal(426, select(2, ftp:storbinary("STOR x", "y")).code)
      assert.equal("200 ok", ftp:voidcmd "NOOP")
      assert.equal(550, select(2, ftp:retrbinary("RETR none", take)).code)
      assert.equal("200 ok", ftp:voidcmd "NOOP")
    end)
  end)

  it("goes on when what takes the bytes refuses, and ends when it raises", function()
    conversing({ README = "hello" }, nil, function(ftp)
      local none, err = ftp:retrbinary("RETR README", function() return nil, "full" end)
      assert.same({ nil, "full" }, { none, err })
      assert.equal("200 ok", ftp:voidcmd "NOOP")
      assert.error_matches(function()
        ftp:retrbinary("RETR README", function() error("oops", 0) end)
      end, "oops")
      assert.equal(E.EBADF, select(3, ftp:voidcmd "NOOP"))
    end)
  end)

  it("has no data from others", function()
    -- Somebody at another address connects first to where the server is to.
    streams.in_task(function()
      local server = keep(ftpd.serve({ README = "hello" }, {
        answers = { EPRT = "500 what" },
      }))
      local ftp = assert(connect(server.port))
      ftp:set_pasv(false)
      local listener = assert(ftp:makeport())
      local thief = keep(csock.socket())
      assert(thief:bind { "127.0.0.9", 0 })
      assert(thief:connect(listener:getsockname()))
      listener:close()
      server.close()
      assert.equal("127.0.0.9", thief:getsockname().host)
    end)
  end)

  it("goes over to TLS, before it logs in, and with the data", function()
    if contexts.missing then return pending(contexts.missing) end
    streams.in_task(function()
      local server = keep(ftpd.serve({ README = "hello" }, { ssl = contexts.server() }))
      local ftp = assert(connect(server.port, { host = "localhost", context = contexts.client() }, ftps.FTP_TLS))
      assert.equal("230 in", ftp:login("jane", "secret"))
      assert.same({ "AUTH TLS", "USER jane", "PASS secret" }, server.heard)
      assert.equal("200 ok", ftp:prot_p())
      for _, passive in ipairs { true, false } do
        ftp:set_pasv(passive)
        local take, all = gather()
        assert.equal("226 done", ftp:retrbinary("RETR README", take))
        assert.equal("hello", all())
        assert.equal("226 done", ftp:storbinary("STOR new", ("x"):rep(100000)))
        assert.equal(100000, #server.files.new)
      end
      assert.equal(E.EISCONN, select(3, ftp:auth()))
      assert.equal(E.EOPNOTSUPP, select(3, ftp:ccc()))
      server.close()
    end)
    -- A server that does not offer it hears no password.
    conversing({}, nil, function(_, server)
      local ftp = assert(connect(server.port, { host = "localhost", context = contexts.client() }, ftps.FTP_TLS))
      assert.equal(500, select(2, ftp:login("jane", "secret")).code)
      assert.same({ "AUTH TLS" }, server.heard)
    end)
  end)

  it("believes nothing that came in the clear behind the reply to AUTH", function()
    if contexts.missing then return pending(contexts.missing) end
    local server = keep(scripted.start { "220 hi", { expect = "^AUTH TLS$" }, "234 go\r\n230 injected" })
    local ftp = assert(connect(server.port, { host = "localhost", context = contexts.client() }, ftps.FTP_TLS))
    assert.matches("in the clear", tostring(select(2, ftp:login("jane", "x"))))
  end)

  for how, run in pairs(streams.ways) do
    it("is never out of step: what is cut ends it, " .. how, function()
      local reply = '257-"/a"\r\n free lines\r\n257 "/b" is here\r\n'
      local server = keep(scripted.start(table.unpack(scripted.cuts(reply, { "220 hi", { expect = "" } }))))
      run(function()
        for _ = 1, #reply do
          local ftp = connect(server.port)
          local none, err, errno = ftp:pwd()
          assert.same({ nil, E.ECONNRESET }, { none, errno })
          assert.same({ err, errno }, { select(2, ftp:voidcmd "NOOP") })
        end
      end)
    end)

    it("has one time-out for a call, of however many orders it is made, " .. how, function()
      local function late() csock.sleep(0.3 * process.slowness) end
      local ANY = { expect = "" }
      local server = keep(scripted.start({ "220 hi", late, ANY, "331 who", ANY, late, "230 in" },
        { "220 hi", ANY, late, "500 no CDUP", ANY, late, "250 done" },
        { "220 hi", ANY, late, "200 done", ANY, late, "200 done" },
        { "220 hi", ANY, late, "200 TYPE", ANY, late, "500 no EPSV", ANY, "500 no PASV" },
        { "220 hi", ANY, late, "200 OPTS", ANY, late, "200 TYPE", ANY, "500 no EPSV", ANY, "500 no PASV" }))
      local function open(more)
        more = more or {}
        more.timeout = 0.5 * process.slowness
        local Class = more.Class
        more.Class = nil
        return connect(server.port, more, Class)
      end
      run(function()
        assert.equal(E.ETIMEDOUT, select(3, open { user = "jane", passwd = "secret" }))
        assert.equal(E.ETIMEDOUT, select(3, open():cwd ".."))
        assert.equal(E.ETIMEDOUT, select(3, open({ Class = ftps.FTP_TLS }):prot_p()))
        assert.equal(E.ETIMEDOUT, select(3, open():retrbinary("RETR x", print)))
        assert.equal(E.ETIMEDOUT, select(3, open():mlsd("/pub", { "size" })))
      end)
    end)

    it("has no limit for a data connection where the calls have none, whatever the default is, " .. how, function()
      local listener = keep(assert(csock.create_server { "127.0.0.1", 0 }))
      local server = keep(scripted.start { "220 hi", { expect = "^EPSV$" },
        ("229 in (|||%d|)"):format(listener:getsockname().port), { expect = "^RETR x$" }, "150 here" })
      local usual = csock.getdefaulttimeout()
      local _ <close> = setmetatable({}, { __close = function() csock.setdefaulttimeout(usual) end })
      run(function()
        local ftp = connect(server.port, { timeout = false })
        csock.setdefaulttimeout(0)
        keep(assert(ftp:transfercmd "RETR x"))
      end)
    end)

    it("takes no greeting that is none, and ends where the server does, " .. how, function()
      local server = keep(scripted.start({ "+OK pop" }, { "530 no" }, { "120 soon\r\n220 now" }, { { endless = "x" } },
        { "220 hi", { expect = "" }, "421 bye" }, { "220 hi", { expect = "" }, "229 go nowhere" },
        { "220 hi", { expect = "" }, "500 no", { expect = "" }, "227 (1,2,3,4,5,600)" }))
      run(function()
        assert.equal(E.EPROTO, select(3, connect(server.port)))
        assert.equal(530, select(2, connect(server.port)).code)
        assert.equal("220 now", connect(server.port):getwelcome())
        assert.equal(E.EMSGSIZE, select(3, connect(server.port)))
        local ftp = connect(server.port)
        assert.equal(421, select(2, ftp:pwd()).code)
        assert.equal(421, select(2, ftp:pwd()).code)
        assert.equal(E.EPROTO, select(3, connect(server.port):makepasv()))
        assert.equal(E.EPROTO, select(3, connect(server.port):makepasv()))
      end)
    end)
  end

  it("sends no line that is two", function()
    local server = keep(scripted.start { "220 hi" })
    local ftp = connect(server.port)
    for _, bad in ipairs { "a\r\nDELE b", "a\nb", "a\0" } do
      for _, call in ipairs { "cwd", "mkd", "rmd", "delete", "size", "nlst", "dir", "mlsd", "sendcmd", "voidcmd" } do
        assert.error_matches(function() ftp[call](ftp, bad) end, "bad argument #1 to '" .. call)
      end
      assert.error_matches(function() ftp:rename("a", bad) end, "bad argument #2 to 'rename'")
      assert.error_matches(function() ftp:login("a", bad) end, "bad argument #2 to 'login'")
      assert.error_matches(function() ftp:retrbinary("RETR " .. bad, print) end, "bad argument #1 to 'retrbinary'")
      assert.error_matches(function() ftp:storlines("STOR " .. bad, "x") end, "bad argument #1 to 'storlines'")
    end
    assert.error_matches(function() ftp:retrbinary("RETR a", 7) end, "bad argument #2 to 'retrbinary'")
    assert.error_matches(function() ftp:sendport("::1", 1) end, "bad argument #1 to 'sendport'")
    assert.error_matches(function() ftp:sendeprt("a|b", 1) end, "bad argument #1 to 'sendeprt'")
    assert.error_matches(function() ftp:mlsd("a", { "x;y" }) end, "bad argument #2 to 'mlsd'")
  end)
end)

describe("what servers of FTP write", function()
  it("is read whatever it is", function()
    math.randomseed(5)
    local chars = { "(", ")", "|", "!", ",", "1", "255", "256", "99999999999999999999", "=", ";", " ", "\0", "a", '"' }
    local port_of_epsv, place_of_pasv = data.__places.port_of_epsv, data.__places.place_of_pasv
    for _ = 1, 20000 do
      local parts = {}
      for i = 1, math.random(0, 14) do parts[i] = chars[math.random(#chars)] end
      local text = table.concat(parts)
      local port = port_of_epsv(text)
      assert.is_true(port == nil or port > 0 and port < 65536)
      local host, number = place_of_pasv(text)
      assert.is_true(host == nil or number >= 0 and number < 65536)
      listing.__facts_of(text)
    end
    assert.equal(6446, port_of_epsv "Entering Extended Passive Mode (|||6446|)")
    assert.equal(1, port_of_epsv "(!!!1!)")
    assert.is_nil(port_of_epsv "(||!1|)")
    assert.same({ "10.0.0.1", 256 }, { place_of_pasv "=10,0,0,1,1,0" })
  end)
end)
