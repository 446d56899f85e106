/* material.c: what a context gets from files: certificates with their keys, the authorities that it
 * trusts, a stapled response. */
#include "tls.h"

#include <openssl/pem.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- passwords --- */

typedef struct secret {
  const char *text; /* NULL: not known */
  size_t len;
  bool asked; /* the key wants one */
} secret;

/* Without this, OpenSSL would ask whoever sits at the terminal. */
static int give_secret(char *buf, int size, int rwflag, void *arg) {
  secret *s = arg;
  (void)rwflag;
  if (s == NULL) return -1;
  s->asked = true;
  if (s->text == NULL || s->len > (size_t)size) return -1;
  memcpy(buf, s->text, s->len);
  return (int)s->len;
}

void tls_material_install(tls_context *t) {
  SSL_CTX_set_default_passwd_cb(t->ctx, give_secret);
  SSL_CTX_set_default_passwd_cb_userdata(t->ctx, NULL);
}

/* --- a certificate with its chain and its key --- */

#define PAIR "csock.ssl.pair"

typedef struct pair {
  X509 *cert;
  STACK_OF(X509) * chain;
  EVP_PKEY *key;
} pair;

static int pair_gc(lua_State *L) {
  pair *p = luaL_checkudata(L, 1, PAIR);
  X509_free(p->cert);
  sk_X509_pop_free(p->chain, X509_free);
  EVP_PKEY_free(p->key);
  *p = (pair){NULL, NULL, NULL};
  return 0;
}

static pair *push_pair(lua_State *L) {
  pair *p = lua_newuserdatauv(L, sizeof *p, 0);
  *p = (pair){NULL, NULL, NULL};
  luaL_newmetatable(L, PAIR);
  lua_pushcfunction(L, pair_gc); /* each time: the first may have failed here */
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  return p;
}

/* Whether PEM's functions gave nothing because nothing more is there. */
static bool at_end(void) {
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) return false;
  ERR_clear_error();
  return true;
}

/* The certificates that are left in b. */
static bool read_others(pair *p, BIO *b) {
  X509 *next = NULL;
  bool fine = p->chain != NULL;
  while (fine && (next = PEM_read_bio_X509(b, NULL, give_secret, NULL)) != NULL)
    if (sk_X509_push(p->chain, next) == 0) {
      X509_free(next);
      fine = false;
    }
  return fine;
}

/* The first certificate is the server's or client's own, the others lead to the authority. */
static bool read_chain(pair *p, const char *file) {
  BIO *b = BIO_new_file(file, "r");
  if (b == NULL) return false;
  p->cert = PEM_read_bio_X509_AUX(b, NULL, give_secret, NULL);
  p->chain = sk_X509_new_null();
  bool fine = p->cert != NULL && read_others(p, b);
  BIO_free(b);
  return fine && at_end();
}

/* More of those that lead to the authority: one at least. */
static bool read_issuers(pair *p, const char *file) {
  BIO *b = BIO_new_file(file, "r");
  if (b == NULL) return false;
  int before = sk_X509_num(p->chain);
  bool fine = read_others(p, b) && sk_X509_num(p->chain) > before;
  BIO_free(b);
  return fine && at_end();
}

static bool read_key(pair *p, const char *file, secret *s) {
  BIO *b = BIO_new_file(file, "r");
  if (b == NULL) return false;
  s->asked = false;
  p->key = PEM_read_bio_PrivateKey(b, NULL, give_secret, s);
  BIO_free(b);
  return p->key != NULL;
}

/* Whether no key was found: OpenSSL's decoder calls that "unsupported". */
static bool no_key(void) {
  unsigned long e = ERR_peek_error();
  return ERR_GET_LIB(e) == ERR_LIB_OSSL_DECODER && ERR_GET_REASON(e) == ERR_R_UNSUPPORTED;
}

/* Reads what is at `first`: certfile, keyfile or nil, password or nil, chainfile or nil; pushes a
   pair, or fails. */
