/* cipher.c: a cipher as a table. */
#include "tls.h"

void tls_cipher_push(lua_State *L, const SSL_CIPHER *cipher) {
  int algorithm;
  int bits = SSL_CIPHER_get_bits(cipher, &algorithm);
  lua_createtable(L, 0, 5);
  lua_pushstring(L, SSL_CIPHER_get_name(cipher));
  lua_setfield(L, -2, "name");
  lua_pushstring(L, SSL_CIPHER_get_version(cipher));
  lua_setfield(L, -2, "protocol");
  lua_pushinteger(L, bits);
  lua_setfield(L, -2, "strength_bits");
  lua_pushinteger(L, algorithm);
  lua_setfield(L, -2, "alg_bits");
  lua_pushinteger(L, (lua_Integer)SSL_CIPHER_get_id(cipher));
  lua_setfield(L, -2, "id");
}
