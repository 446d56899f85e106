/* digest.c: digests, for protocols that need one (HTTP's digest authentication). */
#include "tls.h"

#include <openssl/evp.h>

/* digest(name, bytes): the digest of the bytes, by OpenSSL's name for it: "MD5", "SHA256". nil,
   error, errno where this OpenSSL has none that is called so. */
static int digest(lua_State *L) {
  size_t len, n = 0;
  const char *name = luaL_checkstring(L, 1), *bytes = luaL_checklstring(L, 2, &len);
  unsigned char value[EVP_MAX_MD_SIZE];
  ERR_clear_error();
  if (EVP_Q_digest(NULL, name, NULL, bytes, len, value, &n) != 1)
    return tls_failure_push(L, TLS_API(L), "digest", name);
  lua_pushlstring(L, (const char *)value, n);
  return 1;
}

const luaL_Reg tls_digest_functions[] = {{"digest", digest}, {NULL, NULL}};