static int read_pair(lua_State *L, const char *call, int first) {
  const char *cert = lua_tostring(L, first);
  const char *key = lua_isnil(L, first + 1) ? cert : lua_tostring(L, first + 1);
  const char *more = lua_tostring(L, first + 3);
  int password = first + 2;
  secret s = {NULL, 0, false};
  int err = TLS_API(L)->ask(L, call, cert);
  if (err == 0) err = TLS_API(L)->ask(L, call, key);
  if (err == 0 && more != NULL) err = TLS_API(L)->ask(L, call, more);
  if (err != 0) return TLS_API(L)->fail(L, NULL, call, err);
  pair *p = push_pair(L);
  ERR_clear_error();
  if (!read_chain(p, cert)) return tls_failure_push(L, TLS_API(L), call, cert);
  if (more != NULL && !read_issuers(p, more)) return tls_failure_push(L, TLS_API(L), call, more);
  if (lua_type(L, password) == LUA_TSTRING) s.text = lua_tolstring(L, password, &s.len);
  bool fine = read_key(p, key, &s);
  if (!fine && s.asked && lua_type(L, password) == LUA_TFUNCTION) {
    ERR_clear_error();
    lua_pushvalue(L, password);
    lua_call(L, 0, 1);
    if (lua_type(L, -1) != LUA_TSTRING)
      return luaL_error(L, "the password function gave no string");
    s.text = lua_tolstring(L, -1, &s.len); /* it stays on the stack */
    fine = read_key(p, key, &s);
    lua_pop(L, 1);
  }
  if (!fine && s.asked && s.text == NULL) {
    cs_words words = {.name = "BAD_PASSWORD_READ"};
    ERR_clear_error();
    words.text = lua_pushfstring(L, "%s: the key is encrypted, and no password was given", key);
    return TLS_API(L)->fail_words(L, call, "ssl", EPROTO, &words);
  }
  if (!fine && no_key()) {
    cs_words words = {.name = "UNSUPPORTED"};
    ERR_clear_error();
    words.text = lua_pushfstring(L, "%s: no private key of a known kind is in it", key);
    return TLS_API(L)->fail_words(L, call, "ssl", EPROTO, &words);
  }
  if (!fine || X509_check_private_key(p->cert, p->key) != 1)
    return tls_failure_push(L, TLS_API(L), call, key);
  return 0;
}

#define KIND 5 /* place of the key's kind among what is remembered */

static bool use_pair(tls_context *t, const pair *p) {
  return SSL_CTX_use_cert_and_key(t->ctx, p->cert, p->key, p->chain, 1) == 1;
}

/* Takes the arguments behind 1; they are remembered, with the kind of the key. */
static void remember(lua_State *L, const pair *p) {
  if (lua_getiuservalue(L, 1, TLS_PAIRS_VALUE) != LUA_TTABLE) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, TLS_PAIRS_VALUE);
  }
  lua_createtable(L, KIND, 0);
  for (int i = 1; i < KIND; i++) {
    lua_pushvalue(L, i + 1);
    lua_rawseti(L, -2, i);
  }
  lua_pushinteger(L, EVP_PKEY_get_base_id(p->key));
  lua_rawseti(L, -2, KIND);
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  lua_pop(L, 1);
}

/***
Whom the context's connections are: a certificate, what leads from it to its authority, and its
key. May be called once for each kind of key.
Source: Python's `SSLContext.load_cert_chain`.
@function SSLContext:load_cert_chain
@tparam string certfile a PEM file: the certificate, then those that signed it
@tparam[opt=certfile] string keyfile a PEM file with the private key
@tparam[opt] string|function password of the key, or what gives it; nobody is asked at the terminal
@tparam[opt] string chainfile a PEM file with more of those that signed it, where `certfile` has not
all
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error (`KEY_VALUES_MISMATCH`, `BAD_DECRYPT`, `ENOENT` ...)
@treturn[2] int errno
@usage
local context = assert(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))
assert(context:load_cert_chain("cert.pem", "key.pem"))
*/
static int context_load_cert_chain(lua_State *L) {
  tls_context *t = tls_context_open(L, 1);
  luaL_checkstring(L, 2);
  luaL_optstring(L, 3, NULL);
  luaL_optstring(L, 5, NULL);
  lua_settop(L, 5);
  luaL_argcheck(L, lua_isnil(L, 4) || lua_type(L, 4) == LUA_TSTRING || lua_isfunction(L, 4), 4,
                "a string or a function expected");
  int n = read_pair(L, "load_cert_chain", 2);
  if (n != 0) return n;
  const pair *p = lua_touserdata(L, -1);
  if (!use_pair(t, p))
    return tls_failure_push(L, TLS_API(L), "load_cert_chain", lua_tostring(L, 2));
  remember(L, p);
  lua_pushboolean(L, 1);
  return 1;
}

