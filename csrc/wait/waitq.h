/* waitq.h: queues of tasks that wait for the same thing, first come first served. */
#ifndef CS_WAITQ_H
#define CS_WAITQ_H

#include "../sys/list.h"

typedef struct cs_waitq {
  cs_list tasks;
  unsigned woken; /* tasks that were woken from it, one at a time, and have not run yet: what they
                     were woken for is theirs, so they come before who stands in it */
} cs_waitq;

/* Whether somebody who comes now has others before him. */
static inline bool cs_waitq_in_use(const cs_waitq *q) {
  return q->tasks.last != NULL || q->woken > 0;
}

static inline bool cs_waitq_empty(const cs_waitq *q) {
  return q->tasks.last == NULL;
}

#endif
