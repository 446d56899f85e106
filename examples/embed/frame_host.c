/* frame_host.c: csock in a program that draws frames, as games do: whatever the network does, it
 * has a millisecond of each.
 *
 *     cc frame_host.c -lcsock -llua5.4 && ./a.out 60 100
 *
 * So many frames are shown (60) while so many clients (100) talk to a server. What csock took of
 * the worst frame is printed, and how much of that was this program's: another one may have had the
 * processor meanwhile. Garbage is collected where the host has time for it. */
#define _POSIX_C_SOURCE 200809L
#include <csock.h>
#include <lauxlib.h>
#include <lualib.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define FRAME  (1.0 / 60)
#define BUDGET 0.001

static const char script[] =
    "local clients, count = ...\n"
    "local csock = require 'csock'\n"
    "local server = assert(csock.serve({'127.0.0.1', 0}, function(conn)\n"
    "  for data in function() return assert(conn:recv(100)) end do\n"
    "    if data == '' then return end\n"
    "    conn:sendall(data)\n"
    "  end\n"
    "end))\n"
    "for _ = 1, clients do\n"
    "  csock.spawn(function()\n"
    "    local conn <close> = assert(csock.create_connection(server:getsockname()))\n"
    "    while conn:sendall 'ping' and conn:recv(100) do count() end\n"
    "  end)\n"
    "end\n";

static double now(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static long answers;

static int count(lua_State *L) {
  (void)L;
  answers++;
  return 0;
}

static int open_script(lua_State *L) {
  csock_preload(L);
  if (luaL_loadstring(L, script) != LUA_OK) return lua_error(L);
  lua_pushvalue(L, 1);
  lua_pushcfunction(L, count);
  lua_call(L, 2, 0);
  return 0;
}

int main(int argc, char **argv) {
  int frames = argc > 1 ? atoi(argv[1]) : 60, clients = argc > 2 ? atoi(argv[2]) : 100, status;
  double worst = 0, worst_cpu = 0;
  lua_State *L = luaL_newstate();
  if (L == NULL) return 1;
  luaL_openlibs(L);
  lua_pushcfunction(L, open_script);
  lua_pushinteger(L, clients);
  status = lua_pcall(L, 1, 0, 0);
  lua_gc(L, LUA_GCSTOP);
  for (int i = 0; i < frames && status == LUA_OK; i++) {
    double begin = now(CLOCK_MONOTONIC), cpu = now(CLOCK_THREAD_CPUTIME_ID);
    if (csock_step(L, 0, BUDGET) < 0) status = LUA_ERRRUN;
    double took = now(CLOCK_MONOTONIC) - begin, took_cpu = now(CLOCK_THREAD_CPUTIME_ID) - cpu;
    if (took > worst) worst = took;
    if (took_cpu > worst_cpu) worst_cpu = took_cpu;
    /* Here the host draws; then it waits for the screen. */
    double stop = now(CLOCK_MONOTONIC) + BUDGET;
    while (!lua_gc(L, LUA_GCSTEP, 0) && now(CLOCK_MONOTONIC) < stop) continue;
    double left = begin + FRAME - now(CLOCK_MONOTONIC);
    struct timespec rest = {0, left > 0 ? (long)(left * 1e9) : 0};
    nanosleep(&rest, NULL);
  }
  if (status != LUA_OK) fprintf(stderr, "%s\n", lua_tostring(L, -1));
  printf(
      "%d frames, %ld answers, worst %.3f ms (of the processor %.3f ms) of a budget of %.3f ms\n",
      frames, answers, worst * 1e3, worst_cpu * 1e3, BUDGET * 1e3);
  csock_close(L);
  lua_close(L);
  return status;
}
