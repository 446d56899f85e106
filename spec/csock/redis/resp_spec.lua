local csock = require "csock"
local resp = require "csock.redis.resp"
local streams = require "spec.support.streams"

local null = resp.null

-- What the server sends, and what that is in Lua.
local replies = {
  ["+OK\r\n"] = "OK",
  ["+\r\n"] = "",
  ["+a\rb\nc\r\n"] = "a\rb\nc",
  [":42\r\n"] = 42,
  [":-9223372036854775808\r\n"] = math.mininteger,
  ["$5\r\nhello\r\n"] = "hello",
  ["$0\r\n\r\n"] = "",
  ["$4\r\n\r\n\r\n\r\n"] = "\r\n\r\n",
  ["$-1\r\n"] = null,
  ["*-1\r\n"] = null,
  ["*0\r\n"] = {},
  ["*3\r\n$1\r\na\r\n:2\r\n$-1\r\n"] = { "a", 2, null },
  ["*2\r\n*1\r\n*1\r\n+x\r\n*0\r\n"] = { { { "x" } }, {} },
  -- RESP3
  ["_\r\n"] = null,
  ["#t\r\n"] = true,
  ["#f\r\n"] = false,
  [",1.5\r\n"] = 1.5,
  [",10\r\n"] = 10.0,
  [",-1.5e-3\r\n"] = -1.5e-3,
  [",inf\r\n"] = math.huge,
  [",-inf\r\n"] = -math.huge,
  ["(12\r\n"] = 12,
  ["(3492890328409238509324850943850943825024385\r\n"] = "3492890328409238509324850943850943825024385",
  ["=15\r\ntxt:Some string\r\n"] = "Some string",
  ["~2\r\n+a\r\n+b\r\n"] = { "a", "b" },
  ["%2\r\n+a\r\n:1\r\n:2\r\n#t\r\n"] = { a = 1, [2] = true },
  ["%1\r\n,nan\r\n+x\r\n"] = { nan = "x" },
  ["|1\r\n+ttl\r\n:3600\r\n*1\r\n|1\r\n+popular\r\n,0.1\r\n$3\r\nkey\r\n"] = { "key" },
  ["$?\r\n;4\r\nHell\r\n;5\r\no wor\r\n;2\r\nld\r\n;0\r\n"] = "Hello world",
  ["*?\r\n:1\r\n*?\r\n.\r\n:3\r\n.\r\n"] = { 1, {}, 3 },
  ["%?\r\n+a\r\n:1\r\n.\r\n"] = { a = 1 },
}