/***
Reads the files of `load_cert_chain` again: connections that are made from now on get what they
hold; those that exist keep what they have. If one of the files is not sound, nothing changes. A key
of another kind (RSA in the place of an elliptic curve's) needs a new context: OpenSSL would go on
showing the old one beside it.
@function SSLContext:reload
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno
@usage
local context = assert(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))
assert(context:load_cert_chain("cert.pem", "key.pem"))
assert(context:reload()) -- when the files are new
*/
static int context_reload(lua_State *L) {
  tls_context *t = tls_context_check(L, 1);
  lua_settop(L, 1);
  if (lua_getiuservalue(L, 1, TLS_PAIRS_VALUE) != LUA_TTABLE)
    return luaL_error(L, "load_cert_chain was not called");
  int count = (int)lua_rawlen(L, 2);
  luaL_checkstack(L, count + 12, NULL);
  for (int i = 1; i <= count; i++) {
    int first = lua_gettop(L) + 2;
    lua_rawgeti(L, 2, i);
    for (int j = 1; j < KIND; j++) lua_rawgeti(L, first - 1, j);
    int n = read_pair(L, "reload", first);
    if (n != 0) return n;
    lua_rawgeti(L, first - 1, KIND);
    if (EVP_PKEY_get_base_id(((const pair *)lua_touserdata(L, -2))->key) != lua_tointeger(L, -1)) {
      cs_words words = {.name = "KEY_KIND_CHANGED"};
      words.text = lua_pushfstring(L, "%s: the key is of another kind: make a new context",
                                   lua_tostring(L, first));
      return TLS_API(L)->fail_words(L, "reload", "ssl", EPROTO, &words);
    }
    lua_pop(L, 1);
    lua_replace(L, first - 1);
    lua_settop(L, first - 1);
  }
  for (int i = 3; i < 3 + count; i++)
    if (!use_pair(t, lua_touserdata(L, i))) return tls_failure_push(L, TLS_API(L), "reload", NULL);
  lua_pushboolean(L, 1);
  return 1;
}

/* --- authorities --- */

/* The process's store is not changed: the context gets one of its own first. False: no memory. */
static bool own_store(tls_context *t) {
  if (!t->shared_store) return true;
  X509_STORE *store = X509_STORE_new();
  if (store == NULL || tls_store_fill(store) == ENOMEM) {
    X509_STORE_free(store);
    ERR_clear_error();
    return false;
  }
  SSL_CTX_set_cert_store(t->ctx, store);
  t->shared_store = false;
  return true;
}

static bool add_one(X509_STORE *store, X509 *cert) {
  bool fine = X509_STORE_add_cert(store, cert) == 1;
  X509_free(cert);
  return fine;
}

/* Certificates in PEM. */
static bool add_pem(X509_STORE *store, const char *data, size_t len) {
  BIO *b = BIO_new_mem_buf(data, (int)len);
  X509 *cert;
  int count = 0;
  if (b == NULL) return false;
  while ((cert = PEM_read_bio_X509(b, NULL, give_secret, NULL)) != NULL && add_one(store, cert))
    count++;
  BIO_free(b);
  return cert == NULL && count > 0 && at_end();
}

/* ... and in DER, one behind the other. */
static bool add_der(X509_STORE *store, const char *data, size_t len) {
  const unsigned char *p = (const unsigned char *)data, *end = p + len;
  while (p < end) {
    X509 *cert = d2i_X509(NULL, &p, (long)(end - p));
    if (cert == NULL || !add_one(store, cert)) return false;
  }
  return true;
}

