/* poller.c: which backends this system has, the best first. */
#include "poller.h"

static const cs_poller_ops *const backends[] = {
#if CS_HAVE_EPOLL
    &cs_poller_epoll,
#endif
#if CS_HAVE_KQUEUE
    &cs_poller_kqueue,
#endif
    &cs_poller_poll,
};

const cs_poller_ops *cs_poller_at(unsigned i) {
  return i < CS_COUNT(backends) ? backends[i] : NULL;
}

const cs_poller_ops *cs_poller_find(const char *name) {
  if (name == NULL) return backends[0];
  for (unsigned i = 0; i < CS_COUNT(backends); i++)
    if (strcmp(backends[i]->name, name) == 0) return backends[i];
  return NULL;
}

#if !CS_HAVE_EPOLL && !CS_HAVE_KQUEUE
int cs_poller_join(const struct pollfd *fds, unsigned nfds, int *fd) {
  (void)fds;
  (void)nfds;
  (void)fd;
  return ENOSYS;
}
#endif
