/* driver.h: attempts, and the one place that waits.
 *
 * Every operation that may block is an attempt: a C function that tries once, without blocking,
 * and either pushes its results or says what it needs. cs_drive runs it to its end; how it waits in
 * between (not at all, in ppoll(2), or by suspending a task) is no business of the operation.
 *
 * An attempt may be called again in a new C frame: it keeps what it must remember in the op, and
 * everything that it points at on the Lua stack of the call (which stays as it is while waiting).
 */
#ifndef CS_DRIVER_H
#define CS_DRIVER_H

#include "error.h"

struct cs_task;

/* Tasks that wait for the same thing, first come first served: a circular list, known by its last
   member. */
typedef struct cs_queue {
  struct cs_task *last; /* NULL: empty */
  unsigned woken;       /* how many have left it and are ready: they come before who stands in it */
} cs_queue;

/* A descriptor that can be waited on; part of sockets, streams, epoll objects, the resolver. */
typedef struct cs_handle {
  cs_state *state;
  int fd;         /* -1 when closed */
  unsigned flags; /* CS_H_* */
  /* The loop's: */
  cs_queue readers, writers;
  unsigned slot; /* the poller's note */
  /* The hub's: */
  int object;             /* its object's place, or 0 */
  struct cs_handle *next; /* in the list of those that are ready, or NULL */
} cs_handle;

#define CS_H_NONBLOCK  1u  /* O_NONBLOCK is on */
#define CS_H_SOCKET    2u  /* a socket: MSG_DONTWAIT works, where the flag above is off */
#define CS_H_FILE      4u  /* regular file: always ready, cannot be polled by epoll */
#define CS_H_ALL       8u  /* an event is for every waiter, not for the first */
#define CS_H_WATCHED   16u /* the loop's poller has it; then these tell what it reported: */
#define CS_H_READ      32u
#define CS_H_WRITE     64u
#define CS_H_HANGUP    128u  /* the end of the stream, or an error, is to be read */
#define CS_H_BORROWED  256u  /* O_NONBLOCK is on for just one system call */
#define CS_H_CONNECTED 512u  /* a connect that had to wait has succeeded; connect.c's */
#define CS_H_HUB_READ  1024u /* the hub asks whether it is readable */
#define CS_H_HUB_WRITE 2048u
#define CS_H_LOOP      0xffff0000u /* which generation of the loop CS_H_WATCHED is about */

/* A stream that gave less than there was room for is drained: the loop need not ask again before
   the next event. Called by attempts that read from or write to a stream. */
#define cs_drained(h) ((h)->flags & CS_H_HANGUP ? 0u : ((h)->flags &= ~CS_H_READ))
#define cs_filled(h)  ((h)->flags &= ~CS_H_WRITE)

#define CS_PAUSE_NS 10000000 /* 10 ms */

typedef struct cs_op cs_op;
typedef int (*cs_attempt)(lua_State *L, cs_op *op);

/* What an attempt returns: the number of results that it pushed, or one of these. */
#define CS_READABLE (-1) /* would block: again when op->h is readable */
#define CS_WRITABLE (-2)
#define CS_ANY      (-3) /* again when one of op->fds has an event */
#define CS_AGAIN    (-4) /* made progress, is not done: call again after a look at the deadline */
#define CS_PARK     (-6) /* again when woken (cs_wake) from the queue op->ptr; NULL: sleep */
#define CS_AWAIT    (-8) /* the same, and what wakes it comes from outside */
#define CS_YIELD    (-7) /* again when the other tasks have had their turn */
#define CS_PAUSE    (-5) /* nothing to wait on (a full backlog): call again in a little while */

