/* names.c: names in a handshake: the server's (SNI, and what its certificate must be for), and the
 * protocol's that is spoken inside (ALPN). */
#include "tls.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- the name that a client expects --- */

static bool is_ip(const char *name) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

int tls_names_expect(tls_conn *c, const tls_context *t, const char *name) {
  if (c->server || name == NULL) return 0;
  size_t len = strlen(name);
  if (len > 1 && name[len - 1] == '.') len--; /* an absolute name is the same name */
  if (len == 0 || len > 255 || name[0] == '.') return EINVAL;
  c->server_name = calloc(1, len + 1);
  if (c->server_name == NULL) return ENOMEM;
  memcpy(c->server_name, name, len);
  bool ok = true;
  const bool ip = is_ip(c->server_name);
  ERR_clear_error();
  if (!ip) ok = SSL_set_tlsext_host_name(c->ssl, c->server_name) == 1;
  if (ok && t->check_hostname) {
    c->verifies = ip ? TLS_VERIFIES_IP : TLS_VERIFIES_HOST;
    X509_VERIFY_PARAM *param = SSL_get0_param(c->ssl);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    ok = (ip ? X509_VERIFY_PARAM_set1_ip_asc(param, c->server_name)
             : X509_VERIFY_PARAM_set1_host(param, c->server_name, len)) == 1;
  }
  ERR_clear_error();
  return ok ? 0 : ENOMEM;
}

/* --- the name that a client asks a server for --- */

static bool same(const char *pattern, const char *name) {
  while (*pattern != '\0' && *pattern == tolower((unsigned char)*name)) pattern++, name++;
  return *pattern == '\0' && *name == '\0';
}

/* An exact name before one with a star for its first label. */
static const tls_sni *find(const tls_context *t, const char *name) {
  const char *rest = strchr(name, '.');
  for (size_t i = 0; i < t->sni_count; i++)
    if (same(t->sni[i].name, name)) return &t->sni[i];
  for (size_t i = 0; rest != NULL && i < t->sni_count; i++)
    if (t->sni[i].name[0] == '*' && same(t->sni[i].name + 1, rest)) return &t->sni[i];
  return NULL;
}

/* SSL_set_SSL_CTX takes the certificates, whom to trust, and the name under which sessions are
   made: one of another context is not taken up. The rest was copied from the first context. False:
   no memory. */
static bool switch_to(SSL *ssl, SSL_CTX *ctx) {
  int mode = SSL_CTX_get_verify_mode(ctx);
  X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
  if (SSL_set_SSL_CTX(ssl, ctx) == NULL) return false;
  SSL_set_verify(ssl, mode, mode != SSL_VERIFY_NONE ? tls_conn_verified : NULL);
  SSL_set_verify_depth(ssl, SSL_CTX_get_verify_depth(ctx));
  X509_VERIFY_PARAM_clear_flags(param, X509_VERIFY_PARAM_get_flags(param));
  X509_VERIFY_PARAM_set_flags(param, X509_VERIFY_PARAM_get_flags(SSL_CTX_get0_param(ctx)));
  SSL_clear_options(ssl, SSL_get_options(ssl) & ~SSL_CTX_get_options(ctx));
  SSL_set_options(ssl, SSL_CTX_get_options(ctx));
  return SSL_set_min_proto_version(ssl, (int)SSL_CTX_get_min_proto_version(ctx)) == 1 &&
         SSL_set_max_proto_version(ssl, (int)SSL_CTX_get_max_proto_version(ctx)) == 1;
}

/* The name in the hello's extension, RFC 6066 section 3: a list of one. NULL: none that is one. */
static char *asked_name(SSL *ssl) {
  const unsigned char *ext;
  size_t len;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &ext, &len) != 1 || len < 5)
    return NULL;
  size_t list = (size_t)ext[0] << 8 | ext[1], name = (size_t)ext[3] << 8 | ext[4];
  if (list != len - 2 || ext[2] != TLSEXT_NAMETYPE_host_name || name != len - 5 || name == 0 ||
      memchr(ext + 5, '\0', name) != NULL)
    return NULL;
  char *text = malloc(name + 1);
  if (text == NULL) return NULL;
  memcpy(text, ext + 5, name);
  text[name] = '\0';
  return text;
}

/* A context is chosen before all else: later, a session of another context would have been taken up
   already, and with it what that has verified. */
