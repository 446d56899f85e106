/* address.c */
#include "parts.h"
#include "address.h"
#include "sock.h"

void cs_open_address(lua_State *L) {
  (void)L;
}

const cs_class cs_address_class = {"csock.address"};
int cs_fail_address(lua_State *L, const char *call, int err, const cs_address *addr) {
  cs_address_push(L, &addr->sa, addr->len, addr->proto);
  return cs_fail_at(L, call, err, -1);
}
void cs_address_push(lua_State *L, const struct sockaddr *addr, socklen_t len, int proto) {
  (void)addr;
  (void)len;
  (void)proto;
  lua_pushliteral(L, "addr");
}
int cs_address_read(lua_State *L, int arg, int last, int family, int proto) {
  (void)L;
  (void)arg;
  (void)last;
  (void)family;
  (void)proto;
  return EAFNOSUPPORT;
}
