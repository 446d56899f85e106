/* signal.c: signals as bytes in a pipe, for csock.loop to read. */
#include "signal.h"
#include "parts.h"
#include "../sys/fd.h"

#include <signal.h>
#include <stdatomic.h>

#ifndef NSIG
#define NSIG 65
#endif

/* A signal handler is told nothing but the number, so where it is to write must be known to the
   whole process: the one thing here that several states share. The last one that catches a signal
   has it. 0: nobody; else the descriptor + 1. */
static atomic_int signal_pipes[NSIG];

static const char catcher_key = 'g'; /* registry: the state's catcher */

typedef struct catcher {
  const cs_class *cls;
  int fds[2];                    /* -1 until a signal is caught */
  struct sigaction before[NSIG]; /* what handled each signal that is caught */
  bool caught[NSIG];
} catcher;

static const cs_class catcher_class = {"csock.signals"};

static void on_signal(int signum) {
  int saved = errno;
  int fd = atomic_load(&signal_pipes[signum]) - 1;
  unsigned char byte = (unsigned char)signum;
  /* A full pipe has enough to say already. */
  if (fd >= 0 && write(fd, &byte, 1) < 0) errno = saved;
  errno = saved;
}

static int release(catcher *c, int signum) {
  if (!c->caught[signum]) return 0;
  c->caught[signum] = false;
  if (atomic_load(&signal_pipes[signum]) != c->fds[1] + 1) return 0; /* another state has it now */
  int err = sigaction(signum, &c->before[signum], NULL) != 0 ? errno : 0;
  atomic_store(&signal_pipes[signum], 0);
  return err;
}

static void close_pipe(catcher *c) {
  for (int i = 0; i < 2; i++) {
    if (c->fds[i] >= 0) cs_fd_close(c->fds[i]);
    c->fds[i] = -1;
  }
}

static int open_pipe(catcher *c) {
  if (c->fds[0] >= 0) return 0;
  int err = cs_fd_pipe(c->fds);
  if (err == 0) err = cs_fd_set_nonblock(c->fds[0], true);
  if (err == 0) err = cs_fd_set_nonblock(c->fds[1], true);
  if (err != 0) close_pipe(c);
  return err;
}

static void release_all(catcher *c) {
  for (int i = 1; i < NSIG; i++) release(c, i);
  close_pipe(c);
}

static int catcher_gc(lua_State *L) {
  release_all(cs_object_check(L, 1, &catcher_class));
  return 0;
}

/* Pushes the state's catcher; NULL and `*err` when its pipe cannot be made. */
static catcher *push_catcher(lua_State *L, int *err) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &catcher_key) == LUA_TNIL) {
    catcher *c = cs_object_new(L, &catcher_class, sizeof *c, 0);
    c->fds[0] = c->fds[1] = -1;
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &catcher_key);
  }
  catcher *c = lua_touserdata(L, -1);
  *err = open_pipe(c);
  return *err == 0 ? c : NULL;
}

void cs_signals_forked(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &catcher_key) != LUA_TNIL)
    release_all(lua_touserdata(L, -1));
  lua_pop(L, 1);
  for (int i = 1; i < NSIG; i++) atomic_store(&signal_pipes[i], 0); /* other states' */
}

/* signal_catch(signum): from now on its number comes out of the pipe. */
static int signal_catch(lua_State *L) {
  int signum = (int)cs_check_int(L, 1, 1, NSIG - 1);
  int err;
  catcher *c = push_catcher(L, &err);
  if (c == NULL) return cs_fail(L, "on_signal", err);
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, before;
  sigemptyset(&action.sa_mask);
  int old = atomic_exchange(&signal_pipes[signum], c->fds[1] + 1);
  if (sigaction(signum, &action, &before) != 0) {
    err = errno;
    atomic_store(&signal_pipes[signum], old);
    return cs_fail(L, "on_signal", err);
  }
  if (!c->caught[signum]) c->before[signum] = before;
  c->caught[signum] = true;
  return cs_result(L, "on_signal", 0);
}

/* signal_release(signum): back to what handled it before. */
static int signal_release(lua_State *L) {
  int signum = (int)cs_check_int(L, 1, 1, NSIG - 1);
  int err;
  catcher *c = push_catcher(L, &err);
  return cs_result(L, "on_signal", c == NULL ? err : release(c, signum));
}

/* signal_fileno(): the end of the pipe to read from. */
static int signal_fileno(lua_State *L) {
  int err;
  catcher *c = push_catcher(L, &err);
  if (c == NULL) return cs_fail(L, "on_signal", err);
  lua_pushinteger(L, c->fds[0]);
  return 1;
}

static const struct {
  const char *name;
  int number;
} signals[] = {
#define K(name) \
  { #name, name }
    K(SIGABRT),  K(SIGALRM), K(SIGBUS),  K(SIGCHLD), K(SIGCONT), K(SIGFPE),  K(SIGHUP),
    K(SIGILL),   K(SIGINT),  K(SIGKILL), K(SIGPIPE), K(SIGQUIT), K(SIGSEGV), K(SIGSTOP),
    K(SIGTERM),  K(SIGTSTP), K(SIGTTIN), K(SIGTTOU), K(SIGURG),  K(SIGUSR1), K(SIGUSR2),
#ifdef SIGWINCH
    K(SIGWINCH),
#endif
#ifdef SIGIO
    K(SIGIO),
#endif
};

int cs_check_signal(lua_State *L, int arg) {
  if (lua_type(L, arg) != LUA_TSTRING) return (int)cs_check_int(L, arg, 0, NSIG - 1);
  const char *name = lua_tostring(L, arg);
  for (size_t i = 0; i < CS_COUNT(signals); i++)
    if (strcmp(signals[i].name, name) == 0) return signals[i].number;
  return luaL_argerror(L, arg, "no such signal");
}

static const luaL_Reg functions[] = {
    {"signal_catch", signal_catch},
    {"signal_release", signal_release},
    {"signal_fileno", signal_fileno},
    {NULL, NULL},
};

static const luaL_Reg meta[] = {{"__gc", catcher_gc}, {NULL, NULL}};

void cs_open_signal(lua_State *L) {
  cs_class_make(L, &catcher_class, NULL, meta);
  lua_getfield(L, -1, "loop");
  cs_setfuncs(L, functions);
  lua_newtable(L);
  for (size_t i = 0; i < CS_COUNT(signals); i++) cs_set_int(L, signals[i].name, signals[i].number);
  lua_setfield(L, -2, "signals");
  lua_pop(L, 1);
}
