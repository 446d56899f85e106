/* watched.h: a descriptor that tasks wait on. */
#ifndef CS_WATCHED_H
#define CS_WATCHED_H

#include "../base/args.h"

struct cs_task;

/* Tasks that wait for the same thing, first come first served: a circular list, known by its last
   member. */
typedef struct cs_waitq {
  struct cs_task *last; /* NULL: empty */
  unsigned woken;       /* how many have left it and are ready: they come before who stands in it */
} cs_waitq;

/* A descriptor that can be waited on; part of sockets, streams, epoll objects, the resolver. */
typedef struct cs_watched {
  cs_state *state;
  int fd;         /* -1 when closed */
  unsigned flags; /* CS_W_* */
  /* The loop's: */
  cs_waitq readers, writers;
  unsigned slot; /* the poller's note */
  /* The hub's: */
  int object;              /* its object's place, or 0 */
  struct cs_watched *next; /* in the list of those that are ready, or NULL */
  struct cs_out *out;      /* what is to be sent, or NULL */
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
#define CS_W_LOOP      0xfffe0000u /* which generation of the loop CS_W_WATCHED is about */

/* A stream that gave less than there was room for is drained: the loop need not ask again before
   the next event. Called by attempts that read from or write to a stream. */
#define cs_watched_drained(w) ((w)->flags & CS_W_HANGUP ? 0u : ((w)->flags &= ~CS_W_READ))
#define cs_watched_filled(w)  ((w)->flags &= ~CS_W_WRITE)

/* Calls without a per-call flag (accept, connect, sendfile) stand between these two, which make a
   blocking descriptor non-blocking for just that system call. They ask the kernel how it is: a
   copy of the descriptor may have changed it. Neither raises; the second keeps errno. */
void cs_watched_nonblock_begin(cs_watched *w);
void cs_watched_nonblock_end(cs_watched *w);

/* Closes the descriptor (once; later calls return 0) and wakes whoever waits on it. */
int cs_watched_close(cs_watched *w);

/* Makes the tasks try again that wait in the stream over it, or (NULL) in calls that are no
   stream's; the others keep their places. */
void cs_watched_wake(cs_watched *w, const void *stream);

/* The first who waits to read tries again: there is something that the kernel will not tell of. */
void cs_watched_pass(cs_watched *w);

/* Gives the descriptor away: like closing, but it stays open. */
int cs_watched_release(cs_watched *w);

#endif
