/* driver.c: the one place that waits. */
#include "loop.h"
#include "../sys/fd.h"

#include <signal.h>

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

/* Runs the hook that is set on `owner` (L, or the main thread while L is a coroutine) by a call of
   an empty function in L. Raises what the hook raises; the main thread's hook is then taken away,
   since it has been answered. */
static void run_hook(lua_State *L, lua_State *owner) {
  luaL_checkstack(L, 4, NULL);
  if (L == owner) {
    lua_pushcfunction(L, nothing);
    lua_call(L, 0, 0);
    return;
  }
  lua_Hook hook = lua_gethook(owner), own = lua_gethook(L);
  int mask = lua_gethookmask(L), count = lua_gethookcount(L);
  lua_sethook(L, hook, lua_gethookmask(owner), lua_gethookcount(owner));
  lua_pushcfunction(L, nothing);
  int status = lua_pcall(L, 0, 0, 0);
  lua_sethook(L, own, mask, count);
  if (status != LUA_OK) {
    if (lua_gethook(owner) == hook) lua_sethook(owner, NULL, 0, 0);
    lua_error(L);
  }
}

void cs_check_interrupt(lua_State *L) {
  lua_State *main = main_thread(L);
  if (L != main && lua_gethook(main) != NULL) run_hook(L, main);
  if (lua_gethook(L) != NULL) run_hook(L, L);
}

