/* uv_host.c: csock in a program of libuv's, whose loop watches csock's descriptors itself.
 *
 *     cc uv_host.c -luv -lcsock -llua5.4 -lm && ./a.out
 *
 * A server and a client talk to each other, while the host's own timer ticks. */
#define _POSIX_C_SOURCE 200809L
#include <csock.h>
#include <lauxlib.h>
#include <lualib.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

static const char script[] =
    "local csock = require 'csock'\n"
    "local server <close> = assert(csock.serve({'127.0.0.1', 0}, function(conn)\n"
    "  for line in conn:makefile():lines() do conn:sendall(line:upper() .. '\\n') end\n"
    "end))\n"
    "local conn <close> = assert(csock.create_connection(server:getsockname()))\n"
    "csock.sleep(0.02) assert(conn:sendall 'hello\\n')\n"
    "return conn:makefile():read 'l'\n";

#define MOST 1024 /* descriptors */

static uv_loop_t loop;
static uv_timer_t next_step, own;
static uv_poll_t polls[MOST]; /* by descriptor; their data is the Lua state; NULL: never used */

static void seen(uv_poll_t *poll, int status, int events) {
  unsigned got = (events & UV_READABLE ? CSOCK_READ : 0) | (events & UV_WRITABLE ? CSOCK_WRITE : 0);
  if (status < 0) got = CSOCK_HANGUP;
  csock_feed(poll->data, (int)(poll - polls), got); /* `due` is told that there is work */
}

static void watch(void *L, int fd, unsigned want) {
  int events = (want & CSOCK_READ ? UV_READABLE : 0) | (want & CSOCK_WRITE ? UV_WRITABLE : 0);
  if (fd >= MOST) abort();
  if (polls[fd].data == NULL && uv_poll_init(&loop, &polls[fd], fd) != 0) abort();
  polls[fd].data = L;
  uv_poll_start(&polls[fd], events, seen); /* without any it stops */
}

static void step(uv_timer_t *timer) {
  int live = csock_step(timer->data, 0, 0);
  if (live < 0) fprintf(stderr, "%s\n", luaL_tolstring(timer->data, -1, NULL));
  if (live <= 0) uv_stop(&loop); /* nothing is left to do */
}

static void due(void *L, double seconds) {
  next_step.data = L;
  uv_update_time(&loop);
  uv_timer_stop(&next_step);
  if (seconds >= 0) uv_timer_start(&next_step, step, (uint64_t)ceil(seconds * 1000), 0);
}

static void tick(uv_timer_t *timer) {
  (void)timer;
  puts("the host has ticked");
}

static void answered(lua_State *L, int status, int n, void *ud) {
  (void)ud;
  (void)n;
  printf("%s %s\n", status == CSOCK_DONE ? "answer:" : "failed:", lua_tostring(L, -1));
}

static int start(lua_State *L) {
  csock_preload(L);
  csock_set_watcher(L, watch, due, L);
  if (luaL_loadstring(L, script) != LUA_OK) return lua_error(L);
  csock_spawn(L, 0, answered, NULL);
  return 0;
}

static void close_handle(uv_handle_t *handle, void *ud) {
  (void)ud;
  uv_close(handle, NULL);
}

int main(void) {
  lua_State *L = luaL_newstate();
  if (L == NULL) return 1;
  uv_loop_init(&loop);
  uv_timer_init(&loop, &next_step);
  uv_timer_init(&loop, &own);
  uv_timer_start(&own, tick, 5, 0);
  luaL_openlibs(L);
  lua_pushcfunction(L, start);
  int status = lua_pcall(L, 0, 0, 0);
  if (status != LUA_OK) fprintf(stderr, "%s\n", lua_tostring(L, -1));
  if (status == LUA_OK) uv_run(&loop, UV_RUN_DEFAULT);
  lua_close(L);
  uv_walk(&loop, close_handle, NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  return status != LUA_OK || uv_loop_close(&loop) != 0;
}
