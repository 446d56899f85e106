-- What streams read does not depend on the pieces in which it comes, nor on how long it is.
local csock = require "csock"
local errno = csock.errno
local process = require "spec.support.process"
local streams = require "spec.support.streams"

local in_pieces = streams.in_pieces

local function too_long(...)
  local nothing, err, code = ...
  assert.is_nil(nothing)
  assert.equal(errno.EMSGSIZE, code)
  assert.equal(errno.EMSGSIZE, err.errno)
end

-- What `read` gives until it gives nil.
local function all(read, ...)
  local list = {}
  for piece in read, ... do list[#list + 1] = piece end
  return list
end

after_each(streams.close_all)

describe("input that comes in pieces of any size", function()
  local input = "one\n\r\ntwo\r\nthr\ree\r\r\n\0zero\n\n\xff\xfe\r\nthe end\r"
  local lines = { "one", "", "two", "thr\ree\r", "\0zero", "", "\xff\xfe", "the end\r" }
  local whole = { "one\n", "\r\n", "two\r\n", "thr\ree\r\r\n", "\0zero\n", "\n", "\xff\xfe\r\n", "the end\r" }

  local function at_every_size(what, f)
    it(what, function()
      for size = 1, #input do f(in_pieces(input, size), size) end
    end)
  end

  at_every_size("is read by lines", function(st)
    assert.same(lines, all(function() return st:read() end))
  end)

  at_every_size("is read by lines with their ends", function(st)
    assert.same(whole, all(function() return st:read("L") end))
  end)

  at_every_size("is iterated over", function(st)
    assert.same(lines, all(st:lines()))
  end)

  at_every_size("is iterated over with line ends", function(st)
    assert.same(whole, all(st:lines("L")))
  end)

  at_every_size("is read by readline", function(st)
    local list = all(function()
      local line = st:readline()
      return line ~= "" and line or nil
    end)
    assert.same(whole, list)
  end)

  at_every_size("is read by readlines", function(st)
    assert.same(whole, st:readlines())
  end)

  at_every_size("is read as a whole", function(st)
    assert.equal(input, st:read("a"))
    assert.equal("", st:read("a"))
  end)

  at_every_size("is read by counts", function(st)
    local list = all(function() return st:read(7) end)
    assert.equal(input, table.concat(list))
    for i = 1, #list - 1 do assert.equal(7, #list[i]) end
  end)

  at_every_size("is read up to a delimiter of one byte", function(st)
    local list = all(function() return (st:read_until("e")) end)
    assert.same({ "on", "\n\r\ntwo\r\nthr\r", "", "\r\r\n\0z", "ro\n\n\xff\xfe\r\nth", " ", "nd\r" }, list)
  end)

  at_every_size("is read up to a delimiter of several bytes", function(st)
    local list = all(function() return (st:read_until("\r\n")) end)
    assert.same({ "one\n", "two", "thr\ree\r", "\0zero\n\n\xff\xfe", "the end\r" }, list)
  end)

  at_every_size("is read by several formats together", function(st)
    assert.same({ "one", "\r\n", "two\r", "", "thr\ree\r\r\n", input:sub(21) },
      { st:read("l", "L", 4, "l", "L", "a") })
  end)

  at_every_size("is iterated over by several formats", function(st)
    local list = {}
    for a, b in st:lines(3, "l") do list[#list + 1] = { a, b } end
    assert.same({ { "one", "" }, { "\r\nt", "wo" }, { "thr", "\ree\r" }, { "\0ze", "ro" },
      { "\n\xff\xfe", "" }, { "the", " end\r" } }, list)
  end)

  at_every_size("is peeked at and then read", function(st)
    assert.equal("one\n\r", st:peek(5))
    assert.equal("one", st:read())
    assert.equal(input:sub(5), st:peek(1000))
    assert.equal(input:sub(5), st:read("a"))
  end)

  at_every_size("may have a limit for each record", function(st, size)
    assert.equal("one\n", st:read_until("\r\n", 4), size)
    assert.equal("two", st:read_until("\r\n", 3))
    too_long(st:read_until("\r\n", 6))
    assert.equal("thr\ree\r", st:read_until("\r\n", 7))
    too_long(st:read_until("no such", 8))
    assert.equal("\0zero\n\n\xff\xfe", st:read_until("\r\n"))
    too_long(st:read_until("\r\n", 7)) -- no delimiter, then the end
    local rest, whole_record = st:read_until("\r\n", 8)
    assert.equal("the end\r", rest)
    assert.is_false(whole_record)
  end)
end)

describe("numerals", function()
  local text = "  12 0x1F -3.5e2\t.5\n1e+ 7 0x.8p1 -0x 3. +4 0X1p-2 1e400 18446744073709551616 0x 99"

  -- What reading numbers gives, up to the end.
  local function numbers(file, at_end)
    local results = {}
    repeat
      local n = file:read("n")
      results[#results + 1] = n == nil and "none" or n
    until at_end()
    return results
  end

  it("are read as Lua's files read them, whatever pieces they come in", function()
    local f <close> = assert(io.tmpfile())
    f:write(text):seek("set")
    local expected = numbers(f, function() return f:read(0) == nil end)
    assert.equal(15, #expected)
    for size = 1, #text do
      local st = in_pieces(text, size)
      assert.same(expected, numbers(st, function() return st:read(0) == nil end))
    end
  end)

  it("keep their subtype", function()
    local st = in_pieces("3 3.0 0x10", 4)
    local a, b, c = st:read("n", "n", "n")
    assert.equal("integer", math.type(a))
    assert.equal("float", math.type(b))
    assert.equal(16, c)
  end)

  it("are at most 200 characters long", function()
    local longest = ("1"):rep(200)
    for _, size in ipairs { 2, 7, 199, 200, 201, 400 } do
      local st = in_pieces(longest .. " " .. longest .. "2 x", size)
      assert.equal(tonumber(longest), st:read("n"))
      assert.is_nil(st:read("n"))
      assert.equal("2 x", st:read("a"))
    end
  end)

  it("that are none give nil and end the results", function()
    local st = in_pieces("1 word 2", 3)
    assert.same({ 1 }, { st:read("n", "n", "n") })
    assert.equal("word 2", st:read("a"))
  end)
end)

describe("long input", function()
  it("comes through whole, in lines of every length around the buffer's sizes", function()
    local a, b = streams.pair()
    local expected = {}
    for _, n in ipairs { 0, 1, 2047, 2048, 4095, 4096, 4097, 32768, 65535, 65536, 65537, 200000, 3 } do
      expected[#expected + 1] = ("%d:"):format(n) .. ("x"):rep(n)
    end
    csock.spawn(function()
      assert(b:sendall(table.concat(expected, "\r\n")))
      b:close()
    end)
    local seen
    csock.spawn(function() seen = all(streams.keep(a:makefile()):lines()) end)
    assert(csock.run())
    assert.equal(#expected, #seen)
    for i, line in ipairs(expected) do assert.is_true(line == seen[i], "line " .. i) end
  end)

  it("is looked through once, however often a long line is asked for", function()
    local library = package.searchpath("spec.support.scan", package.cpath)
    local p <close> = process.lua({ "-e", [[
      local csock = require "csock"
      local scanned = require "spec.support.scan"
      local SIZE, PIECE, AT_ONCE = 1 << 20, 512, 64
      for _, delimiter in ipairs { "\n", "\r\n", "\r\n\r\n" } do
        local a, b = assert(csock.socketpair(csock.AF_UNIX, csock.SOCK_SEQPACKET))
        local st = a:makefile()
        local line, piece = ("x"):rep(SIZE), ("x"):rep(PIECE)
        a:settimeout(0)
        local before = scanned()
        for i = 1, SIZE, PIECE * AT_ONCE do
          for _ = 1, AT_ONCE do assert(b:send(piece)) end
          assert(not st:read_until(delimiter))
        end
        assert(b:send(delimiter))
        assert(st:read_until(delimiter) == line)
        print(scanned() - before >= SIZE and scanned() - before < 2 * SIZE)
      end]] }, { env = { LD_PRELOAD = (os.getenv "LD_PRELOAD" or "") .. ":" .. library } })
    assert.equal(0, p:wait())
    assert.equal("true\ntrue\ntrue\n", p.out)
  end)
end)
