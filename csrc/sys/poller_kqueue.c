/* poller_kqueue.c: kqueue(2) of the BSDs and macOS, edge-triggered by EV_CLEAR. */
#include "poller.h"

#if CS_HAVE_KQUEUE

#include "clock.h"
#include "fd.h"

#include <stdlib.h>
#include <sys/event.h>
#include <sys/time.h>

#define BATCH 512

struct cs_poller {
  int fd;
  struct kevent events[BATCH];
};

static int kq_make(cs_poller **p) {
  cs_poller *new = malloc(sizeof *new);
  if (new == NULL) return ENOMEM;
  new->fd = kqueue();
  int err = new->fd < 0 ? errno : cs_fd_set_inheritable(new->fd, false);
  if (err != 0) {
    if (new->fd >= 0) cs_fd_close(new->fd);
    free(new);
    return err;
  }
  *p = new;
  return 0;
}

static void kq_free(cs_poller *p) {
  cs_fd_close(p->fd);
  free(p);
}

static int kq_fileno(const cs_poller *p) {
  return p->fd;
}

static int kq_add(cs_poller *p, int fd, void *data, unsigned *slot) {
  struct kevent change[2];
  *slot = 0;
  EV_SET(&change[0], (uintptr_t)fd, EVFILT_READ, EV_ADD | EV_CLEAR, 0, 0, data);
  EV_SET(&change[1], (uintptr_t)fd, EVFILT_WRITE, EV_ADD | EV_CLEAR, 0, 0, data);
  if (kevent(p->fd, &change[0], 1, NULL, 0, NULL) != 0) return errno;
  kevent(p->fd, &change[1], 1, NULL, 0, NULL); /* what can only be read need not be writable */
  return 0;
}

static void kq_remove(cs_poller *p, int fd, unsigned slot) {
  struct kevent change[2];
  (void)slot;
  EV_SET(&change[0], (uintptr_t)fd, EVFILT_READ, EV_DELETE, 0, 0, NULL);
  EV_SET(&change[1], (uintptr_t)fd, EVFILT_WRITE, EV_DELETE, 0, 0, NULL);
  kevent(p->fd, &change[0], 1, NULL, 0, NULL);
  kevent(p->fd, &change[1], 1, NULL, 0, NULL);
}

/* kevent(2) takes no signal mask: a signal in the gap is answered a second late at the most. */
static int kq_wait(cs_poller *p, int64_t left, const sigset_t *mask, cs_event *events, unsigned max,
                   unsigned *n) {
  if (mask != NULL) {
    pthread_sigmask(SIG_SETMASK, mask, NULL);
    if (left > 1000000000) left = 1000000000;
  }
  struct timespec t = {.tv_sec = (time_t)(left / 1000000000), .tv_nsec = left % 1000000000};
  int got = kevent(p->fd, NULL, 0, p->events, max < BATCH ? (int)max : BATCH,
                   left == CS_FOREVER ? NULL : &t);
  *n = 0;
  if (got < 0) return errno;
  for (int i = 0; i < got; i++) {
    const struct kevent *e = &p->events[i];
    unsigned ready = e->filter == EVFILT_WRITE ? CS_WRITE : CS_READ;
    if (e->flags & EV_EOF) ready |= CS_HANGUP;
    events[i].data = e->udata;
    events[i].ready = ready;
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
int cs_poller_join(const struct pollfd *fds, unsigned nfds, int *fd) {
  int joined = kqueue();
  if (joined < 0) return errno;
  int err = cs_fd_set_inheritable(joined, false);
  for (unsigned i = 0; i < nfds && err == 0; i++) {
    struct kevent change;
    if (fds[i].fd < 0) continue;
    if (fds[i].events & (POLLIN | POLLPRI)) {
      EV_SET(&change, (uintptr_t)fds[i].fd, EVFILT_READ, EV_ADD, 0, 0, NULL);
      if (kevent(joined, &change, 1, NULL, 0, NULL) != 0) err = errno;
    }
    if (err == 0 && (fds[i].events & POLLOUT)) {
      EV_SET(&change, (uintptr_t)fds[i].fd, EVFILT_WRITE, EV_ADD, 0, 0, NULL);
      if (kevent(joined, &change, 1, NULL, 0, NULL) != 0) err = errno;
    }
  }
  if (err != 0) {
    cs_fd_close(joined);
    return err;
  }
  *fd = joined;
  return 0;
}
#endif

#endif
