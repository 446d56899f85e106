/* watched.c: descriptors that tasks wait on: in the loop's poller and out of it, whose turn it is,
   the end. */
#include "unpark.h"
#include "joined.h"
#include "../sys/fd.h"

/* --- in the poller --- */

#define REPORTED (CS_W_READ | CS_W_WRITE | CS_W_HANGUP)

int cs_watched_add(cs_loop *loop, cs_watched *w) {
  if (loop->poller == NULL) return ECANCELED; /* the state is being closed */
  if (!(w->flags & CS_W_NONBLOCK)) {
    int err = cs_fd_set_nonblock(w->fd, true);
    if (err != 0) return err;
    w->flags |= CS_W_NONBLOCK;
  }
  if (w->flags & CS_W_WATCHED) loop->ops->remove(NULL, w->fd, w->slot); /* before a fork */
  int err = loop->ops->add(loop->poller, w->fd, (w->flags & CS_W_FOREIGN) != 0, w, &w->slot);
  if (w->object != 0) loop->listener->renewed(loop, w);
  w->flags &= ~(CS_W_LOOP | CS_W_WATCHED | REPORTED);
  if (err == 0) w->flags |= loop->generation;
  return err;
}

void cs_watched_forget(cs_loop *loop, cs_watched *w) {
  if (w->object != 0) loop->listener->forget(loop, w);
  /* A child that has not noticed yet would take the parent's descriptor out of the parent's poller.
   */
  bool ours = loop->poller != NULL && *loop->here != 0 && cs_is_watched(loop, w);
  if (w->flags & CS_W_WATCHED) loop->ops->remove(ours ? loop->poller : NULL, w->fd, w->slot);
  w->flags &= ~(CS_W_LOOP | CS_W_WATCHED | REPORTED);
  for (unsigned i = loop->next; i < loop->count; i++) /* reported already, not yet dispatched */
    if (loop->events[i].data == w) loop->events[i].data = NULL;
}

void cs_watched_tell(cs_loop *loop, cs_watched *w) {
  if (loop->ops->want == NULL || loop->poller == NULL) return;
  unsigned wants = w->object != 0 ? loop->listener->wants(w) : 0;
  if (!cs_waitq_empty(&w->readers)) wants |= cs_watched_readers_want(w);
  if (!cs_waitq_empty(&w->writers)) wants |= cs_watched_writers_want(w);
  loop->ops->want(loop->poller, w->slot, wants);
}

void cs_watched_changed(cs_watched *w) {
  cs_loop *loop = w->state->loop;
  if (loop == NULL || !cs_is_watched(loop, w)) return;
  cs_watched_tell(loop, w);
  if (loop->current != NULL) return; /* the operation under way passes its turn on when it ends */
  cs_watched_readers_next(w);
  cs_watched_writers_next(w);
}

/* --- O_NONBLOCK --- */

int cs_watched_nonblock_keep(cs_watched *w, short events) {
  bool on = false;
  struct pollfd p = {.fd = w->fd, .events = events};
  if (w->flags & CS_W_OUTSIDE) {
    if (cs_fd_get_nonblock(w->fd, &on) == 0 && !on && poll(&p, 1, 0) == 0) return EAGAIN;
    cs_watched_nonblock_begin(w);
  } else if (cs_fd_set_nonblock(w->fd, true) == 0) {
    w->flags |= CS_W_NONBLOCK | CS_W_KEEP;
  }
  return 0; /* what is wrong with it, the call itself will say */
}

void cs_watched_nonblock_begin(cs_watched *w) {
  bool on = false;
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

/* --- waking who waits --- */

static void wake_some(cs_waitq *q, const void *stream) {
  const cs_link *last = q->tasks.last;
  for (cs_link *link = cs_list_first(&q->tasks), *next; link != NULL; link = next) {
    cs_task *task = CS_MEMBER_OF(link, cs_task, link);
    next = link != last ? link->next : NULL;
    const cs_op *op = task->op;
    const void *waits_for = op != NULL && op->outlives ? op->ptr : NULL;
    if (waits_for == stream || (stream != NULL && op != NULL && op->over == stream))
      cs_unpark_ready(task, CS_WHY_EVENT);
  }
}

/* Whoever waits for the descriptor among others (joined.c) is told of the event. */
static void tell_joined(const cs_state *state, int fd, short event) {
  if (state->loop == NULL) return;
  const cs_list *joined = &state->loop->joined;
  for (cs_link *link = cs_list_first(joined); link != NULL; link = cs_list_next(joined, link)) {
    cs_joined *j = CS_MEMBER_OF(link, cs_joined, link);
    for (unsigned i = 0; i < j->nfds; i++) {
      struct pollfd *p = &j->fds[i];
      if (p->fd != fd && p->fd != ~fd) continue; /* (~: see cs_poll_hush) */
      if (event != POLLNVAL && !(p->events & event)) continue;
      p->fd = fd;
      p->revents = event;
      cs_unpark_all(&j->w.readers);
    }
  }
}

void cs_watched_wake(cs_watched *w, const void *stream) {
  wake_some(&w->readers, stream);
  wake_some(&w->writers, stream);
  tell_joined(w->state, w->fd, POLLNVAL); /* they look which object it is that was closed */
}

void cs_watched_held(cs_watched *w) {
  tell_joined(w->state, w->fd, POLLIN);
}

void cs_watched_pass(cs_watched *w, int line) {
  cs_unpark_first(line == CS_READABLE ? &w->readers : &w->writers);
  if (w->object != 0) w->state->loop->listener->event(w->state->loop, w);
}

/* --- the end --- */

int cs_watched_release(cs_watched *w) {
  int fd = w->fd;
  cs_loop *loop = w->state->loop;
  if ((w->flags & CS_W_WATCHED) || w->object != 0) cs_watched_forget(loop, w);
  if (fd >= 0) {
    w->state->held--;
    cs_policy_know(w->state, fd, false);
  }
  w->fd = -1;
  cs_unpark_end(loop, &w->readers); /* they find it closed: EBADF */
  cs_unpark_end(loop, &w->writers);
  return fd;
}

int cs_watched_close(cs_watched *w) {
  int fd = cs_watched_release(w); /* first: nothing may close the number twice */
  if (fd < 0) return 0;
  /* Nobody is left to find that out: the number may be another one's by then. */
  tell_joined(w->state, fd, POLLNVAL);
  return cs_fd_close(fd);
}
