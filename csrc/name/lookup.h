/* lookup.h: running a look-up, from a Lua function or before an operation that takes an address. */
#ifndef CS_LOOKUP_H
#define CS_LOOKUP_H

#include "../wait/driver.h"
#include "address.h"
#include "../sys/resolver.h"

/* Pushes a function's results from an answer whose `code` is 0; `about` is the stack index of what
   was looked up. The answer lives as long as the call, whatever is raised. */
typedef int (*cs_lookup_results)(lua_State *L, const char *call, const cs_answer *answer,
                                 int about);

/* Looks up, waiting like any operation; numeric queries do not leave this thread. What a failed
   answer's `code` says becomes a gaierror about the value at `about`. Called last, as
   `return cs_look_up(...);`. */
int cs_look_up(lua_State *L, const char *call, const cs_query *query, int64_t timeout, int about,
               cs_lookup_results results);

/* Reads the address in the arguments `arg` .. `last` (see cs_address_read) for the op. On success
   (0) the stack has grown by one value, at op->slot: the cs_address object when the parts were
   literal; else a look-up in progress, and op->attempt has become the look-up's, which waits for
   it on the resolver's threads, puts the address object in its place, sets op->ptr to it and
   goes on with `op->next`, the attempt that was there before. With a literal address op->ptr is set
   at once. Otherwise returns an errno value. A look-up that fails ends the op with a gaierror. */
int cs_lookup_address(lua_State *L, cs_op *op, int arg, int last, int family, int proto);

/* Makes the state's resolver. */
void cs_lookup_open(lua_State *L);

#endif
