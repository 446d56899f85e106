-- csock chat, through sockets of this process and nc.
local command = require "spec.support.command"
local csock = require "csock"
local process = require "spec.support.process"

local LIMIT = 10 * process.slowness

local function start()
  local p = command.start { "chat", "127.0.0.1:0" }
  return p, math.tointeger(p:expect "^listening on 127%.0%.0%.1:(%d+)\n")
end

-- Somebody: `say`, `hear` (the next line), `name`.
local function join(port)
  local conn = assert(csock.create_connection({ "127.0.0.1", port }, { timeout = LIMIT }))
  local stream = conn:makefile "r"
  local person = { conn = conn }
  function person.say(...) assert(conn:sendall(table.concat { ... } .. "\r\n")) end
  function person.hear() return (assert(stream:read())) end
  function person.leave()
    stream:close()
    conn:close()
  end
  person.name = person.hear():match "^%* Welcome to the csock chat%. You are (guest%d+) in the lobby%."
  return person
end

describe("csock chat", function()
  it("lets people talk in rooms, under names of their own", function()
    local p <close>, port = start()
    local a, b = join(port), join(port)
    assert.equal(("* %s has joined"):format(b.name), a.hear())
    a.say "/nick Alice"
    for _, each in ipairs { a, b } do assert.equal(("* %s is now Alice"):format(a.name), each.hear()) end
    b.say "hello"
    for _, each in ipairs { a, b } do assert.equal(("[%s] hello"):format(b.name), each.hear()) end
    b.say "/nick Alice"
    assert.equal("* Alice is taken", b.hear())
    b.say "/join kitchen"
    assert.equal(("* %s has joined kitchen"):format(b.name), b.hear())
    assert.equal(("* %s has gone to kitchen"):format(b.name), a.hear())
    b.say "is anybody here?"
    b.hear()
    a.say "/rooms"
    assert.equal("* kitchen (1), lobby (1)", a.hear())
    a.say "/who"
    assert.equal("* In lobby: Alice", a.hear())
    a.say "/join kitchen"
    a.hear()
    b.hear()
    a.say "/quit"
    assert.equal("* Good bye, Alice", a.hear())
    assert.equal("* Alice has left", b.hear())
    assert.is_true(p:running())
  end)

  it("tells what people can do, and what they cannot", function()
    local _ <close>, port = start()
    local a = join(port)
    a.say "/help"
    assert.matches("/nick NAME", a.hear())
    a.say "/frob"
    assert.matches("no such command", a.hear())
    a.say "/nick a b"
    assert.matches("A name has", a.hear())
  end)

  it("shows nothing that would do something to a terminal", function()
    local _ <close>, port = start()
    local a = join(port)
    a.say "\27[2J\0\255 %s"
    assert.equal(("[%s] ?[2J?? %%s"):format(a.name), a.hear())
  end)

  it("sends away who is too slow, or says too long a line, and nobody else", function()
    local _ <close>, port = start()
    local slow, long, good = join(port), join(port), join(port)
    for _ = 1, 2 do slow.hear() end
    long.say(("x"):rep(2000))
    local line
    repeat line = good.hear() until line == ("* %s has left"):format(long.name)
    local text = ("y"):rep(1000)
    repeat
      for _ = 1, 20 do good.say(text) end -- no more than it reads itself
      local mine = 0
      repeat
        line = good.hear()
        if line:find "yyy" then mine = mine + 1 end
      until mine == 20
      good.say "/who"
      repeat line = good.hear() until line:find "^%* In"
    until not line:find(slow.name, 1, true)
  end)

  it("refuses a port that is none, and says that one is taken", function()
    local status, _, err = command.run { "chat", "http" }
    assert.equal(2, status)
    assert.matches("^csock chat: an address is [^\n]*\n$", err)
    local taken <close> = assert(csock.create_server { "127.0.0.1", 0 })
    status, _, err = command.run { "chat", "127.0.0.1:" .. taken:getsockname()[2] }
    assert.equal(1, status)
    assert.matches("^csock chat: [^\n]*EADDRINUSE%]\n$", err)
  end)
end)
