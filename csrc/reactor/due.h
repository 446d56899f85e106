/* due.h: the hub's record, and which descriptors it has something to do for. */
#ifndef CS_DUE_H
#define CS_DUE_H

#include "../wait/turn_end.h"
#include "../sys/bytes.h"
#include "../wait/records.h"

/* What the hub is to send to a peer. */
typedef struct cs_out {
  cs_turn_end end; /* entered when it is to be sent at the turn's end */
  cs_watched *w;
  struct cs_out *spare; /* the next one, while it is itself a spare */
  cs_bytes bytes;
  size_t sent;  /* bytes that went since something waits */
  bool held;    /* nothing is received meanwhile */
  bool parted;  /* nothing is sent or received before the object has seen to it: see `part` */
  bool stopped; /* nothing is sent before something else is written: see `writing` */
  bool last;    /* what is to be sent is the goodbye of what lies over the socket */
  int failed;   /* errno of sending, to be told when nothing more can be received */
} cs_out;

/* What one task serves for many: see hub.c. */
typedef struct cs_hub {
  cs_waitq waiters;   /* the task, while it waits */
  cs_list due;        /* descriptors that are to be served */
  unsigned count;     /* of them */
  unsigned turn;      /* of them, those that are to be served in this turn */
  cs_watched *served; /* the one that the task is serving */
  unsigned left;      /* datagrams that this one may still receive in this turn */
  cs_out *spares;
  unsigned nspares;
} cs_hub;

/* What is to be done for it: CS_READ, CS_WRITE, CS_HANGUP (something else). */
unsigned cs_due(const cs_watched *w);
unsigned cs_due_wants(const cs_watched *w); /* ... and what the poller is to report */

/* In the list, at its end, if it is not; out of it. */
void cs_due_enter(cs_hub *hub, cs_watched *w);
void cs_due_leave(cs_hub *hub, cs_watched *w);
cs_watched *cs_due_take(cs_hub *hub);

/* The poller reported something, or so: the hub's task goes on if there is something to do. */
void cs_due_notice(cs_loop *loop, cs_watched *w);

#endif
