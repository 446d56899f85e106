/* afalg.c: messages to the kernel's cryptography, AF_ALG. Others: message.c. */
#include "message.h"
#include "../base/parts.h"

#if CS_HAVE_AFALG
#include <linux/if_alg.h>

/* Linux's numbers, which an older C library does not have. */
#ifndef SOL_ALG
#define SOL_ALG 279
#endif
#ifndef AF_ALG
#define AF_ALG 38
#endif

/* Pushes the option; false when it is absent. Raises unless it is an integer of 0 .. 2^31-1. */
static bool get_integer(lua_State *L, int options, const char *name, uint32_t *value) {
  *value = 0;
  if (cs_get_option(L, options, name) == LUA_TNIL) return false;
  int isnum;
  lua_Integer n = lua_tointegerx(L, -1, &isnum);
  if (!isnum || n < 0 || n > INT_MAX)
    luaL_argerror(L, options, lua_pushfstring(L, "%s: integer >= 0 expected", name));
  *value = (uint32_t)n;
  return true;
}

/***
Sends data to the kernel's cryptography (`AF_ALG`), with what it needs to know about it.
Source: the kernel's "User Space Interface" to its crypto API, Python's `socket.sendmsg_afalg`.
@function socket:sendmsg_afalg
@tparam[opt] table|string|buffer msg the data, as for `sendmsg`
@tparam table options `op` (`ALG_OP_ENCRYPT`, `ALG_OP_DECRYPT`; must be there), `iv` (string),
`assoclen` (int), `flags` (`MSG_MORE` ...)
@treturn[1] int the number of bytes sent
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EAFNOSUPPORT` on a socket of another family ...)
*/
static int sock_sendmsg_afalg(lua_State *L) {
  cs_op op;
  cs_sock *s = cs_sock_check(L, 1);
  int options = lua_isnoneornil(L, 3) ? 2 : 3;
  luaL_checktype(L, options, LUA_TTABLE);
  lua_settop(L, options);
  uint32_t what, assoclen, flags;
  size_t iv_len = 0;
  if (!get_integer(L, options, "op", &what)) return luaL_argerror(L, options, "op expected");
  bool has_assoclen = get_integer(L, options, "assoclen", &assoclen);
  get_integer(L, options, "flags", &flags);
  bool has_iv = cs_get_option(L, options, "iv") != LUA_TNIL;
  const char *iv = has_iv ? cs_message_bytes(L, -1, &iv_len) : "";
  luaL_argcheck(L, iv != NULL, options, "iv: string expected");
  if (cs_sock_fd(s) < 0) return cs_fail(L, "sendmsg_afalg", EBADF);
  if (s->family != AF_ALG) return cs_fail(L, "sendmsg_afalg", EAFNOSUPPORT);
  cs_transfer_op(&op, s, "sendmsg_afalg", cs_sendmsg_attempt, (int)flags);

  size_t room = 0;
  cs_control_room(L, options, &room, sizeof what);
  if (has_iv) cs_control_room(L, options, &room, sizeof(struct af_alg_iv) + iv_len);
  if (has_assoclen) cs_control_room(L, options, &room, sizeof assoclen);
  int first = lua_gettop(L) + 1;
  size_t count = options == 3 ? cs_message_pieces(L, 2) : 0;
  if (count > IOV_MAX) return cs_fail(L, "sendmsg_afalg", EMSGSIZE);
  cs_message *m = cs_message_outgoing(L, first, count, room);
  char *at = m->control;
  cs_control_put(&at, SOL_ALG, ALG_SET_OP, &what, sizeof what);
  if (has_iv) {
    uint32_t len = (uint32_t)iv_len;
    char *data = at + CMSG_LEN(0);
    cs_control_put(&at, SOL_ALG, ALG_SET_IV, NULL, sizeof(struct af_alg_iv) + iv_len);
    memcpy(data + offsetof(struct af_alg_iv, ivlen), &len, sizeof len);
    memcpy(data + offsetof(struct af_alg_iv, iv), iv, iv_len);
  }
  if (has_assoclen) cs_control_put(&at, SOL_ALG, ALG_SET_AEAD_ASSOCLEN, &assoclen, sizeof assoclen);
  return cs_message_send(L, &op, m, 1, 0);
}

static const luaL_Reg methods[] = {{"sendmsg_afalg", sock_sendmsg_afalg}, {NULL, NULL}};

void cs_open_afalg(lua_State *L) {
  cs_class_methods(L, &cs_sock_class, methods);
}

#else

void cs_open_afalg(lua_State *L) {
  (void)L;
}

#endif
