/* driver.c: the one place that waits. */
#include "driver.h"
#include "../sys/fd.h"

#include <signal.h>

#define PAUSE_NS 10000000 /* 10 ms */

void cs_op_init(cs_op *op, const char *call, cs_attempt attempt, cs_handle *h, int64_t timeout) {
  memset(op, 0, sizeof *op);
  op->call = call;
  op->attempt = attempt;
  op->h = h;
  op->timeout = timeout;
}

/* --- the interpreter's hook --- */

/* The standalone interpreter answers SIGINT by setting a hook on the main thread, which raises
   "interrupted!" as soon as any Lua code runs. While csock sleeps none does, so it must be run. */

static int nothing(lua_State *L) {
  (void)L;
  return 0;
}

static lua_State *main_thread(lua_State *L) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  lua_State *main = lua_tothread(L, -1);
  lua_pop(L, 1); /* the registry keeps it */
  return main;
}

static lua_Hook pending_hook(lua_State *L, lua_State *main) {
  lua_Hook hook = lua_gethook(L);
  return hook != NULL ? hook : lua_gethook(main);
}

/* Runs the hook of L, or in a coroutine the main thread's, by a call of an empty function. Raises
   what the hook raises; the main thread's hook is then taken away, since it has been answered. */
static void run_hook(lua_State *L, lua_State *main) {
  luaL_checkstack(L, 4, NULL);
  lua_Hook hook = lua_gethook(main);
  if (L == main || hook == NULL || lua_gethook(L) != NULL) {
    lua_pushcfunction(L, nothing);
    lua_call(L, 0, 0);
    return;
  }
  lua_sethook(L, hook, lua_gethookmask(main), lua_gethookcount(main));
  lua_pushcfunction(L, nothing);
  int status = lua_pcall(L, 0, 0, 0);
  lua_sethook(L, NULL, 0, 0);
  if (status != LUA_OK) {
    if (lua_gethook(main) == hook) lua_sethook(main, NULL, 0, 0);
    lua_error(L);
  }
}

/* --- sleeping --- */

static int sleep_once(struct pollfd *fds, unsigned nfds, int64_t left, const sigset_t *mask) {
#if CS_HAVE_PPOLL
  struct timespec t = {.tv_sec = (time_t)(left / 1000000000), .tv_nsec = left % 1000000000};
  return ppoll(fds, (nfds_t)nfds, left == CS_FOREVER ? NULL : &t, mask);
#else
  /* A signal between the mask's return and poll(2) is seen one second late at the most. */
  int64_t ms = left > 1000000000 ? 1000 : (left + 999999) / 1000000;
  pthread_sigmask(SIG_SETMASK, mask, NULL);
  int n = poll(fds, (nfds_t)nfds, (int)ms);
  if (n == 0 && left > 1000000000) {
    errno = EINTR;
    return -1;
  }
  return n;
#endif
}

int cs_sleep_poll(lua_State *L, struct pollfd *fds, unsigned nfds, int64_t deadline) {
  lua_State *main = main_thread(L);
  lua_Hook answered = NULL; /* a debugger's hook stays set: run it once a wait, not for ever */
  sigset_t all, mask;
  sigfillset(&all);
  for (;;) {
    /* Signals are let in only while ppoll(2) sleeps: one that came just before would otherwise
       set the hook and leave the sleep undisturbed. */
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    lua_Hook hook = pending_hook(L, main);
    if (hook != NULL && hook != answered) {
      pthread_sigmask(SIG_SETMASK, &mask, NULL);
      answered = hook;
      run_hook(L, main);
      continue;
    }
    int n = sleep_once(fds, nfds, cs_clock_left(deadline), &mask);
    int err = errno;
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    if (n > 0) return 0;
    if (n == 0) return ETIMEDOUT;
    if (err != EINTR) return err;
  }
}

/* Waits, outside any task, for what the attempt asked. 0, ETIMEDOUT, or poll's errno. */
static int wait_blocking(lua_State *L, cs_op *op, int want) {
  if (want == CS_ANY) return cs_sleep_poll(L, op->fds, op->nfds, op->deadline);
  if (want == CS_PAUSE) {
    int64_t until = cs_clock_deadline(PAUSE_NS);
    if (until >= op->deadline) return cs_sleep_poll(L, NULL, 0, op->deadline);
    int err = cs_sleep_poll(L, NULL, 0, until);
    return err == ETIMEDOUT ? 0 : err;
  }
  struct pollfd p = {.fd = op->h->fd, .events = want == CS_READABLE ? POLLIN : POLLOUT};
  return cs_sleep_poll(L, &p, 1, op->deadline);
}

/* --- driving --- */

static int end_with(lua_State *L, cs_op *op, int err) {
  return op->fail != NULL ? op->fail(L, op, err) : cs_fail(L, op->call, err);
}

int cs_drive(lua_State *L, cs_op *op) {
  if (op->closed) return end_with(L, op, EBADF);
  for (;;) {
    if (op->h != NULL && op->h->fd < 0) return end_with(L, op, EBADF);
    int n = op->attempt(L, op);
    if (n >= 0) return n;
    if (op->timeout == 0) {
      if (n == CS_AGAIN) continue;
      return end_with(L, op, EAGAIN);
    }
    if (op->deadline == 0) op->deadline = cs_clock_deadline(op->timeout);
    int err;
    if (n == CS_AGAIN)
      err = cs_clock_left(op->deadline) == 0 ? ETIMEDOUT : 0;
    else
      err = wait_blocking(L, op, n);
    if (err != 0) return end_with(L, op, err);
  }
}

/* --- handles --- */

void cs_nonblock_begin(cs_handle *h) {
  if (!(h->flags & CS_H_NONBLOCK)) cs_fd_set_nonblock(h->fd, true);
}

void cs_nonblock_end(cs_handle *h) {
  if (h->flags & CS_H_NONBLOCK) return;
  int saved = errno;
  cs_fd_set_nonblock(h->fd, false);
  errno = saved;
}

int cs_handle_close(cs_handle *h) {
  int fd = h->fd;
  h->fd = -1; /* first: nothing may close the number twice */
  return fd < 0 ? 0 : cs_fd_close(fd);
}
