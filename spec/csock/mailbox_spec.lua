-- Mailboxes: what all kinds do, and that Python's mailbox sees the same in them.
local csock = require "csock"
local email = require "csock.email"
local mailbox = require "csock.mailbox"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local python = require "spec.support.python"

local E = csock.errno
local SCRIPT = "spec/csock/mailbox/python.py"

local function run_python(...)
  local status, out, err = process.run({ python.name, SCRIPT, ... }, { timeout = 60 })
  assert.equal(0, status, err)
  return out
end

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

local function write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(text))
end

local dir, count = nil, 0

local function new_path()
  count = count + 1
  return dir .. "/box" .. count
end

setup(function() dir = assert(posix.mkdtemp()) end)
teardown(function() os.execute("rm -rf '" .. dir .. "'") end)

for _, kind in ipairs { "mbox", "Maildir", "MH" } do
  describe("a mailbox of the kind " .. kind, function()
    local box, path
    before_each(function()
      path = new_path()
      box = assert(mailbox[kind](path))
    end)
    after_each(function() box:close() end)

    it("keeps messages of every shape, by keys", function()
      local keys = {}
      local msg = email.EmailMessage()
      msg.subject = "caf\u{e9}"
      msg:set_content "text"
      for i, value in ipairs { msg, "Subject: one\n\ntext\n", "Subject: two\r\n\r\ntext\r\n",
        "A: b\n\nFrom x\nFrom y\n" } do
        keys[i] = assert(box:add(value))
      end
      local file <close> = assert(io.tmpfile())
      file:write "Subject: file\n\n"
      file:seek "set"
      keys[5] = assert(box:add(file))
      assert.equal(5, #box)
      assert.equal(5, #box:keys())
      assert.equal("caf\u{e9}", box:get(keys[1]).subject)
      assert.equal("text\n", box:get_message(keys[1]):get_content())
      assert.equal("Subject: two\n\ntext\n", box:get_bytes(keys[3]))
      assert.equal("Subject: one", box:get_file(keys[2]):read())
      assert.equal(box:get_bytes(keys[2]), box:get_string(keys[2]))
      assert.matches("From x\n>?From y\n$", box:get_bytes(keys[4]))
      assert.is_true(box:contains(keys[5]))
      local seen = 0
      for key, one in box:iteritems() do
        assert.equal(one.subject, box:get(key).subject)
        seen = seen + 1
      end
      for key in box:iterkeys() do seen = seen + (box:contains(key) and 1 or 0) end
      for one in box:itervalues() do seen = seen + (email.is_message(one) and 1 or 0) end
      assert.equal(15, seen)
      assert.equal(5, #box:values())
    end)

    it("changes and removes them, and what is gone is ENOENT", function()
      local a, b, c = box:add "Subject: a\n\n", box:add "Subject: b\n\n", box:add "Subject: c\n\n"
      assert(box:set(a, "Subject: changed\n\n"))
      assert(box:remove(b))
      assert(box:flush())
      assert.equal("changed", box:get(a).subject)
      assert.equal("c", box:get(c).subject)
      assert.same({ nil, E.ENOENT }, { box:get(b), (select(3, box:get_bytes(b))) })
      assert.equal("default", box:get(b, "default"))
      assert.equal(E.ENOENT, select(3, box:remove(b)))
      assert.equal(E.ENOENT, select(3, box:set(b, "A: b\n\n")))
      assert.is_true(box:discard(b))
      assert.is_false(box:contains(b))
      assert.equal("c", box:pop(c).subject)
      assert.equal("gone", box:pop(c, "gone"))
      assert(box:update { [a] = "Subject: again\n\n" })
      assert.equal("again", box:get(a).subject)
      local _, msg = box:popitem()
      assert.equal("again", msg.subject)
      assert.equal(E.ENOENT, select(3, box:popitem()))
      box:add "A: b\n\n"
      assert(box:clear())
      assert.equal(0, #box)
      assert.has_error(function() box:add(5) end)
    end)

    it("is the same when it is opened again", function()
      local list = {}
      for i = 1, 20 do list[i] = box:add(("Subject: s%d\n\nbody %d\n"):format(i, i)) end
      for i = 1, 20, 3 do assert(box:remove(list[i])) end
      assert(box:set(list[2], "Subject: new\n\n"))
      assert(box:close())
      local again <close> = assert(mailbox[kind](path, { create = false }))
      local subjects = {}
      for msg in again:itervalues() do subjects[msg.subject] = true end
      for i = 3, 20 do assert.equal(i % 3 ~= 1 or nil, subjects["s" .. i]) end
      assert.is_true(subjects.new)
      assert.equal(13, #again)
    end)

    it("is not there when it is not to be made", function()
      local other, err, code = mailbox[kind](new_path(), { create = false })
      assert.is_nil(other)
      assert.equal(E.ENOENT, code, tostring(err))
      assert.has_error(function() mailbox[kind]("") end)
      assert.has_error(function() mailbox[kind](path, { nonsense = 1 }) end)
    end)

    it("is read by Python as it is, and the other way", function()
      if not python.name then return pending "no Python 3.11" end
      box:add "Subject: a\n\nFrom here\nbody\n"
      box:add(mailbox.MaildirMessage("Subject: b\n\n"):set_flags "FRS":set_subdir "cur")
      box:add(mailbox.mboxMessage("Subject: c\n\n"):set_flags "RO")
      box:add(mailbox.MHMessage("Subject: d\n\n"):add_sequence "unseen")
      assert(box:close())
      local rows = {
        mbox = "a|||'>From here\\nbody\\n'\nb|ROFA||''\nc|RO||''\nd|||''\n",
        Maildir = "a||new|'From here\\nbody\\n'\nb|FRS|cur|''\nc|S|cur|''\nd||new|''\n",
        MH = "a|||'From here\\nbody\\n'\nb|flaggedreplied||''\nc|||''\nd|unseen||''\n",
      }
      assert.equal(rows[kind], run_python("show", kind:lower(), path))
      local theirs = new_path()
      run_python("fill", kind:lower(), theirs)
      box = assert(mailbox[kind](theirs))
      local flags = {
        mbox = { "", "R", "RO", "RODFA", "F" }, Maildir = { "", "S", "FR", "DFPRST", "T" },
        MH = { "flaggedx", "unseen", "flaggedx", "unseen", "flaggedx" },
      }
      local seen = 0
      for msg in box:itervalues() do
        local i = tonumber(msg.subject:match "%d") + 1
        local known = kind == "MH" and table.concat(msg:get_sequences()) or msg:get_flags()
        assert.equal(flags[kind][i], known)
        seen = seen + 1
      end
      assert.equal(5, seen)
    end)

    it("loses nothing with two writers, one of them Python", function()
      if not python.name then return pending "no Python 3.11" end
      local COUNT = 30
      local peer = process.start { python.name, SCRIPT, "add", kind:lower(), path, tostring(COUNT), "p" }
      for i = 0, COUNT - 1 do
        local key = assert(box:add(("Subject: l%d\n\nFrom l\nbody\n"):format(i)))
        if i % 3 == 2 then
          assert(box:remove(key))
          local ok, err, code = box:flush()
          if not ok then -- Python has written the file anew meanwhile
            assert.equal(E.ESTALE, code, tostring(err))
            box = assert(mailbox[kind](path))
          end
        end
      end
      assert.equal(0, peer:wait(60))
      box:close()
      box = assert(mailbox[kind](path))
      local subjects = {}
      for msg in box:itervalues() do subjects[msg.subject] = (subjects[msg.subject] or 0) + 1 end
      for i = 0, COUNT - 1 do
        if i % 3 ~= 2 then
          assert.equal(1, subjects["l" .. i], "l" .. i)
          assert.equal(1, subjects["p" .. i], "p" .. i)
        end
      end
    end)
  end)
end

describe("an mbox", function()
  it("is in the form that others write", function()
    local path = new_path()
    local box = assert(mailbox.mbox(path))
    box:add(mailbox.mboxMessage("Subject: a\n\nFrom x\n>From y\n"):set_from("ann@example.org", 0))
    box:add "From bob today\nSubject: b\n\nno end"
    box:close()
    assert.equal("From ann@example.org Thu Jan  1 00:00:00 1970\nSubject: a\n\n>From x\n>From y\n\n"
      .. "From bob today\nSubject: b\n\nno end\n\n", read(path))
    assert.is_nil(io.open(path .. ".lock"))
    assert.is_nil(io.open(path .. ".journal"))
  end)

  it("is read whatever stands between its messages, wherever a piece of the file ends", function()
    for size = 65520, 65550 do
      local path = new_path()
      write(path, "From a\nSubject: 1\n\n" .. ("x"):rep(size) .. "\n\nFrom b\nSubject: 2\n\ny\nFrom c\nSubject: 3\n\nz")
      local box <close> = assert(mailbox.mbox(path))
      assert.same({ 0, 1, 2 }, box:keys())
      assert.equal("Subject: 1\n\n" .. ("x"):rep(size) .. "\n", box:get_bytes(0))
      assert.equal("Subject: 2\n\ny\n", box:get_bytes(1))
      assert.equal("From c\nSubject: 3\n\nz", box:get_bytes(2, true))
      assert(box:add "Subject: 4\n\n")
      assert.equal("3", box:get(2).subject)
      assert.equal("4", box:get(3).subject)
    end
  end)

  it("keeps its file in place, and what others append to it while it is open", function()
    local path = new_path()
    local a = assert(mailbox.mbox(path))
    for i = 1, 5 do a:add(("Subject: %d\n\n"):format(i)) end
    local held <close> = assert(io.open(path, "a"))
    a:remove(1)
    held:write "From x\nSubject: 6\n\n\n"
    held:flush()
    assert(a:flush())
    held:write "From x\nSubject: 7\n\n\n"
    held:flush()
    local b = assert(mailbox.mbox(path))
    local subjects = {}
    for msg in b:itervalues() do subjects[#subjects + 1] = msg.subject end
    assert.equal("1345" .. "67", table.concat(subjects))
    a:close()
    b:close()
  end)

  it("writes nothing over what somebody else has changed", function()
    local path = new_path()
    local box = assert(mailbox.mbox(path))
    for i = 1, 3 do box:add(("Subject: %d\n\n"):format(i)) end
    box:remove(0)
    write(path, "From x\nSubject: other\n\n")
    local ok, err, code = box:flush()
    assert.is_nil(ok)
    assert.equal(E.ESTALE, code, tostring(err))
    assert.equal("From x\nSubject: other\n\n", read(path))
    assert.equal(E.ESTALE, select(3, box:get(1)))
    box:close()
  end)

  it("can be locked, and says so to others", function()
    local path = new_path()
    local box = assert(mailbox.mbox(path))
    box:add "A: b\n\n"
    assert(box:lock())
    assert(box:lock())
    local other = ([[
      local mailbox = require "csock.mailbox"
      local box = assert(mailbox.mbox(%q, { timeout = 0 }))
      print(select(3, box:lock()), select(3, box:add "A: b\n\n"), #box)
    ]]):format(path)
    local _, out = process.run { process.interpreter, "-e", other }
    assert.equal(("%d\t%d\t1\n"):format(E.EAGAIN, E.EAGAIN), out)
    assert(box:unlock())
    _, out = process.run { process.interpreter, "-e", other }
    assert.equal("nil\tnil\t2\n", out)
    box:close()
    assert.equal(E.EBADF, select(3, box:add "A: b\n\n"))
    assert.equal(E.EBADF, select(3, box:lock()))
  end)
end)

-- A change, of which each call of the system in turn is the last one: after each, `check(box)` looks at what is left.
local function killed_at_each_step(kind, change, check)
  local code = [[
    local core, csock = require "csock.core", require "csock"
    local calls, last = 0, tonumber(arg[2])
    local function count(f)
      return function(...)
        calls = calls + 1
        if calls > last then csock._exit(9) end
        return f(...)
      end
    end
    for _, name in ipairs { "open", "rename", "link", "unlink", "sync" } do core.file[name] = count(core.file[name]) end
    local path = os.tmpname()
    local file = assert(core.file.open(path, "r"))
    local methods = getmetatable(file).__index
    file:close()
    os.remove(path)
    for _, name in ipairs { "write", "truncate", "sync" } do methods[name] = count(methods[name]) end
    local box = assert(require("csock.mailbox").KIND(arg[1]))
    CHANGE
    csock._exit(0)
  ]]
  local script, steps = new_path(), 0
  write(script, (code:gsub("KIND", kind):gsub("CHANGE", change)))
  repeat
    local path = new_path()
    local box = assert(mailbox[kind](path))
    for i = 1, 4 do box:add(("Subject: %d\n\nbody\n"):format(i)) end
    if kind == "MH" then box:remove(1) end
    box:close()
    local status, _, err = process.run { process.interpreter, script, path, tostring(steps) }
    assert.is_true(status == 9 or status == 0, err)
    os.execute(("rm -f '%s'/.mh_sequences.lock"):format(path)) -- of the process that is gone
    local again <close> = assert(mailbox[kind](path))
    local subjects = {}
    for msg in again:itervalues() do subjects[msg.subject] = (subjects[msg.subject] or 0) + 1 end
    check(subjects, steps)
    steps = steps + 1
  until status == 0
  return steps
end

describe("a folder of messages after a crash", function()
  it("has the old message or the new one, whole, at any step of a change", function()
    for _, kind in ipairs { "Maildir", "MH" } do
      local steps = killed_at_each_step(kind, [[
        local key
        for k, msg in box:iteritems() do if msg.subject == "3" then key = k end end
        assert(box:set(key, "Subject: new\n\n"))
      ]], function(subjects, step)
        assert.is_true((subjects["3"] or 0) + (subjects.new or 0) == 1, kind .. " at step " .. step)
        assert.same({ 1, 1 }, { subjects["2"], subjects["4"] })
      end)
      assert.is_true(steps > 4)
    end
  end)

  it("has all that was there, and the new message as a whole or not at all, at any step of adding one", function()
    for _, kind in ipairs { "Maildir", "MH" } do
      killed_at_each_step(kind, 'assert(box:add "Subject: new\\n\\n")', function(subjects, step)
        assert.same({ 1, 1, 1 }, { subjects["2"], subjects["3"], subjects["4"] }, kind .. " at step " .. step)
        assert.is_true((subjects.new or 0) <= 1)
        local all = 0
        for _, n in pairs(subjects) do all = all + n end
        assert.is_true(all <= 5)
      end)
    end
  end)

  it("loses none when it is given new numbers", function()
    killed_at_each_step("MH", "assert(box:pack())", function(subjects, step)
      for i = 2, 4 do assert.is_true((subjects[tostring(i)] or 0) >= 1, "step " .. step) end
    end)
  end)
end)

describe("an mbox after a crash", function()
  local HEAD = "csock journal %020d %020d %020d\n"

  local function text_of(...)
    local list = {}
    for i, name in ipairs { ... } do list[i] = ("From x\nSubject: %s\n\nbody of %s\n\n"):format(name, name) end
    return table.concat(list)
  end

  -- What is in it, when a change from `before` to `after` has come so far, and `more` was appended since.
  local function found(before, after, state, more)
    local path = new_path()
    local begin = 0
    while begin < #before and before:sub(begin + 1, begin + 1) == after:sub(begin + 1,
      begin + 1) do begin = begin + 1 end
    write(path, state .. more)
    write(path .. ".journal", HEAD:format(begin, #before, #after - begin) .. after:sub(begin + 1))
    local box <close> = assert(mailbox.mbox(path))
    assert.is_nil(io.open(path .. ".journal"))
    return read(path), #box
  end

  for name, pair in pairs {
    shorter = { text_of("1", "2", "3"), text_of("1", "3") }, empty = { text_of("1", "2"), "" },
  } do
    it("is what it was to become, at whatever byte that was, where it becomes " .. name, function()
      local before, after = pair[1], pair[2]
      for _, more in ipairs { "", text_of "later" } do
        for written = 0, #after do
          local state = after:sub(1, written) .. before:sub(written + 1)
          assert.equal(after .. more, (found(before, after, state, more)))
        end
        assert.equal(after .. more, (found(before, after, after, more))) -- cut, and the journal still there
      end
    end)
  end

  it("has a journal, or nothing has changed, when the process is killed at any step", function()
    -- Each system call of a flush in turn is the last one.
    local code = [[
      local core, csock = require "csock.core", require "csock"
      local calls, last = 0, tonumber(arg[2])
      local function count(f)
        return function(...)
          calls = calls + 1
          if calls > last then csock._exit(9) end
          return f(...)
        end
      end
      local box = assert(require("csock.mailbox").mbox(arg[1]))
      box:remove(1)
      box:set(0, "Subject: new\n\n" .. ("long "):rep(100) .. "\n")
      for name, f in pairs(core.file) do core.file[name] = count(f) end
      local methods = getmetatable(box.file).__index
      for _, name in ipairs { "write", "truncate", "sync" } do methods[name] = count(methods[name]) end
      assert(box:flush())
      csock._exit(0)
    ]]
    local script, steps = new_path(), 0
    write(script, code)
    repeat
      local path = new_path()
      local box = assert(mailbox.mbox(path))
      for i = 0, 3 do box:add(("Subject: %d\n\nbody\n"):format(i)) end
      box:close()
      local status, _, err = process.run { process.interpreter, script, path, tostring(steps) }
      assert.is_true(status == 9 or status == 0, err)
      os.remove(path .. ".lock") -- of the process that is gone
      local again <close> = assert(mailbox.mbox(path))
      local subjects = {}
      for msg in again:itervalues() do subjects[msg.subject] = true end
      assert.is_true(subjects["0"] and subjects["1"] or not subjects["0"] and not subjects["1"])
      assert.is_true(subjects["2"] and subjects["3"] and subjects.new, "step " .. steps)
      steps = steps + 1
    until status == 0
    assert.is_true(steps > 8)
  end)

  it("leaves a message that was half written to itself", function()
    local path = new_path()
    write(path, text_of("1") .. "From x\nSubject: 2\n\nhal")
    local box <close> = assert(mailbox.mbox(path))
    box:add "Subject: 3\n\n"
    assert.same({ "1", "2", "3" }, { box:get(0).subject, box:get(1).subject, box:get(2).subject })
  end)
end)

describe("a Maildir", function()
  it("has files whose names say what is known of them", function()
    local path = new_path()
    local box = assert(mailbox.Maildir(path))
    local a = box:add "A: b\n\n"
    local b = box:add(mailbox.MaildirMessage("A: b\n\n"):set_subdir "cur":set_flags "SR":set_date(1000))
    assert.equal("A: b\n\n", read(path .. "/new/" .. a))
    assert.equal("A: b\n\n", read(path .. "/cur/" .. b .. ":2,RS"))
    assert.equal(1000, box:get(b):get_date())
    local msg = box:get(b):add_flag "F":remove_flag "R"
    assert(box:set(b, msg))
    assert.equal("FS", box:get(b):get_flags())
    assert.equal("cur", box:get(b):get_subdir())
    assert(box:set(b, "A: c\n\n"))
    assert.equal("FS", box:get(b):get_flags())
    assert.equal(2, #box)
  end)

  it("finds messages that others have moved and marked", function()
    local path = new_path()
    local box = assert(mailbox.Maildir(path))
    local key = box:add "A: b\n\n"
    assert(os.rename(path .. "/new/" .. key, path .. "/cur/" .. key .. ":2,S"))
    assert.equal("S", box:get(key):get_flags())
    assert(os.rename(path .. "/cur/" .. key .. ":2,S", path .. "/cur/" .. key .. ":2,RS"))
    assert(box:remove(key))
    assert.equal(0, #box)
  end)

  it("has folders", function()
    local box = assert(mailbox.Maildir(new_path()))
    local folder = assert(box:add_folder "old")
    folder:add "A: b\n\n"
    assert(box:add_folder "older")
    assert.same({ "old", "older" }, box:list_folders())
    assert.equal(1, #box:get_folder "old")
    assert.equal(E.ENOTEMPTY, select(3, box:remove_folder "old"))
    folder:clear()
    assert(box:remove_folder "old")
    assert.same({ "older" }, box:list_folders())
    assert.equal(E.ENOENT, select(3, box:get_folder "old"))
    for _, name in ipairs { "", "a/b", "..", "." } do assert.equal(E.EINVAL, select(3, box:add_folder(name))) end
  end)

  it("forgets what was never delivered, after 36 hours", function()
    local path = new_path()
    local box = assert(mailbox.Maildir(path))
    write(path .. "/tmp/new", "x")
    write(path .. "/tmp/old", "x")
    assert(os.execute("touch -d '2 days ago' '" .. path .. "/tmp/old'"))
    assert(box:clean())
    assert.is_nil(io.open(path .. "/tmp/old"))
    assert.equal("x", read(path .. "/tmp/new"))
    assert.equal(0, #box)
  end)
end)

describe("an MH folder", function()
  it("has sequences, and gives messages new numbers", function()
    local path = new_path()
    local box = assert(mailbox.MH(path))
    for i = 1, 6 do assert.equal(i, box:add(("Subject: %d\n\n"):format(i))) end
    assert(box:set_sequences { unseen = { 3, 1, 2, 5 }, x = { 6 }, none = {} })
    assert.equal("unseen: 1-3 5\nx: 6\n", read(path .. "/.mh_sequences"))
    assert.same({ unseen = { 1, 2, 3, 5 }, x = { 6 } }, box:get_sequences())
    box:remove(2)
    assert.same({ unseen = { 1, 3, 5 }, x = { 6 } }, box:get_sequences())
    assert(box:pack())
    assert.same({ 1, 2, 3, 4, 5 }, box:keys())
    assert.equal("3", box:get(2).subject)
    assert.same({ unseen = { 1, 2, 4 }, x = { 5 } }, box:get_sequences())
    assert.same({ "unseen" }, box:get(2):get_sequences())
    assert(box:set(2, box:get(2):remove_sequence "unseen":add_sequence "y"))
    assert.same({ unseen = { 1, 4 }, x = { 5 }, y = { 2 } }, box:get_sequences())
    assert.has_error(function() box:set_sequences { ["a:b"] = { 1 } } end)
    assert.has_error(function() box:set_sequences { a = { -1 } } end)
    write(path .. "/.mh_sequences", "a: 1-999999999999 x\n")
    assert.equal(E.EBADMSG, select(3, box:get_sequences()))
    write(path .. "/.mh_sequences", "a: 1-999999999999\n")
    assert.same({ a = { 1, 2, 3, 4, 5 } }, box:get_sequences())
  end)

  it("has folders, and is locked by its sequences", function()
    local path = new_path()
    local box = assert(mailbox.MH(path))
    local folder = assert(box:add_folder "inbox")
    folder:add "A: b\n\n"
    assert.same({ "inbox" }, box:list_folders())
    assert.equal(E.ENOTEMPTY, select(3, box:remove_folder "inbox"))
    box:get_folder "inbox":clear()
    assert(box:remove_folder "inbox")
    assert(box:lock())
    assert.is_not_nil(io.open(path .. "/.mh_sequences.lock"))
    assert(box:unlock())
    assert.is_nil(io.open(path .. "/.mh_sequences.lock"))
  end)
end)

describe("messages of mailboxes", function()
  it("become those of another kind, with what they have in common", function()
    local a = mailbox.MaildirMessage("Subject: a\n\n"):set_flags "FRST":set_subdir "cur"
    local b = mailbox.mboxMessage(a)
    assert.equal("RODFA", b:get_flags())
    assert.same({ "RO", "DFA" }, { b.status, b["x-status"] })
    assert.equal("FRST", mailbox.MaildirMessage(b):get_flags())
    assert.equal("cur", mailbox.MaildirMessage(b):get_subdir())
    local c = mailbox.MHMessage(b)
    assert.same({ "flagged", "replied" }, c:get_sequences())
    assert.same({ "unseen" }, mailbox.MHMessage(mailbox.MaildirMessage "A: b\n\n"):get_sequences())
    assert.equal("a", c.subject)
  end)

  it("refuse what none of their flags is", function()
    assert.has_error(function() mailbox.MaildirMessage():set_flags "X" end)
    assert.has_error(function() mailbox.mboxMessage():add_flag "S" end)
    assert.has_error(function() mailbox.MaildirMessage():set_info "2,S/../x" end)
    assert.has_error(function() mailbox.MaildirMessage():set_subdir "tmp" end)
    assert.has_error(function() mailbox.mboxMessage():set_from "a\nFrom b" end)
    assert.has_error(function() mailbox.MHMessage():add_sequence "a: 1\nb" end)
    assert.equal("1,x", mailbox.MaildirMessage():set_info "1,x":get_info())
  end)
end)
