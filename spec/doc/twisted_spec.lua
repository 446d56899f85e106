-- doc/from-twisted.md: its programs run, its servers do the same as Twisted's, and its names are all there.
local csock = require "csock"
local guide = require "spec.support.guide"
local keep = require "spec.support.keep"
local process = require "spec.support.process"
local tree = require "spec.support.tree"
local twisted = require "spec.support.twisted"

local PAGE = "doc/from-twisted.md"
local page = tree.read(PAGE)

after_each(keep.close)

describe(PAGE, function()
  for i, code in ipairs(guide.blocks(PAGE, "lua")) do
    if guide.tells(code) then
      it("has a program that prints what the page says: " .. i, function() guide.check(code) end)
    end
  end
end)

-- The servers: what each conversation gets from them ---------------------------------------------------

local function connect(port)
  return keep(assert(csock.create_connection({ "127.0.0.1", port }, { timeout = 20 * process.slowness })))
end

local function receive(socket, size)
  local text = ""
  while #text < size do
    local data = assert(socket:recv(size - #text))
    if data == "" then break end
    text = text .. data
  end
  return text
end

-- Each is told the port, and says what came.
local conversations = {
  function(port) -- the chat
    local heard = {}
    local question = "What's your name?\r\n"
    local function enter(name)
      local socket = connect(port)
      heard[#heard + 1] = receive(socket, #question)
      assert(socket:sendall(name .. "\r\n"))
      heard[#heard + 1] = receive(socket, #("Welcome, ! \r\n" .. name) - 1)
      return socket
    end
    local ann, bob = enter "ann", enter "bob"
    assert(ann:sendall "hi\r\nall\r\n")
    heard[#heard + 1] = receive(bob, #"<ann> hi\r\n<ann> all\r\n")
    local second = connect(port)
    assert(second:sendall "ann\r\n")
    heard[#heard + 1] = receive(second, #(question .. "Name taken, please choose another.\r\n"))
    return table.concat(heard)
  end,
  function(port) -- the sums
    local socket = connect(port)
    local heard = {}
    for i, line in ipairs { "1 2 3", "one", "40 2" } do
      assert(socket:sendall(line .. "\r\n"))
      heard[i] = receive(socket, ({ #"6\r\n", #"numbers, please\r\n", #"42\r\n" })[i])
    end
    return table.concat(heard)
  end,
  function(port) -- the words
    local socket = connect(port)
    assert(socket:sendall "one two\nthree")
    assert(socket:shutdown(csock.SHUT_WR))
    return receive(socket, 1000)
  end,
}

local EXPECTED = {
  "What's your name?\r\nWelcome, ann!\r\nWhat's your name?\r\nWelcome, bob!\r\n<ann> hi\r\n<ann> all\r\n"
    .. "What's your name?\r\nName taken, please choose another.\r\n",
  "6\r\nnumbers, please\r\n42\r\n",
  "3 words\n",
}

describe("the servers of " .. PAGE, function()
  local python, lua = guide.blocks(PAGE, "python"), {}
  for _, code in ipairs(guide.blocks(PAGE, "lua")) do
    if code:find "listening on port" then lua[#lua + 1] = code end
  end

  local function talk(server, converse)
    return converse(server:expect "listening on port (%d+)\n")
  end

  it("are three, in both languages", function()
    assert.same({ 3, 3 }, { #python, #lua })
  end)

  for i, converse in ipairs(conversations) do
    it(("do what they say: %d in Lua"):format(i), function()
      local server = keep(process.start({ process.interpreter, "-e", lua[i] }, { env = guide.environment() }))
      assert.equal(EXPECTED[i], talk(server, converse))
    end)

    local with_twisted = twisted.there and it or pending
    with_twisted(("do what they say: %d with Twisted"):format(i), function()
      local server = keep(process.start { "/usr/bin/python3", "-c", python[i] })
      assert.equal(EXPECTED[i], talk(server, converse))
    end)
  end
end)

-- The names ------------------------------------------------------------------------------------------

-- The sections "### `twisted.x`: `csock.y`".
local sections = {}
for python, lua, text in page:gsub("\n##", "\n\0##"):gmatch "%z### `(twisted[%w_.]+)`: `(csock[%w_.]+)`\n(%Z*)" do
  sections[#sections + 1] = { python = python, lua = lua, text = text }
end

-- The names that stand in a text, as `name` or at the beginning of `name(...)`.
local function names_in(text)
  local names = {}
  for code in text:gmatch "`([^`]+)`" do
    for name in code:gmatch "[%a_][%w_]*" do names[name] = true end
  end
  return names
end

describe("the names of " .. PAGE, function()
  for _, section in ipairs(sections) do
    it("are there: " .. section.lua .. " for " .. section.python, function()
      local module = require(section.lua)
      local same = section.text:match "The same:(.-)\n\n" or section.text:match "The same:(.*)"
      for name in pairs(names_in(same)) do assert.is_true(module[name] ~= nil, section.lua .. "." .. name) end
    end)

    local with_twisted = twisted.there and it or pending
    with_twisted("are all that there are: " .. section.python, function()
      local known = names_in(section.text)
      for name in twisted.run("spec/support/twisted/names.py", section.python):gmatch "%S+" do
        assert.is_true(known[name] == true, section.python .. "." .. name .. " is not mentioned")
      end
    end)
  end

  it("are of ten modules", function() assert.equal(10, #sections) end)
end)