bool cs_interrupt_pending(lua_State *L) {
  return lua_gethook(L) != NULL || lua_gethook(main_thread(L)) != NULL;
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

/* Which of the hooks is to be run before the next sleep, or -1. A debugger's hook stays set: it
   runs once a wait, not for ever. */
static int unanswered(lua_State *const owners[2], lua_Hook answered[2]) {
  int n = owners[0] == owners[1] ? 1 : 2;
  for (int i = 0; i < n; i++) {
    lua_Hook hook = lua_gethook(owners[i]);
    if (hook == NULL)
      answered[i] = NULL;
    else if (hook != answered[i])
      return i;
  }
  return -1;
}

int cs_sleep_poll(lua_State *L, struct pollfd *fds, unsigned nfds, int64_t deadline) {
  lua_State *owners[] = {L, main_thread(L)};
  lua_Hook answered[] = {NULL, NULL};
  sigset_t all, mask;
  sigfillset(&all);
  for (;;) {
    /* Signals are let in only while ppoll(2) sleeps: one that came just before would otherwise
       set the hook and leave the sleep undisturbed. */
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    int i = unanswered(owners, answered);
    if (i >= 0) {
      pthread_sigmask(SIG_SETMASK, &mask, NULL);
      answered[i] = lua_gethook(owners[i]);
      run_hook(L, owners[i]);
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

/* Waits, outside any task, for what the attempt asked. 0, ETIMEDOUT, or an errno value. */
static int wait_blocking(lua_State *L, cs_op *op, int want) {
  if (want == CS_ANY) return cs_sleep_poll(L, op->fds, op->nfds, op->deadline);
  if (want == CS_PARK && op->ptr != NULL) return cs_loop_run(L, cs_loop_get(L), op->deadline, true);
  if (want == CS_YIELD) return 0;
  if (want == CS_PARK) return cs_sleep_poll(L, NULL, 0, op->deadline);
  if (want == CS_PAUSE) {
    int64_t until = cs_clock_deadline(CS_PAUSE_NS);
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

static int resumed(lua_State *L, int status, lua_KContext context);

/* Suspends the task until what the attempt asked for has come. */
static int suspend(lua_State *L, cs_loop *loop, cs_op *op, int want, bool again) {
  if (*loop->here == 0) cs_loop_renew(L, loop);
  cs_task *task = cs_loop_task(L, loop, op->call);
  if (task == NULL) return end_with(L, op, ECANCELED);
  if (op != &task->op) task->op = *op;
  int err = cs_task_wait(L, task, want, again);
  if (err != 0) return end_with(L, &task->op, err);
  loop->passing = L != task->co;
  return lua_yieldk(L, 0, (lua_KContext)task, resumed);
}

static bool in_line(const cs_queue *q) {
  return q->last != NULL || q->woken > 0;
}

/* Whether a first try would be in vain: the poller has reported nothing since the last one, or
   others have been waiting longer. */
static bool in_vain(const cs_loop *loop, const cs_op *op) {
  const cs_handle *h = op->h;
  if (op->first == CS_READABLE)
    return (h->flags & (CS_H_LOOP | CS_H_WATCHED | CS_H_READ)) == loop->watched ||
           in_line(&h->readers);
  if (op->first == CS_WRITABLE) return in_line(&h->writers);
  return false;
}

/* After an operation: what it left for others to read, or the room to write, is the next one's. The
   poller says nothing of it, since nothing has changed. */
static void pass_turn(const cs_op *op) {
  cs_handle *h = op->h;
  if (op->first == CS_READABLE && (h->flags & CS_H_READ)) cs_wake_next(&h->readers);
  if (op->first == CS_WRITABLE && (h->flags & CS_H_WRITE)) cs_wake_next(&h->writers);
}

/* Whether the current task has had its share of this turn, and can be suspended here. */
static bool spent(lua_State *L, cs_loop *loop) {
  return --loop->budget < 0 && L == loop->innermost && lua_isyieldable(L) && !loop->stuck &&
         loop->current->status == CS_TASK_RUNNING;
}

/* The driver in a task. `again`: it has been resumed, so its turn has come. */
static int drive_task(lua_State *L, cs_loop *loop, cs_op *op, bool again) {
  int n;
  if (!again && spent(L, loop)) return suspend(L, loop, op, CS_YIELD, false);
  for (;;) {
    if (op->h != NULL && op->h->fd < 0) return end_with(L, op, EBADF);
    if (!again && op->timeout != 0 && in_vain(loop, op)) {
      n = op->first;
    } else {
      n = op->attempt(L, op);
      if (n >= 0) {
        if (op->first != 0) pass_turn(op);
        return n;
      }
      if (n == CS_READABLE) op->h->flags &= ~CS_H_READ;
      if (n == CS_WRITABLE) op->h->flags &= ~CS_H_WRITE;
    }
    if (op->timeout == 0) {
      if (n == CS_AGAIN) continue;
      return end_with(L, op, EAGAIN);
    }
    if (op->deadline == 0) op->deadline = cs_clock_deadline(op->timeout);
    if (n != CS_AGAIN) return suspend(L, loop, op, n, again || n == CS_YIELD);
    if (cs_clock_left(op->deadline) == 0) {
      pass_turn(op);
      return end_with(L, op, ETIMEDOUT);
    }
    if (spent(L, loop)) return suspend(L, loop, op, CS_YIELD, true);
  }
}

static int resumed(lua_State *L, int status, lua_KContext context) {
  cs_task *task = (cs_task *)context;
  (void)status;
  if (task->loop->current != task) return luaL_error(L, "only the loop may resume a waiting task");
  cs_task_resumed(L, task);
  if (task->timed_out) return end_with(L, &task->op, ETIMEDOUT);
  return drive_task(L, task->loop, &task->op, true);
}

int cs_drive(lua_State *L, cs_op *op) {
  if (op->closed) return end_with(L, op, EBADF);
  cs_loop *loop = op->h != NULL ? op->h->state->loop : cs_state_get(L)->loop;
  if (loop != NULL && loop->current != NULL) return drive_task(L, loop, op, false);
  for (;;) {
    if (op->h != NULL && op->h->fd < 0) return end_with(L, op, EBADF);
    int n = op->attempt(L, op);
    if (n >= 0) return n;
    int err = 0;
    if (op->timeout != 0) {
      if (op->deadline == 0) op->deadline = cs_clock_deadline(op->timeout);
      if (n != CS_AGAIN)
        err = wait_blocking(L, op, n);
      else if (cs_clock_left(op->deadline) == 0)
        err = ETIMEDOUT;
    } else if (n != CS_AGAIN) {
      err = EAGAIN;
    }
    if (err != 0) return end_with(L, op, err);
  }
}

bool cs_in_task(const cs_state *state) {
  return state->loop != NULL && state->loop->current != NULL;
}

/* --- handles --- */

void cs_nonblock_begin(cs_handle *h) {
  bool on;
  if (h->flags & CS_H_WATCHED) return; /* the loop has set it for good */
  if (cs_fd_get_nonblock(h->fd, &on) != 0 || on) return;
  if (cs_fd_set_nonblock(h->fd, true) == 0) h->flags |= CS_H_BORROWED;
}

void cs_nonblock_end(cs_handle *h) {
  if (!(h->flags & CS_H_BORROWED)) return;
  int saved = errno;
  h->flags &= ~CS_H_BORROWED;
  cs_fd_set_nonblock(h->fd, false);
  errno = saved;
}

void cs_handle_wake(cs_handle *h) {
  cs_wake(&h->readers, true);
  cs_wake(&h->writers, true);
}

void cs_handle_pass(cs_handle *h) {
  cs_wake(&h->readers, false);
}

int cs_handle_release(cs_handle *h) {
  int fd = h->fd;
  if (h->flags & CS_H_WATCHED) cs_loop_forget(h->state->loop, h);
  h->fd = -1;
  cs_handle_wake(h); /* they find it closed: EBADF */
  if (fd >= 0 && h->state->loop != NULL) cs_any_closed(h->state->loop, fd);
  return fd;
}

int cs_handle_close(cs_handle *h) {
  int fd = cs_handle_release(h); /* first: nothing may close the number twice */
  return fd < 0 ? 0 : cs_fd_close(fd);
}
