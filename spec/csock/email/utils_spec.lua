-- Addresses, dates and identifiers, beside Python's email.utils.
local corpus = require "spec.csock.email.corpus"
local email = require "csock.email"
local python = require "spec.support.python"
local utils = require "csock.email.utils"

local SCRIPT = "spec/csock/email/python.py"

local one_of, random = corpus.one_of, corpus.random

local ATOMS = { "ann", "Bob", "j.doe", "x-y", "Dr.", "=?utf-8?q?a?=" }
local BLANKS = { "", "", " ", "\t", " (comment) ", "\r\n " }

local function blank() return one_of(BLANKS) end

local function spec()
  local name = one_of { "ann", "a.b", "a+b", '"quoted name"', '"a\\"b"', "x_y" }
  local host = one_of { "example.org", "[127.0.0.1]", "a.b.c", "localhost", "[IPv6:::1]" }
  local gap = one_of { "", "", " " } -- Python tells comments there twice
  return name .. gap .. "@" .. gap .. host
end

local function phrase()
  local list = {}
  for i = 1, random(3) do list[i] = random(3) == 1 and one_of { '"Doe, Ann"', '"a\\\\b"', '""' } or one_of(ATOMS) end
  return table.concat(list, " ")
end

local function mailbox()
  local kind = random(4)
  if kind == 1 then return spec() end
  if kind == 2 then return spec() .. " (" .. one_of { "Ann Doe", "nested (one)", "a\\)b" } .. ")" end
  return phrase() .. blank() .. "<" .. one_of { "", "", "@a:" } .. spec() .. ">" .. blank()
end

local function field()
  local list = {}
  for i = 1, random(4) do
    if random(6) == 1 then
      list[i] = phrase() .. ":" .. one_of { mailbox(), mailbox() .. "," .. mailbox() } .. ";"
    else
      list[i] = mailbox()
    end
  end
  return table.concat(list, "," .. blank())
end

describe("addresses", function()
  it("are found where Python finds them", function()
    if not python.name then return pending "no Python 3.11" end
    local questions = {}
    for i = 1, 3000 do questions[i] = { "addresses", field() } end
    for i, answer in ipairs(python.ask(SCRIPT, questions)) do
      local value, lines = questions[i][2], {}
      for j, pair in ipairs(email.getaddresses { value }) do lines[j] = pair[1] .. "|" .. pair[2] end
      assert.equal(answer[2], table.concat(lines, "\n"), value)
    end
  end)

  it("that are damaged give no more than something, and never loop", function()
    for _ = 1, 3000 do
      local value = field()
      for _ = 1, random(3) do
        local at = random(#value)
        local put = one_of { "", "<", ">", "@", ",", ";", ":", "(", '"', "[", "\\", "." }
        value = value:sub(1, at - 1) .. put .. value:sub(at + 1)
      end
      for _, pair in ipairs(email.getaddresses { value }) do
        assert.same({ "string", "string" }, { type(pair[1]), type(pair[2]) })
      end
    end
    assert.same({ "", "" }, { email.parseaddr "" })
    assert.same({ "", "" }, { email.parseaddr "a@evil.example@good.example" })
  end)

  it("come in order, with their groups' members, names without quotes", function()
    assert.same({ { "Doe, Ann", "ann@x" }, { "", "b@[1.2.3.4]" }, { "c d", "e@f" } },
      email.getaddresses { '"Doe, Ann" <ann@x>, team: b@[1.2.3.4], c d <e@f>;' })
    assert.same({ "Bob", "bob@x" }, { email.parseaddr "bob@x (Bob)" })
  end)

  it("are put together, so that Python takes them apart again", function()
    if not python.name then return pending "no Python 3.11" end
    local names = { "", "Ann", "Doe, Ann", 'a "b"', "a\\b", "Dr. (x)", "a:b;c", "@" }
    local questions = {}
    for i, name in ipairs(names) do questions[i] = { "parseaddr", email.formataddr(name, "a@b.c") } end
    for i, answer in ipairs(python.ask(SCRIPT, questions)) do
      assert.same({ "ok", names[i], "a@b.c" }, answer)
      assert.same({ names[i], "a@b.c" }, { email.parseaddr(questions[i][2]) })
    end
    assert.equal("=?utf-8?q?J=C3=BCrgen?= <j@x>", email.formataddr { "J\u{fc}rgen", "j@x" })
    assert.equal("=?iso-8859-1?q?J=FCrgen=2C_X?= <j@x>", email.formataddr("J\u{fc}rgen, X", "j@x", "iso-8859-1"))
    assert.has_error(function() email.formataddr("a", "b@c\r\nX: y") end)
    assert.has_error(function() email.formataddr("a") end)
  end)
end)

describe("dates", function()
  it("are written as Python writes them", function()
    if not python.name then return pending "no Python 3.11" end
    local questions = {}
    for i = 1, 300 do questions[i] = { "formatdate", tostring(random(4102444800)) } end
    for i, answer in ipairs(python.ask(SCRIPT, questions)) do
      assert.equal(answer[2], email.formatdate(tonumber(questions[i][2])))
    end
    assert.equal("Sun, 06 Nov 1994 08:49:37 GMT", email.formatdate(784111777.9, false, true))
    assert.matches("^%a%a%a, %d%d %a%a%a %d%d%d%d %d%d:%d%d:%d%d [+-]%d%d%d%d$", email.formatdate(nil, true))
  end)

  it("are read as tuples and as times", function()
    local date = email.parsedate_tz "Sun, 06 Nov 1994 09:49:37 +0100"
    assert.same({ 1994, 11, 6, 9, 49, 37, 0, 1, -1, 3600 }, date)
    assert.equal(784111777, email.mktime_tz(date))
    assert.same({ 784111777, 60 }, { email.parsedate_to_datetime "Sun, 06 Nov 1994 09:49:37 +0100" })
    assert.same({ 784111777 }, { email.parsedate_to_datetime "Sun, 06 Nov 1994 08:49:37 -0000" })
    assert.is_nil(email.parsedate_tz "soon")
  end)
end)

describe("identifiers", function()
  it("of messages are never the same", function()
    local seen = {}
    for _ = 1, 1000 do
      local id = email.make_msgid("x", "example.org")
      assert.matches("^<%d+%.%d+%.%d+%.x@example%.org>$", id)
      assert.is_nil(seen[id])
      seen[id] = true
    end
    assert.matches("^<%d+%.%d+%.%d+@.+>$", email.make_msgid())
    assert.has_error(function() email.make_msgid "a b" end)
    assert.has_error(function() email.make_msgid(nil, "a\r\n") end)
  end)
end)

describe("csock.email", function()
  it("has the functions of csock.email.utils", function()
    for name, value in pairs(utils) do assert.equal(value, email[name]) end
    assert.equal('a\\"', email.quote 'a"')
    assert.equal('a"', email.unquote '"a\\""')
  end)
end)
