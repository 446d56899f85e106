/* socket.c: sockets that hosts and programs hand to each other. */
#include "../socket/socket.h"
#include "open.h"
#include "../csock.h"

int csock_push_socket(lua_State *L, int fd) {
  if (fd < 0) return EBADF;
  cs_open_push(L);
  lua_getfield(L, -1, "socket");
  lua_createtable(L, 0, 1);
  lua_pushinteger(L, fd);
  lua_setfield(L, -2, "fileno");
  lua_call(L, 1, 3); /* a socket; or nil, an error and its number */
  int err = lua_isnil(L, -3) ? (int)lua_tointeger(L, -1) : 0;
  lua_pop(L, 2);
  lua_replace(L, -2);
  if (err != 0) lua_pop(L, 1);
  return err;
}

int csock_to_fd(lua_State *L, int idx) {
  const cs_sock *s = (const cs_sock *)cs_object_test(L, idx, &cs_sock_class);
  return s != NULL ? cs_sock_fd(s) : -1;
}
