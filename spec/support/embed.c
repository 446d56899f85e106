/* embed.c: a host that has csock inside by csock.h, driven by specs. require "spec.support.embed"
   gives a function:

   embed(options) -> state: its libraries are open, and csock is there without files
   state:run(chunk) -> what the chunk returned as text, or raises
   state:spawn(chunk, x) -> a task of the chunk, which gets x; state:ended() -> how they ended,
   "status:values" state:logged() -> what it was told of; state:entered() -> how often Lua was
   entered by the host's pcall state:step(timeout, budget), fd(), timeout(), waker(), after_fork(),
   stop(), setup(): csock.h's state:push(fd) -> errno, sets the global `pushed`; state:to_fd(chunk)
   embed{ watched = true }: csock_set_watcher; state:watched() -> { [fd] = directions },
   state:told() -> what `timer` said last, and how often it did; state:feed(fd, events) -> errno
   With the option `deny` it has a policy, which denies whatever has these words in its line
   ("connect 127.0.0.1:80 connect_ex"); state:asked() -> all such lines
   state:at_end(what, other): what the host does when a task ends: "step", "close" (csock_close),
   and the same of the `other` state, or "end" it (lua_close); its result is in ended()
   state:hook(mask): a debug hook that stays, by MASK*; state:hooked() -> how often it ran
   state:depth() -> of its stack; state:close(): lua_close
   embed_wakeup(waker), in a thread of its own if `true` follows; version */
#define _GNU_SOURCE /* sigaction under -std=c11 */
#include "../../csrc/csock.h"

#include <lauxlib.h>
#include <lualib.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define TEXT 1000
#define FDS  1024

typedef struct state {
  lua_State *L;
  int entered;
  char ended[TEXT], logged[TEXT];
  unsigned char watched[FDS]; /* directions */
  double due;
  int told;
  char deny[100], asked[20 * TEXT];
  char at_end[16];
  struct state *other; /* NULL: itself */
  long hooked;
} state;

static const char class_name[] = "spec.embed.state";

static state *check_state(lua_State *L) {
  state *s = luaL_checkudata(L, 1, class_name);
  if (s->L == NULL) luaL_error(L, "the state is closed");
  return s;
}

static void append(char *text, const char *what) {
  size_t at = strlen(text);
  snprintf(text + at, TEXT - at, "%s%s", at > 0 ? " " : "", what);
}

static void take_log(void *ud, const char *what, const char *text) {
  state *s = ud;
  append(s->logged, what);
  append(s->logged, text);
}

static void watch(void *ud, int fd, unsigned directions) {
  state *s = ud;
  if (fd < FDS) s->watched[fd] = (unsigned char)directions;
}

static void timer(void *ud, double seconds) {
  state *s = ud;
  s->due = seconds;
  s->told++;
}

/* What is asked for, in one line: as the policy of spec/policy/hosts.lua writes it. */
static void describe_ask(const csock_ask *ask, char *line, size_t size) {
  char place[200] = "";
  if (ask->address != NULL && ask->address->sa_family == AF_UNIX) {
    const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)ask->address;
    snprintf(place, sizeof place, " %s", un->sun_path);
  } else if (ask->address != NULL && ask->address->sa_family == AF_INET) {
    const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)ask->address;
    char host[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
    snprintf(place, sizeof place, " %s:%d", host, ntohs(in->sin_port));
  } else if (ask->address != NULL && ask->address->sa_family == AF_INET6) {
    const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)ask->address;
    char host[INET6_ADDRSTRLEN];
    inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof host);
    snprintf(place, sizeof place, " %s:%d", host, ntohs(in->sin6_port));
  } else if (ask->host != NULL || ask->path != NULL) {
    snprintf(place, sizeof place, " %s", ask->host != NULL ? ask->host : ask->path);
  } else if (ask->what == CSOCK_ASK_SOCKET) {
    snprintf(place, sizeof place, " %d/%d", ask->family, ask->type);
  } else if (ask->what == CSOCK_ASK_OPTION) {
    snprintf(place, sizeof place, " %d/%d", ask->level, ask->option);
  } else if (ask->what == CSOCK_ASK_DESCRIPTOR) {
    snprintf(place, sizeof place, " %d", ask->fd);
  }
  snprintf(line, size, "%s%s %s", ask->name, place, ask->call);
}

