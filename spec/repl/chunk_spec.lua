-- From what was typed to a function.
local chunk = require "csock.repl.chunk"
local names = require "csock.repl.names"

describe("what is typed", function()
  local locals

  before_each(function() locals = names.environment {} end)

  after_each(function() _G.chunk_spec_value = nil end)

  local function run(text)
    local code = assert(chunk.compile(text, "=[1]", locals))
    return code.run()
  end

  local function why(text)
    local code, message = chunk.compile(text, "=[1]", locals)
    assert.is_nil(code)
    return message
  end

  it("is an expression where it can be one", function()
    assert.equal(3, run "1 + 2")
    assert.same({ 1, 2 }, { run "1, 2" })
    assert.equal(4, run "= 4")
  end)

  it("may be several statements", function()
    assert.equal(6, run "local x = 0 for i = 1, 3 do x = x + i end return x")
  end)

  it("asks for more where it is not complete", function()
    for _, text in ipairs { "f(", "if x then", "x =", "function f()", "[[a", "local function f()", "for i = 1, 2 do",
      "--[[", "x = function()", "repeat local y = 1", "{" } do
      assert.equal("more", why(text), text)
    end
  end)

  it("is told what is wrong, by the line in which it was typed", function()
    assert.matches("^%[1%]:2: ", why "local x\nlocal y = = 1")
    assert.matches("^%[1%]:1: ", why "x = 'a\nb'")
  end)

  describe("with local at the top level", function()
    it("stays for the next input", function()
      run "local x = 5"
      assert.equal(5, run "x")
      assert.is_nil(_G.x)
      run "x = x + 1"
      assert.equal(6, run "x")
      assert.is_nil(_G.x)
    end)

    it("may be several names, with and without a value", function()
      run "local a, b, c = 1, 2"
      assert.same({ 1, 2 }, { run "a, b, c" })
      run "local a, b"
      assert.same({}, { run "a, b" })
      run "a = 1"
      assert.equal(1, run "a")
      assert.is_nil(_G.a)
    end)

    it("may be followed by a bracket in the next line", function()
      assert.has_no.errors(function() run "local x\n(function() end)()" end)
      assert.has_no.errors(function() run "local function g() end\n(function() end)()" end)
    end)

    it("may be constant, or to be closed", function()
      local code = assert(chunk.compile("local a <const>, b <close>, c = 1, nil, 3", "=[1]", locals))
      assert.same({ "b" }, code.closing)
      code.run()
      assert.same({ 1, nil, 3 }, { run "a, b, c" })
    end)

    it("is a function that knows itself", function()
      run "local function f(n) if n == 0 then return 'done' end return f(n - 1) end"
      assert.equal("done", run "f(3)")
      assert.is_nil(_G.f)
    end)

    it("hides a global, and leaves it as it is", function()
      run "local print = 7"
      assert.equal(7, run "print")
      assert.is_function(print)
    end)

    it("is as ever inside of blocks and functions", function()
      run "do local inner = 1 end for i = 1, 1 do local inner = i end"
      run "function chunk_spec_value() local inner = 2 return inner end"
      run "if true then local inner = 1 elseif x then local inner = 2 else local inner = 3 end"
      run "repeat local inner = 1 until inner"
      run "while true do local inner = 1 break end"
      run "local t = { f = function() local inner = 1 return inner end }"
      assert.is_nil(run "inner")
      assert.equal(2, run "chunk_spec_value()")
    end)

    it("is found behind all of that, too", function()
      run [[
        local t = { f = function(a) if a then return 1 end end, "local no" } -- local no
        do end local yes = 1
        repeat until true local also = [=[ local no ]=]
      ]]
      assert.same({ 1, " local no " }, { run "yes, also" })
      assert.is_nil(run "no")
    end)
  end)

  describe("defines functions that", function()
    it("take the old one's place wherever that was handed to", function()
      run "function chunk_spec_value() return 1 end"
      local held = _G.chunk_spec_value
      run "function chunk_spec_value(x) return 2, x end"
      assert.equal(held, _G.chunk_spec_value)
      assert.same({ 2, "x" }, { held "x" })
    end)

    it("do so also as locals, and when they are assigned", function()
      run "local function f() return 1 end"
      local held = run "f"
      run "f = function() return 2 end; local x = 1"
      assert.equal(2, held())
      run "local function f() return 3 end"
      assert.equal(3, held())
    end)

    it("are what they are in an expression", function()
      run "local f = function() return 1 end or 2"
      run "local t = {} t.f = function() return 1 end"
      run "f = function() return 5 end"
      assert.equal(5, run "f()")
      assert.equal(1, run "t.f()")
    end)

    it("are told in errors by the lines that were typed", function()
      run "function chunk_spec_value()\n\n  error 'here'\nend"
      local _, err = pcall(_G.chunk_spec_value)
      assert.equal("[1]:3: here", err)
    end)

    it("of a local do not take a global's place", function()
      run "function chunk_spec_value() return 'global' end"
      local held = _G.chunk_spec_value
      run "local function chunk_spec_value() return 'local' end"
      assert.equal("global", held())
      assert.equal("local", run "chunk_spec_value()")
    end)
  end)

  it("goes into the background with an & at its end", function()
    assert.is_true(chunk.compile("f() &", "=[1]", locals).background)
    assert.is_true(chunk.compile("f() & -- now", "=[1]", locals).background)
    assert.is_false(chunk.compile("1 & 2", "=[1]", locals).background)
    assert.is_false(chunk.compile("x = '&'", "=[1]", locals).background)
  end)

  it("knows csock, its names and modules, behind the globals", function()
    assert.equal(require "csock", run "csock")
    assert.equal(require "csock".create_server, run "create_server")
    assert.equal(require "csock.url", run "url")
    assert.equal(select, run "select")
  end)

  it("sets globals", function()
    run "chunk_spec_value = 5"
    assert.equal(5, _G.chunk_spec_value)
  end)
end)
