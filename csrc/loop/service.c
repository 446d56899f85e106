/* service.c: what csock.service asks the system for: a PID file, the environment, standard input
   and output. In the core's table `service`, for that module alone. */
#include "../base/error.h"
#include "../base/given.h"
#include "../base/policy.h"
#include "../base/parts.h"
#include "../sys/fd.h"
#include "../sys/lockfile.h"

#include <stdio.h>
#include <stdlib.h>

/* (path, text): the descriptor of the locked file. */
static int service_lock(lua_State *L) {
  size_t len;
  int fd;
  const char *path = cs_check_cstring(L, 1), *text = luaL_checklstring(L, 2, &len);
  luaL_checkstack(L, 1, NULL);
  cs_state *state = cs_state_get(L);
  int err = cs_policy_file(L, state, "pidfile", path);
  if (err == 0) err = cs_state_room(state, 1);
  if (err == 0) err = cs_lockfile_open(path, text, len, &fd);
  if (err != 0) return cs_fail_at(L, "pidfile", err, 1);
  cs_given_add(state, fd); /* without memory it is not counted */
  lua_pushinteger(L, fd);
  return 1;
}

/* (name) */
static int service_unsetenv(lua_State *L) {
  const char *name = cs_check_cstring(L, 1);
  int err = cs_policy_process(L, cs_state_get(L), "unsetenv");
  if (err == 0 && unsetenv(name) != 0) err = errno;
  return cs_result(L, "unsetenv", err);
}

/* (): standard input, output and errors come from nowhere, and go there. */
static int service_silence(lua_State *L) {
  int err = cs_policy_process(L, cs_state_get(L), "daemonize");
  if (err != 0) return cs_fail(L, "daemonize", err);
  fflush(stdout);
  fflush(stderr);
  int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (fd < 0) return cs_fail(L, "daemonize", errno);
  for (int i = 0; i <= 2 && err == 0; i++) {
    if (i == fd)
      err = cs_fd_set_inheritable(fd, true);
    else if (dup2(fd, i) < 0)
      err = errno;
  }
  if (fd > 2) cs_fd_close(fd);
  return cs_result(L, "daemonize", err);
}

void cs_open_service(lua_State *L) {
  static const luaL_Reg functions[] = {{"lock", service_lock},
                                       {"unsetenv", service_unsetenv},
                                       {"silence", service_silence},
                                       {NULL, NULL}};
  lua_newtable(L);
  cs_setfuncs(L, functions);
  lua_setfield(L, -2, "service");
}
