-- csock.tap: traffic as it passes.
local ciphered = require "spec.support.ciphered"
local csock = require "csock"
local keep = require "spec.support.keep"

local E = csock.errno

-- All that the tap has noted, without the times.
local function all(tap)
  local rows = {}
  while true do
    local row = table.pack(tap:read(0))
    if not row[1] then return rows, row[3] end
    rows[#rows + 1] = table.pack(table.unpack(row, 2, row.n))
    rows[#rows].n = nil
  end
end

describe("csock.tap", function()
  local a, b
  before_each(function() a, b = csock.socketpair() end)
  after_each(function()
    a:close()
    b:close()
  end)

  it("gives what is received and sent, in whichever way", function()
    local tap <close> = assert(csock.tap(a))
    a:send "one"
    a:sendall("xtwo", 0)
    a:sendmsg { "three", csock.buffer "four" }
    b:send "five"
    assert.equal("five", a:recv(10))
    b:send "sixseven"
    local buffer = csock.buffer(3)
    a:recv_into(buffer)
    assert.equal("seven", (a:recvmsg(10)))
    local stream <close> = a:makefile "rw"
    stream:write("eight\n"):flush()
    b:send "nine\n"
    assert.equal("nine", stream:read())
    assert.same({
      { ">", "plain", "one" }, { ">", "plain", "xtwo" }, { ">", "plain", "threefour" }, { "<", "plain", "five" },
      { "<", "plain", "six" }, { "<", "plain", "seven" }, { ">", "plain", "eight\n" }, { "<", "plain", "nine\n" },
    }, all(tap))
  end)

  it("gives the time, and the end of the stream as no bytes", function()
    local tap <close> = assert(csock.tap(a))
    local before = csock.now()
    b:close()
    a:recv(10)
    local time, direction, layer, data = tap:read(0)
    assert(time >= before and time <= csock.now())
    assert.same({ "<", "plain", "" }, { direction, layer, data })
  end)

  it("gives nothing for what is looked at, and a cut datagram as it was received", function()
    local x, y = csock.socketpair(csock.AF_UNIX, csock.SOCK_DGRAM)
    local tap <close> = assert(csock.tap(y))
    x:send "0123456789"
    y:recv(10, csock.MSG_PEEK)
    y:recv(4)
    x:send "0123456789"
    y:recvmsg(4, 0, csock.MSG_TRUNC)
    assert.same({ { "<", "plain", "0123" }, { "<", "plain", "0123" } }, all(tap))
    x:close()
    y:close()
  end)

  it("counts what sendfile has the system send", function()
    local tap <close> = assert(csock.tap(a))
    local file <close> = assert(io.tmpfile())
    file:write(("x"):rep(1000))
    assert.equal(1000, a:sendfile(file))
    local rows, bytes = all(tap), 0
    for _, row in ipairs(rows) do
      local n = row[3] and #row[3] or row[4]
      assert.equal(">", row[1])
      if not row[3] then assert.equal("file", row[5]) end
      bytes = bytes + n
    end
    assert.equal(1000, bytes)
  end)

  it("keeps what there is room for, and counts the rest until it has been read", function()
    local tap <close> = assert(csock.tap(a, { limit = 1000 }))
    a:send(("x"):rep(600))
    a:send(("y"):rep(600))
    a:send "z"
    b:send "w"
    a:recv(1)
    local rows = all(tap)
    assert.same({ ">", "plain", ("x"):rep(600) }, rows[1])
    local kept = #rows[2][3]
    assert.equal(("y"):rep(kept), rows[2][3])
    assert(kept > 300 and kept < 400, kept)
    assert.same({ { "<", "plain", nil, 1, "lost" }, { ">", "plain", nil, 601 - kept, "lost" } }, { rows[3], rows[4] })
    a:send "again"
    assert.same({ { ">", "plain", "again" } }, all(tap))
  end)

  it("may be there several times, each with all of it", function()
    local one <close> = assert(csock.tap(a))
    a:send "1"
    local two <close> = assert(csock.tap(a))
    local other <close> = assert(csock.tap(b))
    a:send "2"
    one:close()
    a:send "3"
    assert.equal(E.EBADF, select(2, all(one)))
    assert.same({ { ">", "plain", "2" }, { ">", "plain", "3" } }, all(two))
    assert.same({}, all(other))
  end)

  it("wakes a task that waits in read, and ends it with the socket and with the tap", function()
    for _, finish in ipairs { function() a:close() end, function(tap) tap:close() end } do
      local tap <close> = assert(csock.tap(a))
      csock.run(function()
        local task = csock.spawn(function()
          local got = {}
          for _, _, _, data in tap.read, tap do got[#got + 1] = data end
          return table.concat(got, " "), select(3, tap:read())
        end)
        csock.yield()
        a:send "one"
        csock.yield()
        a:send "two"
        csock.yield()
        finish(tap)
        assert.same({ "one two", E.EBADF }, { task:join() })
      end)
      a:close()
      a = csock.socketpair()
    end
  end)

  it("gives what passed before the socket was closed", function()
    local tap <close> = assert(csock.tap(a))
    a:send "last"
    a:close()
    local rows, errno = all(tap)
    assert.same({ { ">", "plain", "last" } }, rows)
    assert.equal(E.EBADF, errno)
  end)

  it("has time limits, and says when nothing can come", function()
    local tap <close> = assert(csock.tap(a))
    assert.equal(E.EAGAIN, select(3, tap:read(0)))
    assert.equal(E.EDEADLK, select(3, tap:read()))
    csock.run(function() assert.equal(E.ETIMEDOUT, select(3, tap:read(0.001))) end)
  end)

  it("of a closed socket fails, and of anything else raises", function()
    a:close()
    assert.equal(E.EBADF, select(3, csock.tap(a)))
    assert.is_false((pcall(csock.tap, 1)))
    assert.is_false((pcall(csock.tap, b, { size = 1 })))
  end)

  it("keeps neither its socket nor itself alive", function()
    local tap = assert(csock.tap(a))
    local weak = setmetatable({ a, csock.tap(b) }, { __mode = "v" })
    a = csock.socketpair()
    collectgarbage()
    collectgarbage()
    assert.is_nil(weak[1])
    assert.is_nil(weak[2])
    assert.equal(E.EBADF, select(3, tap:read(0)))
    b:send "nobody looks"
  end)

  it("goes on until the streams over a closed socket are closed, and ends with detach", function()
    local stream = a:makefile "w"
    local tap <close> = assert(csock.tap(a))
    a:close()
    stream:write("x"):flush()
    assert.same({ { ">", "plain", "x" } }, all(tap))
    stream:close()
    assert.equal(E.EBADF, select(3, tap:read(0)))
    local other <close> = assert(csock.tap(b))
    csock.close(b:detach())
    assert.equal(E.EBADF, select(3, other:read(0)))
  end)
end)

for _, layer in ipairs(ciphered.layers) do
  describe("csock.tap over " .. layer.name, function()
    after_each(keep.close)

    it("shows both what the program sees and what goes over the wire", function()
      local a, b = layer.pair()
      local tap_a <close>, tap_b = assert(csock.tap(a)), assert(csock.tap(b))
      assert(a:sendall "a secret")
      assert.equal("a secret", b:recv(100))
      local sent, received = {}, {}
      for list, tap in pairs { [sent] = tap_a, [received] = tap_b } do
        for _, row in ipairs(all(tap)) do
          local key = row[1] .. row[2]
          list[key] = (list[key] or "") .. row[3]
        end
      end
      assert.equal("a secret", sent[">plain"])
      assert.equal("a secret", received["<plain"])
      assert.equal(sent[">wire"], received["<wire"])
      assert(#sent[">wire"] > 8)
      assert.not_matches("secret", sent[">wire"])
      tap_b:close()
    end)
  end)
end
