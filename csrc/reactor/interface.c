/* interface.c: which interface a program means, for multicast. */
#include "out.h"
#include "../base/parts.h"
#include "../base/error.h"
#include "../sys/interfaces.h"

/* interface(family, what): the interface of this name, or with this address: its name, and its
   first address of the family (AF_INET, AF_INET6), as bytes. nil, err, errno: ENODEV. */
static int hub_interface(lua_State *L) {
  cs_interface found;
  int family = cs_check_cint(L, 1);
  int err = cs_interface_find(family, cs_check_cstring(L, 2), &found);
  if (err != 0) return cs_fail_at(L, "interface", err, 2);
  lua_pushstring(L, found.name);
  lua_pushlstring(L, (const char *)&found.addr,
                  family == AF_INET ? sizeof found.addr.v4 : sizeof found.addr.v6);
  return 2;
}

const luaL_Reg cs_interface_functions[] = {{"interface", hub_interface}, {NULL, NULL}};
