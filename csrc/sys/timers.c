/* timers.c: a binary heap whose members know their place, so that any can be moved or removed. */
#include "timers.h"

#include <stdlib.h>

static void put_timer(cs_timers *t, unsigned i, cs_timer *timer) {
  t->heap[i] = timer;
  timer->place = i + 1;
}

/* Moves the timer, which may stand at `i`, to where it belongs. */
static void settle(cs_timers *t, unsigned i, cs_timer *timer) {
  while (i > 0 && t->heap[(i - 1) / 2]->when > timer->when) {
    put_timer(t, i, t->heap[(i - 1) / 2]);
    i = (i - 1) / 2;
  }
  for (;;) {
    unsigned child = 2 * i + 1;
    if (child >= t->count) break;
    if (child + 1 < t->count && t->heap[child + 1]->when < t->heap[child]->when) child++;
    if (t->heap[child]->when >= timer->when) break;
    put_timer(t, i, t->heap[child]);
    i = child;
  }
  put_timer(t, i, timer);
}

int cs_timers_set(cs_timers *t, cs_timer *timer, int64_t when) {
  if (timer->place == 0) {
    if (t->count == t->room) {
      unsigned room = t->room == 0 ? 16 : t->room * 2;
      cs_timer **heap = (cs_timer **)realloc(t->heap, room * sizeof *heap);
      if (heap == NULL) return ENOMEM;
      t->heap = heap;
      t->room = room;
    }
    timer->when = when;
    settle(t, t->count++, timer);
    return 0;
  }
  timer->when = when;
  settle(t, timer->place - 1, timer);
  return 0;
}

void cs_timers_remove(cs_timers *t, cs_timer *timer) {
  if (timer->place == 0) return;
  unsigned i = timer->place - 1;
  cs_timer *last = t->heap[--t->count];
  timer->place = 0;
  if (last != timer) settle(t, i, last);
}

cs_timer *cs_timers_first(const cs_timers *t) {
  return t->count > 0 ? t->heap[0] : NULL;
}

void cs_timers_free(cs_timers *t) {
  for (unsigned i = 0; i < t->count; i++) t->heap[i]->place = 0;
  free(t->heap);
  *t = (cs_timers){0};
}
