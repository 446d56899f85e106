/* poller.h: one interface to the system's ways of waiting for many descriptors; each backend is a
   file of its own. Functions return 0 or an errno value. */
#ifndef CS_POLLER_H
#define CS_POLLER_H

#include "port.h"

#include <signal.h>

#define CS_READ   1u
#define CS_WRITE  2u
#define CS_HANGUP 4u /* the peer has finished, or failed: reading will tell */

typedef struct cs_event {
  void *data;
  unsigned ready; /* CS_* */
} cs_event;

typedef void cs_poller; /* what a backend has made: its own record */

/* A host's loop: it watches a descriptor for these directions from then on (0: not at all). */
typedef struct cs_poller_host {
  void (*watch)(void *ud, int fd, unsigned directions); /* NULL: there is no host */
  void *ud;
} cs_poller_host;

/* What a backend offers. Edge-triggered backends (epoll, kqueue) watch both directions from `add`
   on and report changes; a level-triggered one (poll) watches what `want` last said, and after a
   report no longer that direction. */
typedef struct cs_poller_ops {
  const char *name;
  int (*make)(cs_poller **p, const cs_poller_host *host); /* which is cs_poller_of_host's alone */
  void (*free)(cs_poller *p, bool forked); /* forked: this is a child of who made it */
  int (*fileno)(const cs_poller *p);       /* readable when an event is there; -1: none */
  /* `*slot` is the backend's note about the descriptor; it must stay where it is until `remove`.
     `foreign`: somebody else may close it, and its number be another one's then, so a copy of the
     backend's own is watched. EPERM: such a descriptor cannot be watched (a regular file; to
     kqueue, some devices). */
  int (*add)(cs_poller *p, int fd, bool foreign, void *data, unsigned *slot);
  void (*want)(cs_poller *p, unsigned slot, unsigned directions); /* NULL when edge-triggered */
  /* `p` NULL: that poller is gone, or is another process's; just what the slot stands for. */
  void (*remove)(cs_poller *p, int fd, unsigned slot);
  /* Up to `max` events into `events`; their number into `*n`. `left` in ns, CS_FOREVER for none; a
     wait of more than a second may end early, with no event. With a `mask`, that is the signal mask
     of the sleep alone. EINTR. */
  int (*wait)(cs_poller *p, int64_t left, const sigset_t *mask, cs_event *events, unsigned max,
              unsigned *n);
} cs_poller_ops;

extern const cs_poller_ops cs_poller_epoll, cs_poller_kqueue, cs_poller_poll;

/* The host's loop as a backend, which is chosen by the host alone: `wait` without time to wait
   gives what it was fed with. */
extern const cs_poller_ops cs_poller_of_host;

/* The host has seen this. ENOENT: it was not to watch that descriptor. */
int cs_poller_host_feed(cs_poller *p, int fd, unsigned ready);

/* Whether it has, and `wait` has not given it yet. */
bool cs_poller_host_fed(const cs_poller *p);

/* The backend of that name, or NULL; the best one for name NULL. */
const cs_poller_ops *cs_poller_find(const char *name);

/* The i-th backend that this system has, or NULL. */
const cs_poller_ops *cs_poller_at(unsigned i);

/* poll(2), as `wait` waits: how many have bits set into `*got`; and what the bits are in CS_*. */
int cs_poller_sleep(struct pollfd *fds, unsigned nfds, int64_t left, const sigset_t *mask,
                    int *got);
unsigned cs_poller_bits(short bits);

/* A descriptor that is readable while one of `fds` has an event. ENOSYS where there is none. */
int cs_poller_join(const struct pollfd *fds, unsigned nfds, int *fd);

#endif
