/* state.h: the record of one Lua state. */
#ifndef CS_STATE_H
#define CS_STATE_H

#include "class.h"
#include "../sys/clock.h"

struct cs_resolver;
struct cs_loop;
struct cs_loop_calls;

/* One for each Lua state; it lives until the state closes. */
typedef struct cs_state {
  const cs_class *cls;
  char *scratch;                /* CS_SCRATCH bytes to receive into, before they become a string */
  int64_t default_timeout;      /* ns; Python's setdefaulttimeout; CS_FOREVER = blocking */
  struct cs_resolver *resolver; /* lookup.c's; NULL once the state closes */
  struct cs_loop *loop;         /* made on first use by loop.c */
  const struct cs_loop_calls *loop_calls; /* how waiting reaches it: loop.c's */
  unsigned transports;                    /* how many sockets have one: transport.c */
  unsigned forks; /* csock.fork in this process, and in those that it comes from */
} cs_state;

#define CS_SCRATCH 65536

cs_state *cs_state_get(lua_State *L);
void cs_state_make(lua_State *L); /* once, by luaopen_csock_core */

/* Whether a call that gave `err` is worth another try: out of descriptors, once for each `tried`,
   since collecting garbage may have closed forgotten ones. */
bool cs_may_retry(lua_State *L, int err, bool *tried);

#endif
