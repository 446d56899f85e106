/* context.c: SSLContext: what connections share: how it is made, and its properties. Its record is
 * record.c's; certificates are in material.c, names in names.c, sessions in session.c. */
#include "tls.h"

#include <openssl/rand.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/***
What connections share: whom they trust, whose certificate they show, what they allow. Made by
@{create_default_context}. Once a connection has been made under it, it is frozen: whatever would
change it raises, but for `reload` and `set_stapled_response`.

These properties can be read and set, as Python's:

* `verify_mode`: `CERT_NONE`, `CERT_OPTIONAL`, `CERT_REQUIRED`. A server may ask its clients for
  certificates; a client always wants the server's (but see @{insecure_context})
* `check_hostname` (boolean): a client verifies that the certificate is for `server_hostname`
* `verify_flags`, `options` (integers): sums of `VERIFY_...` and of `OP_...`
* `minimum_version`, `maximum_version`: of `TLSVersion`
* `sni_callback`: which context a server uses for the name that a client asks for: a table from
names
  (`["*.example.org"]` for one label more) to contexts; or a function, called with the socket, the
name (or nil) and the context in `do_handshake`, which gives a context, nil (this one will do) or
false (refuse the client). It cannot wait
* `num_tickets` (integer): how many tickets a server gives for resumption, with TLS 1.3
* `session_cache` (boolean; true): a client keeps the last session with each `server_hostname`, and
takes it up again
* `suppress_ragged_eofs` (boolean; false): a connection that was cut without close_notify ends like
any other. What was sent may have been cut by anybody, then
* `keylog_filename`: where the secrets of connections are written, for Wireshark

These can be read: `protocol`, `server_side`, `insecure`, `in_use`, `security_level`.
@type SSLContext
*/

/* --- its life --- */

/* TLS 1.2 and later; no renegotiation, which has been abused, and no compression, which leaks. */
static bool set_defaults(tls_context *t) {
  SSL_CTX *ctx = t->ctx;
  SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_AUTO_RETRY);
  /* Idle connections of a server hold no buffers; a client has few, and busy ones. */
  if (t->server) SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
  if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1) return false;
  /* What a server's context has agreed on with a client is taken up again under that context alone:
     another may demand certificates. (The keys of tickets are the first context's, where
     sni_callback chooses others.) */
  unsigned char id[16];
  if (t->server &&
      (RAND_bytes(id, sizeof id) != 1 || SSL_CTX_set_session_id_context(ctx, id, sizeof id) != 1))
    return false;
  /* A client asks for a stapled response (get_stapled_response). */
  if (!t->server && SSL_CTX_set_tlsext_status_type(ctx, TLSEXT_STATUSTYPE_ocsp) != 1) return false;
  bool verifies = !t->server && !t->insecure;
  SSL_CTX_set_verify(ctx, verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
  /* Whoever trusts a certificate need not have the one that signed it. */
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
  return true;
}

/* context(server, insecure): an SSLContext without any certificate. */
static int make(lua_State *L) {
  bool server = lua_toboolean(L, 1), insecure = lua_toboolean(L, 2);
  int err = insecure ? TLS_API(L)->ask(L, "SSLContext", NULL) : 0;
  if (err != 0) return TLS_API(L)->fail(L, NULL, "SSLContext", err);
  tls_context **p = lua_newuserdatauv(L, sizeof(tls_context *), TLS_VALUES);
  *p = NULL;
  luaL_setmetatable(L, TLS_CONTEXT);
  ERR_clear_error();
  tls_context *t = calloc(1, sizeof *t);
  SSL_CTX *ctx = t != NULL ? SSL_CTX_new(server ? TLS_server_method() : TLS_client_method()) : NULL;
  if (ctx == NULL || !tls_record_attach(ctx, t)) {
    free(t);
    SSL_CTX_free(ctx);
    return t == NULL ? TLS_API(L)->fail(L, NULL, "SSLContext", ENOMEM)
                     : tls_failure_push(L, TLS_API(L), "SSLContext", NULL);
  }
  *p = t; /* owned from here on */
  t->server = server;
  t->insecure = insecure;
  t->check_hostname = !server && !insecure;
  t->keeps_sessions = !server;
  if (!set_defaults(t)) return tls_failure_push(L, TLS_API(L), "SSLContext", NULL);
  tls_material_install(t);
  tls_session_install(t);
  return 1;
}

