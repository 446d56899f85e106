-- The layers (doc/architecture.md): lua/, then the folders of csrc/, and what each may know.
local tree = require "spec.support.tree"

local C = tree.files("csrc", "%.[ch]$")
local LUA = tree.files("lua", "%.lua$")
for i = #LUA, 1, -1 do
  if LUA[i] == "lua/csock/help/data.lua" then table.remove(LUA, i) end -- written by doc/help.lua
end

-- The file without its comments, line by line.
local function code_of(name)
  local text = tree.read(name)
  if name:find "%.lua$" then
    text = text:gsub("%-%-[^\n]*", "")
  else
    text = text:gsub("/%*.-%*/", function(comment) return (comment:gsub("[^\n]", " ")) end)
    text = text:gsub("//[^\n]*", "")
  end
  return text
end

-- All places in `files` where the code has one of the patterns, except in files for which
-- `allowed` is true.
local function find(files, patterns, allowed)
  local found = {}
  for _, name in ipairs(files) do
    if not (allowed and allowed(name)) then
      local number = 0
      for line in (code_of(name) .. "\n"):gmatch "([^\n]*)\n" do
        number = number + 1
        for _, pattern in ipairs(patterns) do
          if line:find(pattern) then found[#found + 1] = ("%s:%d: %s"):format(name, number, line) end
        end
      end
    end
  end
  return found
end

-- The names of other files of the project that a C file includes.
local function includes(name)
  local dir, list = name:match "^(.*)/", {}
  for included in tree.read(name):gmatch '#include%s+"([^"]+)"' do
    local path = dir .. "/" .. included
    local before
    repeat
      before = path
      path = path:gsub("/[^/.]+/%.%./", "/")
    until path == before
    list[#list + 1] = path
  end
  return list
end

-- What the objects of this build define and need: symbol -> the C file that defines it, C file -> symbols. Nil
-- where there is no nm, or the objects are elsewhere.
local function symbols()
  local defines, needs = {}, {}
  local cpath = package.cpath:match "([^;]+)/%?%.so"
  for _, name in ipairs(C) do
    local object = cpath .. "/obj/" .. name:gsub("^csrc/", ""):gsub("%.c$", ".o")
    local pipe <close> = name:find "%.c$" and io.popen("nm " .. object .. " 2>/dev/null") or nil
    for line in pipe and pipe:lines() or function() end do
      local kind, symbol = line:match "(%u) ([%w_]+)$"
      needs[name] = needs[name] or {}
      if kind == "U" then table.insert(needs[name], symbol) else defines[symbol or ""] = name end
    end
  end
  if next(needs) then return defines, needs end
end

-- The layers of csrc/, each above those that may use it.
local LAYERS = {
  "sys", "base", "wait", "loop", "name", "socket", "stream", "poll", "reactor", "constants", "coding", "file",
  "http", "websocket",
}

-- Folders that become .so files of their own.
local MODULES = { tls = true, readline = true }

-- The place of a file's folder among them. core.c and api.c, beneath all, may use everything, and what hosts call
-- (csrc/csock) stands on the core; the headers for other .so files and for hosts use nothing.
local function layer_of(name)
  if name == "csrc/api.h" or name == "csrc/csock.h" then return 0 end
  local folder = name:match "^csrc/(%w+)/"
  for i, layer in ipairs(LAYERS) do
    if layer == folder then return i end
  end
  if folder == "csock" then return #LAYERS + 2 end
  assert(not folder or MODULES[folder], tostring(folder) .. " is no layer")
  return #LAYERS + 1
end

describe("the tree", function()
  it("keeps Lua out of csrc/sys", function()
    assert.same({}, find(tree.files("csrc/sys", "."), { "lua%.h", "lauxlib", "lua_", "luaL_" }))
    for _, name in ipairs(tree.files("csrc/sys", ".")) do
      for _, included in ipairs(includes(name)) do assert.matches("^csrc/sys/", included, nil, name) end
    end
  end)

  it("keeps Lua out of the parser of HTTP", function()
    local binding = {
      answer = true, block = true, push = true, parse = true, read = true, directory = true,
    }
    for _, name in ipairs(tree.files("csrc/http", ".")) do
      if not binding[name:match "([%w_]+)%.[ch]$"] then
        assert.same({}, find({ name }, { "lua%.h", "lauxlib", "lua_", "luaL_" }))
        for _, included in ipairs(includes(name)) do
          local known = included:match "^csrc/http/([%w_]+)%.h$"
          assert(included:find "^csrc/sys/" or known and not binding[known], name .. ": " .. included)
        end
      end
    end
  end)

  it("keeps Lua out of what reads frames of WebSockets", function()
    for _, name in ipairs(tree.files("csrc/websocket", ".")) do
      if not name:find "/channel%.c$" then
        assert.same({}, find({ name }, { "lua%.h", "lauxlib", "lua_", "luaL_" }))
        for _, included in ipairs(includes(name)) do
          assert(included:find "^csrc/sys/" or included:find "^csrc/websocket/", name .. ": " .. included)
        end
      end
    end
  end)

  it("keeps Lua out of what encodes and decodes", function()
    for _, name in ipairs(tree.files("csrc/coding", ".")) do
      if not name:find "/coder%.c$" then
        assert.same({}, find({ name }, { "lua%.h", "lauxlib", "lua_", "luaL_" }))
        for _, included in ipairs(includes(name)) do
          assert(included:find "^csrc/sys/" or included:find "^csrc/coding/", name .. ": " .. included)
        end
      end
    end
  end)

  it("names operating systems in sys/port.h and the poller backends alone", function()
    local systems = { "__linux", "__APPLE__", "__FreeBSD", "__NetBSD", "__OpenBSD", "__DragonFly",
      "__sun", "_WIN32", "__CYGWIN__", "__ANDROID__", "__GLIBC__", "__unix" }
    assert.same({}, find(C, systems, function(name)
      return name == "csrc/sys/port.h" or name:find "^csrc/sys/poller_"
    end))
  end)

  for module in pairs(MODULES) do
    local folder = "^csrc/" .. module .. "/"

    it(("knows csock in csrc/%s by api.h alone, and csrc/%s nowhere else"):format(module, module), function()
      local found = {}
      for _, name in ipairs(C) do
        for _, included in ipairs(includes(name)) do
          local here, there = name:find(folder) ~= nil, included:find(folder) ~= nil
          if here ~= there and included ~= "csrc/api.h" then found[#found + 1] = name .. ": " .. included end
        end
      end
      local defines, needs = symbols()
      for name, list in pairs(needs or {}) do
        for _, symbol in ipairs(list) do
          local other = defines[symbol]
          if other and (name:find(folder) == nil) ~= (other:find(folder) == nil) then
            found[#found + 1] = ("%s -> %s (%s)"):format(name, other, symbol)
          end
        end
      end
      assert.same({}, found)
    end)
  end

  it("includes OpenSSL in csrc/tls alone, and readline in csrc/readline", function()
    assert.same({}, find(C, { "openssl/" }, function(name) return name:find "^csrc/tls/" end))
    assert.same({}, find(C, { "readline/.*%.h>" }, function(name) return name:find "^csrc/readline/" end))
  end)

  it("moves bytes on sockets in one place, and on other descriptors in another", function()
    local calls = { "%f[%w_]recv%(", "%f[%w_]recvfrom%(", "%f[%w_]recvmsg%(", "%f[%w_]send%(", "%f[%w_]sendto%(",
      "%f[%w_]sendmsg%(", "%f[%w_]recvmmsg%(", "%f[%w_]sendmmsg%(", "%f[%w_]sendfile%(" }
    assert.same({}, find(C, calls, function(name)
      return name:find "^csrc/socket/transport%.[ch]$" or name == "csrc/sys/rw.c"
    end))
  end)

  it("includes port.h before any header of the system", function()
    for _, name in ipairs(C) do
      -- api.h and csock.h stand alone.
      if name ~= "csrc/sys/port.h" and name ~= "csrc/api.h" and name ~= "csrc/csock.h" then
        local first = code_of(name):match '#include%s+([<"][^>"]+)'
        assert.matches('^"', first or '"', nil, name)
      end
    end
  end)

  it("has no circle of includes", function()
    local state = {}
    local function visit(name, path)
      assert.not_equal("open", state[name], path .. " -> " .. name)
      if state[name] then return end
      state[name] = "open"
      for _, included in ipairs(includes(name)) do visit(included, path .. " -> " .. name) end
      state[name] = "done"
    end
    for _, name in ipairs(C) do visit(name, "") end
  end)

  it("has no circle of calls between the C files", function()
    local defines, needs = symbols()
    if not defines then return pending "no nm, or objects elsewhere" end
    local state = {}
    local function visit(name, path)
      assert.not_equal("open", state[name], path .. " -> " .. name)
      if state[name] then return end
      state[name] = "open"
      for _, symbol in ipairs(needs[name]) do
        local other = defines[symbol]
        if other and other ~= name then visit(other, path .. " -> " .. name .. " (" .. symbol .. ")") end
      end
      state[name] = "done"
    end
    for name in pairs(needs) do visit(name, "") end
  end)

  it("calls only folders above one's own", function()
    local defines, needs = symbols()
    if not defines then return pending "no nm, or objects elsewhere" end
    local found = {}
    for name, list in pairs(needs) do
      for _, symbol in ipairs(list) do
        local other = defines[symbol]
        if other and layer_of(other) > layer_of(name) then
          found[#found + 1] = ("%s -> %s (%s)"):format(name, other, symbol)
        end
      end
    end
    assert.same({}, found)
  end)

  it("includes only headers of folders above one's own", function()
    local found = {}
    for _, name in ipairs(C) do
      for _, included in ipairs(includes(name)) do
        if layer_of(included) > layer_of(name) then found[#found + 1] = name .. ": " .. included end
      end
    end
    assert.same({}, found)
  end)

  -- sockaddr.h announces sockaddr_part.c as well, and stream/stream.h all of stream/. A header without functions
  -- (port.h, op.h) is named after what it is.
  it("has each function in the header that is named after its source", function()
    local defines = symbols()
    if not defines then return pending "no nm, or objects elsewhere" end
    local found = {}
    for _, name in ipairs(C) do
      local header = name:match "^(.*)%.h$"
      local folder, base = name:match "([^/]*)/([^/]*)%.h$"
      for symbol in header and code_of(name):gmatch "\n%a[^\n]-([%w_]+)%(" or function() end do
        local source = defines[symbol]
        local announced = source and source:find(folder == base and "/" .. folder .. "/" or header, 1, true)
        if source and not announced then
          found[#found + 1] = ("%s: %s is in %s"):format(name, symbol, source)
        end
      end
    end
    assert.same({}, found)
  end)

  it("has no file whose name a system keeps for itself", function()
    local kept = { aux = true, con = true, nul = true, prn = true, ["io.h"] = true, ["signal.h"] = true }
    for _, name in ipairs(tree.files(".", ".")) do
      local file = name:match "[^/]+$"
      if not name:find "^%./%.?build/" and not name:find "^%./%.git/" then
        assert(not kept[file] and not kept[file:match "^[^.]*"], name)
      end
    end
  end)

  it("knows nothing of sockets where errors and addresses are made", function()
    local lower = { "csrc/base/error.c", "csrc/base/error.h", "csrc/name/address.c", "csrc/name/address.h",
      "csrc/name/address_read.c", "csrc/base/args.h" }
    assert.same({}, find(lower, { '#include%s+".*socket/', '#include%s+".*driver%.h"', '#include%s+".*loop%.h"' }))
  end)

  it("keeps the loop's insides to the loop", function()
    local insides = { '#include%s+".*loop%.h"', '#include%s+".*task%.h"', '#include%s+".*records%.h"' }
    assert.same({}, find(C, insides, function(name)
      local inside = { "/loop/", "/wait/", "/reactor/", "/csrc/csock/" }
      for _, pattern in ipairs(inside) do
        if ("/" .. name):find(pattern) then return true end
      end
    end))
  end)

  it("has a header only where other files include it", function()
    local wanted = {}
    for _, name in ipairs(C) do
      for _, included in ipairs(includes(name)) do
        if included:gsub("%.h$", "") ~= name:gsub("%.c$", "") then wanted[included] = true end
      end
    end
    for _, name in ipairs(C) do
      if name:find "%.h$" then assert(wanted[name], name .. ": nobody includes it") end
    end
  end)

  it("has no file of more than 600 lines", function()
    local long = {}
    for _, files in ipairs { C, LUA, tree.files("spec/support", "."), tree.files("examples", "%.lua$") } do
      for _, name in ipairs(files) do
        local _, lines = tree.read(name):gsub("\n", "")
        if lines > 600 then long[#long + 1] = name .. ": " .. lines end
      end
    end
    assert.same({}, long)
  end)

  it("uses only csock's public face in its Lua modules", function()
    assert.same({}, find(LUA, { 'csock%.core' }, function(name)
      -- ... which are that face; the parser of HTTP is for its protocols, core.service for csock.service, and
      -- core.testing is for csock.testing, core.file for mailboxes and folders of certificates; mailcap and IMAP run
      -- programs.
      return name == "lua/csock.lua" or name:find "^lua/csock/loop" or name:find "^lua/csock/http"
        or name:find "^lua/csock/websocket" or name:find "^lua/csock/wire"
        or name:find "^lua/csock/mailbox/" or name == "lua/csock/mailcap.lua" or name == "lua/csock/imap/program.lua"
        or name:find "^lua/csock/service/" or name:find "^lua/csock/testing/" or name == "lua/csock/endpoints/tls.lua"
    end))
    assert.same({}, find(LUA, { 'debug%.getregistry', 'debug%.getmetatable', 'debug%.setmetatable' }, function(name)
      return name:find "^lua/csock/repl/" or name:find "^lua/csock/help/" -- a prompt shows things as they are
    end))
  end)

  it("assigns to no control variable of a loop, which Lua 5.5 does not allow", function()
    -- (The first of several.) Under 5.4 a constant of the same name is put behind the loop's head.
    local function constant(head, names, rest)
      local name = names:match "[%w_]+"
      return ("%s%s%s do local %s <const> = %s; "):format(head, names, rest, name, name)
    end
    local wrong = {}
    for _, files in ipairs { LUA, tree.files("spec", "%.lua$"), tree.files("examples", "%.lua$") } do
      for _, name in ipairs(files) do
        local lines = {}
        for line in tree.read(name):gsub("^#![^\n]*", ""):gmatch "([^\n]*)\n?" do
          lines[#lines + 1] = line:find "^%s*%-%-" and line or line
            :gsub("^(%s*for )([%a_][%w_, ]*)( in .*) do$", constant)
            :gsub("^(%s*for )([%a_][%w_, ]*)( in [^\"'{]-) do%f[%W]", constant)
            :gsub("^(%s*for )([%a_][%w_]*)( = .*) do$", constant)
        end
        local f, why = load(table.concat(lines, "\n"), "=" .. name, "t")
        if not f then wrong[#wrong + 1] = why end
      end
    end
    assert.same({}, wrong)
  end)

  it("leaves no work for later in its texts", function()
    local files = {}
    for _, dir in ipairs { "csrc", "lua", "examples", "rockspec" } do
      table.move(tree.files(dir, "."), 1, 999, #files + 1, files)
    end
    local found = {}
    for _, name in ipairs(files) do
      for _, word in ipairs { "TODO", "FIXME", "XXX", "not implemented" } do
        if tree.read(name):find(word, 1, true) then found[#found + 1] = name .. ": " .. word end
      end
    end
    assert.same({}, found)
  end)
end)

describe("core.so", function()
  -- Where this run's core was built; its objects are beside it.
  local core = package.searchpath("csock.core", package.cpath)
  local build = core:gsub("csock/core%.so$", "")
  local objects = tree.files(build .. "obj", "%.o$")
  local sanitized = tree.output("nm -D '" .. core .. "'"):find "__asan"

  it("exports luaopen_csock_core and nothing else", function()
    if sanitized then return pending "a sanitizer adds names of its own" end
    assert.same({ "luaopen_csock_core" }, tree.exports(core))
  end)

  it("has no variables outside a Lua state: several states in several threads", function()
    if sanitized then return pending "a sanitizer adds variables of its own" end
    assert.is_true(#objects > 10)
    local found = {}
    -- What csrc/tls gives OpenSSL, and its store of authorities: made once for the process, and constant then.
    local once = { method = true, conn_index = true, context_index = true, lock = true, loaded = true }
    for _, object in ipairs(objects) do
      local allowed = object:find "/tls/" and once or {}
      for kind, name in tree.output("nm '" .. object .. "'"):gmatch "%x+ ([bBcCdDgGsSuvV]) (%S+)" do
        -- Tables of constant pointers are in .data.rel.ro, which nm calls d as well.
        local section = tree.output(("objdump -t '%s' | grep -F ' %s'"):format(object, name))
        -- signal.c: a signal handler is told nothing but a number. pointers.c: which Lua states have a policy, a
        -- program must not be able to make forgotten.
        local known = name == "process" or name == "pointers"
        if not section:find "%.data%.rel%.ro" and not known and not allowed[name] then
          found[#found + 1] = object .. ": " .. kind .. " " .. name
        end
      end
    end
    assert.same({}, found)
  end)
end)