static int judge(void *ud, const csock_ask *ask, const char **reason) {
  state *s = ud;
  char line[300];
  describe_ask(ask, line, sizeof line);
  size_t at = strlen(s->asked);
  snprintf(s->asked + at, sizeof s->asked - at, "%s\n", line);
  if (strstr(line, s->deny) == NULL) return 0;
  *reason = "the host says no";
  return 1;
}

static int enter(lua_State *L, int nargs, int nresults, void *ud) {
  state *s = ud;
  s->entered++;
  return lua_pcall(L, nargs, nresults, 0);
}

static void act(lua_State *L, state *s) {
  lua_State *of = s->other != NULL ? s->other->L : L;
  char text[100];
  int result = 0, top = lua_gettop(of);
  if (strcmp(s->at_end, "step") == 0) result = csock_step(of, 0, 0);
  if (strcmp(s->at_end, "close") == 0) result = csock_close(of);
  snprintf(text, sizeof text, "%s=%d", s->at_end, result);
  append(s->ended, text);
  if (result < 0) append(s->ended, lua_tostring(of, -1));
  lua_settop(of, top);
  if (strcmp(s->at_end, "end") == 0) {
    lua_close(of);
    s->other->L = NULL;
  }
}

static void end(lua_State *L, int status, int n, void *ud) {
  state *s = ud;
  char text[100];
  snprintf(text, sizeof text, "%d:", status);
  for (int i = -n; i < 0; i++) {
    size_t at = strlen(text);
    snprintf(text + at, sizeof text - at, "%s%s", i > -n ? "," : "", luaL_tolstring(L, i, NULL));
    lua_pop(L, 1);
  }
  append(s->ended, text);
  if (s->at_end[0] != '\0') act(L, s);
}

/* Moves the error or result on the top of the state's stack over as text. */
static int give(lua_State *L, state *s, bool failed) {
  lua_pushstring(L, luaL_tolstring(s->L, -1, NULL));
  lua_pop(s->L, 2);
  return failed ? lua_error(L) : 1;
}

static void load(lua_State *L, state *s) {
  if (luaL_loadstring(s->L, luaL_checkstring(L, 2)) != LUA_OK) give(L, s, true);
}

static int state_run(lua_State *L) {
  state *s = check_state(L);
  load(L, s);
  return give(L, s, lua_pcall(s->L, 0, 1, 0) != LUA_OK);
}

static int state_spawn(lua_State *L) {
  state *s = check_state(L);
  load(L, s);
  lua_pushstring(s->L, lua_tostring(L, 3));
  csock_spawn(s->L, 1, end, s);
  lua_pop(s->L, 1);
  return 0;
}

static int state_step(lua_State *L) {
  state *s = check_state(L);
  int live = csock_step(s->L, luaL_optnumber(L, 2, 0), luaL_optnumber(L, 3, 0));
  if (live < 0) return give(L, s, true);
  lua_pushinteger(L, live);
  return 1;
}

static int state_push(lua_State *L) {
  state *s = check_state(L);
  int err = csock_push_socket(s->L, (int)luaL_checkinteger(L, 2));
  if (err == 0) lua_setglobal(s->L, "pushed");
  lua_pushinteger(L, err);
  return 1;
}

static int state_to_fd(lua_State *L) {
  state *s = check_state(L);
  load(L, s);
  if (lua_pcall(s->L, 0, 1, 0) != LUA_OK) return give(L, s, true);
  lua_pushinteger(L, csock_to_fd(s->L, -1));
  lua_pop(s->L, 1);
  return 1;
}

static int state_setup(lua_State *L) {
  state *s = check_state(L);
  csock_options options = {.size = sizeof options};
  if (!lua_isnoneornil(L, 2)) options.size = (size_t)luaL_checkinteger(L, 2);
  lua_pushinteger(L, csock_setup(s->L, &options));
  return 1;
}

static int state_at_end(lua_State *L) {
  state *s = check_state(L);
  snprintf(s->at_end, sizeof s->at_end, "%s", luaL_checkstring(L, 2));
  s->other = lua_isnoneornil(L, 3) ? NULL : luaL_checkudata(L, 3, class_name);
  return 0;
}

static void count_hook(lua_State *L, lua_Debug *activation) {
  (void)activation;
  lua_rawgetp(L, LUA_REGISTRYINDEX, class_name);
  ((state *)lua_touserdata(L, -1))->hooked++;
  lua_pop(L, 1);
}

