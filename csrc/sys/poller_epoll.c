/* poller_epoll.c: Linux's epoll(7), edge-triggered: one epoll_ctl in a descriptor's life. */
#include "poller.h"

#if CS_HAVE_EPOLL

#include "clock.h"
#include "fd.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#define EPOLL_POLLER_BATCH 512

/* Who watches a descriptor. The kernel knows an open file, and goes on reporting one of which a
   copy is open when somebody has closed the descriptor by its number, and nobody can take it out
   any more. So it is told a number, and how often that had been watched: not an object, which may
   be gone. */
typedef struct ep_place {
  void *data; /* NULL: nobody */
  uint32_t times;
} ep_place;

typedef struct ep_poller {
  int fd;
  ep_place *places; /* by descriptor */
  size_t size;
  bool coarse; /* the kernel has no epoll_pwait2 */
  struct epoll_event events[EPOLL_POLLER_BATCH];
} ep_poller;

static int ep_make(cs_poller **p, const cs_poller_host *host) {
  (void)host;
  ep_poller *made = (ep_poller *)malloc(sizeof *made);
  if (made == NULL) return ENOMEM;
  made->places = NULL;
  made->size = 0;
  made->coarse = false;
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
  free(p->places);
  free(p);
}

static int ep_fileno(const cs_poller *poller) {
  const ep_poller *p = (const ep_poller *)poller;
  return p->fd;
}

static int make_place(ep_poller *p, int fd) {
  size_t least = (size_t)fd + 1, size = p->size < 64 ? 64 : p->size;
  if (least <= p->size) return 0;
  while (size < least) size *= 2;
  ep_place *places = (ep_place *)realloc(p->places, size * sizeof *places);
  if (places == NULL) return ENOMEM;
  memset(places + p->size, 0, (size - p->size) * sizeof *places);
  p->places = places;
  p->size = size;
  return 0;
}

/* 0 or errno. */
static int watch_for(ep_poller *p, int fd, void *data) {
  int err = make_place(p, fd);
  if (err != 0) return err;
  ep_place *place = &p->places[fd];
  struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                          .data = {.u64 = (uint64_t)(place->times + 1) << 32 | (uint32_t)fd}};
  if (epoll_ctl(p->fd, EPOLL_CTL_ADD, fd, &e) != 0) return errno;
  place->data = data;
  place->times++;
  return 0;
}

/* NULL: the file of a descriptor that was closed by its number. */
static void *who_watches(const ep_poller *p, uint64_t told) {
  const ep_place *place = &p->places[(uint32_t)told];
  return place->times == (uint32_t)(told >> 32) ? place->data : NULL;
}

/* A descriptor can be watched once. If it is already (by another object over the same number), a
   copy is watched, as of a foreign one; `*slot` is the copy + 1 then. */
static int ep_add(cs_poller *poller, int fd, bool foreign, void *data, unsigned *slot) {
  ep_poller *p = (ep_poller *)poller;
  int copy, err = foreign ? EEXIST : watch_for(p, fd, data);
  *slot = 0;
  if (err != EEXIST) return err;
  err = cs_fd_dup(fd, &copy);
  if (err != 0) return err;
  err = watch_for(p, copy, data);
  if (err == 0)
    *slot = (unsigned)copy + 1;
  else
    cs_fd_close(copy);
  return err;
}

static void ep_remove(cs_poller *poller, int fd, unsigned slot) {
  ep_poller *p = (ep_poller *)poller;
  struct epoll_event unused = {.events = 0};
  int watched = slot == 0 ? fd : (int)slot - 1;
  if (p != NULL) {
    /* A failure means that it is not there, or that its file cannot be had any more. */
    epoll_ctl(p->fd, EPOLL_CTL_DEL, watched, &unused);
    p->places[watched].data = NULL;
  }
  if (slot != 0) cs_fd_close(watched);
}

/* epoll_wait's timeout: milliseconds, rounded up so that no wait ends early. */
static int milliseconds(int64_t left) {
  if (left == CS_FOREVER) return -1;
  int64_t ms = left / 1000000 + (left % 1000000 != 0);
  return ms > INT_MAX ? INT_MAX : (int)ms;
}

/* Waits to the nanosecond where the kernel can (Linux 5.11; not every libc has a function for it):
   whoever is called every millisecond would be late otherwise by up to one, and miss calls. Some
   containers' filters say EPERM of what they do not know. The kernel's numbers have 64 bits on
   every machine. */
static int ep_sleep(ep_poller *p, int max, int64_t left, const sigset_t *mask) {
#ifdef SYS_epoll_pwait2
  if (!p->coarse && left != CS_FOREVER && left % 1000000 != 0) {
    const int64_t t[2] = {left / 1000000000, left % 1000000000};
    long got = syscall(SYS_epoll_pwait2, p->fd, p->events, max, t, mask, (size_t)(_NSIG / 8));
    if (got >= 0 || (errno != ENOSYS && errno != EPERM)) return (int)got;
    p->coarse = true;
  }
#endif
  return epoll_pwait(p->fd, p->events, max, milliseconds(left), mask);
}

static int ep_wait(cs_poller *poller, int64_t left, const sigset_t *mask, cs_event *events,
                   unsigned max, unsigned *n) {
  ep_poller *p = (ep_poller *)poller;
  int got = ep_sleep(p, max < EPOLL_POLLER_BATCH ? (int)max : EPOLL_POLLER_BATCH, left, mask);
  *n = 0;
  if (got < 0) return errno;
  for (int i = 0; i < got; i++) {
    unsigned bits = p->events[i].events;
    unsigned ready = 0;
    if (bits & (EPOLLIN | EPOLLPRI)) ready |= CS_READ;
    if (bits & EPOLLOUT) ready |= CS_WRITE;
    if (bits & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) ready |= CS_READ | CS_HANGUP;
    if (bits & (EPOLLHUP | EPOLLERR)) ready |= CS_WRITE;
    events[i].data = who_watches(p, p->events[i].data.u64);
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
