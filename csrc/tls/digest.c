/* digest.c: digests, and what is made of them, for protocols that need one: HTTP's digest
   authentication, SASL. Digests have OpenSSL's names: "MD5", "SHA256". Where this OpenSSL has none
   that is called so: nil, error, errno. */
#include "tls.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

/* digest(name, bytes): the digest of the bytes. */
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

/* An argument's bytes, whose number OpenSSL takes as an int. */
static const char *check_bytes(lua_State *L, int arg, int *len) {
  size_t n;
  const char *bytes = luaL_checklstring(L, arg, &n);
  luaL_argcheck(L, n <= INT_MAX, arg, "too long");
  *len = (int)n;
  return bytes;
}

/* hmac(name, key, bytes): RFC 2104. */
static int hmac(lua_State *L) {
  int key_len;
  size_t len;
  const char *name = luaL_checkstring(L, 1), *key = check_bytes(L, 2, &key_len),
             *bytes = luaL_checklstring(L, 3, &len);
  unsigned char value[EVP_MAX_MD_SIZE];
  unsigned int n = 0;
  ERR_clear_error();
  EVP_MD *md = EVP_MD_fetch(NULL, name, NULL);
  bool made =
      md != NULL && HMAC(md, key, key_len, (const unsigned char *)bytes, len, value, &n) != NULL;
  EVP_MD_free(md);
  if (!made) return tls_failure_push(L, TLS_API(L), "hmac", name);
  lua_pushlstring(L, (const char *)value, n);
  return 1;
}

/* pbkdf2(name, password, salt, iterations): as many bytes as the digest has (RFC 8018). It takes
   its time, on purpose: the caller bounds `iterations`. */
static int pbkdf2(lua_State *L) {
  int password_len, salt_len, size = 0;
  const char *name = luaL_checkstring(L, 1), *password = check_bytes(L, 2, &password_len),
             *salt = check_bytes(L, 3, &salt_len);
  lua_Integer iterations = luaL_checkinteger(L, 4);
  luaL_argcheck(L, iterations >= 1 && iterations <= INT_MAX, 4, "out of range");
  unsigned char value[EVP_MAX_MD_SIZE];
  ERR_clear_error();
  EVP_MD *md = EVP_MD_fetch(NULL, name, NULL);
  if (md != NULL) size = EVP_MD_get_size(md);
  bool made = size > 0 && PKCS5_PBKDF2_HMAC(password, password_len, (const unsigned char *)salt,
                                            salt_len, (int)iterations, md, size, value) == 1;
  EVP_MD_free(md);
  if (!made) return tls_failure_push(L, TLS_API(L), "pbkdf2", name);
  lua_pushlstring(L, (const char *)value, (size_t)size);
  return 1;
}

const luaL_Reg tls_digest_functions[] = {
    {"digest", digest}, {"hmac", hmac}, {"pbkdf2", pbkdf2}, {NULL, NULL}};