static bool add_data(X509_STORE *store, const char *data, size_t len) {
  bool der = len > 0 && (unsigned char)data[0] == 0x30;
  return (der ? add_der : add_pem)(store, data, len);
}

/* load_verify_locations(context, cafile, capath, cadata) */
static int context_load_verify(lua_State *L) {
  tls_context *t = tls_context_open(L, 1);
  const char *file = luaL_optstring(L, 2, NULL), *directory = luaL_optstring(L, 3, NULL);
  size_t len = 0;
  const char *data = luaL_optlstring(L, 4, NULL, &len), *what = NULL;
  const char *call = "load_verify_locations";
  luaL_argcheck(L, len < 0x7fffffff, 4, "too long");
  int err = file != NULL ? TLS_API(L)->ask(L, call, file) : 0;
  if (err == 0 && directory != NULL) err = TLS_API(L)->ask(L, call, directory);
  if (err != 0) return TLS_API(L)->fail(L, NULL, call, err);
  if (directory != NULL && !tls_store_is_hashed(directory)) {
    /* OpenSSL would look into it in each handshake, and find nothing. */
    cs_words words = {0};
    words.text = lua_pushfstring(
        L, "%s: no certificate there is named by its hash, as c_rehash does", directory);
    return TLS_API(L)->fail_words(L, call, "error", ENOENT, &words);
  }
  ERR_clear_error();
  if (!own_store(t)) return TLS_API(L)->fail(L, NULL, call, ENOMEM);
  X509_STORE *store = SSL_CTX_get_cert_store(t->ctx);
  if (file != NULL && X509_STORE_load_file(store, file) != 1)
    what = file;
  else if (directory != NULL && X509_STORE_load_path(store, directory) != 1)
    what = directory;
  else if (data != NULL && !add_data(store, data, len))
    what = "cadata";
  if (what != NULL) return tls_failure_push(L, TLS_API(L), call, what);
  t->trusts = true;
  lua_pushboolean(L, 1);
  return 1;
}

/***
Trusts the system's authorities. They are read once for the process.
Source: Python's `SSLContext.load_default_certs`.
@function SSLContext:load_default_certs
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error that names the places where none were found
@treturn[2] int errno `ENOENT`
@usage
local context = assert(ssl.create_default_context())
assert(context:load_default_certs())
*/
static int context_load_default_certs(lua_State *L) {
  tls_context *t = tls_context_open(L, 1);
  const char *call = "load_default_certs";
  ERR_clear_error();
  X509_STORE *system = NULL;
  int err = t->trusts ? tls_store_fill(SSL_CTX_get_cert_store(t->ctx)) : tls_store_system(&system);
  if (err == ENOENT) {
    tls_store_push_tried(L);
    cs_words words = {.text =
                          lua_pushfstring(L, "no authorities found in %s", lua_tostring(L, -1))};
    return TLS_API(L)->fail_words(L, call, "ssl", ENOENT, &words);
  }
  if (err != 0) return TLS_API(L)->fail(L, NULL, call, err);
  if (system != NULL) {
    SSL_CTX_set1_cert_store(t->ctx, system);
    t->shared_store = true;
  }
  lua_pushboolean(L, 1);
  return 1;
}

/***
The authorities that the context trusts. Those of a directory are there once they were needed.
Source: Python's `SSLContext.get_ca_certs`.
@function SSLContext:get_ca_certs
@tparam[opt=false] boolean binary_form
@treturn {table|string,...} as `socket:getpeercert` gives one
@usage
local context = assert(ssl.create_default_context())
print(#context:get_ca_certs())
*/
static int context_get_ca_certs(lua_State *L) {
  const tls_context *t = tls_context_check(L, 1);
  bool der = lua_toboolean(L, 2);
  pair *p = push_pair(L); /* keeps them: another thread may add to the system's */
  lua_Integer n = 0;
  ERR_clear_error();
  p->chain = X509_STORE_get1_all_certs(SSL_CTX_get_cert_store(t->ctx));
  if (p->chain == NULL) return tls_no_memory(L);
  lua_newtable(L);
  for (int i = 0; i < sk_X509_num(p->chain); i++) {
    X509 *cert = sk_X509_value(p->chain, i);
    if (X509_check_ca(cert) == 0) {
      tls_no_memory_if(L); /* ... to find that out */
      continue;
    }
    if (der)
      tls_certificate_push_der(L, cert);
    else
      tls_certificate_push(L, cert);
    lua_rawseti(L, -2, ++n);
  }
  ERR_clear_error();
  return 1;
}

