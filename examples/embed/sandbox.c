/* sandbox.c: csock for scripts of strangers: they may talk to 127.0.0.1, and to nothing else.
 *
 *     cc sandbox.c -lcsock -llua5.4 && ./a.out script.lua
 *
 * Without `io`, `os` and `debug`, and without what loads libraries; with 16 MB of memory, and so
 * many instructions. What the script returns is printed, or what has stopped it. */
#include <csock.h>
#include <lauxlib.h>
#include <lualib.h>

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#define MEMORY       ((size_t)16 << 20)
#define INSTRUCTIONS 50000000
#define EVERY        1000

static size_t used;
static long spent;

static void *allocate(void *ud, void *block, size_t size, size_t wanted) {
  (void)ud;
  if (block == NULL) size = 0; /* (it was the new object's type) */
  if (wanted > size && used - size + wanted > MEMORY) return NULL;
  void *result = wanted > 0 ? realloc(block, wanted) : NULL;
  if (wanted == 0) free(block);
  if (wanted == 0 || result != NULL) used += wanted - size;
  return result;
}

static void count(lua_State *L, lua_Debug *activation) {
  (void)activation;
  if ((spent += EVERY) <= INSTRUCTIONS) return;
  lua_sethook(L, count, LUA_MASKCOUNT, 1); /* or pcall would catch it, again and again */
  luaL_error(L, "too many instructions");
}

static int policy(void *ud, const csock_ask *ask, const char **reason) {
  (void)ud, *reason = "this sandbox knows 127.0.0.1 alone";
  switch (ask->what) {
  case CSOCK_ASK_SOCKET:
    return ask->family != AF_INET || (ask->type != SOCK_STREAM && ask->type != SOCK_DGRAM);
  case CSOCK_ASK_BIND:
  case CSOCK_ASK_LISTEN:
  case CSOCK_ASK_CONNECT:
  case CSOCK_ASK_SEND: {
    const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)ask->address;
    return in->sin_family != AF_INET || in->sin_addr.s_addr != htonl(INADDR_LOOPBACK);
  }
  case CSOCK_ASK_LOOKUP:
    return 0; /* what comes of it is judged when it is used */
  default:
    return 1; /* descriptors, options, processes, files, TLS without verification, what is new */
  }
}

static void open_libraries(lua_State *L) {
  static const luaL_Reg libraries[] = {
      {LUA_GNAME, luaopen_base},          {LUA_LOADLIBNAME, luaopen_package},
      {LUA_COLIBNAME, luaopen_coroutine}, {LUA_TABLIBNAME, luaopen_table},
      {LUA_STRLIBNAME, luaopen_string},   {LUA_MATHLIBNAME, luaopen_math},
      {LUA_UTF8LIBNAME, luaopen_utf8},    {NULL, NULL}};
  for (const luaL_Reg *lib = libraries; lib->name != NULL; lib++)
    luaL_requiref(L, lib->name, lib->func, 1);
  csock_preload(L);
  if (luaL_dostring(L, "dofile, loadfile, package.loadlib, package.path = nil, nil, nil, ''\n"
                       "package.cpath, package.searchers = '', {package.searchers[1]}\n"
                       "local any = load -- (of bytecode, too, which may be anything)\n"
                       "load = function(c, n, _, ...) return any(c, n, 't', ...) end") != 0)
    lua_error(L);
}

static void ended(lua_State *L, int status, int n, void *ud) {
  (void)ud;
  if (n > 0) printf("%s%s\n", status == CSOCK_DONE ? "" : "stopped: ", luaL_tolstring(L, -n, NULL));
}

static int run(lua_State *L) {
  csock_options options = {.size = sizeof options, .policy = policy, .max_fds = 32};
  if (csock_setup(L, &options) != 0) return luaL_error(L, "csock is open already");
  open_libraries(L);
  lua_sethook(L, count, LUA_MASKCOUNT, EVERY); /* coroutines have it from here, tasks as well */
  if (luaL_loadfilex(L, lua_touserdata(L, 1), "t") != LUA_OK) return lua_error(L);
  csock_spawn(L, 0, ended, NULL);
  while (csock_step(L, 1, 0) > 0) continue;
  return 0;
}

int main(int argc, char **argv) {
  lua_State *L = argc > 1 ? lua_newstate(allocate, NULL) : NULL;
  if (L == NULL) return 2;
  lua_pushcfunction(L, run);
  lua_pushlightuserdata(L, argv[1]);
  int failed = lua_pcall(L, 1, 0, 0);
  if (failed != LUA_OK) fprintf(stderr, "%s\n", lua_tostring(L, -1));
  lua_close(L);
  return failed != LUA_OK;
}
