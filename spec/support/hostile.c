/* hostile.c: what hosts may be like, for specs of csock.h. require "spec.support.hostile" gives:

   starve(n, lasting) -> asked, left, ended

     The life of a host whose allocator fails at the n-th request (from 0), and, when `lasting`, at
     all that follow: set up, watched, opened, a task, a socket, steps, what its loop has seen, the
     end. It goes on after each failure, as hosts do. How often its allocator was asked; the bytes
     that nobody has given back; whether the task has ended. Raises where one of the functions
     raised that raise nothing.

   storm(threads) -> found

     So many threads wake a state without end, while it looks up names: how many it has found.

   dispositions() -> how every signal is handled, and which are blocked, as text */
#define _GNU_SOURCE /* sigaction under -std=c11 */
#include "../../csrc/csock.h"

#include <lauxlib.h>
#include <lualib.h>

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FDS   256
#define STEPS 20

/* --- an allocator that fails --- */

typedef struct hungry {
  long asked, fail_at;
  bool lasting, retry; /* Lua collects garbage after a failure and asks again: that fails as well */
  size_t held;
  unsigned char watched[FDS];
  int fd, ended;
  jmp_buf raised;
} hungry;

static bool refuses(hungry *h) {
  if (h->retry) {
    h->retry = false;
    return true;
  }
  long n = h->asked++;
  if (n < h->fail_at || (n > h->fail_at && !h->lasting)) return false;
  h->retry = !h->lasting;
  return true;
}

static void *allocate(void *ud, void *block, size_t before, size_t after) {
  hungry *h = ud;
  if (block == NULL) before = 0; /* then it is a kind of object */
  if (after == 0) {
    free(block);
    h->held -= before;
    return NULL;
  }
  if (after > before && refuses(h)) return NULL; /* Lua counts on shrinking */
  void *moved = realloc(block, after);
  if (moved != NULL) h->held += after - before;
  return moved;
}

static hungry *self(lua_State *L) {
  void *ud;
  lua_getallocf(L, &ud);
  return ud;
}

static int raised(lua_State *L) {
  longjmp(self(L)->raised, 1);
}

/* --- a host --- */

static const char script[] = "local core, given = require 'csock.core', ...\n"
                             "local a, b = assert(core.socketpair())\n"
                             "local first <close> = a\n"
                             "local second <close> = b\n"
                             "local copy = core.dup(a)\n"
                             "if copy then core.close(copy) end\n"
                             "assert(a:sendall 'ping')\n"
                             "local got = assert(b:recv(10))\n"
                             "core.loop.sleep(1e-9)\n"
                             "assert(given:sendall(got))\n"
                             "return got, assert(given:recv(10))\n";

static void watch(void *ud, int fd, unsigned directions) {
  hungry *h = ud;
  if (fd < FDS) h->watched[fd] = (unsigned char)directions;
}

static void due(void *ud, double seconds) {
  (void)ud;
  (void)seconds;
}

static void ended(lua_State *L, int status, int n, void *ud) {
  hungry *h = ud;
  (void)status;
  for (int i = -n; i < 0; i++) {
    luaL_tolstring(L, i, NULL); /* may raise */
    lua_pop(L, 1);
  }
  h->ended++;
}

static void take_log(void *ud, const char *what, const char *text) {
  (void)ud;
  (void)what;
  (void)text;
}

static int set_up(lua_State *L) {
  hungry *h = self(L);
  csock_options options = {.size = sizeof options, .ud = h, .log = take_log, .step_tasks = 2};
  csock_setup(L, &options);
  csock_set_watcher(L, watch, due, h);
  return 0;
}

static int open_modules(lua_State *L) {
  luaL_requiref(L, LUA_GNAME, luaopen_base, 1);
  luaL_requiref(L, LUA_LOADLIBNAME, luaopen_package, 1);
  csock_preload(L);
  return 0;
}

static int begin(lua_State *L) {
  hungry *h = self(L);
  if (luaL_loadstring(L, script) != LUA_OK) return lua_error(L);
  if (csock_push_socket(L, h->fd) != 0) return luaL_error(L, "no socket");
  h->fd = -1; /* it is the state's */
  csock_spawn(L, 1, ended, h);
  return 0;
}

static int wake(lua_State *L) {
  int waker = csock_waker(L);
  if (waker >= 0) csock_wakeup(waker);
  return 0;
}

static void protect(lua_State *L, lua_CFunction f) {
  lua_pushcfunction(L, f);
  if (lua_pcall(L, 0, 0, 0) != LUA_OK) lua_pop(L, 1);
}

/* What the host's loop sees, and a step. */
static void look(lua_State *L, hungry *h) {
  for (int fd = 0; fd < FDS; fd++) {
    struct pollfd p = {fd,
                       (short)((h->watched[fd] & CSOCK_READ ? POLLIN : 0) |
                               (h->watched[fd] & CSOCK_WRITE ? POLLOUT : 0)),
                       0};
    if (p.events == 0 || poll(&p, 1, 0) <= 0) continue;
    csock_feed(L, fd,
               (p.revents & POLLIN ? CSOCK_READ : 0) | (p.revents & POLLOUT ? CSOCK_WRITE : 0) |
                   (p.revents & (POLLHUP | POLLERR) ? CSOCK_HANGUP : 0));
  }
  csock_timeout(L);
  if (csock_step(L, 0, 0.001) < 0) lua_pop(L, 1);
}