/***
How many certificates and revocation lists the context has.
Source: Python's `SSLContext.cert_store_stats`.
@function SSLContext:cert_store_stats
@treturn table `x509`, `x509_ca`, `crl` (integers)
@usage
local context = assert(ssl.create_default_context())
print(context:cert_store_stats().x509)
*/
static int context_cert_store_stats(lua_State *L) {
  const tls_context *t = tls_context_check(L, 1);
  X509_STORE *store = SSL_CTX_get_cert_store(t->ctx);
  lua_Integer certs = 0, authorities = 0, lists = 0;
  X509_STORE_lock(store); /* another thread may add to the system's */
  STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);
  for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
    const X509_OBJECT *object = sk_X509_OBJECT_value(objects, i);
    X509 *cert = X509_OBJECT_get0_X509(object);
    lists += X509_OBJECT_get_type(object) == X509_LU_CRL;
    certs += cert != NULL;
    authorities += cert != NULL && X509_check_ca(cert) != 0;
  }
  X509_STORE_unlock(store);
  ERR_clear_error();
  lua_createtable(L, 0, 3);
  lua_pushinteger(L, certs);
  lua_setfield(L, -2, "x509");
  lua_pushinteger(L, authorities);
  lua_setfield(L, -2, "x509_ca");
  lua_pushinteger(L, lists);
  lua_setfield(L, -2, "crl");
  return 1;
}

/* --- a stapled response (RFC 6066 section 8) --- */

static int staple(SSL *ssl, void *arg) {
  const tls_context *t = tls_context_of(SSL_get_SSL_CTX(ssl));
  (void)arg;
  unsigned char *copy = t->stapled != NULL ? OPENSSL_memdup(t->stapled, t->stapled_len) : NULL;
  if (copy == NULL) return SSL_TLSEXT_ERR_NOACK;
  if (SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)t->stapled_len) == 1)
    return SSL_TLSEXT_ERR_OK;
  OPENSSL_free(copy);
  return SSL_TLSEXT_ERR_NOACK;
}

/***
The OCSP response that a server sends with its certificate to clients that ask for one. It may be
renewed at any time.
@function SSLContext:set_stapled_response
@tparam ?string der as the authority's responder gave it; nil: none
@usage
local context = assert(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))
context:set_stapled_response(nil)
*/
static int context_set_stapled_response(lua_State *L) {
  tls_context *t = tls_context_check(L, 1);
  size_t len = 0;
  const char *der = luaL_optlstring(L, 2, NULL, &len);
  luaL_argcheck(L, t->server, 1, "a server's context expected");
  luaL_argcheck(L, len < 65536, 2, "too long");
  unsigned char *copy = len > 0 ? malloc(len) : NULL;
  if (len > 0 && copy == NULL) return tls_no_memory(L);
  if (len > 0) memcpy(copy, der, len);
  free(t->stapled);
  t->stapled = copy;
  t->stapled_len = len;
  SSL_CTX_set_tlsext_status_cb(t->ctx, staple);
  return 0;
}

const luaL_Reg tls_material_methods[] = {
    {"load_cert_chain", context_load_cert_chain},
    {"reload", context_reload},
    {"load_verify", context_load_verify},
    {"load_default_certs", context_load_default_certs},
    {"get_ca_certs", context_get_ca_certs},
    {"cert_store_stats", context_cert_store_stats},
    {"set_stapled_response", context_set_stapled_response},
    {NULL, NULL},
};
