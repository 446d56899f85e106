/* signals.c: signals as bytes in a pipe, for csock.loop to read; SIGINT also as a hook that the
   main thread gets, as the standalone interpreter does it. */
#include "signals.h"
#include "../base/policy.h"
#include "../wait/interrupt.h"
#include "../base/parts.h"
#include "../base/rows.h"
#include "../sys/atomic.h"
#include "../sys/fd.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

#ifndef NSIG
#define NSIG 65
#endif

static const char catcher_key = 'g';     /* registry: the state's catcher */
static const char interrupter_key = 'i'; /* registry: its other one, for `interrupts` */

typedef struct catcher catcher;

typedef struct caught_signal {
  bool caught;
  struct sigaction before; /* what handled it ... */
  catcher *below;          /* ... and whose that was, if another state's */
} caught_signal;

struct catcher {
  const cs_class *cls;
  lua_State *main; /* NULL, or: no byte is written, this main thread gets a hook; SIGINT alone */
  int fds[2];      /* -1 until a signal is caught */
  bool closed;
  caught_signal *signals; /* NSIG of them; NULL until a signal is caught */
};

static const cs_class catcher_class = {"csock.signals"};

/* A signal handler is told nothing but the number, so where it is to write must be known to the
   whole process: the one thing here that several states share. The last one that catches a signal
   has it, and gives it back to the one before. */
static struct {
  pthread_mutex_t lock;
  catcher *top[NSIG];
  atomic_int pipe[NSIG];    /* the top's; 0: nobody, else the descriptor + 1, or BY_HOOK: */
  atomic_uintptr_t to_hook; /* a lua_State *: the top's main thread */
  atomic_int handling;      /* handlers that may have read one of these */
} process = {.lock = PTHREAD_MUTEX_INITIALIZER};

#define BY_HOOK (-1)

/* What the standalone interpreter's own hook does (lua.c). */
static void interrupted(lua_State *L, lua_Debug *activation) {
  (void)activation;
  lua_sethook(L, NULL, 0, 0);
  luaL_error(L, "interrupted!");
}

static void on_signal(int signum) {
  int saved = errno;
  atomic_fetch_add(&process.handling, 1);
  int pipe = atomic_load(&process.pipe[signum]), fd = pipe - 1;
  unsigned char byte = (unsigned char)signum;
  /* A full pipe has enough to say already. */
  if (fd >= 0 && write(fd, &byte, 1) < 0) errno = saved;
  if (pipe == BY_HOOK) /* lua_sethook may be called at any time, as in lua.c */
    lua_sethook((lua_State *)atomic_load(&process.to_hook), interrupted,
                LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
  atomic_fetch_sub(&process.handling, 1);
  errno = saved;
}

/* These are called with the lock held. */

static void aim(const catcher *c, int signum) {
  if (c->main != NULL) atomic_store(&process.to_hook, (uintptr_t)c->main);
  atomic_store(&process.pipe[signum], c->main != NULL ? BY_HOOK : c->fds[1] + 1);
}

static int take_signal(catcher *c, int signum) {
  /* As in lua.c, Ctrl-C ends a read of standard input. */
  struct sigaction action, before;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  action.sa_flags = c->main != NULL ? 0 : SA_RESTART;
  sigemptyset(&action.sa_mask);
  int old = atomic_load(&process.pipe[signum]);
  aim(c, signum);
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
    if (below != NULL) aim(below, signum);
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

/* The catcher is nobody's any more, but a handler in another thread may have read its number just
   before: it must not write to whoever gets that next. (The child of a fork that is not csock's may
   have a handler counted that is not there; so this ends in any case.) */
static void wait_for_handlers(void) {
  for (int i = 0; i < 100000 && atomic_load(&process.handling) > 0; i++) sched_yield();
}

static void close_pipe(catcher *c) {
  wait_for_handlers();
  for (int i = 0; i < 2; i++) {
    if (c->fds[i] >= 0) cs_fd_close(c->fds[i]);
    c->fds[i] = -1;
  }
}

static int prepare(catcher *c) {
  if (c->closed) return ECANCELED;
  if (c->signals == NULL &&
      (c->signals = (caught_signal *)calloc(NSIG, sizeof *c->signals)) == NULL)
    return ENOMEM;
  if (c->fds[0] >= 0 || c->main != NULL) return 0;
  int err = cs_fd_pipe(c->fds);
  if (err == 0) err = cs_fd_set_nonblock(c->fds[0], true);
  if (err == 0) err = cs_fd_set_nonblock(c->fds[1], true);
  if (err != 0) close_pipe(c);
  return err;
}

static int catcher_gc(lua_State *L) {
  catcher *c = (catcher *)cs_object_check(L, 1, &catcher_class);
  pthread_mutex_lock(&process.lock);
  for (int i = 1; i < NSIG; i++) release(c, i);
  pthread_mutex_unlock(&process.lock);
  close_pipe(c);
  free(c->signals);
  c->signals = NULL;
  c->closed = true; /* a finalizer may still ask for it */
  return 0;
}

/* One of the state's catchers; NULL and `*err` when its pipe cannot be made. */
static catcher *find_catcher(lua_State *L, const char *key, int *err) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, key);
  catcher *c = (catcher *)lua_touserdata(L, -1);
  lua_pop(L, 1); /* the registry keeps it */
  *err = prepare(c);
  return *err == 0 ? c : NULL;
}

