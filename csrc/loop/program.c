/* program.c: programs, started: for csock.reactor, and CGI. */
#include "../base/error.h"
#include "../base/policy.h"
#include "../base/parts.h"
#include "../sys/spawn.h"
#include "../sys/users.h"

/* Room for the items of the sequence at `arg`, and one more: *n of them, of so many bytes. It lasts
   while it is on the stack. */
static void *program_list(lua_State *L, int arg, size_t size, size_t *n) {
  luaL_checktype(L, arg, LUA_TTABLE);
  lua_Unsigned length = lua_rawlen(L, arg); /* which a table with gaps may have very large */
  luaL_argcheck(L, length < INT_MAX / size, arg, "too many items");
  *n = (size_t)length;
  return lua_newuserdatauv(L, (*n + 1) * size, 0);
}

/* Pushes the strings of the sequence at `arg` as a list for execve(2), which lasts while both are
   on the stack. */
static char **program_strings(lua_State *L, int arg) {
  size_t n;
  char **list = (char **)program_list(L, arg, sizeof *list, &n);
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

/* {child's descriptor, one of ours, ...} */
static cs_spawn_fd *program_fds(lua_State *L, int arg, size_t *count) {
  size_t n;
  cs_spawn_fd *list = (cs_spawn_fd *)program_list(L, arg, sizeof *list, &n);
  *count = n / 2;
  for (size_t i = 0; i < n / 2 * 2; i++) {
    lua_rawgeti(L, arg, (lua_Integer)i + 1);
    int fd = cs_item_fd(L, arg, (lua_Integer)i + 1);
    lua_pop(L, 1);
    if (i % 2 == 0)
      list[i / 2].child = fd;
    else
      list[i / 2].own = fd;
  }
  return list;
}

/* {uid, gid, groups ...} */
static cs_spawn_user *program_user(lua_State *L, int arg) {
  size_t n;
  if (lua_isnoneornil(L, arg)) return NULL;
  gid_t *ids = (gid_t *)program_list(L, arg, sizeof *ids, &n);
  luaL_argcheck(L, n >= 2 && n - 2 <= CS_GROUPS_MOST, arg, "user, group and groups expected");
  for (size_t i = 0; i < n; i++) {
    lua_rawgeti(L, arg, (lua_Integer)i + 1);
    ids[i] = (gid_t)lua_tointeger(L, -1);
    lua_pop(L, 1);
  }
  cs_spawn_user *user = (cs_spawn_user *)lua_newuserdatauv(L, sizeof *user, 0);
  *user = (cs_spawn_user){(uid_t)ids[0], ids[1], ids + 2, (uint16_t)(n - 2)};
  return user;
}

/* Takes those out that the policy refuses. 0 when there is one left, or no policy. */
static int program_paths(lua_State *L, cs_state *state, char **paths) {
  char **kept = paths;
  int refused = 0;
  for (char **path = paths; *path != NULL; path++) {
    int err = cs_policy_file(L, state, "run", *path);
    if (err == 0) *kept++ = *path;
    if (err != 0) refused = err;
  }
  *kept = NULL;
  return *paths == NULL ? refused : 0;
}

/* The standard streams a program would have from us in any case. */
static int program_allowed(lua_State *L, cs_state *state, const cs_program *p) {
  int err = 0;
  for (size_t i = 0; i < p->count && err == 0; i++) {
    const cs_spawn_fd *fd = &p->fds[i];
    if (fd->own < 0 || fd->child < 0) return EBADF;
    if (fd->own > 2 || fd->own != fd->child) err = cs_policy_use(L, state, "run", fd->own);
  }
  return err;
}

/* run(paths, arguments, environment, descriptors[, kind[, directory[, user]]]): starts the program
   at the first of the paths where there is one; its process id. `environment` nil: this process's.
   It has these descriptors alone, {its, one of ours, ...}. `kind`: "group": it leads a process
   group, "session": it has a session of its own, and descriptor 0 for its terminal. `user`: {uid,
   gid, groups ...}. What has failed by the time it would run is told here, too. */
static int program_run(lua_State *L) {
  static const char *const kinds[] = {"", "group", "session", NULL};
  lua_settop(L, 7);
  int kind = luaL_checkoption(L, 5, "", kinds);
  char **paths = program_strings(L, 1);
  cs_program p = {.paths = paths,
                  .argv = program_strings(L, 2),
                  .envp = lua_isnil(L, 3) ? cs_environ : program_strings(L, 3),
                  .directory = lua_isnil(L, 6) ? NULL : cs_check_cstring(L, 6),
                  .group = kind == 1,
                  .terminal = kind == 2};
  p.fds = program_fds(L, 4, &p.count);
  p.user = program_user(L, 7);
  cs_state *state = cs_state_get(L);
  pid_t pid;
  int err = cs_policy_process(L, state, "run");
  if (err == 0) err = program_paths(L, state, paths);
  if (err == 0) err = program_allowed(L, state, &p);
  if (err == 0) err = cs_spawn_program(&p, &pid);
  if (err != 0) return cs_fail(L, "run", err);
  lua_pushinteger(L, pid);
  return 1;
}

void cs_open_program(lua_State *L) {
  static const luaL_Reg functions[] = {{"run", program_run}, {NULL, NULL}};
  luaL_getsubtable(L, -1, "program"); /* for csock's own modules alone */
  cs_setfuncs(L, functions);
  lua_pop(L, 1);
}