static int context_gc(lua_State *L) {
  tls_context **p = luaL_checkudata(L, 1, TLS_CONTEXT);
  if (*p == NULL) return 0;
  tls_record_drop_sni(*p); /* contexts may name each other */
  SSL_CTX_free((*p)->ctx);
  *p = NULL;
  return 0;
}

static int context_tostring(lua_State *L) {
  const tls_context *t = tls_context_check(L, 1);
  lua_pushfstring(L, "<SSLContext %s%s>", t->server ? "for servers" : "for clients",
                  t->insecure ? ", INSECURE" : "");
  return 1;
}

/* --- properties --- */

static int refuse(lua_State *L, const char *name) {
  return luaL_error(L, "SSLContext.%s: not a value that it can have", name);
}

/* Raises where the host's policy does not let a client verify less than it does. */
static void ask_for_less(lua_State *L, const char *name, const char *path) {
  int err = TLS_API(L)->ask(L, name, path);
  if (err == 0) return;
  TLS_API(L)->fail(L, NULL, name, err);
  lua_pushvalue(L, -2);
  lua_error(L);
}

static void get_verify_mode(lua_State *L, tls_context *t) {
  int mode = SSL_CTX_get_verify_mode(t->ctx);
  lua_pushinteger(L, mode == SSL_VERIFY_NONE                  ? TLS_CERT_NONE
                     : mode & SSL_VERIFY_FAIL_IF_NO_PEER_CERT ? TLS_CERT_REQUIRED
                     : t->server                              ? TLS_CERT_OPTIONAL
                                                              : TLS_CERT_REQUIRED);
}

static void set_verify_mode(lua_State *L, tls_context *t) {
  lua_Integer mode = luaL_checkinteger(L, 3);
  if (mode == TLS_CERT_NONE && !t->server && !t->insecure)
    luaL_error(L, "a client's context verifies: for one that does not, see ssl.insecure_context");
  if (mode == TLS_CERT_NONE)
    SSL_CTX_set_verify(t->ctx, SSL_VERIFY_NONE, NULL);
  else if (mode == TLS_CERT_OPTIONAL)
    SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
  else if (mode == TLS_CERT_REQUIRED)
    SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  else
    refuse(L, "verify_mode");
}

static void get_check_hostname(lua_State *L, tls_context *t) {
  lua_pushboolean(L, t->check_hostname);
}

static void set_check_hostname(lua_State *L, tls_context *t) {
  luaL_checktype(L, 3, LUA_TBOOLEAN);
  bool on = lua_toboolean(L, 3);
  if (on && (t->server || t->insecure))
    luaL_error(L, "SSLContext.check_hostname: the context verifies no server");
  if (!on && t->check_hostname) ask_for_less(L, "check_hostname", NULL);
  t->check_hostname = on;
}

static void get_verify_flags(lua_State *L, tls_context *t) {
  lua_pushinteger(L, (lua_Integer)X509_VERIFY_PARAM_get_flags(SSL_CTX_get0_param(t->ctx)));
}

static void set_verify_flags(lua_State *L, tls_context *t) {
  X509_VERIFY_PARAM *param = SSL_CTX_get0_param(t->ctx);
  unsigned long flags = (unsigned long)luaL_checkinteger(L, 3);
  if (!t->insecure && flags != X509_VERIFY_PARAM_get_flags(param))
    ask_for_less(L, "verify_flags", NULL);
  X509_VERIFY_PARAM_clear_flags(param, X509_VERIFY_PARAM_get_flags(param) & ~flags);
  X509_VERIFY_PARAM_set_flags(param, flags);
}

#define LOOSENING  (SSL_OP_LEGACY_SERVER_CONNECT | SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION)
#define TIGHTENING (SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION)

static void get_options(lua_State *L, tls_context *t) {
  lua_pushinteger(L, (lua_Integer)SSL_CTX_get_options(t->ctx));
}

