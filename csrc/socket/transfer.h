/* transfer.h: what the files that move bytes on a socket share. */
#ifndef CS_TRANSFER_H
#define CS_TRANSFER_H

#include "socket.h"

/* Starts an op that passes `flags` to the system call. The call itself never blocks (MSG_DONTWAIT)
   and raises no SIGPIPE; a caller who asks for MSG_DONTWAIT or MSG_ERRQUEUE does not wait at all.
 */
void cs_transfer_op(cs_op *op, cs_sock *s, const char *call, cs_attempt attempt, int flags);

/* What a failed call means: CS_READABLE or CS_WRITABLE (`want`) when it would block, CS_AGAIN after
   EINTR, else the op's failure, pushed. */
int cs_transfer_failed(lua_State *L, cs_op *op, int err, int want);

/* The op's flags for receiving: AF_PACKET refuses MSG_NOSIGNAL there. */
int cs_transfer_recv_flags(const cs_op *op);

/* The number of bytes to make room for, when more than the scratch buffer was asked for (op->size):
   what has arrived, so that recv(2^40) costs nothing. -1 with errno when nothing has: a datagram
   that came just after the question would be cut. */
ssize_t cs_transfer_room(const cs_op *op);

#endif