describe("a reply", function()
  after_each(streams.close_all)

  for input, value in pairs(replies) do
    it("is read in pieces of every size: " .. ("%q"):format(input):gsub("\\?[\r\n]", "|"):sub(1, 60), function()
      for size = 1, #input do
        local stream = streams.in_pieces(input .. "+next\r\n", size)
        local got, push = resp.read(stream)
        assert.same(value, got)
        assert.equal(math.type(value), math.type(got))
        assert.is_false(push)
        assert.equal("next", resp.read(stream))
        local nothing, err, errno = resp.read(stream)
        assert.is_nil(nothing)
        assert.equal("ECONNRESET", err.name)
        assert.equal(csock.errno.ECONNRESET, errno)
        streams.close_all()
      end
    end)
  end

  it("is read in a task as it comes", function()
    for input, value in pairs(replies) do
      streams.in_task(function() assert.same(value, (resp.read(streams.in_pieces(input, 3)))) end)
    end
  end)

  it("that is an error gives an error value", function()
    for input, want in pairs {
      ["-WRONGTYPE Operation against a key\r\n"] = { "WRONGTYPE", "Operation against a key" },
      ["-ERR unknown command\r\n"] = { "ERR", "unknown command" },
      ["-NOAUTH\r\n"] = { "NOAUTH", "" },
      ["-something else\r\n"] = { "ERR", "something else" },
      ["!21\r\nSYNTAX invalid syntax\r\n"] = { "SYNTAX", "invalid syntax" },
    } do
      local err = resp.read(streams.in_pieces(input, 1), "LPUSH")
      assert.equal("redis", err.kind)
      assert.equal(want[1], err.name)
      assert.equal(want[2], err.strerror)
      assert.is_true(err:is(csock.error))
      assert.equal(("redis LPUSH: %s [%s]"):format(want[2], want[1]), tostring(err))
    end
  end)

  it("that is a push says so", function()
    local list, push = resp.read(streams.in_pieces(">2\r\n+message\r\n+hi\r\n", 1))
    assert.same({ "message", "hi" }, list)
    assert.is_true(push)
  end)

  it("that ends early is an error, wherever it ends", function()
    for input in pairs(replies) do
      for size = 0, #input - 1 do
        local stream = streams.in_pieces(input:sub(1, size), 100)
        local value, err = resp.read(stream)
        assert.is_nil(value)
        assert.equal("ECONNRESET", err.name)
        streams.close_all()
      end
    end
  end)

  for what, input in pairs {
    ["of no kind"] = "HTTP/1.1 400 Bad Request\r\n",
    ["that is empty"] = "\r\n",
    ["with a bad integer"] = ":1x\r\n",
    ["with an integer that is too big"] = ":9223372036854775808\r\n",
    ["with a bad double"] = ",0x10\r\n",
    ["with a bad boolean"] = "#x\r\n",
    ["with a negative length"] = "$-2\r\n",
    ["with a length that is no number"] = "$abc\r\n",
    ["with a length over all bounds"] = "$99999999999999\r\n",
    ["with a string that is longer than it said"] = "$1\r\nabc\r\n",
    ["with half a pair"] = "%?\r\n+a\r\n.\r\n",
    ["with an end that ends nothing"] = ".\r\n",
    ["with an end in a list that has its length"] = "*1\r\n.\r\n",
    ["with a bad chunk"] = "$?\r\n:4\r\nHell\r\n",
    ["with chunks that are over all bounds together"] = "$?\r\n;4\r\nHell\r\n;536870912\r\n",
    ["with a line without an end"] = "+" .. ("x"):rep(70000),
    ["in which there is no end of lists"] = ("*1\r\n"):rep(100000),
  } do
    it(what .. " is EPROTO", function()
      local a, b = streams.pair()
      csock.spawn(function() b:sendall(input) end)
      local value, err = csock.run(function()
        local stream <close> = assert(a:makefile())
        local _ <close> = a
        return resp.read(stream)
      end)
      assert.is_nil(value)
      assert.equal("EPROTO", err.name)
    end)
  end
end)

describe("a command", function()
  it("is a list of strings with their lengths", function()
    assert.equal("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\na\r\n\0\r\n", resp.encode { "SET", "k", "a\r\n\0" })
  end)

  it("takes integers and floats", function()
    assert.equal("*3\r\n$1\r\nX\r\n$2\r\n-5\r\n$3\r\n0.5\r\n", resp.encode { "X", -5, 0.5 })
  end)

  it("takes nothing else", function()
    for _, value in ipairs { {}, true, print } do
      assert.error_matches(function() resp.encode { "GET", value } end, "bad argument #2 of a command")
    end
    assert.error_matches(function() resp.encode {} end, "a command has a name")
  end)
end)

describe("a reply, however it is made up,", function()
  after_each(streams.close_all)

  it("has a limit on its bytes in all: strings, lists, and what lists hold", function()
    for _, input in ipairs {
      "$1000\r\n" .. ("x"):rep(1000) .. "\r\n",
      "*100\r\n" .. (":1\r\n"):rep(100),
      "*?\r\n" .. ("*0\r\n"):rep(100) .. ".\r\n",
      "*2\r\n$500\r\n" .. ("x"):rep(500) .. "\r\n$500\r\n" .. ("x"):rep(500) .. "\r\n",
      "$?\r\n" .. (";1\r\nx\r\n"):rep(100) .. ";0\r\n",
      "%1000000000000\r\n" .. ("+a\r\n"):rep(100),
      "|1000000000000\r\n" .. ("+a\r\n"):rep(100),
    } do
      local value, err, errno = resp.read(streams.in_pieces(input, 50), "GET", nil, 1000)
      assert.is_nil(value)
      assert.same({ "EMSGSIZE", csock.errno.EMSGSIZE, "a reply of more than 1000 bytes" },
        { err.name, errno, err.strerror })
      streams.close_all()
    end
    local fits = streams.in_pieces("$900\r\n" .. ("x"):rep(900) .. "\r\n", 50)
    assert.equal(("x"):rep(900), (resp.read(fits, nil, nil, 1000)))
  end)
end)
