/* netdb.h: name look-ups, for the operations that take an address. */
#ifndef CS_NETDB_H
#define CS_NETDB_H

#include "../wait/driver.h"
#include "address.h"

/* Reads the address in the arguments `arg` .. `last` (see cs_address_read) for the op. On success
   (0) the stack has grown by one value, at op->slot: the cs_address object when the parts were
   literal; else a look-up in progress, and op->attempt has become the look-up's, which waits for
   it on the resolver's threads, puts the address object in its place, sets op->ptr to it and
   goes on with `op->next`, the attempt that was there before. With a literal address op->ptr is set
   at once. Otherwise returns an errno value. A look-up that fails ends the op with a gaierror. */
int cs_op_address(lua_State *L, cs_op *op, int arg, int last, int family, int proto);

#endif
