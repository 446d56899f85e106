/* due.c: which descriptors the hub has something to do for: see hub.c. */
#include "due.h"
#include "../wait/unpark.h"

void cs_due_enter(cs_hub *hub, cs_watched *w) {
  if (w->due.next != NULL) return;
  cs_list_append(&hub->due, &w->due);
  hub->count++;
}

void cs_due_leave(cs_hub *hub, cs_watched *w) {
  if (w->due.next == NULL) return;
  cs_list_remove(&hub->due, &w->due);
  hub->count--;
  if (hub->turn > hub->count) hub->turn = hub->count;
}

cs_watched *cs_due_take(cs_hub *hub) {
  hub->count--;
  return CS_MEMBER_OF(cs_list_take(&hub->due), cs_watched, due);
}

static bool parted(const cs_watched *w) {
  return w->out != NULL && w->out->parted;
}

static bool reads(const cs_watched *w) {
  return parted(w) || ((w->flags & CS_W_HUB_READ) && (w->out == NULL || !w->out->held));
}

static bool writes(const cs_watched *w) {
  return (w->flags & CS_W_HUB_WRITE) && !parted(w);
}

unsigned cs_due_wants(const cs_watched *w) {
  unsigned wants = 0;
  if (reads(w) && !cs_watched_readers_due(w)) wants |= cs_watched_readers_want(w);
  if (writes(w) && !cs_watched_writers_due(w)) wants |= cs_watched_writers_want(w);
  return wants;
}

unsigned cs_due(const cs_watched *w) {
  unsigned due = 0;
  if (reads(w) && cs_watched_readers_due(w)) due |= CS_READ;
  if (writes(w) && cs_watched_writers_due(w)) due |= CS_WRITE;
  if (w->out != NULL ? w->out->failed != 0 : (w->flags & CS_W_HUB_SENT) != 0) due |= CS_HANGUP;
  return due;
}

void cs_due_notice(cs_loop *loop, cs_watched *w) {
  if (w == loop->hub->served || cs_due(w) == 0) return;
  cs_due_enter(loop->hub, w);
  cs_unpark_first(&loop->hub->waiters);
}
