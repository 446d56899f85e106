/* plugin.cc: csock in a C++ program with exceptions.
 *
 *     c++ -std=c++17 plugin.cc -x c++ csock.c -x none -llua5.4-c++ -lm -ldl -pthread && ./a.out
 *
 * Lua is compiled as C++ (Debian's liblua5.4-c++), and so is csock, in its one file. Then an error
 * of Lua's is an exception: the destructors of what it passes are run. What the program throws
 * becomes an error of Lua's where Lua has called (`guarded`), and again an exception in `main`. */
#include <csock.h>
#include <lauxlib.h>
#include <lualib.h>

#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>

static const char script[] =
    "local csock = require 'csock'\n"
    "local server <close> = assert(csock.serve({'127.0.0.1', 0}, function(conn)\n"
    "  for name, count in conn:makefile 'r':read 'a':gmatch '(%w+) (%w+)' do\n"
    "    conn:sendall(('%s: %s\\n'):format(pcall(take, name, count)))\n"
    "  end\n"
    "end))\n"
    "local conn <close> = assert(csock.create_connection(server:getsockname()))\n"
    "conn:sendall 'tea 2, tea 2, gold 1, tea x'\n"
    "conn:shutdown(csock.SHUT_WR)\n"
    "io.write(conn:makefile 'r':read 'a')\n"
    "print(pcall(each, function(name) error(name .. ' has no price', 0) end))\n"
    "take('silver', 1)\n"; /* which ends the task */

static std::map<std::string, long long> stock = {{"tea", 3}, {"rice", 9}};

/* A C++ function as one of Lua's: what it throws is raised. (What else is thrown must not pass Lua,
   which has no error value then; Lua's own errors, no std::exception, must.) */
template <lua_CFunction function> static int guarded(lua_State *L) {
  try {
    return function(L);
  } catch (const std::exception &e) {
    lua_pushstring(L, e.what());
  }
  return lua_error(L);
}

/* take(name, count): how many are left. */
static int take(lua_State *L) {
  const std::string name = luaL_checkstring(L, 1);
  const lua_Integer count = luaL_checkinteger(L, 2); /* raises, and `name` is freed */
  const auto found = stock.find(name);
  if (found == stock.end()) throw std::out_of_range("there is no " + name);
  if (count > found->second) throw std::runtime_error("not so much " + name);
  lua_pushinteger(L, found->second -= count);
  return 1;
}

struct visit {
  ~visit() {
    std::cout << "the visit is over" << std::endl;
  }
};

/* each(f): calls f(name), which may raise. */
static int each(lua_State *L) {
  const visit visited{};
  for (const auto &thing : stock) {
    lua_pushvalue(L, 1);
    lua_pushlstring(L, thing.first.data(), thing.first.size());
    lua_call(L, 1, 0);
  }
  return 0;
}

static void ended(lua_State *L, int status, int, void *) {
  if (status == CSOCK_FAILED) lua_setfield(L, LUA_REGISTRYINDEX, "failure");
}

static int start(lua_State *L) {
  luaL_openlibs(L);
  csock_preload(L);
  lua_register(L, "take", guarded<take>);
  lua_register(L, "each", guarded<each>);
  if (luaL_loadstring(L, script) != LUA_OK) return lua_error(L);
  csock_spawn(L, 0, ended, nullptr);
  return 0;
}

int main() try {
  const std::unique_ptr<lua_State, void (*)(lua_State *)> state(luaL_newstate(), lua_close);
  lua_State *L = state.get();
  lua_pushcfunction(L, start);
  if (lua_pcall(L, 0, 0, 0) != LUA_OK) throw std::runtime_error(lua_tostring(L, -1));
  while (csock_step(L, -1, 0) > 0) continue;
  if (lua_getfield(L, LUA_REGISTRYINDEX, "failure") == LUA_TSTRING)
    throw std::runtime_error(lua_tostring(L, -1));
} catch (const std::exception &e) {
  std::cout << "the program has caught: " << e.what() << std::endl;
}
