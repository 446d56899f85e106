local csock = require "csock"
local keep = require "spec.support.keep"
local process = require "spec.support.process"
local memory = require "spec.support.memory"

local E = csock.errno

-- A failure that needs no address: (nil, err, errno) of a call on a closed socket.
local function closed_recv()
  local s = assert(csock.socket())
  s:close()
  return s:recv(1)
end

local function would_block()
  local a = keep(csock.socketpair())
  a:settimeout(0)
  return a
end

describe("an error value", function()
  after_each(keep.close)

  it("comes second, after nil and before its number", function()
    local result, err, errno = closed_recv()
    assert.is_nil(result)
    assert.is_not_nil(err)
    assert.equal(E.EBADF, errno)
    assert.equal(3, select("#", closed_recv()))
  end)

  it("reads as the call, the system's words and the number's name", function()
    local _, err = closed_recv()
    assert.equal("recv: Bad file descriptor [EBADF]", tostring(err))
  end)

  it("has the fields errno, name, strerror, call and kind", function()
    local _, err = closed_recv()
    assert.equal(E.EBADF, err.errno)
    assert.equal("EBADF", err.name)
    assert.equal("Bad file descriptor", err.strerror)
    assert.equal("recv", err.call)
    assert.equal("error", err.kind)
    assert.is_nil(err.address)
    assert.is_nil(err.nonsense)
  end)

  it("can be concatenated on either side", function()
    local _, err = closed_recv()
    assert.equal("failed: recv: Bad file descriptor [EBADF]", "failed: " .. err)
    assert.equal("recv: Bad file descriptor [EBADF] (again)", err .. " (again)")
  end)

  it("names the address that the call was about", function()
    local s <close> = assert(csock.socket())
    local closed <close> = assert(csock.socket())
    assert(closed:bind("127.0.0.1", 0))
    local addr = closed:getsockname() -- nobody listens there
    local _, err, errno = s:connect(addr)
    assert.equal(E.ECONNREFUSED, errno)
    assert.equal(addr, err.address)
    assert.equal(
      "connect ('127.0.0.1', " .. addr.port .. "): Connection refused [ECONNREFUSED]",
      tostring(err)
    )
  end)

  it("quotes a Unix path, with what is no plain text as hexadecimal", function()
    local s <close> = assert(csock.socket(csock.AF_UNIX))
    local _, err = s:connect("/nonexistent/it's\n\x9b2J")
    assert.equal("/nonexistent/it's\n\x9b2J", err.address)
    assert.equal(
      [[connect '/nonexistent/it\'s\x0a\x9b2J': No such file or directory [ENOENT]
]],
      tostring(err) .. "\n"
    )
  end)

  -- In a program of its own: busted's assert is not Lua's.
  it("is raised itself by assert, and shown by the interpreter", function()
    local status, out, err = process.run{ process.interpreter, "-e", [[
      local csock = require "csock"
      local s <close> = csock.socket()
      s:close()
      local ok, err = pcall(function() assert(s:recv(1)) end)
      print(ok, err.name)
      assert(s:recv(1))
    ]] }
    assert.equal(1, status)
    assert.equal("false\tEBADF\n", out)
    assert.truthy(err:find("recv: Bad file descriptor [EBADF]", 1, true))
  end)

  it("is one value for each call and number", function()
    local _, first = closed_recv()
    local _, second = closed_recv()
    assert.is_true(rawequal(first, second))
  end)

  it("costs no memory when a call would block", function()
    local a = would_block()
    a:recv(1) -- the first one makes the value
    assert.equal(0, memory.allocated(function()
      for _ = 1, 1000 do a:recv(1) end
    end))
  end)

  it("costs no memory when the time is up", function()
    local a = would_block()
    a:settimeout(0.000001)
    a:recv(1)
    local ETIMEDOUT = E.ETIMEDOUT
    assert.equal(0, memory.allocated(function()
      for _ = 1, 1000 do
        local _, _, errno = a:recv(1)
        if errno ~= ETIMEDOUT then error("a time-out was expected") end
      end
    end))
  end)

  it("cannot be changed, since it is shared", function()
    local _, err = closed_recv()
    assert.has_error(function() err.strerror = "something else" end)
    assert.has_error(function() err.extra = 1 end)
    assert.has_error(function() rawset(err, "strerror", "something else") end)
    assert.equal("Bad file descriptor", err.strerror)
  end)

  it("names a number that the system does not know", function()
    local _, err, errno = csock.make_error{ call = "f", errno = 4000 }
    assert.equal(4000, errno)
    assert.equal(("f: %s [errno 4000]"):format(csock.strerror(4000)), tostring(err))
  end)
end)

