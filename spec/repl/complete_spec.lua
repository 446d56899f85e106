-- What the text before the cursor could go on as.
local complete = require "csock.repl.complete"
local csock = require "csock"
local names = require "csock.repl.names"

describe("completing", function()
  local session

  before_each(function()
    session = { own = {} }
    session.locals = names.environment(session.own)
  end)

  -- The candidates at the end of a line, as an editor asks that takes names for words.
  local function candidates(line)
    local first = line:match "()[%w_]*$"
    return complete(session, line, first, #line)
  end

  local function has(line, name)
    for _, candidate in ipairs(assert(candidates(line))) do
      if candidate == name then return true end
    end
    return false
  end

  it("finds names: locals, globals, csock's, its modules, keywords", function()
    load("_LOCALS.something = 1", "=test", "t", session.locals)()
    assert.same({ "something" }, candidates "someth")
    assert.same({ "create_connection" }, candidates "x = create_c")
    assert.is_true(has("f(tos", "tostring"))
    assert.is_true(has("htt", "httpserver"))
    assert.is_true(has("els", "elseif"))
  end)

  it("finds the fields of a table, also through its metatables", function()
    rawset(session.locals, "t", setmetatable({ own = 1, inner = { deep = 2 } }, { __index = { inherited = 3 } }))
    assert.same({ "inherited", "inner", "own" }, candidates "t.")
    assert.same({ "deep" }, candidates "print(t.inner.")
    assert.same({ "own" }, candidates "t.ow")
  end)

  it("finds methods after a colon, and nothing else there", function()
    local s <close> = csock.socket()
    rawset(session.locals, "s", s)
    assert.is_true(has("s:", "recv"))
    assert.same({ "recv", "recv_into", "recvfrom", "recvfrom_into", "recvmsg", "recvmsg_into" }, candidates "s:recv")
    s:settimeout(1) -- another metatable
    assert.is_true(has("s:sendal", "sendall"))
    rawset(session.locals, "t", { f = print, n = 1 })
    assert.same({ "f" }, candidates "t:")
  end)

  it("finds the fields of csock that nobody has asked for yet", function()
    assert.is_true(has("csock.SOCK_STRE", "SOCK_STREAM"))
    assert.is_true(has("csock.loop.call_l", "call_later"))
    assert.is_true(has("csock.errno.ECONNRE", "ECONNRESET"))
  end)

  it("asks no __index that is a function, and calls nothing", function()
    local asked = false
    rawset(session.locals, "t", setmetatable({}, { __index = function() asked = true end }))
    assert.same({}, candidates "t.x")
    assert.same({}, candidates "t.x.y")
    assert.same({}, candidates "f(1).x")
    assert.is_false(asked)
  end)

  it("finds modules in require", function()
    assert.is_true(has('require "csock.ht', "http"))
    assert.same({ "csock.redis" }, complete(session, "require('csock.red", 10, 18))
  end)

  it("finds the options of a call, in its table", function()
    assert.is_true(has('csock.create_server({"", 80}, { back', "backlog = "))
    assert.is_true(has('csock.create_connection(address, { timeout = 1, all', "all_errors = "))
  end)

  it("finds the prompt's commands", function()
    assert.same({ "sockets" }, candidates ":sock")
    assert.is_true(has(":", "tasks"))
  end)

  it("finds what a command's argument may be", function()
    local s <close> = csock.create_server { "127.0.0.1", 0 }
    local debug = csock.debug(true)
    local listed <close> = csock.socket()
    csock.debug(debug)
    session.settings = { items = 1, strings = 2 }
    local sleeper = csock.spawn(csock.sleep, 60):set_name "sleeper"
    assert.same({ "sleeper" }, candidates ":kill sl")
    sleeper:cancel()
    assert.same({ "items" }, candidates ":set it")
    assert.same({ "csock.spawn" }, complete(session, ":doc csock.spaw", 6, 15))
    assert.is_true(#candidates ":close " > 0)
    assert.is_true(has(":reload ", "csock.core"))
    for _, line in ipairs { ":watch src/ser", ":replay /tm", ":record /tm", ":save sess" } do
      assert.is_nil(candidates(line))
    end
    assert.is_true(has(":time s = tos", "tostring"))
    assert.is_not_nil(s, listed)
  end)

  it("finds the fields of what has a number or a text as its key, and methods of strings", function()
    rawset(session.locals, "conns", { { peer = 1 }, ["the first"] = { inner = { own = 2 } } })
    assert.same({ "peer" }, candidates "conns[1].")
    assert.same({ "own" }, candidates "conns['the first'].inner.o")
    assert.same({}, candidates "conns[f()].o")
    assert.same({ "upper" }, candidates "('text'):up")
  end)

  it("leaves strings to the names of files, and comments alone", function()
    assert.is_nil(candidates 'io.open("/tm')
    assert.same({}, candidates "-- tosec")
  end)

  it("gives what fits the word that the editor sees", function()
    rawset(session.locals, "t", { own = 1 })
    assert.same({ "t.own" }, complete(session, "x = t.ow", 5, 8))
    assert.same({ "own" }, complete(session, "x = t.ow", 7, 8))
    assert.same({ "wn" }, complete(session, "x = t.ow", 8, 8))
  end)

  it("never fails, whatever stands there", function()
    for _, line in ipairs { "", ".", ":", "a..", "a.b.", "1.", "{", "{{{", ")", "f(", "f({", "x = {", "[[", "'\\",
      "a:b:", "::", "require(", "\0", "\xff.", "t[1].", "nil.", "(1):" } do
      local list = complete(session, line, #line + 1, #line)
      assert.is_true(list == nil or type(list) == "table", line)
    end
  end)
end)
