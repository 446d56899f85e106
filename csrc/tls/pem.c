/* pem.c: certificates between DER and PEM (RFC 7468). */
#include "tls.h"

#include <openssl/pem.h>

#include <string.h>

#define LABEL "CERTIFICATE"

/* Memory of OpenSSL's, owned while Lua may raise. */
static int bio_gc(lua_State *L) {
  BIO **b = lua_touserdata(L, 1);
  BIO_free(*b);
  *b = NULL;
  return 0;
}

static BIO *push_bio(lua_State *L) {
  BIO **b = lua_newuserdatauv(L, sizeof(BIO *), 0);
  *b = NULL;
  luaL_newmetatable(L, "csock.ssl.bio");
  lua_pushcfunction(L, bio_gc); /* each time: the first may have failed here */
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  *b = BIO_new(BIO_s_mem());
  if (*b == NULL) tls_no_memory(L);
  return *b;
}

/* pem(der): the certificate's bytes in PEM; they are not looked at. */
static int to_pem(lua_State *L) {
  size_t len;
  const char *der = luaL_checklstring(L, 1, &len);
  luaL_argcheck(L, len < 0x7fffffff, 1, "too long");
  ERR_clear_error();
  BIO *b = push_bio(L);
  if (PEM_write_bio(b, LABEL, "", (const unsigned char *)der, (long)len) <= 0)
    return tls_failure_push(L, TLS_API(L), "DER_cert_to_PEM_cert", NULL);
  const char *text;
  long n = BIO_get_mem_data(b, &text);
  lua_pushlstring(L, text, (size_t)n);
  return 1;
}

/* der(pem): the bytes of the first certificate in it. */
static int to_der(lua_State *L) {
  size_t len;
  const char *pem = luaL_checklstring(L, 1, &len);
  luaL_argcheck(L, len < 0x7fffffff, 1, "too long");
  ERR_clear_error();
  BIO *b = push_bio(L), *out = push_bio(L);
  char *name = NULL, *header = NULL;
  unsigned char *bytes = NULL;
  long n = 0;
  bool fine = BIO_write(b, pem, (int)len) == (int)len &&
              PEM_read_bio(b, &name, &header, &bytes, &n) == 1 && strcmp(name, LABEL) == 0 &&
              BIO_write(out, bytes, (int)n) == (int)n;
  OPENSSL_free(name);
  OPENSSL_free(header);
  OPENSSL_free(bytes);
  if (!fine) return tls_failure_push(L, TLS_API(L), "PEM_cert_to_DER_cert", NULL);
  const char *text;
  n = BIO_get_mem_data(out, &text);
  lua_pushlstring(L, text, (size_t)n);
  return 1;
}

const luaL_Reg tls_pem_functions[] = {
    {"pem", to_pem},
    {"der", to_der},
    {NULL, NULL},
};
