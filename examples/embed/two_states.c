/* two_states.c: two Lua states in two threads, each with a loop of its own: one serves, the other
 * asks.
 *
 *     cc two_states.c -lcsock -llua5.4 -pthread && ./a.out
 *
 * They share nothing but a pair of sockets, which the host makes and gives to them, one end each.
 */
#define _POSIX_C_SOURCE 200809L
#include <csock.h>
#include <lauxlib.h>
#include <lualib.h>

#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct side {
  const char *script;
  int fd;
  int status;
  char result[100];
} side;

static side sides[2] = {
    {.script = "local conn <close> = ...\n"
               "local requests = conn:makefile('rw')\n"
               "for line in requests:lines() do requests:write(#line, '\\n'):flush() end\n"
               "requests:close()\n"
               "return 'served'\n"},
    {.script = "local conn <close> = ...\n"
               "local answers, sum = conn:makefile('rw'), 0\n"
               "for i = 1, 100 do\n"
               "  answers:write(('x'):rep(i), '\\n'):flush()\n"
               "  sum = sum + answers:read 'n'; answers:read 'l'\n"
               "end\n"
               "answers:close()\n"
               "return 'asked: ' .. sum\n"},
};

static void ended(lua_State *L, int status, int n, void *ud) {
  side *s = ud;
  s->status = status;
  snprintf(s->result, sizeof s->result, "%s", n > 0 ? luaL_tolstring(L, -1, NULL) : "cancelled");
}

static int start(lua_State *L) {
  side *s = lua_touserdata(L, 1);
  csock_preload(L);
  if (luaL_loadstring(L, s->script) != LUA_OK) return lua_error(L);
  if (csock_push_socket(L, s->fd) != 0) return luaL_error(L, "no socket");
  csock_spawn(L, 1, ended, s);
  return 0;
}

static void *run(void *ud) {
  side *s = ud;
  lua_State *L = luaL_newstate();
  csock_options options = {.size = sizeof options, .max_fds = 1};
  s->status = CSOCK_FAILED;
  if (L == NULL) return NULL;
  luaL_openlibs(L);
  csock_setup(L, &options);
  lua_pushcfunction(L, start);
  lua_pushlightuserdata(L, s);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK)
    ended(L, CSOCK_FAILED, 1, s);
  else
    while (csock_step(L, -1, 0) > 0) continue;
  lua_close(L);
  return NULL;
}

int main(void) {
  pthread_t threads[2];
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0) return 1;
  for (int i = 0; i < 2; i++) {
    sides[i].fd = fds[i];
    if (pthread_create(&threads[i], NULL, run, &sides[i]) != 0) return 1;
  }
  for (int i = 0; i < 2; i++) {
    pthread_join(threads[i], NULL);
    puts(sides[i].result);
  }
  return sides[0].status != CSOCK_DONE || sides[1].status != CSOCK_DONE;
}
