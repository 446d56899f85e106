/* watched.c: descriptors that tasks wait on: in the loop's poller and out of it, whose turn it is,
   the end. */
#include "records.h"
#include "../sys/fd.h"

/* --- in the poller --- */

int cs_loop_watch(cs_loop *loop, cs_handle *h) {
  if (loop->poller == NULL) return ECANCELED; /* the state is being closed */
  if (!(h->flags & CS_H_NONBLOCK)) {
    int err = cs_fd_set_nonblock(h->fd, true);
    if (err != 0) return err;
    h->flags |= CS_H_NONBLOCK;
  }
  if (h->flags & CS_H_WATCHED) loop->ops->remove(NULL, h->fd, h->slot); /* before a fork */
  int err = loop->ops->add(loop->poller, h->fd, h, &h->slot);
  cs_hub_unlist(&loop->hub, h);
  h->flags &= ~(CS_H_LOOP | CS_H_WATCHED | CS_H_READ | CS_H_WRITE | CS_H_HANGUP);
  if (err == 0) h->flags |= loop->watched;
  return err;
}

void cs_loop_forget(cs_loop *loop, cs_handle *h) {
  cs_hub_forget(&loop->hub, h);
  /* A child that has not noticed yet would take the parent's descriptor out of the parent's poller.
   */
  bool ours = loop->poller != NULL && *loop->here != 0 && cs_watched(loop, h);
  if (h->flags & CS_H_WATCHED) loop->ops->remove(ours ? loop->poller : NULL, h->fd, h->slot);
  h->flags &= ~(CS_H_LOOP | CS_H_WATCHED | CS_H_READ | CS_H_WRITE | CS_H_HANGUP);
  for (unsigned i = loop->next; i < loop->count; i++) /* reported already, not yet dispatched */
    if (loop->events[i].data == h) loop->events[i].data = NULL;
}

void cs_loop_tell(cs_loop *loop, cs_handle *h) {
  if (loop->ops->want == NULL || loop->poller == NULL) return;
  loop->ops->want(loop->poller, h->slot,
                  cs_hub_wants(h) | (h->readers.last != NULL ? CS_READ : 0) |
                      (h->writers.last != NULL ? CS_WRITE : 0));
}

int cs_task_wait_for(cs_task *task, cs_handle *h, int want, bool again) {
  cs_loop *loop = task->loop;
  if (!cs_watched(loop, h)) {
    int err = cs_loop_watch(loop, h);
    if (err != 0) return err;
  }
  cs_queue *q = want == CS_READABLE ? &h->readers : &h->writers;
  if (again)
    cs_queue_prepend(q, task);
  else
    cs_queue_append(q, task);
  cs_loop_tell(loop, h);
  task->outside = !task->daemon;
  loop->events_waited += task->outside;
  return 0;
}

/* --- O_NONBLOCK for a moment --- */

void cs_nonblock_begin(cs_handle *h) {
  bool on;
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

static void wake_some(cs_queue *q, const void *stream) {
  cs_task *task, *last = q->last;
  if (last == NULL) return;
  do {
    task = cs_queue_take(q);
    const cs_op *op = &task->op;
    if (op->outlives ? op->ptr == stream : stream == NULL)
      cs_task_ready(task);
    else
      cs_queue_append(q, task);
  } while (task != last);
}

void cs_handle_wake(cs_handle *h, const void *stream) {
  wake_some(&h->readers, stream);
  wake_some(&h->writers, stream);
}

void cs_handle_pass(cs_handle *h) {
  cs_wake(&h->readers, false);
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
      cs_wake(&j->h.readers, true);
    }
  }
}

int cs_handle_release(cs_handle *h) {
  int fd = h->fd;
  if ((h->flags & CS_H_WATCHED) || h->object != 0) cs_loop_forget(h->state->loop, h);
  h->fd = -1;
  cs_wake(&h->readers, true); /* they find it closed: EBADF */
  cs_wake(&h->writers, true);
  if (fd >= 0 && h->state->loop != NULL) wake_joined(h->state->loop, fd);
  return fd;
}

int cs_handle_close(cs_handle *h) {
  int fd = cs_handle_release(h); /* first: nothing may close the number twice */
  return fd < 0 ? 0 : cs_fd_close(fd);
}