/* What may raise is protected, as csock.h says which that is; the rest is not. */
static void live(lua_State *L, hungry *h, int peer) {
  protect(L, set_up);
  protect(L, open_modules);
  protect(L, begin);
  protect(L, wake);
  for (int i = 0; i < STEPS && h->ended == 0; i++) {
    look(L, h);
    if (i == STEPS / 2 && write(peer, "pong", 4) < 0) break;
  }
  csock_close(L);
}

static int starve(lua_State *host) {
  static const char *const failed = "one of the functions raised that raise nothing";
  hungry h;
  memset(&h, 0, sizeof h);
  h.fail_at = (long)luaL_checkinteger(host, 1);
  h.lasting = lua_toboolean(host, 2);
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
    return luaL_error(host, "no sockets");
  h.fd = pair[0];
#if LUA_VERSION_NUM >= 505
  lua_State *volatile L = lua_newstate(allocate, &h, 0);
#else
  lua_State *volatile L = lua_newstate(allocate, &h);
#endif
  volatile bool good = true;
  if (L != NULL) {
    lua_atpanic(L, raised);
    if (setjmp(h.raised) == 0)
      live(L, &h, pair[1]);
    else
      good = false;
    if (good) lua_close(L);
  }
  if (h.fd >= 0) close(h.fd);
  close(pair[1]);
  if (!good) return luaL_error(host, failed);
  lua_pushinteger(host, h.asked);
  lua_pushinteger(host, (lua_Integer)h.held);
  lua_pushboolean(host, h.ended == 1);
  return 3;
}

/* --- threads that wake it --- */

#define THREADS 8

struct weather;

typedef struct cloud { /* a thread's own */
  csock_call call;
  struct weather *w;
  atomic_bool posted;
} cloud;

typedef struct weather {
  lua_State *L;
  csock_inbox *inbox;
  int waker, found, called;
  bool over;
  atomic_bool calm;
  cloud clouds[THREADS];
} weather;

static const char lookups[] =
    "local csock = require 'csock'\n"
    "local found, tasks = 0, {}\n"
    "for i = 1, 40 do\n"
    "  tasks[i] = csock.spawn(function()\n"
    "    csock.sleep(i / 10000)\n"
    "    if csock.getaddrinfo('localhost', 80) then found = found + 1 end\n"
    "  end)\n"
    "end\n"
    "for _, task in ipairs(tasks) do task:join() end\n"
    "return found\n";

static void rain(lua_State *L, csock_call *call) {
  cloud *c = (cloud *)call;
  if (L != NULL) c->w->called++;
  atomic_store(&c->posted, false);
}

static void *beat(void *ud) {
  cloud *c = ud;
  c->call.run = rain;
  while (!atomic_load(&c->w->calm)) {
    csock_wakeup(c->w->waker);
    if (!atomic_exchange(&c->posted, true)) csock_post(c->w->inbox, &c->call);
  }
  return NULL;
}

static void found(lua_State *L, int status, int n, void *ud) {
  weather *w = ud;
  w->over = true;
  w->found = status == CSOCK_DONE && n == 1 ? (int)lua_tointeger(L, -1) : -1;
}

static int open_weather(lua_State *L) {
  weather *w = lua_touserdata(L, 1);
  luaL_openlibs(L);
  csock_preload(L);
  if (luaL_loadstring(L, lookups) != LUA_OK) return lua_error(L);
  csock_spawn(L, 0, found, w);
  w->waker = csock_waker(L);
  w->inbox = csock_inbox_of(L);
  return 0;
}

static int storm(lua_State *host) {
  pthread_t threads[THREADS];
  lua_Integer n = luaL_checkinteger(host, 1), begun = 0;
  luaL_argcheck(host, n >= 0 && n <= THREADS, 1, "out of range");
  weather w = {.L = luaL_newstate(), .found = -1};
  if (w.L == NULL) return luaL_error(host, "no memory for a state");
  lua_pushcfunction(w.L, open_weather);
  lua_pushlightuserdata(w.L, &w);
  bool good = lua_pcall(w.L, 1, 0, 0) == LUA_OK && w.waker >= 0;
  for (int i = 0; i < THREADS; i++) w.clouds[i].w = &w;
  while (good && begun < n && pthread_create(&threads[begun], NULL, beat, &w.clouds[begun]) == 0)
    begun++;
  while (good && !w.over) good = csock_step(w.L, -1, 0.001) >= 0;
  atomic_store(&w.calm, true);
  while (begun > 0) pthread_join(threads[--begun], NULL);
  if (!good) lua_pushstring(host, luaL_tolstring(w.L, -1, NULL));
  lua_close(w.L);
  if (!good) return lua_error(host);
  lua_pushinteger(host, w.found);
  lua_pushboolean(host, w.called > 0);
  return 2;
}

/* --- signals --- */

static int dispositions(lua_State *L) {
  luaL_Buffer b;
  sigset_t blocked;
  luaL_buffinit(L, &b);
  pthread_sigmask(SIG_SETMASK, NULL, &blocked);
  for (int sig = 1; sig < 32; sig++) {
    struct sigaction action;
    if (sigaction(sig, NULL, &action) != 0) continue;
    char line[100];
    snprintf(line, sizeof line, "%d %lx %x%s\n", sig, (unsigned long)(uintptr_t)action.sa_handler,
             (unsigned)action.sa_flags, sigismember(&blocked, sig) ? " blocked" : "");
    luaL_addstring(&b, line);
  }
  luaL_pushresult(&b);
  return 1;
}

__attribute__((visibility("default"))) int luaopen_spec_support_hostile(lua_State *L);

int luaopen_spec_support_hostile(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"starve", starve}, {"storm", storm}, {"dispositions", dispositions}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
