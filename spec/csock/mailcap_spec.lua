-- Mailcap files: what Python finds in them, but never a shell.
local csock = require "csock"
local mailcap = require "csock.mailcap"
local posix = require "spec.support.posix"
local python = require "spec.support.python"

local FILE = [[
# a comment \
text/html; lynx -dump %s; copiousoutput; nametemplate=%s.html
text/html; "big browser" '%s'; test=true ; description="a; b"
Text / Plain; less '%s'; needsterminal; edit=vi %s; compose=vi %s
image/*; display %t:%s
image/png; show --set=%{name} %s; \
  print=lpr %s

application/pdf; a %s \; b
broken
; nothing
video/mp4; play "a b" 'c "d' e\\ f "g\\"h" %%
audio/*; listen; x-flag
application/x; false-first %s; test=false
application/x; second %s; test=test -n '%t'
]]

local dir
setup(function()
  dir = assert(posix.mkdtemp())
  local file <close> = assert(io.open(dir .. "/mailcap", "wb"))
  assert(file:write(FILE))
end)
teardown(function() os.execute("rm -rf '" .. dir .. "'") end)

local function caps() return mailcap.getcaps { dir .. "/mailcap", dir .. "/missing" } end

describe("mailcap files", function()
  it("are read as Python reads them", function()
    if not python.name then return pending "no Python 3.11" end
    local list, kinds = {}, {}
    local found = caps()
    for kind in pairs(found) do kinds[#kinds + 1] = kind end
    table.sort(kinds)
    for _, kind in ipairs(kinds) do
      for _, entry in ipairs(found[kind]) do
        local fields = {}
        for name, value in pairs(entry) do fields[#fields + 1] = name .. "=" .. value end
        table.sort(fields)
        list[#list + 1] = kind .. " " .. table.concat(fields, "|")
      end
    end
    local answer = python.ask("spec/csock/mailcap/python.py", { { "caps", dir .. "/mailcap" } })[1]
    assert.equal("ok", answer[1])
    assert.equal(#list, #answer - 1)
    for i, line in ipairs(list) do
      -- As Python shows a list.
      local theirs = answer[i + 1]:gsub("\\\\", "\\"):gsub("\\n", "\n"):gsub("\\'", "'"):gsub("^(%S+) %[.(.*).%]$",
        "%1 %2")
        :gsub("['\"], ['\"]", "|")
      assert.equal(theirs, line)
    end
  end)

  it("give the commands that Python gives, as arguments", function()
    if not python.name then return pending "no Python 3.11" end
    local questions = {}
    for _, kind in ipairs {
      "text/html", "text/plain", "image/gif", "image/png", "video/mp4", "audio/x", "none/none", "application/x",
        "TEXT/HTML",
    } do
      for _, key in ipairs { "view", "edit", "print" } do
        questions[#questions + 1] = { "match", dir .. "/mailcap", kind:lower(), key, "/tmp/a.b", "name=c" }
      end
    end
    for i, answer in ipairs(python.ask("spec/csock/mailcap/python.py", questions)) do
      local _, _, kind, key = table.unpack(questions[i])
      local argv = mailcap.findmatch(caps(), kind, key, "/tmp/a.b", { "name=c" })
      assert.same({ table.unpack(answer, 2) }, argv or { "none" }, kind .. " " .. key)
    end
  end)

  it("are those of the environment", function()
    local list = mailcap.listmailcapfiles()
    if not os.getenv "MAILCAPS" then assert.equal((os.getenv "HOME" or ".") .. "/.mailcap", list[1]) end
    assert.same({}, mailcap.getcaps { "/none/such" })
  end)
end)

describe("a command", function()
  local function argv(command, filename, params, kind)
    local list, err, code = mailcap.subst(command, kind or "text/plain", filename or "/tmp/f", params)
    if list then return list, err end
    assert.equal(csock.errno.EINVAL, code)
    assert.is_true(csock.is_error(err))
    return nil
  end

  it("is a program and its arguments, with what stands for something", function()
    assert.same({ "a", "b c", "d'e", "", "f g" },
      argv [[a "b c"  d\\'e '' f'\\ 'g]] and argv [[a "b c"  "d'e" '' f' 'g]])
    assert.same({ "show", "text/plain", "/tmp/f", "x=utf-8", "%" }, argv("show %t '%s' x=%{Charset} %%", nil,
      { charset = "utf-8" }))
    assert.same({ "a", "" }, argv "a '%{none}'")
    assert.same({ "a", os.getenv "HOME" or "", "x" .. (os.getenv "HOME" or "") }, argv [[a "$HOME" x${HOME}]])
    assert.same({ "a", "$b", "c\"d" }, argv [[a '$b' "c\\"d"]])
  end)

  it("says when the file is to come as standard input", function()
    assert.is_true(select(2, argv "cat"))
    assert.is_false(select(2, argv "cat %s"))
    assert.same({ { "listen" }, "", true }, (function()
      local list, entry, stdin = mailcap.findmatch(caps(), "audio/x")
      return { list, entry["x-flag"], stdin }
    end)())
  end)

  it("that needs a shell is refused", function()
    for _, command in ipairs {
      "a | b", "a; b", "a \\; b", "a && b", "a > b", "a < b", "a `b`", "a $(b)", 'a "`b`"', 'a "$(b)"', "a *", "a ?",
        "a [b]", "(a)",
      "a {b,c}", "a & ", "~/a", "a ~b", "#a", "x=1 a", "a\nb", "a 'b", 'a "b', "a \\", "", "  ", "a %F", "a %n",
        "a %{b",
      "! a", "'' a", "a $", "a $1",
    } do
      assert.is_nil(argv(command), command)
    end
  end)

  it("gets no name that somebody else has made for a shell, or as an option", function()
    for _, name in ipairs { "/tmp/a b", "a;b", "$(a)", "`a`", "a'b", 'a"b', "-rf", "--x", "a\nb", "a\0b", "a|b", "a*",
      "" } do
      if name ~= "" then assert.is_nil(argv("show %s", name), name) end
      assert.is_nil(name ~= "" and argv("show %{p}", nil, { p = name }) or nil, name)
      assert.is_nil(name ~= "" and argv("show %t", nil, nil, name) or nil, name)
    end
    assert.same({ "show", "/tmp/caf\u{e9}.txt" }, argv("show %s", "/tmp/caf\u{e9}.txt"))
    -- Neither is a test run with it.
    local marker = dir .. "/marker"
    local evil = { ["a/b"] = { { view = "x %s", test = "touch " .. marker .. " %{p}" } } }
    assert.is_nil(mailcap.findmatch(evil, "a/b", "view", "/tmp/f", { p = "; touch x" }))
    assert.is_nil(io.open(marker))
    assert.same({ "x", "/tmp/f" }, mailcap.findmatch(evil, "a/b", "view", "/tmp/f", { p = marker }))
    assert.is_not_nil(io.open(marker))
  end)

  it("is tried with its test, which is a program and no shell's", function()
    local function found(test) return mailcap.findmatch({ ["a/b"] = { { view = "x", test = test } } }, "a/b") ~= nil end
    assert.is_true(found "true")
    assert.is_true(found "test -n x")
    assert.is_true(found "/bin/sh -c 'exit 0'")
    for _, test in ipairs { "false", "test -z x", "no-such-program-here", "true; true", "/dev/null" } do
      assert.is_false(found(test), test)
    end
    csock.run(function() assert.is_true(found "true") end)
  end)
end)