static void set_options(lua_State *L, tls_context *t) {
  uint64_t options = (uint64_t)luaL_checkinteger(L, 3);
  uint64_t before = SSL_CTX_get_options(t->ctx);
  if ((options & ~before & LOOSENING) != 0 || (before & ~options & TIGHTENING) != 0)
    ask_for_less(L, "options", NULL);
  SSL_CTX_clear_options(t->ctx, SSL_CTX_get_options(t->ctx) & ~options);
  SSL_CTX_set_options(t->ctx, options);
}

/* Python's numbers for "the lowest there is" and "the highest": -2 and -1; 0 is OpenSSL's. */
static void push_version(lua_State *L, long version, int any) {
  lua_pushinteger(L, version == 0 ? any : version);
}

static int version_at(lua_State *L, const char *name) {
  lua_Integer version = luaL_checkinteger(L, 3);
  if (version == -1 || version == -2) return 0;
  if (version < SSL3_VERSION || version > TLS1_3_VERSION) refuse(L, name);
  return (int)version;
}

static void get_minimum_version(lua_State *L, tls_context *t) {
  push_version(L, SSL_CTX_get_min_proto_version(t->ctx), -2);
}

static void set_minimum_version(lua_State *L, tls_context *t) {
  int version = version_at(L, "minimum_version");
  if (version < TLS1_2_VERSION) ask_for_less(L, "minimum_version", NULL);
  if (SSL_CTX_set_min_proto_version(t->ctx, version) != 1) refuse(L, "minimum_version");
}

static void get_maximum_version(lua_State *L, tls_context *t) {
  push_version(L, SSL_CTX_get_max_proto_version(t->ctx), -1);
}

static void set_maximum_version(lua_State *L, tls_context *t) {
  if (SSL_CTX_set_max_proto_version(t->ctx, version_at(L, "maximum_version")) != 1)
    refuse(L, "maximum_version");
}

static void get_sni_callback(lua_State *L, tls_context *t) {
  (void)t;
  lua_getiuservalue(L, 1, TLS_SNI_VALUE);
}

static void set_sni_callback(lua_State *L, tls_context *t) {
  tls_names_set_sni(L, t, 1, 3);
}

static void get_keylog_filename(lua_State *L, tls_context *t) {
  lua_pushstring(L, t->keylog_name); /* nil for NULL */
}

static void set_keylog_filename(lua_State *L, tls_context *t) {
  if (lua_isnil(L, 3)) {
    tls_keylog_close(t);
    return;
  }
  const char *name = luaL_checkstring(L, 3);
  ask_for_less(L, "keylog_filename", name);
  int err = tls_keylog_open(t, name);
  if (err != 0) luaL_error(L, "SSLContext.keylog_filename: %s: %s", name, strerror(err));
}

/* keylog(context, name, call): the same for where the environment says: that is nobody's mistake in
   the program, but the world's failure. */
static int log_keys(lua_State *L) {
  tls_context *t = tls_context_open(L, 1);
  const char *name = luaL_checkstring(L, 2);
  int err = TLS_API(L)->ask(L, "keylog", name);
  if (err != 0) return TLS_API(L)->fail(L, NULL, "keylog", err);
  err = tls_keylog_open(t, name);
  lua_pushboolean(L, 1);
  if (err == 0) return 1;
  cs_words words = {.text = lua_pushfstring(L, "SSLKEYLOGFILE: %s: %s", name, strerror(err))};
  return TLS_API(L)->fail_words(L, luaL_checkstring(L, 3), "error", err, &words);
}

static void get_num_tickets(lua_State *L, tls_context *t) {
  lua_pushinteger(L, (lua_Integer)SSL_CTX_get_num_tickets(t->ctx));
}

static void set_num_tickets(lua_State *L, tls_context *t) {
  lua_Integer n = luaL_checkinteger(L, 3);
  if (!t->server) luaL_error(L, "SSLContext.num_tickets: the context is a client's");
  if (n < 0 || n > 100 || SSL_CTX_set_num_tickets(t->ctx, (size_t)n) != 1) refuse(L, "num_tickets");
}

static void get_session_cache(lua_State *L, tls_context *t) {
  lua_pushboolean(L, t->keeps_sessions);
}

static void set_session_cache(lua_State *L, tls_context *t) {
  luaL_checktype(L, 3, LUA_TBOOLEAN);
  t->keeps_sessions = lua_toboolean(L, 3);
  tls_session_install(t);
}

