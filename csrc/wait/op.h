/* op.h: operations as attempts.
 *
 * Every operation that may block is an attempt: a C function that tries once, without blocking,
 * and either pushes its results or says what it needs. The driver runs it to its end; how it waits
 * in between (not at all, in ppoll(2), or by suspending a task) is no business of the operation.
 *
 * An attempt may be called again in a new C frame: it keeps what it must remember in the op, and
 * everything that it points at on the Lua stack of the call (which stays as it is while waiting).
 */
#ifndef CS_OP_H
#define CS_OP_H

#include "../base/error.h"
#include "watched.h"

#include <poll.h>

#define CS_PAUSE_NS 10000000 /* 10 ms */

struct cs_joined;

typedef struct cs_op cs_op;
typedef int (*cs_attempt)(lua_State *L, cs_op *op);

/* What an attempt returns: the number of results that it pushed, or one of these. */
#define CS_READABLE (-1) /* would block: again when op->w is readable */
#define CS_WRITABLE (-2)
#define CS_ANY      (-3) /* again when one of op->fds has an event */
#define CS_AGAIN    (-4) /* made progress, is not done: call again after a look at the deadline */
#define CS_PARK     (-6) /* again when woken (unpark.h) from the queue op->ptr; NULL: sleep */
#define CS_AWAIT    (-8) /* the same, and what wakes it comes from outside */
#define CS_YIELD    (-7) /* again when the other tasks have had their turn */
#define CS_PAUSE    (-5) /* nothing to wait on (a full backlog): call again in a little while */

/* Why a task that waited goes on. Whoever wakes it says so. */
typedef enum cs_why {
  CS_WHY_NONE,     /* it did not wait: it begins, or has just yielded */
  CS_WHY_EVENT,    /* what it waits for has come, or may have: it tries again */
  CS_WHY_DEADLINE, /* its operation's time is over */
  CS_WHY_PAUSE,    /* a little while is over, and it looks again */
  CS_WHY_TURN,     /* the others have had their turn */
  CS_WHY_FIRST,    /* the same, before its first try: whoever stands in line is before it */
  CS_WHY_INTERRUPT /* an error that is to be raised there was kept for it: of Ctrl-C, or another's
                    */
} cs_why;

/* A Lua function that can simply be run anew after a wait, when it has done nothing before it and
   its arguments alone are on the stack: from its beginning, with the reason in op->why. */
typedef int (*cs_restart)(lua_State *L, cs_why why);

struct cs_op {
  const char *call; /* for errors: a literal, "recv" */
  cs_attempt attempt;
  cs_attempt next; /* for attempts that come before another one (a name look-up) */
  /* NULL, or what to push when the driver ends the wait with an error: EAGAIN (timeout 0),
     ETIMEDOUT, EBADF (closed meanwhile) ... Default: cs_fail(L, call, err). */
  int (*fail)(lua_State *L, cs_op *op, int err);
  cs_watched *w;    /* the descriptor waited on; the object that holds it is on the stack */
  int64_t timeout;  /* ns; 0 = never wait; CS_FOREVER */
  int64_t deadline; /* the driver's: set when the first wait begins */
  /* CS_READABLE: it stands in line with those who read, CS_WRITABLE: with those who write, and a
     first try is worth it only in its turn; 0: in no line. What the poller is asked for is what the
     attempt returns: a socket's transport may have to read in order to write. */
  int8_t line;
  bool closed;   /* the object was closed before the call: EBADF */
  bool begun;    /* a part of it is done: nobody may come between */
  bool tried;    /* in vain, just now: it begins with the wait for `line` */
  bool outlives; /* it goes on when the socket is CS_W_CLOSED */
  uint8_t why;   /* cs_why: with which its function was run anew */
  unsigned nfds;
  cs_restart restart; /* NULL: the op is kept while its task waits */
  /* The operation's own. */
  const char *data; /* bytes of a value on the stack */
  size_t size;
  size_t done;
  int flags;
  int slot; /* a stack index */
  int last; /* another one */
  unsigned mark;
  void *ptr;
  const void *over;   /* NULL, or an object beside `ptr` whose closing ends the wait: watched.h */
  struct pollfd *fds; /* for CS_ANY: op->nfds of them, */
  int owner;          /* ... in the userdata at this stack index */
  struct cs_joined *joined; /* the wait for them that is under way: park.c's */
};

/* Starts an op; every other field is zero. Field by field, since compilers make `rep stos` of a
   memset of this size, which takes longer than the rest of a call's preparation. */
static inline void cs_op_init(cs_op *op, const char *call, cs_attempt attempt, cs_watched *w,
                              int64_t timeout) {
  op->call = call;
  op->attempt = attempt;
  op->next = NULL;
  op->fail = NULL;
  op->w = w;
  op->timeout = timeout;
  op->deadline = 0;
  op->line = 0;
  op->closed = op->begun = op->tried = op->outlives = false;
  op->data = NULL;
  op->size = op->done = 0;
  op->flags = op->slot = op->last = 0;
  op->restart = NULL;
  op->why = CS_WHY_NONE;
  op->mark = op->nfds = 0;
  op->ptr = NULL;
  op->over = NULL;
  op->fds = NULL;
  op->owner = 0;
  op->joined = NULL;
}

#endif
