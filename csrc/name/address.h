/* address.h: address values: immutable, one object for each distinct address, so that == compares
   by value. Nothing here knows sockets, and nothing here looks a name up. */
#ifndef CS_ADDRESS_H
#define CS_ADDRESS_H

#include "../base/error.h"
#include "../sys/sockaddr.h"

/* Inside an address object; `sa` stays valid while the object is on the stack. An object may hold
   an AF_UNIX address too, but only C code ever sees that one: cs_address_push makes it a string. */
typedef struct cs_address {
  const cs_class *cls;
  int proto;          /* the protocol that the parts depend on (AF_CAN, AF_BLUETOOTH), else 0 */
  socklen_t len;      /* bytes used of the sockaddr */
  struct sockaddr sa; /* the first bytes of a larger sockaddr: `len` counts */
} cs_address;

extern const cs_class cs_address_class;

/* Pushes what a Lua program sees of an address that the kernel gave: an address value, a string
   for AF_UNIX ("" when unnamed), nil when `len` is 0. `len` may exceed what was written; foreign
   and truncated addresses become a value with only `family` and the raw bytes. */
void cs_address_push(lua_State *L, const struct sockaddr *addr, socklen_t len, int proto);

/* Pushes the cs_address object itself, also for AF_UNIX. `len` is not 0. */
void cs_address_push_object(lua_State *L, const struct sockaddr *addr, socklen_t len, int proto);

/* Reads the address given by the arguments `arg` .. `last`, for a socket of this family and
   protocol: an address value, a table, a string (AF_UNIX), or the parts as arguments. Pushes the
   cs_address object and returns 0. Raises on a wrong type or range. Otherwise pushes nothing and
   returns an errno value (EAFNOSUPPORT for a value of another family, ENAMETOOLONG, ENODEV for an
   interface that is not there ...), or
   CS_ADDRESS_NAME: the host is a name, to be looked up: it has pushed the host string, the port
   (an integer) and, for AF_INET6, flowinfo and scope_id (integers, 0 for AF_INET): four values. */
int cs_address_read(lua_State *L, int arg, int last, int family, int proto);

#define CS_ADDRESS_NAME (-1)

/* Whether the number at `arg`, where flags may stand before an address, is the first part of the
   address itself. That is so in families whose addresses begin with a number, when no more
   arguments are there than the address needs. */
bool cs_address_begins(lua_State *L, int arg, int last, int family, int proto);

/* cs_fail with this address in the error value. */
int cs_fail_address(lua_State *L, const char *call, int err, const cs_address *addr);

/* The object at `idx` if it is an address value, else NULL. */
const cs_address *cs_address_test(lua_State *L, int idx);

#endif
