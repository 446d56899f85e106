/* watched.c: descriptors that tasks wait on: in the loop's poller and out of it, whose turn it is,
   the end. */
#include "records.h"
#include "../sys/fd.h"

/* --- in the poller --- */

int cs_watched_add(cs_loop *loop, cs_watched *w) {
  if (loop->poller == NULL) return ECANCELED; /* the state is being closed */
  if (!(w->flags & CS_W_NONBLOCK)) {
    int err = cs_fd_set_nonblock(w->fd, true);
    if (err != 0) return err;
    w->flags |= CS_W_NONBLOCK;
  }
  if (w->flags & CS_W_WATCHED) loop->ops->remove(NULL, w->fd, w->slot); /* before a fork */
  int err = loop->ops->add(loop->poller, w->fd, w, &w->slot);
  cs_hub_unlist(&loop->hub, w);
  w->flags &= ~(CS_W_LOOP | CS_W_WATCHED | CS_W_READ | CS_W_WRITE | CS_W_HANGUP);
  if (err == 0) w->flags |= loop->generation;
  return err;
}

void cs_watched_forget(cs_loop *loop, cs_watched *w) {
  cs_hub_forget(&loop->hub, w);
  /* A child that has not noticed yet would take the parent's descriptor out of the parent's poller.
   */
  bool ours = loop->poller != NULL && *loop->here != 0 && cs_is_watched(loop, w);
  if (w->flags & CS_W_WATCHED) loop->ops->remove(ours ? loop->poller : NULL, w->fd, w->slot);
  w->flags &= ~(CS_W_LOOP | CS_W_WATCHED | CS_W_READ | CS_W_WRITE | CS_W_HANGUP);
  for (unsigned i = loop->next; i < loop->count; i++) /* reported already, not yet dispatched */
    if (loop->events[i].data == w) loop->events[i].data = NULL;
}

void cs_watched_tell(cs_loop *loop, cs_watched *w) {
  if (loop->ops->want == NULL || loop->poller == NULL) return;
  loop->ops->want(loop->poller, w->slot,
                  cs_hub_wants(w) | (w->readers.last != NULL ? cs_watched_readers_want(w) : 0) |
                      (w->writers.last != NULL ? cs_watched_writers_want(w) : 0));
}

int cs_park_on(cs_task *task, cs_watched *w, int want, bool again) {
  cs_loop *loop = task->loop;
  if (!cs_is_watched(loop, w)) {
    int err = cs_watched_add(loop, w);
    if (err != 0) return err;
  }
  int line = w == task->op.w && task->op.line != 0 ? task->op.line : want;
  cs_waitq *q = line == CS_READABLE ? &w->readers : &w->writers;
  if (again)
    cs_waitq_prepend(q, task);
  else
    cs_waitq_append(q, task);
  cs_watched_tell(loop, w);
  task->outside = !task->daemon;
  loop->events_waited += task->outside;
  return 0;
}

/* --- O_NONBLOCK for a moment --- */

void cs_watched_nonblock_begin(cs_watched *w) {
  bool on;
  if (cs_fd_get_nonblock(w->fd, &on) != 0 || on) return;
  if (cs_fd_set_nonblock(w->fd, true) == 0) w->flags |= CS_W_BORROWED;
}

void cs_watched_nonblock_end(cs_watched *w) {
  if (!(w->flags & CS_W_BORROWED)) return;
  int saved = errno;
  w->flags &= ~CS_W_BORROWED;
  cs_fd_set_nonblock(w->fd, false);
  errno = saved;
}

static void wake_some(cs_waitq *q, const void *stream) {
  cs_task *task, *last = q->last;
  if (last == NULL) return;
  do {
    task = cs_waitq_take(q);
    const cs_op *op = &task->op;
    if (op->outlives ? op->ptr == stream : stream == NULL)
      cs_task_ready(task);
    else
      cs_waitq_append(q, task);
  } while (task != last);
}

void cs_watched_wake(cs_watched *w, const void *stream) {
  wake_some(&w->readers, stream);
  wake_some(&w->writers, stream);
}

void cs_watched_pass(cs_watched *w, int line) {
  cs_waitq_wake(line == CS_READABLE ? &w->readers : &w->writers, false);
}

/* Whoever waits for the descriptor among others is told that it is closed, and not left to find
   that out: the number may be another one's by then. */
static void wake_joined(const cs_loop *loop, int fd) {
  for (cs_joined *j = loop->joined; j != NULL; j = j->next) {
    const cs_op *op = &j->task->op;
    for (unsigned i = 0; i < op->nfds; i++) {
      struct pollfd *p = &op->fds[i];
      if (p->fd != fd && p->fd != ~fd) continue; /* (~: see cs_poll_hush) */
      p->fd = fd;
      p->revents = POLLNVAL;
      cs_waitq_wake(&j->w.readers, true);
    }
  }
}

int cs_watched_release(cs_watched *w) {
  int fd = w->fd;
  if ((w->flags & CS_W_WATCHED) || w->object != 0) cs_watched_forget(w->state->loop, w);
  w->fd = -1;
  cs_waitq_wake(&w->readers, true); /* they find it closed: EBADF */
  cs_waitq_wake(&w->writers, true);
  if (fd >= 0 && w->state->loop != NULL) wake_joined(w->state->loop, fd);
  return fd;
}

int cs_watched_close(cs_watched *w) {
  int fd = cs_watched_release(w); /* first: nothing may close the number twice */
  return fd < 0 ? 0 : cs_fd_close(fd);
}
