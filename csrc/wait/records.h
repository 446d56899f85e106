/* records.h: what there is to know of a task and of the loop: the record of each.
 *
 * A task is a coroutine that the loop resumes. It waits for one operation at a time, and stands in
 * at most one queue:
 *
 *   status    queue it stands in                          leaves it by
 *   -------   -----------------------------------------   --------------------------------------
 *   READY     the loop's `ready`                          cs_task_resume
 *   RUNNING   none; it is the loop's `current`            park; a pause; its end
 *   WAITING   a watched descriptor's readers or writers,  unpark: an event, a wake-up, its timer,
 *             another task's joiners, a waiters object's, cancel, Ctrl-C
 *             the hub's; none while it sleeps
 *   DONE, FAILED, CANCELLED: none
 *
 * Each thing that others must know is one field, set where it becomes true: why the task was woken
 * (`why`), whether the poller is to be asked for it (`asks`), whose turn it took (`woken_from`).
 */
#ifndef CS_RECORDS_H
#define CS_RECORDS_H

#include "op.h"
#include "../sys/poller.h"
#include "../sys/timers.h"

struct cs_hub;
struct cs_joined;

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
  struct cs_loop *loop;
  lua_State *co;        /* kept by the task object's user value; its stack has the results */
  cs_link link;         /* in the queue where it stands */
  cs_waitq *queue;      /* ... that one, or NULL */
  cs_waitq *woken_from; /* it was woken from there and has not run yet: counted in its `woken` */
  const char *call;     /* what waits, for errors and lists: a literal, "recv" */
  cs_restart restart;   /* what waits is this function, to be run anew; or NULL: */
  cs_op *op;            /* what waits, kept in one of the loop's places, which it gives back */
  int64_t deadline;     /* the operation's; 0: none has been set yet */
  int64_t until;        /* when the timer is to wake it: at the deadline, or after a pause */
  uint8_t status;       /* CS_TASK_* */
  uint8_t why;          /* cs_why */
  bool pausing;         /* `until` is a pause's end */
  bool asks;            /* counted in the loop's `asking`, and in `keeping` unless a daemon */
  bool daemon;          /* does not keep the loop running */
  bool doomed;          /* it is to be cancelled as soon as it yields */
  bool firm;            /* the second Ctrl-C cancels it: ... */
  bool interrupted;     /* ... there was one */
  bool observed;        /* somebody will ask for its error: do not report it */
  unsigned round;       /* see cs_loop */
  cs_timer timer;       /* may be set earlier than needed: the loop sees to that */
  cs_waitq joiners;
  lua_State *preempted; /* the coroutine that yielded as it computed too long, or NULL: hook.c */
  int64_t since;        /* when it began to wait, where that is recorded; else 0 */
  int anchor;           /* its place in the table that keeps live tasks */
} cs_task;

extern const cs_class cs_task_class;

/* A task's user values. */
enum { CS_TASK_THREAD = 1, CS_TASK_CALLBACKS };

/* Who is told of events besides tasks, for descriptors that have an `object`: the reactor's hub. */
typedef struct cs_listener {
  void (*event)(struct cs_loop *loop, cs_watched *w);   /* the poller reported something */
  unsigned (*wants)(const cs_watched *w);               /* CS_READ, CS_WRITE: to be reported */
  void (*renewed)(struct cs_loop *loop, cs_watched *w); /* what was reported before is void */
  void (*forget)(struct cs_loop *loop, cs_watched *w);  /* it is about to be closed */
  void (*forked)(struct cs_loop *loop); /* in a child: nothing of the parent's is to be done */
  void (*closed)(struct cs_loop *loop); /* the state is being closed */
} cs_listener;

