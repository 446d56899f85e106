-- csock.debug and csock.sockets: which sockets are open, where each was made, and who is to blame for an error.
local csock = require "csock"
local process = require "spec.support.process"

local HERE = "spec/socket/listing_spec.lua:"

local function line() return debug.getinfo(2, "l").currentline end

local function row_of(socket)
  for _, row in ipairs(csock.sockets()) do
    if row.socket == socket then return row end
  end
end

local function run(code)
  local p <close> = process.lua { "-e", [[
    csock = require "csock"
    csock.debug(true)
  ]] .. code }
  local out = p:read_all()
  return out, p.err, p:wait()
end

describe("csock.debug", function()
  after_each(function() csock.debug(false) end)

  it("tells how it was before, and changes nothing without an argument", function()
    assert.is_false(csock.debug(true))
    assert.is_true(csock.debug())
    assert.is_true(csock.debug(false))
    assert.is_false(csock.debug())
  end)

  it("lists what is made while it is on, until it is closed", function()
    local before <close> = assert(csock.socket())
    csock.debug(true)
    local s <close> = assert(csock.socket())
    csock.debug(false)
    local after <close> = assert(csock.socket())
    assert.is_nil(row_of(before))
    assert.is_nil(row_of(after))
    assert.equal(s, row_of(s).socket)
    s:close()
    assert.is_nil(row_of(s))
  end)

  it("lists those alone that are wanted, by their ids and counters", function()
    csock.debug(true)
    local a, b = csock.socketpair()
    a:sendall "four"
    b:recv(4)
    local seen = {}
    local rows = csock.sockets(function(id, received, sent)
      seen[id] = { received, sent }
      return received == 4
    end)
    assert.equal(1, #rows)
    assert.equal(b, rows[1].socket)
    assert.same({ 4, 0 }, seen[rows[1].id])
    local closed = row_of(a).id
    assert.same({}, csock.sockets(function(id)
      if id == closed then a:close() end
      return id == closed
    end))
    assert.error_matches(function() csock.sockets(1) end, "function expected")
    assert.error_matches(function() csock.sockets(function() error "not that" end) end, "not that")
    csock.debug(false)
    b:close()
  end)

  it("remembers where each way of making sockets was used, and since when", function()
    local now = csock.now()
    csock.debug(true)
    local made = {}
    local function add(at, ...)
      for _, s in ipairs { ... } do made[#made + 1] = { s, at } end
    end
    add(line(), csock.socket())
    add(line(), csock.socketpair())
    add(line(), csock.fromfd(made[1][1]))
    add(line(), made[1][1]:dup())
    local listener = csock.create_server { "127.0.0.1", 0 }
    add(line() - 1, listener)
    add(line(), csock.create_connection(listener:getsockname()))
    local conn = listener:accept()
    add(line() - 1, conn)
    local last = 0
    for _, pair in ipairs(made) do
      local row = row_of(pair[1])
      assert.matches(HERE .. pair[2] .. "$", row.made)
      assert(row.since >= now and row.since <= csock.now())
      assert(row.id > last)
      last = row.id
      pair[1]:close()
    end
  end)

  it("names the listener's place for what csock accepts by itself", function()
    csock.debug(true)
    csock.run(function()
      local conn
      local server <close> = assert(csock.serve({ "127.0.0.1", 0 }, function(c)
        conn = row_of(c)
        c:send "."
      end))
      local at = line() - 4
      local s <close> = assert(csock.create_connection(server:getsockname()))
      assert.equal(".", s:recv(1))
      assert.matches(HERE .. at .. "$", conn.made)
    end)
  end)

  it("keeps no socket alive", function()
    csock.debug(true)
    local weak = setmetatable({ csock.socket() }, { __mode = "v" })
    assert.equal(1, #csock.sockets())
    collectgarbage()
    collectgarbage()
    assert.is_nil(weak[1])
    assert.same({}, csock.sockets())
  end)
end)

describe("the rows of csock.sockets", function()
  before_each(function() csock.debug(true) end)
  after_each(function() csock.debug(false) end)

  it("tell of a TCP connection: kind, state, addresses, bytes", function()
    local listener <close> = assert(csock.create_server { "127.0.0.1", 0 })
    local a <close> = assert(csock.create_connection(listener:getsockname()))
    local row = row_of(listener)
    assert.equal("listening", row.state)
    assert.equal(listener:getsockname(), row.laddr)
    assert.is_nil(row.raddr)
    if row.readable then -- TCP_INFO
      assert.equal(1, row.readable)
      assert.equal(128, row.unsent)
    end
    local b <close> = assert(listener:accept())
    assert.equal(5, a:send "hello")
    csock.select({ b })
    row = row_of(b)
    assert.equal("tcp", row.kind)
    assert.equal("connected", row.state)
    assert.equal(b:fileno(), row.fd)
    assert.equal(b:getpeername(), row.raddr)
    assert.equal(5, row.readable)
    assert.equal(0, row.received)
    assert.equal("hello", b:recv(10))
    assert.equal(5, row_of(b).received)
    assert.same({ 5, 0 }, { b:counters() })
    assert.same({ 0, 5 }, { a:counters() })
    assert.equal(5, row_of(a).sent)
    assert.is_nil(row.transport)
    if row_of(listener).readable then
      a:shutdown(csock.SHUT_WR)
      b:recv(1)
      assert.equal("ended", row_of(b).state)
      assert.equal("closing", row_of(a).state)
    end
  end)

  it("tell of other kinds", function()
    local udp <close> = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
    local a, b = assert(csock.socketpair())
    assert.same({ "udp", "open" }, { row_of(udp).kind, row_of(udp).state })
    assert.same({ "unix", "connected" }, { row_of(a).kind, row_of(a).state })
    assert.is_nil(row_of(a).laddr)
    a:close()
    b:close()
  end)

  it("have the sockets whose descriptor a stream keeps open", function()
    local a, b = assert(csock.socketpair())
    local stream = a:makefile()
    a:close()
    assert.equal(a, row_of(a).socket)
    stream:close()
    assert.is_nil(row_of(a))
    b:close()
  end)
end)

describe("with csock.debug, an error", function()
  it("names who holds the address that is in use", function()
    csock.debug(true)
    local s <close> = assert(csock.create_server { "127.0.0.1", 0 })
    local at = line() - 1
    local other <close> = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
    assert(other:bind(s:getsockname())) -- another protocol's port
    local _, err = csock.create_server(s:getsockname())
    csock.debug(false)
    assert.equal(1, #err.holders)
    assert.equal(s, err.holders[1].socket)
    local text = tostring(err)
    assert.matches("EADDRINUSE]\nheld by sockets made at: [^\n]*" .. HERE .. at .. " %(1%)$", text)
    local _, plain = csock.create_server(s:getsockname())
    assert.is_nil(plain.holders)
    assert.not_matches("\n", tostring(plain))
  end)

  it("names who holds a Unix socket's path, and nobody for another process's", function()
    csock.debug(true)
    local path = os.tmpname()
    os.remove(path)
    local s <close> = assert(csock.socket(csock.AF_UNIX))
    assert(s:bind(path))
    local t <close> = assert(csock.socket(csock.AF_UNIX))
    local _, err = t:bind(path)
    assert.equal(s, err.holders[1].socket)
    s:close()
    _, err = t:bind(path)
    csock.debug(false)
    os.remove(path)
    assert.equal("EADDRINUSE", err.name)
    assert.is_nil(err.holders)
  end)

  it("names who has the descriptors when they run out", function()
    local out, err, status = run [[
      local all = {}
      repeat
        local s, err = csock.socket()
        all[#all + 1] = s
        if not s then print(err.name, #err.holders == #all, err) end
      until not s
      for _, s in ipairs(all) do s:close() end
    ]]
    assert.equal(0, status, err)
    assert.matches("^EMFILE\ttrue\tsocket: [^\n]*%[EMFILE%]\nheld by sockets made at: %(command line%):5 %(%d+%)\n$",
      out)
  end)
end)

describe("with csock.debug, the end of the program", function()
  it("lists what is still open, and where it was made", function()
    local _, err = run [[
      a, b = csock.socketpair()
      local c <close> = csock.socket()
      a:close()
    ]]
    assert.matches("^csock: still open: <csock.socket fd=%d+, family=AF_UNIX[^\n]*>, made at %(command line%):3\n$",
      err)
  end)

  it("does not list what is collected before", function()
    local _, err = run [[
      csock.socket()
      collectgarbage()
      collectgarbage()
    ]]
    assert.equal("", err)
  end)

  it("lists nothing without it", function()
    local _, err = run "s = csock.socket() csock.debug(false)"
    assert.equal("", err)
  end)
end)

describe("csock.counters", function()
  it("counts what all sockets have done, whichever calls they used, and when they are closed", function()
    local received, sent, accepted = csock.counters()
    local listener <close> = assert(csock.create_server { "127.0.0.1", 0 })
    do
      local a <close> = assert(csock.create_connection(listener:getsockname()))
      local b <close> = assert(listener:accept())
      a:sendall "hello"
      assert.equal("he", b:recv(2))
      assert.equal("llo", b:recv(10, csock.MSG_PEEK))
      assert.equal("llo", (b:recvmsg(10)))
      assert.equal(4, b:sendmsg { "an", "sw" })
      local stream <close> = a:makefile("rw")
      assert.equal("answ", stream:read(4))
      stream:write "line":flush()
      local file <close> = assert(io.open(HERE:sub(1, -2)))
      assert.equal(100, b:sendfile(file, 0, 100))
    end
    collectgarbage()
    local received_now, sent_now, accepted_now = csock.counters()
    assert.same({ 9, 113, 1 }, { received_now - received, sent_now - sent, accepted_now - accepted })
  end)
end)
