/* records.h: the records of the loop and of its tasks, and who waits for what.
 *
 * A task is a coroutine that the loop resumes. It waits for at most one thing at a time: in a
 * queue (of a handle's readers or writers, of another task's joiners ...), for its timer, or both.
 */
#ifndef CS_RECORDS_H
#define CS_RECORDS_H

#include "op.h"
#include "../loop/turn_end.h"
#include "../sys/bytes.h"
#include "../sys/poller.h"
#include "../sys/timers.h"

/* What the hub is to send to a peer. */
typedef struct cs_out {
  cs_turn_end end; /* entered when it is to be sent at the turn's end */
  cs_watched *w;
  struct cs_out *spare; /* the next one, while it is itself a spare */
  cs_bytes bytes;
  size_t sent; /* bytes that went since something waits */
  bool held;   /* nothing is received meanwhile */
  int failed;  /* errno of sending, to be told when nothing more can be received */
} cs_out;

/* What one task serves for many: see hub.c. */
typedef struct cs_hub {
  cs_waitq waiters;   /* the task, while it waits */
  cs_watched *last;   /* of those that are ready: a circular list, as in cs_waitq */
  unsigned count;     /* of them */
  unsigned turn;      /* of them, those that are to be served in this turn */
  cs_watched *served; /* the one that the task is serving */
  unsigned left;      /* datagrams that this one may still receive in this turn */
  cs_out *spares;
  unsigned nspares;
} cs_hub;

/* A task's wait for one of several descriptors, by a poller of its own that joins them: joined.c.
 */
typedef struct cs_joined {
  const cs_class *cls;
  cs_watched w;
  struct cs_task *task;
  struct cs_joined *next, **link; /* in the loop's list */
} cs_joined;

typedef struct cs_loop {
  const cs_class *cls;
  cs_state *state;
  const cs_poller_ops *ops;
  cs_poller *poller;
  struct cs_task *current; /* the task that runs now, or NULL */
  lua_State *innermost;    /* the coroutine that csock.resume entered last in it, or its own */
  bool passing;            /* the yield under way is a wait, for csock.resume to pass on */
  bool stuck;              /* one of the coroutines around the innermost one cannot yield */
  int budget;              /* operations that the current task may still do in this turn */
  bool running, stopped;
  unsigned events_waited; /* tasks that wait for a descriptor or another source outside */
  unsigned live;          /* tasks that have not finished */
  cs_waitq ready;         /* tasks to resume in the next turn */
  unsigned round;         /* of resuming those: they remember in which one they became ready */
  cs_timers timers;
  cs_hub hub;
  cs_turn_end ends;    /* what is to be done at the turn's end: see turn_end.c */
  bool put_off;        /* ... of which it was decided to look for events first */
  cs_joined *joined;   /* the waits for several descriptors: joined.c */
  unsigned generation; /* CS_W_WATCHED, and the generation: another one after each fork */
  const int *here;     /* 0 in a child of the process that made the poller */
  cs_event *events;    /* of the turn under way; those not yet dispatched: next .. count */
  unsigned next, count;
} cs_loop;

#define CS_BUDGET 64 /* operations of one task before the others have a turn */

/* How a task stands. */
enum {
  CS_TASK_READY,
  CS_TASK_RUNNING,
  CS_TASK_WAITING,
  CS_TASK_DONE,
  CS_TASK_FAILED,
  CS_TASK_CANCELLED
};

typedef struct cs_task {
  const cs_class *cls;
  /* What every wait touches stands together. */
  cs_loop *loop;
  lua_State *co;        /* kept by the task object's user value; its stack has the results */
  cs_waitq *queue;      /* where the task stands, or NULL */
  struct cs_task *next; /* in that queue */
  cs_waitq *turn;    /* it was woken from there and has not run yet: a cancel passes the turn on */
  cs_joined *joined; /* its wait for several descriptors, or NULL */
  int64_t until;     /* when the timer is to resume it */
  unsigned round;    /* see cs_loop */
  uint8_t status;    /* CS_TASK_* */
  bool timed_out;    /* why it was resumed */
  bool daemon;       /* does not keep the loop running */
  bool doomed;       /* it cancelled itself */
  bool outside;      /* counted in events_waited */
  bool observed;     /* somebody will ask for its error: do not report it */
  cs_timer timer;    /* may be set earlier than needed: the loop sees to that */
  cs_op op;          /* what it waits for */
  cs_waitq joiners;
  int anchor; /* its place in the table that keeps live tasks */
} cs_task;