static catcher *get_catcher(lua_State *L, int *err) {
  return find_catcher(L, &catcher_key, err);
}

/* From now on, and until the next one, the signal is this catcher's; and no more. 0 or errno. */
static int catch_signal(catcher *c, int signum) {
  pthread_mutex_lock(&process.lock);
  if (process.top[signum] != c) release(c, signum); /* it is to be the last one again */
  int err = take_signal(c, signum);
  pthread_mutex_unlock(&process.lock);
  return err;
}

static int let_go(catcher *c, int signum) {
  pthread_mutex_lock(&process.lock);
  int err = release(c, signum);
  pthread_mutex_unlock(&process.lock);
  return err;
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
  close_pipe((catcher *)lua_touserdata(L, -1));
  lua_pop(L, 1);
}

/* signal_catch(signum): from now on its number comes out of the pipe. */
static int signal_catch(lua_State *L) {
  int signum = (int)cs_check_int(L, 1, 1, NSIG - 1);
  int err;
  catcher *c = get_catcher(L, &err);
  if (c == NULL) return cs_fail(L, "on_signal", err);
  err = cs_policy_process(L, cs_state_get(L), "on_signal");
  return cs_result(L, "on_signal", err != 0 ? err : catch_signal(c, signum));
}

/* signal_release(signum): back to what handled it before. */
static int signal_release(lua_State *L) {
  int signum = (int)cs_check_int(L, 1, 1, NSIG - 1);
  int err;
  catcher *c = get_catcher(L, &err);
  if (c == NULL) return cs_fail(L, "on_signal", err);
  return cs_result(L, "on_signal", let_go(c, signum));
}

/***
Whether Ctrl-C (SIGINT) raises "interrupted!", each time that it is typed: in the foreground task
(see `foreground`), also while it computes; without one, in whatever runs. The standalone
interpreter does so once, and is ended by the next one. What handled the signal before does so again
when this is switched off; `on_signal` goes before while it catches SIGINT, and a forked child
begins without it. For programs that are typed at, such as a prompt.
@function interrupts
@tparam ?boolean on without it nothing changes
@treturn[1] boolean how it was before
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`ENOMEM`)
@usage
loop.interrupts(true)
loop.interrupts(false) -- as before
*/
static int loop_interrupts(lua_State *L) {
  int err;
  catcher *c = find_catcher(L, &interrupter_key, &err);
  if (c == NULL) return cs_fail(L, "interrupts", err);
  bool before = c->signals[SIGINT].caught;
  if (!lua_isnoneornil(L, 1)) err = cs_policy_process(L, cs_state_get(L), "interrupts");
  if (!lua_isnoneornil(L, 1) && err == 0)
    err = (lua_toboolean(L, 1) ? catch_signal : let_go)(c, SIGINT);
  if (err != 0) return cs_fail(L, "interrupts", err);
  lua_pushboolean(L, before);
  return 1;
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
    if (cs_is_text(L, arg, signals[i].name)) return (int)cs_constant_value(&signals[i]);
  return luaL_argerror(L, arg, "no such signal");
}

static const luaL_Reg signal_functions[] = {
    {"interrupts", loop_interrupts},
    {"signal_catch", signal_catch},
    {"signal_release", signal_release},
    {"signal_fileno", signal_fileno},
    {NULL, NULL},
};

static const luaL_Reg catcher_meta[] = {{"__gc", catcher_gc}, {NULL, NULL}};

static void keep_catcher(lua_State *L, const char *key, lua_State *main) {
  catcher *c = (catcher *)cs_object_new(L, &catcher_class, sizeof *c, 0);
  c->fds[0] = c->fds[1] = -1;
  c->main = main;
  lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

void cs_open_signals(lua_State *L) {
  cs_class_make(L, &catcher_class, NULL, catcher_meta);
  keep_catcher(L, &catcher_key, NULL);
  keep_catcher(L, &interrupter_key, cs_main_thread(L));
  lua_getfield(L, -1, "loop");
  cs_setfuncs(L, signal_functions);
  lua_newtable(L);
  for (size_t i = 0; i < CS_COUNT(signals); i++)
    cs_set_int(L, signals[i].name, cs_constant_value(&signals[i]));
  lua_setfield(L, -2, "signals");
  lua_pop(L, 1);
}
