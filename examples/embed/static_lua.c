/* static_lua.c: Lua and csock in one static binary: copied anywhere, it runs there.
 *
 *     cc -static static_lua.c csock.c -llua5.4 -lm -pthread && ./a.out script.lua
 *     musl-gcc -static static_lua.c csock.c ... -Ilua-5.4/src -lm  (all of Lua's but luac.c, lua.c)
 *
 * An interpreter: its script is a task, and so waits for nobody. Without one it asks itself for the
 * time. Addresses are numbers here: for names glibc loads what is not in a static binary. */
#include <csock.h>
#include <lauxlib.h>
#include <lualib.h>

#include <stdio.h>
#include <stdlib.h>

static const char demo[] =
    "local csock = require 'csock'\n"
    "local server <close> = assert(csock.serve({'127.0.0.1', 0}, function(conn)\n"
    "  conn:sendall(os.date '!%Y-%m-%d\\n')\n"
    "end))\n"
    "local conn <close> = assert(csock.create_connection(server:getsockname()))\n"
    "print('today is ' .. conn:makefile 'r':read 'l')\n";

static void ended(lua_State *L, int status, int n, void *ud) {
  int *result = ud;
  (void)n;
  *result = status == CSOCK_DONE ? EXIT_SUCCESS : EXIT_FAILURE;
  if (status == CSOCK_FAILED) fprintf(stderr, "%s\n", luaL_tolstring(L, -1, NULL));
}

/* What may raise. 1: the script's path, or nil; 2: the program's exit status. */
static int start(lua_State *L) {
  const char *path = luaL_optstring(L, 1, NULL);
  luaL_openlibs(L);
  csock_preload(L);
  if ((path != NULL ? luaL_loadfile(L, path) : luaL_loadstring(L, demo)) != LUA_OK)
    return lua_error(L);
  csock_spawn(L, 0, ended, lua_touserdata(L, 2));
  return 0;
}

int main(int argc, char **argv) {
  int result = EXIT_FAILURE, left = 0;
  lua_State *L = luaL_newstate();
  if (L == NULL) return EXIT_FAILURE;
  lua_pushcfunction(L, start);
  lua_pushstring(L, argc > 1 ? argv[1] : NULL);
  lua_pushlightuserdata(L, &result);
  if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
    left = -1;
  } else {
    do left = csock_step(L, -1, 0);
    while (left > 0);
  }
  if (left < 0) fprintf(stderr, "%s\n", luaL_tolstring(L, -1, NULL));
  lua_close(L);
  return left < 0 ? EXIT_FAILURE : result;
}