static int state_hook(lua_State *L) {
  state *s = check_state(L);
  lua_pushlightuserdata(s->L, s);
  lua_rawsetp(s->L, LUA_REGISTRYINDEX, class_name);
  lua_sethook(s->L, count_hook, (int)luaL_checkinteger(L, 2), 1);
  return 0;
}

static int state_watched(lua_State *L) {
  state *s = luaL_checkudata(L, 1, class_name); /* closed or not */
  lua_newtable(L);
  for (int fd = 0; fd < FDS; fd++) {
    if (s->watched[fd] == 0) continue;
    lua_pushinteger(L, s->watched[fd]);
    lua_rawseti(L, -2, fd);
  }
  return 1;
}

static int state_told(lua_State *L) {
  state *s = check_state(L);
  lua_pushnumber(L, s->due);
  lua_pushinteger(L, s->told);
  return 2;
}

static int state_feed(lua_State *L) {
  state *s = check_state(L);
  lua_pushinteger(
      L, csock_feed(s->L, (int)luaL_checkinteger(L, 2), (unsigned)luaL_checkinteger(L, 3)));
  return 1;
}

static int state_set_watcher(lua_State *L) {
  state *s = check_state(L);
  lua_pushinteger(L, csock_set_watcher(s->L, lua_toboolean(L, 2) ? NULL : watch, timer, s));
  return 1;
}

#define NUMBER(name, value)                 \
  static int state_##name(lua_State *L) {   \
    state *s = check_state(L);              \
    lua_pushnumber(L, (lua_Number)(value)); \
    return 1;                               \
  }
NUMBER(fd, csock_fd(s->L))
NUMBER(timeout, csock_timeout(s->L))
NUMBER(waker, csock_waker(s->L))
NUMBER(after_fork, csock_after_fork(s->L))
NUMBER(stop, csock_close(s->L))
NUMBER(depth, lua_gettop(s->L))
NUMBER(entered, s->entered)
NUMBER(hooked, s->hooked)

static int state_ended(lua_State *L) {
  const state *s = luaL_checkudata(L, 1, class_name); /* closed, perhaps */
  lua_pushstring(L, s->ended);
  return 1;
}

static int state_logged(lua_State *L) {
  lua_pushstring(L, check_state(L)->logged);
  return 1;
}

static int state_asked(lua_State *L) {
  lua_pushstring(L, check_state(L)->asked);
  return 1;
}

static int state_close(lua_State *L) {
  state *s = luaL_checkudata(L, 1, class_name);
  if (s->L != NULL) lua_close(s->L);
  s->L = NULL;
  return 0;
}

static unsigned field(lua_State *L, const char *name) {
  lua_getfield(L, 1, name);
  return (unsigned)luaL_optinteger(L, -1, 0);
}

static int embed(lua_State *L) {
  csock_options options = {.size = sizeof options, .log = take_log, .pcall = enter};
  if (lua_isnone(L, 1)) lua_newtable(L);
  options.max_fds = field(L, "max_fds");
  options.step_tasks = field(L, "step_tasks");
  lua_getfield(L, 1, "default_timeout");
  options.default_timeout = luaL_optnumber(L, -1, 0);
  state *s = lua_newuserdatauv(L, sizeof *s, 0);
  memset(s, 0, sizeof *s);
  options.ud = s;
  if (lua_getfield(L, 1, "deny") == LUA_TSTRING) {
    snprintf(s->deny, sizeof s->deny, "%s", lua_tostring(L, -1));
    options.policy = judge;
  }
  lua_pop(L, 1);
  luaL_setmetatable(L, class_name);
  s->L = luaL_newstate();
  if (s->L == NULL) return luaL_error(L, "no memory for a state");
  luaL_openlibs(s->L);
  int err = csock_setup(s->L, &options);
  if (err != 0) return luaL_error(L, "setup: %d", err);
  lua_getfield(L, 1, "watched");
  if (lua_toboolean(L, -1)) err = csock_set_watcher(s->L, watch, timer, s);
  lua_pop(L, 1);
  if (err != 0) return luaL_error(L, "set_watcher: %d", err);
  csock_preload(s->L);
  luaL_requiref(s->L, "csock", luaopen_csock, 0);
  lua_pop(s->L, 1);
  if (luaL_dostring(s->L, "package.path, package.cpath = '', ''") != LUA_OK) return lua_error(L);
  return 1;
}