struct cs_op {
  const char *call; /* for errors: a literal, "recv" */
  cs_attempt attempt;
  cs_attempt next; /* for attempts that come before another one (a name look-up) */
  /* NULL, or what to push when the driver ends the wait with an error: EAGAIN (timeout 0),
     ETIMEDOUT, EBADF (closed meanwhile) ... Default: cs_fail(L, call, err). */
  int (*fail)(lua_State *L, cs_op *op, int err);
  cs_handle *h;     /* the handle waited on; the object that holds it is on the stack */
  int64_t timeout;  /* ns; 0 = never wait; CS_FOREVER */
  int64_t deadline; /* the driver's: set when the first wait begins */
  int8_t first; /* CS_READABLE, CS_WRITABLE: what is needed before a first try is worth it; or 0 */
  bool closed;  /* the object was closed before the call: EBADF */
  unsigned nfds;
  /* The operation's own. */
  const char *data; /* bytes of a value on the stack */
  size_t size;
  size_t done;
  int flags;
  int slot; /* a stack index */
  int last; /* another one */
  unsigned mark;
  void *ptr;
  struct pollfd *fds; /* for CS_ANY: op->nfds of them */
};

/* Starts an op; every other field is zero. Field by field, since compilers make `rep stos` of a
   memset of this size, which takes longer than the rest of a call's preparation. */
static inline void cs_op_init(cs_op *op, const char *call, cs_attempt attempt, cs_handle *h,
                              int64_t timeout) {
  op->call = call;
  op->attempt = attempt;
  op->next = NULL;
  op->fail = NULL;
  op->h = h;
  op->timeout = timeout;
  op->deadline = 0;
  op->first = 0;
  op->closed = false;
  op->data = NULL;
  op->size = op->done = 0;
  op->flags = op->slot = op->last = 0;
  op->mark = op->nfds = 0;
  op->ptr = NULL;
  op->fds = NULL;
}

/* Runs the op to its end; returns the number of results on the stack. Called last, as
   `return cs_drive(L, &op);`. Raises only what the interpreter's hook raises (Ctrl-C), what the
   attempt raises, and, in a task's inner coroutine, that it cannot wait there. */
int cs_drive(lua_State *L, cs_op *op);

/* Whether a task runs now: its sockets are better non-blocking from birth. */
bool cs_in_task(const cs_state *state);

/* Sleeps until one of the descriptors has an event, outside any task. Gives the interpreter's hook
   its chance on each signal, also when L is not the main thread. 0, ETIMEDOUT, or poll's errno.
   `deadline` is an instant. */
int cs_sleep_poll(lua_State *L, struct pollfd *fds, unsigned nfds, int64_t deadline);

/* Runs the interpreter's hook if one is set (Ctrl-C): raises what it raises. */
void cs_check_interrupt(lua_State *L);
bool cs_interrupt_pending(lua_State *L);

/* Calls without a per-call flag (accept, connect, sendfile) stand between these two, which make a
   blocking descriptor non-blocking for just that system call. They ask the kernel how it is: a
   copy of the descriptor may have changed it. Neither raises; the second keeps errno. */
void cs_nonblock_begin(cs_handle *h);
void cs_nonblock_end(cs_handle *h);

/* Closes the descriptor (once; later calls return 0) and wakes whoever waits on it. */
int cs_handle_close(cs_handle *h);

/* Makes all tasks try again that wait on it. */
void cs_handle_wake(cs_handle *h);

/* The first who waits to read tries again: there is something that the kernel will not tell of. */
void cs_handle_pass(cs_handle *h);

/* --- the end of a turn (loop_turn.c) --- */

/* Something to be done once before the loop sleeps; part of an object that leaves when it ends.
   `run` raises nothing. */
typedef struct cs_turn_end {
  struct cs_turn_end *next, *before; /* NULL: not entered */
  void (*run)(lua_State *L, struct cs_turn_end *end);
} cs_turn_end;

/* False: the loop does not run, there is no turn that could end. Entering twice is once. */
bool cs_turn_enter(const cs_state *state, cs_turn_end *end);
void cs_turn_leave(cs_turn_end *end);

/* Does it now. */
void cs_turn_over(lua_State *L, const cs_state *state);

/* Pushes a task that runs the function and `nargs` arguments on the top of the stack (which it
   takes); whether the value at `idx` is such a task, and not over yet. */
void cs_turn_spawn(lua_State *L, const cs_state *state, int nargs);
bool cs_turn_spawned(lua_State *L, int idx);

/* Gives the descriptor away: like closing, but it stays open. */
int cs_handle_release(cs_handle *h);

#endif
