/* poller_host.c: a host's own loop, which watches the descriptors and says what it has seen.
 *
 * The host is told when a direction is wanted that it does not watch. What nobody wants any more it
 * goes on watching, since most is soon wanted again; it is told when such an event comes. */
#include "poller.h"
#include "clock.h"
#include "fd.h"

#include <stdlib.h>

#define PH_NONE UINT_MAX

typedef struct ph_entry {
  void *data;  /* NULL: the place is free */
  int fd;      /* that the host watches */
  bool copy;   /* ... is a copy of a foreign one */
  bool queued; /* something was seen of it; it stands in the queue, even if it was removed since */
  unsigned wanted;  /* as poller.h says */
  unsigned watched; /* what the host was told */
  unsigned seen;
  unsigned next; /* the free places, in a list */
} ph_entry;

typedef struct ph_poller {
  const cs_poller_host *host;
  ph_entry *entries;
  unsigned room, first_free;
  unsigned *places; /* by descriptor: its entry's place */
  unsigned numbers; /* ... of which there are so many */
  unsigned *queue;  /* the entries of which something was seen, a ring as large as `entries` */
  unsigned begin, queued;
} ph_poller;

static int ph_make(cs_poller **p, const cs_poller_host *host) {
  ph_poller *made = (ph_poller *)calloc(1, sizeof *made);
  if (made == NULL) return ENOMEM;
  made->host = host;
  made->first_free = PH_NONE;
  *p = made;
  return 0;
}

static void ph_watch(const ph_poller *p, ph_entry *e, unsigned directions) {
  if (e->watched == directions) return;
  e->watched = directions;
  p->host->watch(p->host->ud, e->fd, directions);
}

/* In a child what the host has is the parent's too, or gone: it is told nothing. */
static void ph_free(cs_poller *poller, bool forked) {
  ph_poller *p = (ph_poller *)poller;
  for (unsigned i = 0; i < p->room; i++) {
    if (p->entries[i].data == NULL) continue;
    if (!forked) ph_watch(p, &p->entries[i], 0);
    if (p->entries[i].copy) cs_fd_close(p->entries[i].fd);
  }
  free(p->entries);
  free(p->places);
  free(p->queue);
  free(p);
}

static int ph_fileno(const cs_poller *poller) {
  const ph_poller *p = (const ph_poller *)poller;
  (void)p;
  return -1;
}

static int grow_entries(ph_poller *p) {
  unsigned room = p->room == 0 ? 16 : p->room * 2;
  unsigned *queue = (unsigned *)malloc(room * sizeof *queue);
  ph_entry *entries =
      queue != NULL ? (ph_entry *)realloc(p->entries, room * sizeof *entries) : NULL;
  if (entries == NULL) {
    free(queue);
    return ENOMEM;
  }
  for (unsigned i = 0; i < p->queued; i++) queue[i] = p->queue[(p->begin + i) % p->room];
  for (unsigned i = p->room; i < room; i++) {
    memset(&entries[i], 0, sizeof entries[i]);
    entries[i].next = i + 1 < room ? i + 1 : p->first_free;
  }
  free(p->queue);
  p->queue = queue;
  p->begin = 0;
  p->entries = entries;
  p->first_free = p->room;
  p->room = room;
  return 0;
}

static int grow_numbers(ph_poller *p, int fd) {
  unsigned numbers = p->numbers == 0 ? 64 : p->numbers;
  while (numbers <= (unsigned)fd) numbers *= 2;
  unsigned *places = (unsigned *)realloc(p->places, numbers * sizeof *places);
  if (places == NULL) return ENOMEM;
  for (unsigned i = p->numbers; i < numbers; i++) places[i] = PH_NONE;
  p->places = places;
  p->numbers = numbers;
  return 0;
}

static ph_entry *find_entry(const ph_poller *p, int fd) {
  if (fd < 0 || (unsigned)fd >= p->numbers || p->places[fd] == PH_NONE) return NULL;
  return &p->entries[p->places[fd]];
}

/* As with epoll, a descriptor can be watched once: a second object over the same number, and one
   that somebody else may close, gets a copy. */
