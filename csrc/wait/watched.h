/* watched.h: a descriptor that tasks wait on. */
#ifndef CS_WATCHED_H
#define CS_WATCHED_H

#include "waitq.h"
#include "../base/given.h"
#include "../base/policy.h"

struct cs_loop;

/* A descriptor that can be waited on; part of sockets, streams, epoll objects, the resolver. */
typedef struct cs_watched {
  cs_state *state;
  int fd;         /* -1 when closed; set by cs_watched_hold */
  unsigned flags; /* CS_W_* */
  /* The loop's: */
  cs_waitq readers, writers;
  unsigned slot; /* the poller's note */
  /* The hub's: */
  int object;         /* its object's place, or 0 */
  cs_link due;        /* in the list of those that are to be served */
  struct cs_out *out; /* what is to be sent, or NULL */
} cs_watched;

#define CS_W_NONBLOCK  1u  /* O_NONBLOCK is on */
#define CS_W_SOCKET    2u  /* a socket: MSG_DONTWAIT works, where the flag above is off */
#define CS_W_FILE      4u  /* regular file: always ready, cannot be polled by epoll */
#define CS_W_ALL       8u  /* an event is for every waiter, not for the first */
#define CS_W_WATCHED   16u /* the loop's poller has it; then these tell what it reported: */
#define CS_W_READ      32u
#define CS_W_WRITE     64u
#define CS_W_HANGUP    128u        /* the end of the stream, or an error, is to be read */
#define CS_W_BORROWED  256u        /* O_NONBLOCK is on for just one system call */
#define CS_W_CONNECTED 512u        /* a connect that had to wait has succeeded; connect.c's */
#define CS_W_CLOSED    1024u       /* its socket is closed, but not the streams over it */
#define CS_W_HUB_READ  2048u       /* the hub asks whether it is readable */
#define CS_W_HUB_WRITE 4096u       /* ... and whether it is writable */
#define CS_W_HUB_BYTES 8192u       /* the hub itself receives what has come */
#define CS_W_HUB_SEND  16384u      /* ... and sends what is written */
#define CS_W_HUB_TELL  32768u      /* whenever all of that is sent, the object is told */
#define CS_W_HUB_SENT  65536u      /* ... which is to be done now */
#define CS_W_PENDING   131072u     /* its transport holds input that the poller knows nothing of */
#define CS_W_READ_OUT  262144u     /* its transport must write before it can read on */
#define CS_W_WRITE_IN  524288u     /* ... and read before it can write on */
#define CS_W_FOREIGN   1048576u    /* somebody else may close it: the poller has a copy */
#define CS_W_OUTSIDE   2097152u    /* its file is not csock's: O_NONBLOCK is given back */
#define CS_W_KEEP      4194304u    /* ... is csock's, and shared: O_NONBLOCK stays once it is on */
#define CS_W_LOOP      0xff800000u /* which generation of the loop CS_W_WATCHED is about */

/* A try to read is worth it: something was reported, is held, or waits for something else. */
#define CS_W_INPUT (CS_W_READ | CS_W_PENDING | CS_W_READ_OUT)

/* Which of the flags above say that the first in a line has its turn. */
#define cs_watched_readers_due(w) \
  ((w)->flags & CS_W_READ_OUT ? (w)->flags & CS_W_WRITE : (w)->flags & (CS_W_READ | CS_W_PENDING))
#define cs_watched_writers_due(w) \
  ((w)->flags & ((w)->flags & CS_W_WRITE_IN ? CS_W_READ : CS_W_WRITE))

/* A stream that gave less than there was room for is drained: the loop need not ask again before
   the next event. */
#define cs_watched_drained(w) ((w)->flags & CS_W_HANGUP ? 0u : ((w)->flags &= ~CS_W_READ))

/* Calls without a per-call flag (accept, connect, sendfile) are made on a non-blocking descriptor.
   The kernel is asked how it is: a copy of the descriptor may have changed it.

   O_NONBLOCK belongs to the open file, which other processes and copies may share. Who finds it on
   would block if another took it off again. So csock's own files keep it: nonblock_keep is enough.
   Files from outside may be counted on to block: they have it for just one system call, between
   one of the first two and the third. Since they share it meanwhile, nonblock_keep asks poll(2)
   first whether there are `events`: without any it gives EAGAIN, else 0. nonblock_begin is for a
   call for which nobody can be racing (connect). None raises; the last one keeps errno. */
int cs_watched_nonblock_keep(cs_watched *w, short events);
void cs_watched_nonblock_begin(cs_watched *w);
void cs_watched_nonblock_end(cs_watched *w);

/* Makes it use a descriptor that stays another's. */
static inline void cs_watched_borrow(cs_watched *w, int fd) {
  w->fd = fd;
  w->state->held++;
}

/* Makes it hold the descriptor. */
static inline void cs_watched_hold(cs_watched *w, int fd) {
  cs_given_remove(w->state, fd);
  cs_watched_borrow(w, fd);
  cs_policy_know(w->state, fd, true);
}

/* Closes the descriptor (once; later calls return 0) and wakes whoever waits on it, among others
   too. */
int cs_watched_close(cs_watched *w);

/* Gives the descriptor away, which stays open: who waits on the object itself is woken. */
int cs_watched_release(cs_watched *w);

/* One of several objects over the descriptor is closed: a stream, or (NULL) the socket. The tasks
   try again that wait in it or over it, and those that wait for it among others; the rest keep
   their places. */
void cs_watched_wake(cs_watched *w, const void *stream);

/* The first in a line (CS_READABLE, CS_WRITABLE: see cs_op) tries again: there is something for it
   that the kernel will not tell of. */
void cs_watched_pass(cs_watched *w, int line);

/* Input is held of which the kernel will not tell: for those who wait for this among others. */
void cs_watched_held(cs_watched *w);

/* Somebody who may stand in no line has changed what the first in one waits for (CS_W_PENDING,
   CS_W_READ_OUT, CS_W_WRITE_IN): the poller is asked for that, and who need not wait any more tries
   again. */
void cs_watched_changed(cs_watched *w);

/* --- for the loop --- */

/* In the poller from now on: 0 or errno. A failure leaves it as it was. */
int cs_watched_add(struct cs_loop *loop, cs_watched *w);
void cs_watched_forget(struct cs_loop *loop, cs_watched *w); /* before its descriptor is closed */
void cs_watched_tell(struct cs_loop *loop,
                     cs_watched *w); /* a level-triggered backend: who waits */

#endif
