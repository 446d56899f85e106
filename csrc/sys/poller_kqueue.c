/* poller_kqueue.c: kqueue(2) of the BSDs and macOS, edge-triggered by EV_CLEAR: one kevent(2) in a
   descriptor's life. On other systems libkqueue has it. */
#include "poller.h"

#if CS_HAVE_KQUEUE

#include "clock.h"
#include "fd.h"

#include <stdlib.h>
#include <sys/event.h>
#include <sys/time.h>

#define KQUEUE_POLLER_BATCH 512

typedef struct kq_poller {
  int fd;
  bool *watched; /* by the descriptor's number */
  size_t room;   /* of that */
  struct kevent events[KQUEUE_POLLER_BATCH];
} kq_poller;

static int kq_make(cs_poller **p, const cs_poller_host *host) {
  (void)host;
  kq_poller *made = (kq_poller *)calloc(1, sizeof *made);
  if (made == NULL) return ENOMEM;
  made->fd = kqueue();
  int err = made->fd < 0 ? errno : cs_fd_set_inheritable(made->fd, false);
  if (err != 0) {
    if (made->fd >= 0) cs_fd_close(made->fd);
    free(made);
    return err;
  }
  *p = made;
  return 0;
}

/* A kqueue is not inherited: in the child of a fork its number is free, or another's. */
static void kq_free(cs_poller *poller, bool forked) {
  kq_poller *p = (kq_poller *)poller;
  if (!forked) cs_fd_close(p->fd);
  free(p->watched);
  free(p);
}

static int kq_fileno(const cs_poller *poller) {
  const kq_poller *p = (const kq_poller *)poller;
  return CS_HAVE_KQUEUE_POLL ? p->fd : -1;
}

static int make_room(kq_poller *p, int fd) {
  size_t room = p->room == 0 ? 64 : p->room;
  while (room <= (size_t)fd) room *= 2;
  if (room == p->room) return 0;
  bool *watched = (bool *)realloc(p->watched, room * sizeof *watched);
  if (watched == NULL) return ENOMEM;
  memset(watched + p->room, 0, (room - p->room) * sizeof *watched);
  p->watched = watched;
  p->room = room;
  return 0;
}

static int kq_watch(kq_poller *p, int fd, void *data) {
  struct kevent change[2];
  int err = make_room(p, fd);
  if (err != 0) return err;
  EV_SET(&change[0], (uintptr_t)fd, EVFILT_READ, EV_ADD | EV_CLEAR, 0, 0, data);
  EV_SET(&change[1], (uintptr_t)fd, EVFILT_WRITE, EV_ADD | EV_CLEAR, 0, 0, data);
  /* What can only be read from has no EVFILT_WRITE, nor has a pipe that nobody reads any more. */
  if (kevent(p->fd, change, 2, NULL, 0, NULL) != 0 && kevent(p->fd, change, 1, NULL, 0, NULL) != 0)
    return errno == EBADF || errno == ENOMEM ? errno : EPERM;
  p->watched[fd] = true;
  return 0;
}

/* To kqueue a descriptor is its number: a second registration would take the events away from the
   first. So, as in poller_epoll.c, a copy is watched, and `*slot` is the copy + 1; of a foreign
   one, too. */
static int kq_add(cs_poller *poller, int fd, bool foreign, void *data, unsigned *slot) {
  kq_poller *p = (kq_poller *)poller;
  int copy;
  *slot = 0;
  if (!foreign && ((size_t)fd >= p->room || !p->watched[fd])) return kq_watch(p, fd, data);
  int err = cs_fd_dup(fd, &copy);
  if (err != 0) return err;
  err = kq_watch(p, copy, data);
  if (err != 0) {
    cs_fd_close(copy);
    return err;
  }
  *slot = (unsigned)copy + 1;
  return 0;
}

static void kq_remove(cs_poller *poller, int fd, unsigned slot) {
  kq_poller *p = (kq_poller *)poller;
  struct kevent change[2];
  int watched = slot == 0 ? fd : (int)slot - 1;
  EV_SET(&change[0], (uintptr_t)watched, EVFILT_READ, EV_DELETE, 0, 0, NULL);
  EV_SET(&change[1], (uintptr_t)watched, EVFILT_WRITE, EV_DELETE, 0, 0, NULL);
  if (p != NULL) {
    kevent(p->fd, change, 2, NULL, 0, NULL); /* a failure means that it is not there */
    p->watched[watched] = false;
  }
  if (slot != 0) cs_fd_close(watched);
}

static unsigned ready_for(const struct kevent *e) {
  if (e->filter == EVFILT_WRITE) return CS_WRITE;
  /* Who writes to a pipe that nobody reads any more is told so too. */
  return e->flags & EV_EOF ? CS_READ | CS_WRITE | CS_HANGUP : CS_READ;
}

/* kevent(2) takes no signal mask. A signal just before the sleep goes unnoticed by it, so none
   lasts more than a second (and no system refuses the time). */
static int kq_wait(cs_poller *poller, int64_t left, const sigset_t *mask, cs_event *events,
                   unsigned max, unsigned *n) {
  kq_poller *p = (kq_poller *)poller;
  sigset_t before;
  if (left > 1000000000) left = 1000000000;
  struct timespec t = cs_clock_timespec(left);
  if (mask != NULL) pthread_sigmask(SIG_SETMASK, mask, &before);
  int got = kevent(p->fd, NULL, 0, p->events,
                   max < KQUEUE_POLLER_BATCH ? (int)max : KQUEUE_POLLER_BATCH, &t);
  int err = errno;
  if (mask != NULL) pthread_sigmask(SIG_SETMASK, &before, NULL);
  *n = 0;
  if (got < 0) return err;
  for (int i = 0; i < got; i++) {
    events[i].data = p->events[i].udata;
    events[i].ready = ready_for(&p->events[i]);
  }
  *n = (unsigned)got;
  return 0;
}

const cs_poller_ops cs_poller_kqueue = {
    .name = "kqueue",
    .make = kq_make,
    .free = kq_free,
    .fileno = kq_fileno,
    .add = kq_add,
    .want = NULL,
    .remove = kq_remove,
    .wait = kq_wait,
};

#if !CS_HAVE_EPOLL

static int join(int joined, const struct pollfd *p) {
  struct kevent change;
  /* There is no filter for POLLPRI on every system; EVFILT_READ would report all that is there. */
  if ((p->events & (POLLIN | POLLPRI)) == POLLPRI) return ENOSYS;
  EV_SET(&change, (uintptr_t)p->fd, EVFILT_READ, EV_ADD, 0, 0, NULL);
  if ((p->events & POLLIN) && kevent(joined, &change, 1, NULL, 0, NULL) != 0) return errno;
  EV_SET(&change, (uintptr_t)p->fd, EVFILT_WRITE, EV_ADD, 0, 0, NULL);
  if ((p->events & POLLOUT) && kevent(joined, &change, 1, NULL, 0, NULL) != 0) return errno;
  return 0;
}

int cs_poller_join(const struct pollfd *fds, unsigned nfds, int *fd) {
  if (!CS_HAVE_KQUEUE_POLL) return ENOSYS;
  int joined = kqueue();
  if (joined < 0) return errno;
  int err = cs_fd_set_inheritable(joined, false);
  for (unsigned i = 0; i < nfds && err == 0; i++)
    if (fds[i].fd >= 0) err = join(joined, &fds[i]);
  if (err != 0) {
    cs_fd_close(joined);
    return err == EBADF || err == ENOMEM ? err : ENOSYS; /* poll(2) knows more kinds of things */
  }
  *fd = joined;
  return 0;
}

#endif

#endif