static int ph_add(cs_poller *poller, int fd, bool foreign, void *data, unsigned *slot) {
  ph_poller *p = (ph_poller *)poller;
  int watched = fd;
  bool copy = foreign || find_entry(p, fd) != NULL;
  int err = copy ? cs_fd_dup(fd, &watched) : 0;
  if (err == 0 && p->first_free == PH_NONE) err = grow_entries(p);
  if (err == 0 && (unsigned)watched >= p->numbers) err = grow_numbers(p, watched);
  if (err != 0) {
    if (copy && watched != fd) cs_fd_close(watched);
    return err;
  }
  *slot = p->first_free;
  ph_entry *e = &p->entries[*slot];
  p->first_free = e->next;
  memset(e, 0, sizeof *e);
  e->data = data;
  e->fd = watched;
  e->copy = copy;
  p->places[watched] = *slot;
  return 0;
}

static void ph_want(cs_poller *poller, unsigned slot, unsigned directions) {
  ph_poller *p = (ph_poller *)poller;
  ph_entry *e = &p->entries[slot];
  e->wanted = directions;
  if (directions & ~e->watched) ph_watch(p, e, directions | e->watched);
}

static void free_place(ph_poller *p, unsigned slot) {
  p->entries[slot].next = p->first_free;
  p->first_free = slot;
}

static void ph_remove(cs_poller *poller, int fd, unsigned slot) {
  ph_poller *p = (ph_poller *)poller;
  (void)fd;
  if (p == NULL) return;
  ph_entry *e = &p->entries[slot];
  ph_watch(p, e, 0);
  p->places[e->fd] = PH_NONE;
  if (e->copy) cs_fd_close(e->fd);
  e->data = NULL;
  if (!e->queued) free_place(p, slot);
}

/* Something was seen of the entry at this place. */
static void note_seen(ph_poller *p, unsigned slot, unsigned ready) {
  ph_entry *e = &p->entries[slot];
  unsigned news = ready & (e->wanted | CS_HANGUP);
  if (e->wanted != 0) e->seen |= news;
  if ((e->watched & ready & ~e->wanted) != 0 || e->wanted == 0) ph_watch(p, e, e->wanted);
  if (e->wanted == 0 || news == 0 || e->queued) return;
  e->queued = true;
  p->queue[(p->begin + p->queued++) % p->room] = slot;
}

int cs_poller_host_feed(cs_poller *poller, int fd, unsigned ready) {
  ph_poller *p = (ph_poller *)poller;
  if (find_entry(p, fd) == NULL) return ENOENT;
  if (ready & CS_HANGUP) ready |= CS_READ | CS_WRITE;
  note_seen(p, p->places[fd], ready);
  return 0;
}

bool cs_poller_host_fed(const cs_poller *poller) {
  const ph_poller *p = (const ph_poller *)poller;
  return p->queued > 0;
}

/* The program runs its loop itself, instead of the host: who is wanted is asked for. */
static int look(ph_poller *p, int64_t left, const sigset_t *mask) {
  struct pollfd *fds = (struct pollfd *)malloc((p->room + 1) * sizeof *fds);
  if (fds == NULL) return ENOMEM;
  for (unsigned i = 0; i < p->room; i++) {
    const ph_entry *e = &p->entries[i];
    bool asked = e->data != NULL && e->wanted != 0;
    fds[i].fd = asked ? e->fd : -1;
    fds[i].events = (short)((e->wanted & CS_READ ? POLLIN | POLLPRI : 0) |
                            (e->wanted & CS_WRITE ? POLLOUT : 0));
    fds[i].revents = 0;
  }
  int got, err = cs_poller_sleep(fds, p->room, left, mask, &got);
  for (unsigned i = 0; i < p->room && err == 0; i++)
    if (fds[i].revents != 0) note_seen(p, i, cs_poller_bits(fds[i].revents));
  free(fds);
  return err;
}

static int ph_wait(cs_poller *poller, int64_t left, const sigset_t *mask, cs_event *events,
                   unsigned max, unsigned *n) {
  ph_poller *p = (ph_poller *)poller;
  int err = left != 0 && p->queued == 0 ? look(p, left, mask) : 0;
  *n = 0;
  while (err == 0 && p->queued > 0 && *n < max) {
    unsigned slot = p->queue[p->begin];
    ph_entry *e = &p->entries[slot];
    p->begin = (p->begin + 1) % p->room;
    p->queued--;
    e->queued = false;
    if (e->data == NULL) {
      free_place(p, slot);
      continue;
    }
    events[*n].data = e->data;
    events[*n].ready = e->seen;
    ++*n;
    e->seen = e->wanted = 0;
  }
  return err;
}

const cs_poller_ops cs_poller_of_host = {
    .name = "host",
    .make = ph_make,
    .free = ph_free,
    .fileno = ph_fileno,
    .add = ph_add,
    .want = ph_want,
    .remove = ph_remove,
    .wait = ph_wait,
};
