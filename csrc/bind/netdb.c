/* netdb.c */
#include "parts.h"
#include "sock.h"

void cs_open_netdb(lua_State *L) {
  (void)L;
}
#include "netdb.h"
int cs_op_address(lua_State *L, cs_op *op, int arg, int last, int family, int type, int proto) {
  (void)op;
  (void)type;
  return cs_address_read(L, arg, last, family, proto);
}