static void *wake(void *waker) {
  csock_wakeup(*(int *)waker);
  return NULL;
}

static int wakeup(lua_State *L) {
  int waker = (int)luaL_checkinteger(L, 1);
  pthread_t thread;
  if (!lua_toboolean(L, 2)) {
    csock_wakeup(waker);
  } else {
    if (pthread_create(&thread, NULL, wake, &waker) != 0) return luaL_error(L, "no thread");
    pthread_join(thread, NULL);
  }
  return 0;
}

/* --- what others post --- */

typedef struct posted {
  csock_call call; /* first: it is what csock gives back */
  csock_inbox *inbox;
  state *s;
  char code[200];
} posted;

static posted *signalled;

static void run_posted(lua_State *L, csock_call *call) {
  posted *p = (posted *)call;
  char code[sizeof p->code + 10] = "back:";
  state *s = p->s;
  strcat(code, p->code);
  free(p);
  if (L == NULL) {
    append(s->ended, code);
    return;
  }
  if (luaL_loadstring(L, code + strlen("back:")) != LUA_OK) lua_error(L);
  lua_call(L, 0, 1);
  append(s->ended, luaL_tolstring(L, -1, NULL));
}

static void *post(void *ud) {
  posted *p = ud;
  csock_post(p->inbox, &p->call);
  return NULL;
}

static void post_signalled(int number) {
  (void)number;
  post(signalled);
}

/* state:post(code, from): `from` is nil, "thread" or "signal" */
static int state_post(lua_State *L) {
  state *s = check_state(L);
  const char *code = luaL_checkstring(L, 2), *from = luaL_optstring(L, 3, "");
  pthread_t thread;
  csock_inbox *inbox = csock_inbox_of(s->L);
  posted *p = calloc(1, sizeof *p);
  if (p == NULL || inbox == NULL) {
    free(p);
    return luaL_error(L, "no inbox");
  }
  p->call.run = run_posted;
  p->inbox = inbox;
  p->s = s;
  snprintf(p->code, sizeof p->code, "%s", code);
  if (strcmp(from, "signal") == 0) {
    struct sigaction action = {.sa_handler = post_signalled}, before;
    signalled = p;
    sigaction(SIGUSR2, &action, &before);
    raise(SIGUSR2);
    sigaction(SIGUSR2, &before, NULL);
  } else if (strcmp(from, "thread") != 0) {
    post(p);
  } else if (pthread_create(&thread, NULL, post, p) == 0) {
    pthread_join(thread, NULL);
  }
  return 0;
}

__attribute__((visibility("default"))) int luaopen_spec_support_embed(lua_State *L);

int luaopen_spec_support_embed(lua_State *L) {
  static const luaL_Reg methods[] = {{"run", state_run},
                                     {"spawn", state_spawn},
                                     {"step", state_step},
                                     {"push", state_push},
                                     {"to_fd", state_to_fd},
                                     {"setup", state_setup},
                                     {"set_watcher", state_set_watcher},
                                     {"watched", state_watched},
                                     {"told", state_told},
                                     {"feed", state_feed},
                                     {"fd", state_fd},
                                     {"at_end", state_at_end},
                                     {"hook", state_hook},
                                     {"hooked", state_hooked},
                                     {"timeout", state_timeout},
                                     {"waker", state_waker},
                                     {"post", state_post},
                                     {"after_fork", state_after_fork},
                                     {"stop", state_stop},
                                     {"depth", state_depth},
                                     {"entered", state_entered},
                                     {"ended", state_ended},
                                     {"logged", state_logged},
                                     {"asked", state_asked},
                                     {"close", state_close},
                                     {NULL, NULL}};
  static const luaL_Reg functions[] = {{"new", embed}, {"wakeup", wakeup}, {NULL, NULL}};
  luaL_newmetatable(L, class_name);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, state_close);
  lua_setfield(L, -2, "__close");
  lua_pushcfunction(L, state_close);
  lua_setfield(L, -2, "__gc");
  luaL_newlib(L, functions);
  lua_pushinteger(L, csock_version());
  lua_setfield(L, -2, "version");
  lua_pushinteger(L, LUA_MASKCOUNT);
  lua_setfield(L, -2, "MASKCOUNT");
  lua_pushinteger(L, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE);
  lua_setfield(L, -2, "MASKLINE");
  return 1;
}
