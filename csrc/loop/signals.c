/* signals.c: signals as bytes in a pipe, for csock.loop to read. */
#include "signals.h"
#include "../base/parts.h"
#include "../base/rows.h"
#include "../sys/fd.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#ifndef NSIG
#define NSIG 65
#endif

static const char catcher_key = 'g'; /* registry: the state's catcher */

typedef struct catcher catcher;
struct catcher {
  const cs_class *cls;
  int fds[2]; /* -1 until a signal is caught */
  bool closed;
  struct {
    bool caught;
    struct sigaction before; /* what handled it ... */
    catcher *below;          /* ... and whose that was, if another state's */
  } * signals;               /* NSIG of them; NULL until a signal is caught */
};

static const cs_class catcher_class = {"csock.signals"};

/* A signal handler is told nothing but the number, so where it is to write must be known to the
   whole process: the one thing here that several states share. The last one that catches a signal
   has it, and gives it back to the one before. */
static struct {
  pthread_mutex_t lock;
  catcher *top[NSIG];
  atomic_int pipe[NSIG]; /* the top's; 0: nobody, else the descriptor + 1 */
  atomic_int handling;   /* handlers that may have read one of these */
} process = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void on_signal(int signum) {
  int saved = errno;
  atomic_fetch_add(&process.handling, 1);
  int fd = atomic_load(&process.pipe[signum]) - 1;
  unsigned char byte = (unsigned char)signum;
  /* A full pipe has enough to say already. */
  if (fd >= 0 && write(fd, &byte, 1) < 0) errno = saved;
  atomic_fetch_sub(&process.handling, 1);
  errno = saved;
}

/* Both are called with the lock held. */

static int take(catcher *c, int signum) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, before;
  sigemptyset(&action.sa_mask);
  int old = atomic_exchange(&process.pipe[signum], c->fds[1] + 1);
  if (sigaction(signum, &action, &before) != 0) {
    int err = errno;
    atomic_store(&process.pipe[signum], old);
    return err;
  }
  if (c->signals[signum].caught) return 0;
  c->signals[signum].caught = true;
  c->signals[signum].before = before;
  c->signals[signum].below = process.top[signum];
  process.top[signum] = c;
  return 0;
}

static int release(catcher *c, int signum) {
  int err = 0;
  if (c->signals == NULL || !c->signals[signum].caught) return 0;
  c->signals[signum].caught = false;
  catcher *below = c->signals[signum].below, *above = process.top[signum];
  if (above == c) {
    if (below != NULL) atomic_store(&process.pipe[signum], below->fds[1] + 1);
    if (sigaction(signum, &c->signals[signum].before, NULL) != 0) err = errno;
    if (below == NULL) atomic_store(&process.pipe[signum], 0);
    process.top[signum] = below;
  } else { /* another state has it now, and gives it to the one below */
    while (above->signals[signum].below != c) above = above->signals[signum].below;
    above->signals[signum].below = below;
    above->signals[signum].before = c->signals[signum].before;
  }
  return err;
}

/* The pipe is nobody's any more, but a handler in another thread may have read its number just
   before: it must not write to whoever gets that next. (The child of a fork that is not csock's may
   have a handler counted that is not there; so this ends in any case.) */
static void close_pipe(catcher *c) {
  for (int i = 0; i < 100000 && atomic_load(&process.handling) > 0; i++) sched_yield();
  for (int i = 0; i < 2; i++) {
    if (c->fds[i] >= 0) cs_fd_close(c->fds[i]);
    c->fds[i] = -1;
  }
}

static int prepare(catcher *c) {
  if (c->closed) return ECANCELED;
  if (c->signals == NULL && (c->signals = calloc(NSIG, sizeof *c->signals)) == NULL) return ENOMEM;
  if (c->fds[0] >= 0) return 0;
  int err = cs_fd_pipe(c->fds);
  if (err == 0) err = cs_fd_set_nonblock(c->fds[0], true);
  if (err == 0) err = cs_fd_set_nonblock(c->fds[1], true);
  if (err != 0) close_pipe(c);
  return err;
}

static int catcher_gc(lua_State *L) {
  catcher *c = cs_object_check(L, 1, &catcher_class);
  pthread_mutex_lock(&process.lock);
  for (int i = 1; i < NSIG; i++) release(c, i);
  pthread_mutex_unlock(&process.lock);
  close_pipe(c);
  free(c->signals);
  c->signals = NULL;
  c->closed = true; /* a finalizer may still ask for it */
  return 0;
}