static int hello(SSL *ssl, int *alert, void *arg) {
  tls_conn *c = tls_conn_of(ssl);
  const tls_context *t = tls_context_of(SSL_get_SSL_CTX(ssl));
  (void)arg;
  if (!c->decided) {
    if (c->server_name == NULL) c->server_name = asked_name(ssl);
    if (t->asks) return SSL_CLIENT_HELLO_RETRY; /* no function of the program's can run in here */
    const tls_sni *found = c->server_name != NULL ? find(t, c->server_name) : NULL;
    if (found != NULL && found->ctx != NULL && !switch_to(ssl, found->ctx))
      c->refused = SSL_AD_INTERNAL_ERROR;
    c->decided = true;
  }
  *alert = c->refused;
  return c->refused != 0 ? SSL_CLIENT_HELLO_ERROR : SSL_CLIENT_HELLO_SUCCESS;
}

/* Whether the client is told that its name was of use. */
static int acknowledge(SSL *ssl, int *alert, void *arg) {
  (void)ssl, (void)alert, (void)arg;
  return SSL_TLSEXT_ERR_OK;
}

static bool is_server(const tls_context *t) {
  return t != NULL && t->server;
}

/* Runs the program's function, which may close the connection. Pushes what it says (a server's
   context, nil or false), or an error. */
static bool ask(lua_State *L, int arg, const char *name) {
  lua_pushvalue(L, arg);
  lua_rawget(L, TLS_OWNERS);
  int context = lua_gettop(L);
  lua_getiuservalue(L, context, TLS_SNI_VALUE);
  lua_pushvalue(L, arg);
  lua_pushstring(L, name); /* nil for NULL */
  lua_pushvalue(L, context);
  bool fine = lua_pcall(L, 3, 1, 0) == LUA_OK;
  lua_remove(L, context);
  if (fine && lua_toboolean(L, -1) && !is_server(tls_context_test(L, -1))) {
    lua_pushfstring(L, "sni_callback: a server's SSLContext, nil or false expected, got %s",
                    luaL_typename(L, -1));
    lua_replace(L, -2);
    return false;
  }
  return fine;
}

static void decide(lua_State *L, tls_conn *c, bool fine) {
  tls_context *chosen = fine ? tls_context_test(L, -1) : NULL;
  if (!fine)
    c->refused = SSL_AD_INTERNAL_ERROR;
  else if (chosen != NULL && !switch_to(c->ssl, chosen->ctx))
    c->refused = SSL_AD_INTERNAL_ERROR;
  else if (!lua_toboolean(L, -1) && !lua_isnil(L, -1))
    c->refused = SSL_AD_UNRECOGNIZED_NAME;
  if (chosen != NULL) chosen->used = true;
  c->decided = true;
}

int tls_names_handshake(lua_State *L, int arg, tls_conn *(*find_conn)(lua_State *L, int arg)) {
  tls_conn *c = find_conn(L, arg);
  int err = c != NULL ? tls_conn_handshake(c) : ENOTCONN;
  luaL_checkstack(L, 8, NULL);
  while (err == TLS_ASK) {
    bool fine = ask(L, arg, c->server_name);
    if (find_conn(L, arg) == c) {
      decide(L, c, fine);
      err = tls_conn_handshake(c); /* a refusal has to be told */
    } else {
      err = ENOTCONN;
    }
    if (!fine) return lua_error(L);
    lua_pop(L, 1);
  }
  return err;
}

static char *lower(const char *name) {
  size_t n = strlen(name);
  char *text = malloc(n + 1);
  for (size_t i = 0; text != NULL && i <= n; i++) text[i] = (char)tolower((unsigned char)name[i]);
  return text;
}

/* A star stands for the first label as a whole. */
static bool is_pattern(const char *name) {
  if (name[0] == '*' && name[1] == '.') name += 2;
  return name[0] != '\0' && strchr(name, '*') == NULL;
}

static int count_pairs(lua_State *L, int table) {
  int n = 0;
  for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1), n++) {
    if (lua_type(L, -2) != LUA_TSTRING || !is_pattern(lua_tostring(L, -2)))
      luaL_error(L, "sni_callback: names or '*.name' expected as keys");
    if (!is_server(tls_context_test(L, -1)))
      luaL_error(L, "sni_callback: a server's SSLContext expected for '%s'", lua_tostring(L, -2));
  }
  return n;
}

