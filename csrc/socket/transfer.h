/* transfer.h: what the files that move bytes on a socket share. */
#ifndef CS_TRANSFER_H
#define CS_TRANSFER_H

#include "transport.h"

/* Starts an op that passes `flags` to the system call. The call itself never blocks (MSG_DONTWAIT)
   and raises no SIGPIPE; a caller who asks for MSG_DONTWAIT or MSG_ERRQUEUE does not wait at all.
 */
void cs_transfer_op(cs_op *op, cs_sock *s, const char *call, cs_attempt attempt, int flags);

/* What an attempt returns when a try to read or to write (`line`: CS_READABLE, CS_WRITABLE) gave
   something else than 0. */
static inline int cs_transfer_failed(lua_State *L, cs_op *op, int err, int line) {
  return cs_transport_failed(L, cs_sock_of(op->w), op, err, line);
}

/* *room: the number of bytes to make room for, when more than the scratch buffer was asked for
   (op->size): what has arrived, so that recv(2^40) costs nothing. Else what reading would give: a
   datagram that came just after the question would be cut. */
int cs_transfer_room(const cs_op *op, size_t *room);

#endif