static void get_suppress_ragged_eofs(lua_State *L, tls_context *t) {
  lua_pushboolean(L, t->ragged);
}

static void set_suppress_ragged_eofs(lua_State *L, tls_context *t) {
  luaL_checktype(L, 3, LUA_TBOOLEAN);
  t->ragged = lua_toboolean(L, 3);
}

static void get_security_level(lua_State *L, tls_context *t) {
  lua_pushinteger(L, SSL_CTX_get_security_level(t->ctx));
}

static void get_server_side(lua_State *L, tls_context *t) {
  lua_pushboolean(L, t->server);
}

static void get_insecure(lua_State *L, tls_context *t) {
  lua_pushboolean(L, t->insecure);
}

static void get_in_use(lua_State *L, tls_context *t) {
  lua_pushboolean(L, t->used);
}

static void get_protocol(lua_State *L, tls_context *t) {
  lua_pushinteger(L, t->server ? TLS_PROTOCOL_SERVER : TLS_PROTOCOL_CLIENT);
}

static const struct {
  const char *name;
  void (*get)(lua_State *L, tls_context *t);
  void (*set)(lua_State *L, tls_context *t); /* the value is at 3; NULL: it cannot be set */
} properties[] = {
    {"verify_mode", get_verify_mode, set_verify_mode},
    {"check_hostname", get_check_hostname, set_check_hostname},
    {"verify_flags", get_verify_flags, set_verify_flags},
    {"options", get_options, set_options},
    {"minimum_version", get_minimum_version, set_minimum_version},
    {"maximum_version", get_maximum_version, set_maximum_version},
    {"sni_callback", get_sni_callback, set_sni_callback},
    {"keylog_filename", get_keylog_filename, set_keylog_filename},
    {"num_tickets", get_num_tickets, set_num_tickets},
    {"session_cache", get_session_cache, set_session_cache},
    {"suppress_ragged_eofs", get_suppress_ragged_eofs, set_suppress_ragged_eofs},
    {"security_level", get_security_level, NULL},
    {"server_side", get_server_side, NULL},
    {"insecure", get_insecure, NULL},
    {"in_use", get_in_use, NULL},
    {"protocol", get_protocol, NULL},
};

#define PROPERTIES (sizeof properties / sizeof *properties)

static size_t find_property(lua_State *L) {
  const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  size_t i = 0;
  while (i < PROPERTIES && strcmp(properties[i].name, name) != 0) i++;
  return i;
}

/* Upvalue 1: the methods. */
static int context_index_method(lua_State *L) {
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  size_t i = find_property(L);
  if (i == PROPERTIES) return 0;
  properties[i].get(L, tls_context_check(L, 1));
  return 1;
}

static int context_newindex(lua_State *L) {
  size_t i = find_property(L);
  if (i == PROPERTIES)
    return luaL_error(L, "SSLContext has no property '%s'", luaL_tolstring(L, 2, NULL));
  if (properties[i].set == NULL)
    return luaL_error(L, "SSLContext.%s cannot be set", properties[i].name);
  properties[i].set(L, tls_context_open(L, 1));
  return 0;
}

/* --- ciphers --- */

/* Whether with these ciphers a peer may show no certificate, or a weaker one than now. */
static bool is_weaker(SSL_CTX *ctx, const char *list) {
  bool weaker = false;
  SSL_CTX *tried = SSL_CTX_new(TLS_client_method());
  if (tried == NULL || SSL_CTX_set_cipher_list(tried, list) != 1) weaker = true;
  STACK_OF(SSL_CIPHER) *ciphers = tried != NULL ? SSL_CTX_get_ciphers(tried) : NULL;
  for (int i = 0; !weaker && i < sk_SSL_CIPHER_num(ciphers); i++)
    weaker = SSL_CIPHER_get_auth_nid(sk_SSL_CIPHER_value(ciphers, i)) == NID_auth_null;
  if (!weaker) weaker = SSL_CTX_get_security_level(tried) < SSL_CTX_get_security_level(ctx);
  SSL_CTX_free(tried);
  ERR_clear_error();
  return weaker;
}