/* The state's catcher; NULL and `*err` when its pipe cannot be made. */
static catcher *get_catcher(lua_State *L, int *err) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &catcher_key);
  catcher *c = lua_touserdata(L, -1);
  lua_pop(L, 1); /* the registry keeps it */
  *err = prepare(c);
  return *err == 0 ? c : NULL;
}

void cs_signals_hold(void) {
  pthread_mutex_lock(&process.lock);
}

void cs_signals_go_on(void) {
  pthread_mutex_unlock(&process.lock);
}

void cs_signals_forked(lua_State *L) {
  atomic_store(&process.handling, 0); /* their threads are not here */
  for (int i = 1; i < NSIG; i++)      /* also those of other states, which are not here */
    while (process.top[i] != NULL) release(process.top[i], i);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &catcher_key);
  close_pipe(lua_touserdata(L, -1));
  lua_pop(L, 1);
}

/* signal_catch(signum): from now on its number comes out of the pipe. */
static int signal_catch(lua_State *L) {
  int signum = (int)cs_check_int(L, 1, 1, NSIG - 1);
  int err;
  catcher *c = get_catcher(L, &err);
  if (c == NULL) return cs_fail(L, "on_signal", err);
  pthread_mutex_lock(&process.lock);
  if (process.top[signum] != c) release(c, signum); /* it is to be the last one again */
  err = take(c, signum);
  pthread_mutex_unlock(&process.lock);
  return cs_result(L, "on_signal", err);
}

/* signal_release(signum): back to what handled it before. */
static int signal_release(lua_State *L) {
  int signum = (int)cs_check_int(L, 1, 1, NSIG - 1);
  int err;
  catcher *c = get_catcher(L, &err);
  if (c == NULL) return cs_fail(L, "on_signal", err);
  pthread_mutex_lock(&process.lock);
  err = release(c, signum);
  pthread_mutex_unlock(&process.lock);
  return cs_result(L, "on_signal", err);
}

/* signal_fileno(): the end of the pipe to read from. */
static int signal_fileno(lua_State *L) {
  int err;
  catcher *c = get_catcher(L, &err);
  if (c == NULL) return cs_fail(L, "on_signal", err);
  lua_pushinteger(L, c->fds[0]);
  return 1;
}

static const cs_constant signals[] = {
    CS_K(SIGABRT),  CS_K(SIGALRM), CS_K(SIGBUS),  CS_K(SIGCHLD), CS_K(SIGCONT), CS_K(SIGFPE),
    CS_K(SIGHUP),   CS_K(SIGILL),  CS_K(SIGINT),  CS_K(SIGKILL), CS_K(SIGPIPE), CS_K(SIGQUIT),
    CS_K(SIGSEGV),  CS_K(SIGSTOP), CS_K(SIGTERM), CS_K(SIGTSTP), CS_K(SIGTTIN), CS_K(SIGTTOU),
    CS_K(SIGURG),   CS_K(SIGUSR1), CS_K(SIGUSR2),
#ifdef SIGWINCH
    CS_K(SIGWINCH),
#endif
#ifdef SIGIO
    CS_K(SIGIO),
#endif
};

int cs_check_signal(lua_State *L, int arg) {
  if (lua_type(L, arg) != LUA_TSTRING) return (int)cs_check_int(L, arg, 0, NSIG - 1);
  for (size_t i = 0; i < CS_COUNT(signals); i++)
    if (cs_is_text(L, arg, signals[i].name)) return (int)signals[i].value;
  return luaL_argerror(L, arg, "no such signal");
}

static const luaL_Reg functions[] = {
    {"signal_catch", signal_catch},
    {"signal_release", signal_release},
    {"signal_fileno", signal_fileno},
    {NULL, NULL},
};

static const luaL_Reg meta[] = {{"__gc", catcher_gc}, {NULL, NULL}};

void cs_open_signals(lua_State *L) {
  cs_class_make(L, &catcher_class, NULL, meta);
  catcher *c = cs_object_new(L, &catcher_class, sizeof *c, 0);
  c->fds[0] = c->fds[1] = -1;
  lua_rawsetp(L, LUA_REGISTRYINDEX, &catcher_key);
  lua_getfield(L, -1, "loop");
  cs_setfuncs(L, functions);
  lua_newtable(L);
  for (size_t i = 0; i < CS_COUNT(signals); i++) cs_set_int(L, signals[i].name, signals[i].value);
  lua_setfield(L, -2, "signals");
  lua_pop(L, 1);
}
