/* poll_host.c: csock in a program that has a poll(2) loop of its own.
 *
 *     cc poll_host.c -lcsock -llua5.4 && printf 'one\ntwo\n' | ./a.out
 *
 * The host reads its standard input, and gives each line to a task of its script; a thread of its
 * own counts, and wakes the loop when it has something to say. */
#define _POSIX_C_SOURCE 200809L
#include <csock.h>
#include <lauxlib.h>
#include <lualib.h>

#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char script[] =
    "local csock = require 'csock'\n"
    "local server = assert(csock.serve({'127.0.0.1', 0}, function(conn)\n"
    "  for line in conn:makefile('r'):lines() do conn:sendall(line:upper() .. '\\n') end\n"
    "end))\n"
    "return function(line)\n"
    "  local conn <close> = assert(csock.create_connection(server:getsockname()))\n"
    "  assert(conn:sendall(line .. '\\n'))\n"
    "  return conn:makefile('r'):read 'l'\n"
    "end\n";

static atomic_int counted;

static void *count(void *waker) {
  while (counted < 1000) counted++;
  csock_wakeup(*(int *)waker);
  return NULL;
}

static void answered(lua_State *L, int status, int n, void *open) {
  (void)n;
  --*(int *)open;
  printf("%s %s\n", status == CSOCK_DONE ? "answer:" : "failed:", luaL_tolstring(L, -1, NULL));
}

/* What of the host's may raise runs in here. 1: the waker; 2: how many answers are to come. */
static int run(lua_State *L) {
  int *waker = lua_touserdata(L, 1), *open = lua_touserdata(L, 2);
  pthread_t thread;
  char line[256];
  csock_preload(L);
  if (luaL_dostring(L, script) != LUA_OK) return lua_error(L); /* leaves the function at 3 */
  *waker = csock_waker(L);
  if (pthread_create(&thread, NULL, count, waker) != 0) return luaL_error(L, "no thread");
  bool input = true, told = false;
  while (input || *open > 0 || !told) {
    double due = csock_timeout(L);
    struct pollfd fds[] = {{csock_fd(L), POLLIN, 0}, {input ? STDIN_FILENO : -1, POLLIN, 0}};
    poll(fds, 2, due < 0 ? -1 : due > 1000 ? 1000000 : (int)ceil(due * 1000));
    if (fds[1].revents != 0) {
      input = fgets(line, sizeof line, stdin) != NULL;
      line[strcspn(line, "\n")] = '\0';
      if (input) {
        ++*open;
        lua_pushvalue(L, 3);
        lua_pushstring(L, line);
        csock_spawn(L, 1, answered, open);
        lua_pop(L, 1);
      }
    }
    if (csock_step(L, 0, 0) < 0) return lua_error(L);
    if (!told && counted == 1000) {
      told = true;
      puts("the thread has counted");
    }
  }
  pthread_join(thread, NULL);
  return 0;
}

int main(void) {
  int waker, open = 0;
  lua_State *L = luaL_newstate();
  if (L == NULL) return 1;
  setvbuf(stdin, NULL, _IONBF, 0); /* so that poll(2) knows of every line */
  luaL_openlibs(L);
  lua_pushcfunction(L, run);
  lua_pushlightuserdata(L, &waker);
  lua_pushlightuserdata(L, &open);
  int status = lua_pcall(L, 2, 0, 0);
  if (status != LUA_OK) fprintf(stderr, "%s\n", lua_tostring(L, -1));
  csock_close(L);
  lua_close(L);
  return status;
}
