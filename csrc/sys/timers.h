/* timers.h: a heap of deadlines. A timer is part of its owner's struct; the heap points at it. */
#ifndef CS_TIMERS_H
#define CS_TIMERS_H

#include "port.h"

typedef struct cs_timer {
  int64_t when;   /* the instant, ns */
  unsigned place; /* 1-based index in the heap; 0: not in it */
} cs_timer;

typedef struct cs_timers {
  cs_timer **heap; /* heap[0] is the earliest */
  unsigned count, room;
} cs_timers;

/* Puts the timer in, or moves it to `when`. 0 or ENOMEM (only when it was not in). */
int cs_timers_set(cs_timers *t, cs_timer *timer, int64_t when);
void cs_timers_remove(cs_timers *t, cs_timer *timer);
cs_timer *cs_timers_first(const cs_timers *t); /* NULL when empty */
void cs_timers_free(cs_timers *t);             /* takes all out */

#endif