extern const cs_class cs_task_class;

/* A task's user values. */
enum { CS_TASK_THREAD = 1, CS_TASK_CALLBACKS };

/* What the poller is to report to the first in a line: CS_READ or CS_WRITE. */
#define cs_watched_readers_want(w) ((w)->flags & CS_W_READ_OUT ? CS_WRITE : CS_READ)
#define cs_watched_writers_want(w) ((w)->flags & CS_W_WRITE_IN ? CS_READ : CS_WRITE)

/* Whether the handle is in the loop's poller. */
#define cs_is_watched(loop, w) (((w)->flags & (CS_W_LOOP | CS_W_WATCHED)) == (loop)->generation)

/* --- queues (waitq.c) --- */

void cs_waitq_append(cs_waitq *q, cs_task *task);
void cs_waitq_prepend(cs_waitq *q, cs_task *task);
cs_task *cs_waitq_take(cs_waitq *q);  /* the first, or NULL */
void cs_task_withdraw(cs_task *task); /* out of its queue; no event is awaited any more */
void cs_task_ready(cs_task *task);
void cs_task_enter(cs_task *task); /* among the ready, when it stands nowhere */

/* Makes the tasks in the queue ready, or the first of them. */
void cs_waitq_wake(cs_waitq *q, bool all);

/* The first one's turn has come, unless it is another one's already. */
static inline void cs_waitq_wake_next(cs_waitq *q) {
  if (q->last != NULL && q->woken == 0) cs_waitq_wake(q, false);
}

/* --- what the hub has to do (hub.c) --- */

void cs_hub_append(cs_hub *hub, cs_watched *w);
cs_watched *cs_hub_take(cs_hub *hub);
void cs_hub_ready(cs_loop *loop, cs_watched *w); /* the poller reported something, or so */
void cs_hub_unlist(cs_hub *hub, cs_watched *w);
void cs_hub_forget(cs_hub *hub, cs_watched *w); /* out of the list; nothing is sent any more */
unsigned cs_hub_due(const cs_watched *w); /* CS_READ, CS_WRITE, CS_HANGUP (something else): to do */
unsigned cs_hub_wants(const cs_watched *w); /* ... and what is to be reported */

cs_out *cs_out_make(cs_hub *hub, cs_watched *w); /* NULL: no memory */
void cs_out_drop(cs_hub *hub, cs_watched *w);
void cs_out_free_spares(cs_hub *hub);

/* --- handles (watched.c; what others need of it is in watched.h) --- */

int cs_watched_add(cs_loop *loop, cs_watched *w);     /* in the poller from now on */
void cs_watched_forget(cs_loop *loop, cs_watched *w); /* before its descriptor is closed */
void cs_watched_tell(cs_loop *loop, cs_watched *w);   /* to a level-triggered backend: who waits */

/* The task stands among the handle's readers or writers: as its op's `line` says where it is the
   op's handle, else as `want` does. 0 or errno. `again`: it has waited for this before, and keeps
   its place. */
int cs_park_on(cs_task *task, cs_watched *w, int want, bool again);

/* --- several descriptors (joined.c) --- */

/* For what the task's op says. The stack has grown by an owner, unless it fails: errno. */
int cs_joined_begin(lua_State *L, cs_task *task);
void cs_joined_end(cs_task *task);
void cs_joined_open(lua_State *L);

/* --- a task's wait (park.c) --- */

/* The current task, for an operation that must suspend it. Raises in a coroutine inside the task
   that csock.resume did not enter, and where Lua cannot yield; NULL when the task is being closed.
   `call` is for the message. */
cs_task *cs_park_task(lua_State *L, cs_loop *loop, const char *call);

/* Enters the current task in the queue for what its op wants (CS_READABLE ...), and sets its timer
   to the op's deadline. `again`: it has waited for this before, and keeps its place. 0 or errno. */
int cs_park(lua_State *L, cs_task *task, int want, bool again);
void cs_park_over(lua_State *L, cs_task *task); /* undoes what cs_park left on the stack */

#endif
