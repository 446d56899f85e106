/* traffic.h: bytes are noted as they pass, for the taps of a socket. Runs no Lua and raises
   nothing: what there is no memory for is counted as lost. */
#ifndef CS_TRAFFIC_H
#define CS_TRAFFIC_H

#include "socket.h"
#include "../sys/bytes.h"

#include <sys/uio.h>

/* What has passed: followed by its bytes, or counted alone. */
typedef struct cs_passed {
  int64_t when;
  uint64_t count;
  char direction; /* '<' received, '>' sent */
  bool wire;      /* under the transport */
  bool counted;   /* of a file: its bytes are not here */
} cs_passed;

/* One that looks on. */
typedef struct cs_tap {
  const cs_class *cls;
  cs_state *state;
  cs_link link;   /* among the state's taps, while it has a socket */
  cs_sock *sock;  /* NULL: it is at its end */
  size_t limit;   /* bytes that are kept, with their heads */
  cs_bytes queue; /* heads (cs_passed), each with its bytes behind it */
  bool losing;    /* from here on, until the queue has been read: */
  cs_passed lost[4];
  cs_waitq readers;
} cs_tap;

/* The first `n` bytes of the pieces have passed; they may be fewer, where a datagram was cut. */
void cs_traffic_pieces(cs_sock *s, char direction, bool wire, const struct iovec *pieces,
                       size_t count, size_t n);
void cs_traffic_bytes(cs_sock *s, char direction, bool wire, const char *bytes, size_t n);
void cs_traffic_file(cs_sock *s, size_t n); /* the kernel has sent them */

void cs_traffic_begin(cs_tap *tap, cs_sock *s);
void cs_traffic_leave(cs_tap *tap);
void cs_traffic_end(cs_sock *s); /* of all its taps */

/* The next one; false: nothing has passed. `*bytes` NULL: it was lost. Then it is taken away. */
bool cs_traffic_next(cs_tap *tap, cs_passed *passed, const char **bytes);
void cs_traffic_take(cs_tap *tap, const cs_passed *passed);

#endif
