local BytesIO = require "csock.bytesio"
local streams = require "spec.support.streams"

after_each(streams.close_all)

-- A stream and a BytesIO with the same bytes.
local function both(bytes)
  local stream, writer = streams.reader()
  assert(writer:sendall(bytes))
  writer:close()
  return stream, BytesIO(bytes)
end

describe("csock.bytesio", function()
  local cases = {
    { "line\nline 2\r\nlast", "l", "l", "l", "l" },
    { "line\nline 2\r\n\n", "L", "L", "L", "L" },
    { "a\rb\r\r\n", "l", "l" },
    { "0123456789", 3, 0, 4, 10, 1, 0 },
    { "some\nmore", "l", "a", "a", "l" },
    { "", "a", "l", 0 },
    { " 12 0x1F -3.5e2 .5 x", "n", "n", "n", "n" },
    { "x 1", "n" },
    { "1e", "n" },
  }
  for _, case in ipairs(cases) do
    it(("reads %q by %s as a stream does"):format(case[1], table.concat(case, " ", 2)), function()
      local stream, bytes = both(case[1])
      for i = 2, #case do assert.same({ stream:read(case[i]) }, { bytes:read(case[i]) }) end
    end)
  end

  it("reads by several formats at once, up to the first that finds nothing", function()
    local bytes = BytesIO "one\ntwo\n"
    assert.same({ "o", "ne", "two\n" }, { bytes:read(1, "l", "L") })
    assert.equal(1, select("#", bytes:read("l", "a")))
    assert.is_nil(bytes:read())
  end)

  it("reads lines as Python does", function()
    local stream, bytes = both "one\ntwo\nthree"
    for _, limit in ipairs { 2, 10, 3, 10, 10, 10 } do
      assert.equal(stream:readline(limit), bytes:readline(limit))
    end
    stream, bytes = both "one\ntwo\nthree"
    assert.same(stream:readlines(), bytes:readlines())
    assert.same({}, bytes:readlines())
  end)

  it("goes through its lines", function()
    local lines = {}
    for line in BytesIO("one\ntwo\n"):lines() do lines[#lines + 1] = line end
    assert.same({ "one", "two" }, lines)
  end)

  it("writes at its end, wherever reading stands", function()
    local bytes = BytesIO "a"
    assert.equal(bytes, bytes:write("b", 1, 2.5))
    assert.equal("a", bytes:read(1))
    bytes:write("c"):flush()
    assert.equal("b12.5c", bytes:read "a")
    assert.equal("ab12.5c", bytes:getvalue())
    assert.error_matches(function() bytes:write({}) end, "bad argument #1 to 'write' %(string expected, got table%)")
  end)

  it("is EBADF when closed, and keeps its value", function()
    local bytes = BytesIO "value"
    do local _ <close> = bytes end
    for _, call in ipairs { "read", "readline", "write" } do
      local value, err = bytes[call](bytes)
      assert.is_nil(value)
      assert.equal("EBADF", err.name)
    end
    assert.equal("value", bytes:getvalue())
    assert.is_true(bytes:close())
  end)

  it("refuses formats that are none", function()
    for _, format in ipairs { "x", -1, {}, 1.5 } do
      assert.error_matches(function() BytesIO("x"):read(format) end, "invalid format")
    end
  end)
end)