typedef struct cs_loop {
  const cs_class *cls;
  cs_state *state;
  const cs_poller_ops *ops;
  cs_poller *poller;
  cs_task *current;     /* the task that runs now, or NULL */
  lua_State *innermost; /* the coroutine that csock.resume entered last in it, or its own */
  bool passing;         /* the yield under way is a wait, for csock.resume to pass on */
  bool stuck;           /* one of the coroutines around the innermost one cannot yield */
  bool running, stopped;
  lua_Hook stays;   /* was there still when it had been run: it is no Ctrl-C's */
  bool recording;   /* tasks note since when they wait */
  int64_t patience; /* ns: who computes for longer in one go is preempted; 0: nobody is */
  int64_t began;    /* ... which began then */
  int budget;       /* operations that the current task may still do in this turn */
  unsigned live;    /* tasks that have not finished, but for daemons: without any, run returns */
  /* Who waits for something outside. `asking`: everybody who wants to hear from the poller, which
     is asked in each turn while there is one: tasks, daemons too, and the hub's objects. `keeping`:
     the tasks among them that are no daemons: without any, and without a timer, nothing that could
     happen would be waited for. */
  unsigned asking, keeping;
  cs_waitq ready; /* tasks to resume in the next turn */
  unsigned round; /* of resuming those: they remember in which one they became ready */
  /* How much a host lets be done in one go; what has been bounded goes on where it stopped. */
  int64_t allowance;  /* ns, from the sleep that it begins with, if any; 0: any time */
  int64_t spent_at;   /* ... then no further task is to be resumed */
  unsigned resumable; /* tasks that may still be resumed; 0: any number */
  int64_t due_by;     /* up to when the timers of this turn are due */
  int64_t alarm;      /* on the system's clock: no turn of this run sleeps for longer */
  uint8_t stopped_in; /* the part of the turn (loop.c) in which that ended, or 0 */
  cs_timers timers;
  cs_list ends;        /* what is to be done at the turn's end: turn_end.c */
  bool put_off;        /* ... of which it was decided to look for events first */
  cs_list joined;      /* the waits for several descriptors: joined.c */
  cs_op *spare_ops;    /* places for operations that wait: park.c */
  cs_task *foreground; /* Ctrl-C is this task's; NULL: whoever runs the loop */
  cs_task *behind;     /* ... and when that is over, this one's, which was it before; or NULL */
  unsigned generation; /* CS_W_WATCHED, and a number: another one after each fork */
  const int *here;     /* 0 in a child of the process that made the poller */
  cs_event *events;    /* of the turn under way; those not yet dispatched: next .. count */
  unsigned next, count;
  const cs_listener *listener;
  struct cs_hub *hub; /* the listener's */
} cs_loop;

#define CS_BUDGET 64 /* operations of one task before the others have a turn */
#define CS_SCANT  8  /* ... where a host allows all of them so much time */

static inline int cs_loop_budget(const cs_loop *loop) {
  return loop->allowance != 0 ? CS_SCANT : CS_BUDGET;
}

/* Whether the time is over that a host allows. */
static inline bool cs_loop_late(const cs_loop *loop) {
  return loop->allowance != 0 && cs_clock_now(&cs_clock_system) >= loop->spent_at;
}

/* What waiting needs of the loop, if there is one. */
typedef struct cs_loop_calls {
  cs_loop *(*get)(lua_State *L); /* made on first use */
  int (*run)(lua_State *L, cs_loop *loop, int64_t deadline, bool once);
  void (*renew)(lua_State *L, cs_loop *loop); /* in the child of a fork */
  /* cs_park, cs_park_over, cs_task_spawn */
  int (*park)(lua_State *L, cs_loop *loop, cs_op *op, int want, bool again, lua_KFunction resumed);
  void (*park_over)(lua_State *L, cs_task *task, cs_op *op);
  cs_task *(*spawn)(lua_State *L, cs_loop *loop, int nargs);
  bool (*lives)(lua_State *L, int idx); /* whether it is a task that is not over */
} cs_loop_calls;

/* What the poller is to report to the first in a line: CS_READ or CS_WRITE. */
#define cs_watched_readers_want(w) ((w)->flags & CS_W_READ_OUT ? CS_WRITE : CS_READ)
#define cs_watched_writers_want(w) ((w)->flags & CS_W_WRITE_IN ? CS_READ : CS_WRITE)

/* Whether the descriptor is in the loop's poller. */
#define cs_is_watched(loop, w) (((w)->flags & (CS_W_LOOP | CS_W_WATCHED)) == (loop)->generation)

#endif