static bool add_pairs(lua_State *L, int table, tls_context *t) {
  for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1)) {
    tls_context *target = tls_context_test(L, -1);
    tls_sni *to = &t->sni[t->sni_count];
    to->name = lower(lua_tostring(L, -2));
    if (to->name == NULL) return false;
    t->sni_count++;
    target->used = true;
    if (target != t && SSL_CTX_up_ref(target->ctx) == 1) to->ctx = target->ctx;
  }
  return true;
}

/* sni_callback = nil, a function, or a table from names to contexts; at the index `value`. */
void tls_names_set_sni(lua_State *L, tls_context *t, int context, int value) {
  int type = lua_type(L, value);
  if (type != LUA_TNIL && type != LUA_TFUNCTION && type != LUA_TTABLE)
    luaL_error(L, "sni_callback: a function or a table expected, got %s", lua_typename(L, type));
  if (!t->server) luaL_error(L, "sni_callback: the context is a client's");
  int n = type == LUA_TTABLE ? count_pairs(L, value) : 0;
  tls_record_drop_sni(t);
  if (n > 0) {
    t->sni = calloc((size_t)n, sizeof *t->sni);
    if (t->sni == NULL || !add_pairs(L, value, t)) tls_no_memory(L);
  }
  lua_pushvalue(L, value);
  lua_setiuservalue(L, context, TLS_SNI_VALUE);
  t->asks = type == LUA_TFUNCTION;
  SSL_CTX_set_client_hello_cb(t->ctx, type != LUA_TNIL ? hello : NULL, NULL);
  int (*heard)(SSL *, int *, void *) = type != LUA_TNIL ? acknowledge : NULL;
  SSL_CTX_set_tlsext_servername_callback(t->ctx, heard);
}

/* --- the protocol inside (RFC 7301) --- */

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *outlen,
                           const unsigned char *in, unsigned inlen, void *arg) {
  const tls_context *t = tls_context_of(SSL_get_SSL_CTX(ssl));
  unsigned char *chosen;
  (void)arg;
  if (t->alpn == NULL) return SSL_TLSEXT_ERR_NOACK;
  if (SSL_select_next_proto(&chosen, outlen, t->alpn, t->alpn_len, in, inlen) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

/***
Which protocols may be spoken inside, the preferred one first. A server that has none in common with
a client that asks refuses it (RFC 7301 section 3.2).
Source: Python's `SSLContext.set_alpn_protocols`.
@function SSLContext:set_alpn_protocols
@tparam {string,...} protocols such as `{"h2", "http/1.1"}`, each of 1 to 255 bytes
@usage
local context = assert(ssl.create_default_context())
context:set_alpn_protocols {"h2", "http/1.1"}
*/
static int context_set_alpn_protocols(lua_State *L) {
  tls_context *t = tls_context_open(L, 1);
  luaL_Buffer b;
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_Integer n = luaL_len(L, 2);
  luaL_buffinit(L, &b);
  for (lua_Integer i = 1; i <= n; i++) {
    size_t len;
    if (lua_geti(L, 2, i) != LUA_TSTRING) return luaL_argerror(L, 2, "strings expected");
    lua_tolstring(L, -1, &len);
    if (len < 1 || len > 255) return luaL_argerror(L, 2, "each has 1 to 255 bytes");
    char head = (char)len;
    lua_pushlstring(L, &head, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
    luaL_addvalue(&b);
  }
  luaL_pushresult(&b);
  size_t len;
  const char *bytes = lua_tolstring(L, -1, &len);
  luaL_argcheck(L, len < 65536, 2, "too long");
  unsigned char *alpn = len > 0 ? malloc(len) : NULL;
  if (len > 0 && alpn == NULL) return tls_no_memory(L);
  if (len > 0) memcpy(alpn, bytes, len);
  free(t->alpn);
  t->alpn = alpn;
  t->alpn_len = (unsigned)len;
  if (!t->server && SSL_CTX_set_alpn_protos(t->ctx, alpn, (unsigned)len) != 0)
    return tls_no_memory(L);
  if (t->server) SSL_CTX_set_alpn_select_cb(t->ctx, len > 0 ? choose_protocol : NULL, NULL);
  return 0;
}

const luaL_Reg tls_names_methods[] = {
    {"set_alpn_protocols", context_set_alpn_protocols},
    {NULL, NULL},
};