describe("error:is", function()
  after_each(keep.close)

  local function kinds(err)
    local found = {}
    for _, name in ipairs{ "error", "herror", "gaierror", "timeout" } do
      if err:is(csock[name]) then found[#found + 1] = name end
    end
    return table.concat(found, " ")
  end

  it("takes no notice of further arguments", function()
    local _, err = closed_recv()
    assert.is_true(err:is(csock.error, 1, 2))
  end)

  it("knows an ordinary error as csock.error alone", function()
    local _, err = closed_recv()
    assert.equal("error", kinds(err))
  end)

  it("knows a time-out", function()
    local a = would_block()
    a:settimeout(0.000001)
    local _, err = a:recv(1)
    assert.equal("error timeout", kinds(err))
  end)

  it("does not take a would-block for a time-out", function()
    local a = would_block()
    local _, err = a:recv(1)
    assert.equal("error", kinds(err))
  end)

  it("knows the two kinds of failed look-ups", function()
    for _, kind in ipairs{ "gaierror", "herror" } do
      local _, err = csock.make_error{ call = "f", errno = 1, kind = kind }
      assert.equal(
        kind == "herror" and "error herror" or "error gaierror", kinds(err))
    end
  end)

  it("wants an error and a class", function()
    local _, err = closed_recv()
    assert.has_error(function() err:is() end)
    assert.has_error(function() err:is("timeout") end)
    assert.has_error(function() err:is(err) end)
    assert.has_error(function() err:is({}) end)
    assert.has_error(function() err.is({}, csock.error) end)
  end)
end)

describe("the error classes", function()
  it("say their names", function()
    assert.equal("csock.error", tostring(csock.error))
    assert.equal("csock.herror", tostring(csock.herror))
    assert.equal("csock.gaierror", tostring(csock.gaierror))
    assert.equal("csock.timeout", tostring(csock.timeout))
  end)
end)

describe("an error within something", function()
  local _, err = csock.make_error{ call = "dance", errno = E.EACCES, code = 7 }

  it("is told with what it came in the way of", function()
    local within = err:within "the ball"
    assert.equal("the ball: dance: Permission denied [EACCES]", tostring(within))
    assert.equal("the ball", within.during)
  end)

  it("is the same error else, and the first one stays as it was", function()
    local within = err:within "the ball"
    assert.same({ E.EACCES, "EACCES", "dance", "error", 7 },
      { within.errno, within.name, within.call, within.kind, within.code })
    assert.is_true(within:is(csock.error))
    assert.is_nil(err.during)
    assert.equal("dance: Permission denied [EACCES]", tostring(err))
  end)

  it("is told with all of it, the outermost first", function()
    assert.equal("the night: the ball: dance: Permission denied [EACCES]",
      tostring(err:within "the ball":within "the night"))
  end)

  it("keeps a text of its own", function()
    local _, own = csock.make_error{ call = "dance", errno = 7, message = "no music" }
    assert.equal("the ball: no music", tostring(own:within "the ball"))
  end)

  it("takes words alone", function()
    assert.error_matches(function() err:within() end, "bad argument #1 to 'within'")
    assert.error_matches(function() err.within(1, "x") end, "bad argument #1 to 'within'")
  end)
end)

describe("csock.make_error", function()
  it("makes a failure's three results", function()
    local result, err, errno = csock.make_error{ call = "dance", errno = E.EACCES }
    assert.is_nil(result)
    assert.equal(E.EACCES, errno)
    assert.equal("dance: Permission denied [EACCES]", tostring(err))
  end)

  it("takes every field from the caller", function()
    local why = { "a", "b" }
    local _, err = csock.make_error{
      call = "dance", errno = 7, kind = "gaierror", name = "EAI_X", strerror = "no", address = "x",
      errors = why,
    }
    assert.equal("dance 'x': no [EAI_X]", tostring(err))
    assert.equal(why, err.errors)
    assert.equal("gaierror", err.kind)
  end)

  it("says what a server has replied", function()
    local response = {}
    local _, err = csock.make_error{ call = "dance", errno = 7, code = 404, text = "Not Found", response = response }
    assert.same({ 404, "Not Found" }, { err.code, err.text })
    assert.equal(response, err.response)
  end)

  it("takes a whole message", function()
    local _, err = csock.make_error{ call = "dance", errno = 7, message = "no music" }
    assert.equal("no music", tostring(err))
    assert.equal("no music", err.message)
  end)

  it("wants a table with a call and a number", function()
    assert.has_error(function() csock.make_error() end)
    assert.has_error(function() csock.make_error{ errno = 1 } end)
    assert.has_error(function() csock.make_error{ call = "x" } end)
    assert.has_error(function() csock.make_error{ call = "x", errno = 1.5 } end)
    assert.has_error(function() csock.make_error{ call = "x", errno = 1 << 40 } end)
  end)
end)
