/* sockio.h: what the files that move bytes on a socket share. */
#ifndef CS_SOCKIO_H
#define CS_SOCKIO_H

#include "sock.h"

/* Starts an op that passes `flags` to the system call. The call itself never blocks (MSG_DONTWAIT)
   and raises no SIGPIPE; a caller who asks for MSG_DONTWAIT or MSG_ERRQUEUE does not wait at all.
 */
void cs_sock_io_op(cs_op *op, cs_sock *s, const char *call, cs_attempt attempt, int flags);

/* What a failed call means: CS_READABLE or CS_WRITABLE (`want`) when it would block, CS_AGAIN after
   EINTR, else the op's failure, pushed. */
int cs_io_failed(lua_State *L, cs_op *op, int err, int want);

#endif