static int set_list(lua_State *L, const char *call, int (*set)(SSL_CTX *, const char *)) {
  tls_context *t = tls_context_open(L, 1);
  const char *list = luaL_checkstring(L, 2);
  bool weaker = set == SSL_CTX_set_cipher_list && !t->insecure && is_weaker(t->ctx, list);
  int err = weaker ? TLS_API(L)->ask(L, call, NULL) : 0;
  if (err != 0) return TLS_API(L)->fail(L, NULL, call, err);
  ERR_clear_error();
  if (set(t->ctx, list) != 1) return tls_failure_push(L, TLS_API(L), call, list);
  lua_pushboolean(L, 1);
  return 1;
}

/***
Which ciphers TLS 1.2 may use, in OpenSSL's notation.
Source: Python's `SSLContext.set_ciphers`, SSL_CTX_set_cipher_list(3).
@function SSLContext:set_ciphers
@tparam string list such as `"ECDHE+AESGCM"`
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error `NO_CIPHER_MATCH`
@treturn[2] int errno
@usage
local context = assert(ssl.create_default_context())
assert(context:set_ciphers "ECDHE+AESGCM")
*/
static int context_set_ciphers(lua_State *L) {
  return set_list(L, "set_ciphers", SSL_CTX_set_cipher_list);
}

/***
Which ciphers TLS 1.3 may use.
Source: SSL_CTX_set_ciphersuites(3).
@function SSLContext:set_ciphersuites
@tparam string list such as `"TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256"`
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno
@usage
local context = assert(ssl.create_default_context())
assert(context:set_ciphersuites "TLS_AES_128_GCM_SHA256")
*/
static int context_set_ciphersuites(lua_State *L) {
  return set_list(L, "set_ciphersuites", SSL_CTX_set_ciphersuites);
}

static int set_groups(SSL_CTX *ctx, const char *list) {
  return (int)SSL_CTX_set1_groups_list(ctx, list);
}

/***
Which groups may be used for the exchange of keys. OpenSSL's own choice is good.
Source: Python's `SSLContext.set_ecdh_curve`, SSL_CTX_set1_groups_list(3).
@function SSLContext:set_ecdh_curve
@tparam string list such as `"X25519:P-256"`
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno
@usage
local context = assert(ssl.create_default_context())
assert(context:set_ecdh_curve "X25519:P-256")
*/
static int context_set_ecdh_curve(lua_State *L) {
  return set_list(L, "set_ecdh_curve", set_groups);
}

/***
The ciphers that the context allows. Source: Python's `SSLContext.get_ciphers`.
@function SSLContext:get_ciphers
@treturn {table,...} each with `name`, `protocol`, `strength_bits`, `alg_bits`, `id`
@usage
local context = assert(ssl.create_default_context())
print(context:get_ciphers()[1].name)
*/
static int context_get_ciphers(lua_State *L) {
  const tls_context *t = tls_context_check(L, 1);
  STACK_OF(SSL_CIPHER) *list = SSL_CTX_get_ciphers(t->ctx);
  lua_newtable(L);
  for (int i = 0; i < sk_SSL_CIPHER_num(list); i++) {
    tls_cipher_push(L, sk_SSL_CIPHER_value(list, i));
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

const luaL_Reg tls_context_methods[] = {
    {"set_ciphers", context_set_ciphers},
    {"set_ciphersuites", context_set_ciphersuites},
    {"set_ecdh_curve", context_set_ecdh_curve},
    {"get_ciphers", context_get_ciphers},
    {NULL, NULL},
};

const luaL_Reg tls_context_functions[] = {
    {"context", make},
    {"keylog", log_keys},
    {NULL, NULL},
};

static const luaL_Reg meta[] = {
    {"__gc", context_gc},
    {"__tostring", context_tostring},
    {"__newindex", context_newindex},
    {NULL, NULL},
};

/* Leaves the table of methods, to which csock.ssl adds its own, on the stack. */
void tls_context_register(lua_State *L) {
  luaL_newmetatable(L, TLS_CONTEXT);
  tls_setfuncs(L, meta);
  lua_newtable(L);
  tls_setfuncs(L, tls_context_methods);
  tls_setfuncs(L, tls_material_methods);
  tls_setfuncs(L, tls_names_methods);
  tls_setfuncs(L, tls_session_methods);
  lua_pushvalue(L, -1);
  lua_pushcclosure(L, context_index_method, 1);
  lua_setfield(L, -3, "__index");
  lua_remove(L, -2);
}
