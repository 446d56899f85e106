/* module.c: luaopen_csock_tls: puts the files of csrc/tls together. */
#include "tls.h"

#include <openssl/rand.h>

#include <pthread.h>
#include <string.h>

#if defined(__GNUC__)
#define EXPORT __attribute__((visibility("default")))
#else
#define EXPORT
#endif

EXPORT int luaopen_csock_tls(lua_State *L);

/* --- constants --- */

typedef struct constant {
  const char *name;
  lua_Integer value;
} constant;

#define K(name) \
  { #name, (lua_Integer)SSL_##name }
#define VERIFY(name, flag) \
  { "VERIFY_" #name, X509_V_FLAG_##flag }
#define ALERT(name) \
  { "ALERT_DESCRIPTION_" #name, SSL_AD_##name }

static const constant constants[] = {
    {"CERT_NONE", TLS_CERT_NONE},
    {"CERT_OPTIONAL", TLS_CERT_OPTIONAL},
    {"CERT_REQUIRED", TLS_CERT_REQUIRED},
    {"PROTOCOL_TLS_CLIENT", TLS_PROTOCOL_CLIENT},
    {"PROTOCOL_TLS_SERVER", TLS_PROTOCOL_SERVER},
    K(OP_ALL),
    K(OP_NO_SSLv2),
    K(OP_NO_SSLv3),
    K(OP_NO_TLSv1),
    K(OP_NO_TLSv1_1),
    K(OP_NO_TLSv1_2),
    K(OP_NO_TLSv1_3),
    K(OP_NO_RENEGOTIATION),
    K(OP_CIPHER_SERVER_PREFERENCE),
    K(OP_SINGLE_DH_USE),
    K(OP_SINGLE_ECDH_USE),
    K(OP_NO_TICKET),
    K(OP_NO_COMPRESSION),
    K(OP_ENABLE_MIDDLEBOX_COMPAT),
    K(OP_IGNORE_UNEXPECTED_EOF),
    K(OP_LEGACY_SERVER_CONNECT),
    {"VERIFY_DEFAULT", 0},
    VERIFY(CRL_CHECK_LEAF, CRL_CHECK),
    {"VERIFY_CRL_CHECK_CHAIN", X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL},
    VERIFY(X509_STRICT, X509_STRICT),
    VERIFY(X509_TRUSTED_FIRST, TRUSTED_FIRST),
    VERIFY(X509_PARTIAL_CHAIN, PARTIAL_CHAIN),
    VERIFY(ALLOW_PROXY_CERTS, ALLOW_PROXY_CERTS),
    ALERT(CLOSE_NOTIFY),
    ALERT(UNEXPECTED_MESSAGE),
    ALERT(BAD_RECORD_MAC),
    ALERT(RECORD_OVERFLOW),
    ALERT(DECOMPRESSION_FAILURE),
    ALERT(HANDSHAKE_FAILURE),
    ALERT(BAD_CERTIFICATE),
    ALERT(UNSUPPORTED_CERTIFICATE),
    ALERT(CERTIFICATE_REVOKED),
    ALERT(CERTIFICATE_EXPIRED),
    ALERT(CERTIFICATE_UNKNOWN),
    ALERT(ILLEGAL_PARAMETER),
    ALERT(UNKNOWN_CA),
    ALERT(ACCESS_DENIED),
    ALERT(DECODE_ERROR),
    ALERT(DECRYPT_ERROR),
    ALERT(PROTOCOL_VERSION),
    ALERT(INSUFFICIENT_SECURITY),
    ALERT(INTERNAL_ERROR),
    ALERT(USER_CANCELLED),
    ALERT(NO_RENEGOTIATION),
    ALERT(UNSUPPORTED_EXTENSION),
    ALERT(CERTIFICATE_UNOBTAINABLE),
    ALERT(UNRECOGNIZED_NAME),
    ALERT(BAD_CERTIFICATE_STATUS_RESPONSE),
    ALERT(BAD_CERTIFICATE_HASH_VALUE),
    ALERT(UNKNOWN_PSK_IDENTITY),
    {"OPENSSL_VERSION_NUMBER", (lua_Integer)OPENSSL_VERSION_NUMBER},
};

/* --- functions --- */

static int random_bytes(lua_State *L) {
  lua_Integer n = luaL_checkinteger(L, 1);
  luaL_argcheck(L, n >= 0 && n <= 0x7fffffff, 1, "a number of bytes expected");
  luaL_Buffer b;
  unsigned char *bytes = (unsigned char *)luaL_buffinitsize(L, &b, (size_t)n);
  if (RAND_bytes(bytes, (int)n) != 1) return tls_failure_push(L, TLS_API(L), "RAND_bytes", NULL);
  luaL_pushresultsize(&b, (size_t)n);
  return 1;
}

static int random_status(lua_State *L) {
  lua_pushboolean(L, RAND_status() == 1);
  return 1;
}

static int version(lua_State *L) {
  lua_pushstring(L, OpenSSL_version(OPENSSL_VERSION));
  lua_pushinteger(L, (lua_Integer)OPENSSL_version_major());
  lua_pushinteger(L, (lua_Integer)OPENSSL_version_minor());
  lua_pushinteger(L, (lua_Integer)OPENSSL_version_patch());
  return 4;
}

/* errors(): how many are in OpenSSL's queue, which belongs to this thread: for specs. */
static int errors(lua_State *L) {
  lua_Integer n = 0;
  while (ERR_get_error() != 0) n++;
  lua_pushinteger(L, n);
  return 1;
}

static const luaL_Reg functions[] = {
    {"RAND_bytes", random_bytes},
    {"RAND_status", random_status},
    {"get_default_verify_paths", tls_store_paths},
    {"version", version},
    {"errors", errors},
    {NULL, NULL},
};

/* --- opening --- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* What the process has once. Where there was no memory for it, the next one tries again. */
static bool make_ready(void) {
  pthread_mutex_lock(&lock);
  bool ready = tls_conn_once() && tls_record_once() && tls_bio_once();
  pthread_mutex_unlock(&lock);
  ERR_clear_error();
  return ready;
}

static int open_module(lua_State *L) {
  lua_createtable(L, 0, 96);
  for (size_t i = 0; i < sizeof constants / sizeof *constants; i++) {
    lua_pushinteger(L, constants[i].value);
    lua_setfield(L, -2, constants[i].name);
  }
  tls_setfuncs(L, functions);
  tls_setfuncs(L, tls_context_functions);
  tls_setfuncs(L, tls_transport_functions);
  tls_setfuncs(L, tls_object_functions);
  tls_setfuncs(L, tls_pem_functions);
  tls_setfuncs(L, tls_digest_functions);
  tls_session_register(L);
  tls_object_register(L, tls_info_methods);
  tls_context_register(L);
  lua_setfield(L, -2, "SSLContext"); /* its methods */
  const cs_api *api = TLS_API(L);
  const luaL_Reg *const lists[] = {tls_transport_methods, tls_info_methods};
  for (size_t i = 0; i < 2; i++) {
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, TLS_OWNERS);
    api->methods(L, lists[i], TLS_UPVALUES);
  }
  tls_transport_register(L);
  return 1;
}

static const char opened_key = 'o'; /* registry: the module, which is made once for the state */

int luaopen_csock_tls(lua_State *L) {
  luaL_checkversion(L);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &opened_key) != LUA_TNIL) return 1;
  const cs_api *api = cs_api_get(L, "csock.tls");
  if (!make_ready()) return tls_no_memory(L);
  lua_pushlightuserdata(L, (void *)(uintptr_t)api);
  lua_newtable(L); /* TLS_OWNERS: keys are weak */
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_pushcclosure(L, open_module, TLS_UPVALUES);
  lua_call(L, 0, 1);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &opened_key);
  return 1;
}
