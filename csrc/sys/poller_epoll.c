/* poller_epoll.c: Linux's epoll(7), edge-triggered: one epoll_ctl in a descriptor's life. */
#include "poller.h"

#if CS_HAVE_EPOLL

#include "clock.h"
#include "fd.h"

#include <stdlib.h>
#include <sys/epoll.h>

#define EPOLL_POLLER_BATCH 512

typedef struct ep_poller {
  int fd;
  struct epoll_event events[EPOLL_POLLER_BATCH];
} ep_poller;

static int ep_make(cs_poller **p, const cs_poller_host *host) {
  (void)host;
  ep_poller *made = (ep_poller *)malloc(sizeof *made);
  if (made == NULL) return ENOMEM;
  made->fd = epoll_create1(EPOLL_CLOEXEC);
  if (made->fd < 0) {
    int err = errno;
    free(made);
    return err;
  }
  *p = made;
  return 0;
}

static void ep_free(cs_poller *poller, bool forked) {
  ep_poller *p = (ep_poller *)poller;
  (void)forked; /* the child has a copy of the descriptor */
  cs_fd_close(p->fd);
  free(p);
}

static int ep_fileno(const cs_poller *poller) {
  const ep_poller *p = (const ep_poller *)poller;
  return p->fd;
}

/* A descriptor can be watched once. If it is already (by another object over the same number), a
   copy is watched, as of a foreign one; `*slot` is the copy + 1 then. */
static int ep_add(cs_poller *poller, int fd, bool foreign, void *data, unsigned *slot) {
  ep_poller *p = (ep_poller *)poller;
  struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                          .data = {.ptr = data}};
  *slot = 0;
  if (!foreign) {
    if (epoll_ctl(p->fd, EPOLL_CTL_ADD, fd, &e) == 0) return 0;
    if (errno != EEXIST) return errno;
  }
  int copy;
  int err = cs_fd_dup(fd, &copy);
  if (err != 0) return err;
  if (epoll_ctl(p->fd, EPOLL_CTL_ADD, copy, &e) != 0) {
    err = errno;
    cs_fd_close(copy);
    return err;
  }
  *slot = (unsigned)copy + 1;
  return 0;
}

static void ep_remove(cs_poller *poller, int fd, unsigned slot) {
  ep_poller *p = (ep_poller *)poller;
  struct epoll_event unused = {.events = 0};
  int watched = slot == 0 ? fd : (int)slot - 1;
  /* A failure means that it is not there. */
  if (p != NULL) epoll_ctl(p->fd, EPOLL_CTL_DEL, watched, &unused);
  if (slot != 0) cs_fd_close(watched);
}

/* epoll_wait's timeout: milliseconds, rounded up so that no wait ends early. */
static int milliseconds(int64_t left) {
  if (left == CS_FOREVER) return -1;
  int64_t ms = left / 1000000 + (left % 1000000 != 0);
  return ms > INT_MAX ? INT_MAX : (int)ms;
}

static int ep_wait(cs_poller *poller, int64_t left, const sigset_t *mask, cs_event *events,
                   unsigned max, unsigned *n) {
  ep_poller *p = (ep_poller *)poller;
  int got = epoll_pwait(p->fd, p->events, max < EPOLL_POLLER_BATCH ? (int)max : EPOLL_POLLER_BATCH,
                        milliseconds(left), mask);
  *n = 0;
  if (got < 0) return errno;
  for (int i = 0; i < got; i++) {
    unsigned bits = p->events[i].events;
    unsigned ready = 0;
    if (bits & (EPOLLIN | EPOLLPRI)) ready |= CS_READ;
    if (bits & EPOLLOUT) ready |= CS_WRITE;
    if (bits & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) ready |= CS_READ | CS_HANGUP;
    if (bits & (EPOLLHUP | EPOLLERR)) ready |= CS_WRITE;
    events[i].data = p->events[i].data.ptr;
    events[i].ready = ready;
  }
  *n = (unsigned)got;
  return 0;
}

const cs_poller_ops cs_poller_epoll = {
    .name = "epoll",
    .make = ep_make,
    .free = ep_free,
    .fileno = ep_fileno,
    .add = ep_add,
    .want = NULL,
    .remove = ep_remove,
    .wait = ep_wait,
};

int cs_poller_join(const struct pollfd *fds, unsigned nfds, int *fd) {
  int joined = epoll_create1(EPOLL_CLOEXEC);
  if (joined < 0) return errno;
  for (unsigned i = 0; i < nfds; i++) {
    if (fds[i].fd < 0) continue;
    /* EPOLLIN, EPOLLOUT and EPOLLPRI have poll(2)'s values. */
    struct epoll_event e = {.events = (uint32_t)fds[i].events & (POLLIN | POLLOUT | POLLPRI)};
    if (epoll_ctl(joined, EPOLL_CTL_ADD, fds[i].fd, &e) == 0) continue;
    int err = errno;
    if (err == EPERM) continue; /* a regular file: nothing will ever happen to it */
    if (err == EEXIST) {        /* the descriptor stands in the list twice: watch for both */
      for (unsigned j = 0; j < i; j++)
        if (fds[j].fd == fds[i].fd)
          e.events |= (uint32_t)fds[j].events & (POLLIN | POLLOUT | POLLPRI);
      err = epoll_ctl(joined, EPOLL_CTL_MOD, fds[i].fd, &e) == 0 ? 0 : errno;
    }
    if (err != 0) {
      cs_fd_close(joined);
      return err;
    }
  }
  *fd = joined;
  return 0;
}

#endif
