/* unpark.h: a task waits no more, and why. */
#ifndef CS_UNPARK_H
#define CS_UNPARK_H

#include "records.h"

/* The task leaves the queue where it stands, and the poller need not be asked for it any more. It
   is for the caller to resume it, or to see to its end. */
void cs_unpark(cs_task *task, cs_why why);

/* The same, and it goes on in the loop's next round. */
void cs_unpark_ready(cs_task *task, cs_why why);

/* A task that stands nowhere goes on in the loop's next round. */
void cs_unpark_enter(cs_task *task, cs_why why);

/* Wakes all who stand in the queue; or the first one, whose turn it is then (`woken_from`). */
void cs_unpark_all(cs_waitq *q);
void cs_unpark_first(cs_waitq *q);

/* The first one's turn has come, unless it is another one's already. */
static inline void cs_unpark_next(cs_waitq *q) {
  if (!cs_waitq_empty(q) && q->woken == 0) cs_unpark_first(q);
}

/* The same where what the first in a line waits for is there. */
static inline void cs_watched_readers_next(cs_watched *w) {
  if (cs_watched_readers_due(w)) cs_unpark_next(&w->readers);
}

static inline void cs_watched_writers_next(cs_watched *w) {
  if (cs_watched_writers_due(w)) cs_unpark_next(&w->writers);
}

/* The task owes nobody its turn any more: it runs, or never will. */
void cs_unpark_settle(cs_task *task);

/* The task will not take the turn that it was woken for: it is the next one's. */
void cs_unpark_pass(cs_task *task);

/* The queue's owner goes away, or what it stands for ends: all are woken, and no task points at the
   queue afterwards. `loop`: the queue's, NULL when there is none yet. */
void cs_unpark_end(cs_loop *loop, cs_waitq *q);

#endif
