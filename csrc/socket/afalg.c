/* afalg.c: messages to the kernel's cryptography, AF_ALG. Others: message.c. */
#include "message.h"
#include "../base/keywords.h"
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

/***
Sends data to the kernel's cryptography (`AF_ALG`), with what it needs to know about it.
Source: the kernel's "User Space Interface" to its crypto API, Python's `socket.sendmsg_afalg`.
@function socket:sendmsg_afalg
@tparam[opt] table|string|buffer msg the data, as for `sendmsg`
@tparam table options
@tparam int options.op `ALG_OP_ENCRYPT` or `ALG_OP_DECRYPT`; must be there
@tparam[opt] string options.iv
@tparam[opt] int options.assoclen bytes
@tparam[opt=0] int options.flags `MSG_MORE` ...
@treturn[1] int the number of bytes sent
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EAFNOSUPPORT` on a socket of another family ...)
@usage
local s = csock.socket(csock.AF_ALG, csock.SOCK_SEQPACKET)
if s and s:bind("skcipher", "cbc(aes)") then
  s:setsockopt(csock.SOL_ALG, csock.ALG_SET_KEY, ("k"):rep(16))
  local op = assert(s:accept())
  op:sendmsg_afalg({("p"):rep(16)}, {op = csock.ALG_OP_ENCRYPT, iv = ("i"):rep(16)})
  print(#op:recv(16)) -- 16
end
*/
static int sock_sendmsg_afalg(lua_State *L) {
  cs_op op;
  cs_sock *s = cs_sock_check(L, 1);
  int options = lua_isnoneornil(L, 3) ? 2 : 3;
  luaL_checktype(L, options, LUA_TTABLE);
  lua_settop(L, options);
  int what = -1, assoclen = -1, flags = 0; /* -1: not given */
  cs_keyword_bytes iv = {.data = NULL};
  const cs_keyword rows[] = {
      {"op", CS_KEYWORD_INT, &what, 0, INT_MAX},
      {"assoclen", CS_KEYWORD_INT, &assoclen, 0, INT_MAX},
      {"flags", CS_KEYWORD_INT, &flags, 0, INT_MAX},
      {"iv", CS_KEYWORD_BYTES, &iv, 0, 0},
  };
  cs_keywords_read(L, options, rows, CS_COUNT(rows));
  luaL_argcheck(L, what >= 0, options, "op: integer expected, got no value");
  if (cs_sock_fd(s) < 0) return cs_fail(L, "sendmsg_afalg", EBADF);
  if (s->family != AF_ALG) return cs_fail(L, "sendmsg_afalg", EAFNOSUPPORT);
  cs_transfer_op(&op, s, "sendmsg_afalg", cs_sendmsg_attempt, flags);

  size_t room = 0;
  cs_control_room(L, options, &room, sizeof what);
  if (iv.data != NULL) cs_control_room(L, options, &room, sizeof(struct af_alg_iv) + iv.len);
  if (assoclen >= 0) cs_control_room(L, options, &room, sizeof assoclen);
  int first = lua_gettop(L) + 1;
  size_t count = options == 3 ? cs_message_pieces(L, 2) : 0;
  if (count > IOV_MAX) return cs_fail(L, "sendmsg_afalg", EMSGSIZE);
  cs_message *m = cs_message_outgoing(L, first, count, room);
  char *at = m->control;
  cs_control_put(&at, SOL_ALG, ALG_SET_OP, &what, sizeof what);
  if (iv.data != NULL) {
    uint32_t len = (uint32_t)iv.len;
    char *data = at + CMSG_LEN(0);
    cs_control_put(&at, SOL_ALG, ALG_SET_IV, NULL, sizeof(struct af_alg_iv) + iv.len);
    memcpy(data + offsetof(struct af_alg_iv, ivlen), &len, sizeof len);
    memcpy(data + offsetof(struct af_alg_iv, iv), iv.data, iv.len);
  }
  if (assoclen >= 0)
    cs_control_put(&at, SOL_ALG, ALG_SET_AEAD_ASSOCLEN, &assoclen, sizeof assoclen);
  return cs_message_send(L, &op, m, 1, 0);
}

static const luaL_Reg afalg_methods[] = {{"sendmsg_afalg", sock_sendmsg_afalg}, {NULL, NULL}};

void cs_open_afalg(lua_State *L) {
  cs_class_methods(L, &cs_sock_class, afalg_methods);
}

#else

void cs_open_afalg(lua_State *L) {
  (void)L;
}

#endif
