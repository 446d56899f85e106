/* program.c: programs that answer requests (CGI), started. */
#include "../base/error.h"
#include "../base/policy.h"
#include "../base/parts.h"
#include "../sys/spawn.h"

/* Pushes the strings of the sequence at `arg` as a list for execve(2), which lasts while both are
   on the stack. */
static char **push_argv(lua_State *L, int arg) {
  luaL_checktype(L, arg, LUA_TTABLE);
  lua_Unsigned length = lua_rawlen(L, arg); /* which a table with gaps may have very large */
  luaL_argcheck(L, length < INT_MAX / sizeof(char *), arg, "too many strings");
  size_t n = (size_t)length;
  char **list = (char **)lua_newuserdatauv(L, (n + 1) * sizeof *list, 0);
  for (size_t i = 0; i < n; i++) {
    lua_rawgeti(L, arg, (lua_Integer)i + 1);
    if (lua_type(L, -1) != LUA_TSTRING) luaL_argerror(L, arg, "strings expected");
    list[i] = (char *)(uintptr_t)lua_tostring(L, -1);
    if (strlen(list[i]) != lua_rawlen(L, -1)) luaL_argerror(L, arg, "a zero byte in a string");
    lua_pop(L, 1);
  }
  list[n] = NULL;
  return list;
}

/* run(path, arguments, environment, input, output): starts the program, which has these two
   (sockets) as its standard input and output; the process id, which is that of its process group,
   too. */
static int run_program(lua_State *L) {
  const char *path = cs_check_cstring(L, 1);
  int in = cs_check_fd(L, 4), out = cs_check_fd(L, 5);
  char **argv = push_argv(L, 2), **envp = push_argv(L, 3);
  cs_state *state = cs_state_get(L);
  pid_t pid;
  int err = in < 0 || out < 0 ? EBADF : cs_policy_process(L, state, "run");
  if (err == 0) err = cs_policy_file(L, state, "run", path);
  if (err == 0) err = cs_policy_use(L, state, "run", in);
  if (err == 0) err = cs_policy_use(L, state, "run", out);
  if (err == 0) err = cs_spawn_program(path, argv, envp, in, out, &pid);
  if (err != 0) return cs_fail(L, "run", err);
  lua_pushinteger(L, pid);
  return 1;
}

void cs_open_http_program(lua_State *L) {
  static const luaL_Reg functions[] = {{"run", run_program}, {NULL, NULL}};
  lua_getfield(L, -1, "http");
  cs_setfuncs(L, functions);
  lua_pop(L, 1);
}
