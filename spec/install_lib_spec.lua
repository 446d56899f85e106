-- make install-lib: a host outside of this tree finds the library, the header and their versions.
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local tree = require "spec.support.tree"

local build = package.searchpath("csock.core", package.cpath):gsub("/csock/core%.so$", "")
local flags = tree.read(build .. "/flags")
local lua_headers = flags:match "%-I%S*lua%S*" or "-I/usr/include/lua5.4"

local HOST = [[
#include <csock.h>
#include <lauxlib.h>
#include <lualib.h>
int main(void) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  csock_preload(L);
  int failed = luaL_dostring(L, "io.write(require 'csock'._VERSION)");
  lua_close(L);
  return failed || csock_version() != CSOCK_VERSION_NUM;
}
]]

local function has(program) return process.run { "sh", "-c", "command -v " .. program } == 0 end

describe("the installed library", function()
  local dir, version

  local function run(command)
    local status, out, err = process.run({ "sh", "-c", command }, { timeout = 120 })
    assert.equal("", err)
    assert.equal(0, status)
    return out
  end

  setup(function()
    dir = assert(posix.mkdtemp())
    version = tree.read "csrc/csock.h":match '#define CSOCK_VERSION%s+"([^"]+)"'
    run(("env -u MAKEFLAGS make -s install-lib BUILD='%s' PREFIX='%s' >/dev/null"):format(build, dir))
    local file <close> = assert(io.open(dir .. "/host.c", "w"))
    file:write(HOST)
  end)
  teardown(function() os.execute("rm -rf '" .. dir .. "'") end)

  it("is found by pkg-config", function()
    if flags:find "sanitize" then return pending "a sanitizer's library would come with it" end
    if not has "pkg-config" then return pending "pkg-config is not here" end
    local found = ("PKG_CONFIG_PATH='%s/lib/pkgconfig' pkg-config "):format(dir)
    assert.equal(version .. "\n", run(found .. "--modversion csock"))
    run(("cc -o '%s/host' '%s/host.c' %s $(%s --cflags --libs csock) -Wl,-rpath,'%s/lib' -llua5.4 -lm"):format(
      dir, dir, lua_headers, found, dir))
    assert.equal("csock " .. version, run("'" .. dir .. "/host'"))
  end)

  it("is found by CMake, as csock::csock", function()
    if flags:find "sanitize" then return pending "a sanitizer's library would come with it" end
    if not has "cmake" then return pending "cmake is not here: make deps-specs" end
    local file <close> = assert(io.open(dir .. "/CMakeLists.txt", "w"))
    file:write(("cmake_minimum_required(VERSION 3.13)\nproject(host C)\nfind_package(csock %s REQUIRED)\n" ..
      "add_executable(host host.c)\ntarget_compile_options(host PRIVATE %s)\n" ..
      "target_link_libraries(host csock::csock lua5.4)\n"):format(version, lua_headers))
    file:close()
    run(("cmake -S '%s' -B '%s/made' -DCMAKE_PREFIX_PATH='%s' >/dev/null"):format(dir, dir, dir))
    run(("env -u MAKEFLAGS cmake --build '%s/made' >/dev/null"):format(dir))
    assert.equal("csock " .. version, run("'" .. dir .. "/made/host'"))
  end)
end)
