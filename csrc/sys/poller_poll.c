/* poller_poll.c: poll(2), for every system. Level-triggered: watches what `want` says. */
#include "poller.h"
#include "clock.h"
#include "fd.h"

#include <stdlib.h>

typedef struct po_entry {
  void *data;
  unsigned *slot; /* the owner's note of the index, which moves */
  int copy;       /* of a foreign descriptor, or -1 */
} po_entry;

typedef struct po_poller {
  struct pollfd *fds; /* fd is ~fd (negative: ignored) while nothing is wanted of it */
  po_entry *entries;
  unsigned count, room;
  unsigned first; /* where to look for events first: behind the last one that was given */
} po_poller;

static int po_make(cs_poller **p, const cs_poller_host *host) {
  (void)host;
  *p = calloc(1, sizeof(po_poller));
  return *p == NULL ? ENOMEM : 0;
}

static void po_free(cs_poller *poller, bool forked) {
  po_poller *p = (po_poller *)poller;
  (void)forked; /* the child has copies of the descriptors */
  for (unsigned i = 0; i < p->count; i++)
    if (p->entries[i].copy >= 0) cs_fd_close(p->entries[i].copy);
  free(p->fds);
  free(p->entries);
  free(p);
}

static int po_fileno(const cs_poller *poller) {
  const po_poller *p = (const po_poller *)poller;
  (void)p;
  return -1;
}

static int grow_poller(po_poller *p) {
  unsigned room = p->room == 0 ? 16 : p->room * 2;
  struct pollfd *fds = (struct pollfd *)realloc(p->fds, room * sizeof *fds);
  if (fds == NULL) return ENOMEM;
  p->fds = fds;
  po_entry *entries = (po_entry *)realloc(p->entries, room * sizeof *entries);
  if (entries == NULL) return ENOMEM;
  p->entries = entries;
  p->room = room;
  return 0;
}

static int po_add(cs_poller *poller, int fd, bool foreign, void *data, unsigned *slot) {
  po_poller *p = (po_poller *)poller;
  int copy = -1;
  int err = p->count == p->room ? grow_poller(p) : 0;
  if (err == 0 && foreign) err = cs_fd_dup(fd, &copy);
  if (err != 0) return err;
  p->fds[p->count] = (struct pollfd){.fd = ~(foreign ? copy : fd)};
  p->entries[p->count] = (po_entry){.data = data, .slot = slot, .copy = copy};
  *slot = p->count++;
  return 0;
}

static void po_want(cs_poller *poller, unsigned slot, unsigned directions) {
  po_poller *p = (po_poller *)poller;
  struct pollfd *f = &p->fds[slot];
  int fd = f->fd < 0 ? ~f->fd : f->fd;
  f->events = (short)((directions & CS_READ ? POLLIN | POLLPRI : 0) |
                      (directions & CS_WRITE ? POLLOUT : 0));
  f->fd = directions != 0 ? fd : ~fd;
}

static void po_remove(cs_poller *poller, int fd, unsigned slot) {
  po_poller *p = (po_poller *)poller;
  (void)fd;
  if (p == NULL) return;
  if (p->entries[slot].copy >= 0) cs_fd_close(p->entries[slot].copy);
  unsigned last = --p->count;
  if (slot == last) return;
  p->fds[slot] = p->fds[last];
  p->entries[slot] = p->entries[last];
  *p->entries[slot].slot = slot;
}

int cs_poller_sleep(struct pollfd *fds, unsigned nfds, int64_t left, const sigset_t *mask,
                    int *got) {
#if CS_HAVE_PPOLL
  struct timespec t = cs_clock_timespec(left);
  *got = ppoll(fds, nfds, left == CS_FOREVER ? NULL : &t, mask);
  return *got < 0 ? errno : 0;
#else
  /* A signal just before the sleep goes unnoticed by it, so none lasts more than a second. */
  sigset_t before;
  int64_t ms = left > 1000000000 ? 1000 : (left + 999999) / 1000000;
  if (mask != NULL) pthread_sigmask(SIG_SETMASK, mask, &before);
  *got = poll(fds, (nfds_t)nfds, (int)ms);
  int err = *got < 0 ? errno : 0;
  if (mask != NULL) pthread_sigmask(SIG_SETMASK, &before, NULL);
  return err;
#endif
}

unsigned cs_poller_bits(short bits) {
  unsigned ready = 0;
  if (bits & (POLLIN | POLLPRI)) ready |= CS_READ;
  if (bits & POLLOUT) ready |= CS_WRITE;
  if (bits & (POLLHUP | POLLERR | POLLNVAL)) ready |= CS_READ | CS_WRITE | CS_HANGUP;
  return ready;
}

static int po_wait(cs_poller *poller, int64_t left, const sigset_t *mask, cs_event *events,
                   unsigned max, unsigned *n) {
  po_poller *p = (po_poller *)poller;
  *n = 0;
  int got, err = cs_poller_sleep(p->fds, p->count, left, mask, &got);
  if (err != 0) return err;
  for (unsigned k = 0, start = p->first; k < p->count && got > 0 && *n < max; k++) {
    unsigned i = (start + k) % p->count;
    short bits = p->fds[i].fd < 0 ? 0 : p->fds[i].revents;
    if (bits == 0) continue;
    events[*n].data = p->entries[i].data;
    events[*n].ready = cs_poller_bits(bits);
    ++*n;
    got--;
    po_want(p, i, 0);
    p->first = i + 1;
  }
  return 0;
}

const cs_poller_ops cs_poller_poll = {
    .name = "poll",
    .make = po_make,
    .free = po_free,
    .fileno = po_fileno,
    .add = po_add,
    .want = po_want,
    .remove = po_remove,
    .wait = po_wait,
};
