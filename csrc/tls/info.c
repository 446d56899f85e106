/* info.c: what can be asked of a connection, whether it is a socket's or an SSLObject's. */
#include "tls.h"

#include <string.h>

tls_conn *tls_conn_find(lua_State *L, int arg) {
  tls_conn *c = tls_object_conn(L, arg);
  return c != NULL ? c : tls_transport_conn(L, arg);
}

tls_conn *tls_conn_at(lua_State *L, int arg) {
  tls_conn *c = tls_conn_find(L, arg);
  luaL_argcheck(L, c != NULL, arg, "a socket over TLS expected");
  return c;
}

static const SSL *established(lua_State *L) {
  const SSL *ssl = tls_conn_at(L, 1)->ssl;
  return SSL_is_init_finished(ssl) ? ssl : NULL;
}

/***
The version of the protocol.
Source: Python's `ssl.SSLSocket.version`.
@function SSLSocket:version
@treturn ?string `"TLSv1.3"`, `"TLSv1.2"`; nil before the handshake
@usage
local s <close> = assert(csock.create_connection({"localhost", 443}, {ssl = true}))
print(s:version()) --> TLSv1.3
*/
static int conn_version(lua_State *L) {
  const SSL *ssl = established(L);
  lua_pushstring(L, ssl != NULL ? SSL_get_version(ssl) : NULL);
  return 1;
}

/***
The cipher in use.
Source: Python's `ssl.SSLSocket.cipher`.
@function SSLSocket:cipher
@treturn ?string name; nil before the handshake
@treturn string the version of the protocol that defined it
@treturn int bits of its secret
@usage
local s <close> = assert(csock.create_connection({"localhost", 443}, {ssl = true}))
local name, version, bits = s:cipher()
*/
static int conn_cipher(lua_State *L) {
  const SSL *ssl = established(L);
  const SSL_CIPHER *cipher = ssl != NULL ? SSL_get_current_cipher(ssl) : NULL;
  if (cipher == NULL) {
    lua_pushnil(L);
    return 1;
  }
  lua_pushstring(L, SSL_CIPHER_get_name(cipher));
  lua_pushstring(L, SSL_CIPHER_get_version(cipher));
  lua_pushinteger(L, SSL_CIPHER_get_bits(cipher, NULL));
  return 3;
}

/***
The ciphers that a client offered and this server allows.
Source: Python's `ssl.SSLSocket.shared_ciphers`.
@function SSLSocket:shared_ciphers
@treturn ?{table,...} each with `name`, `protocol`, `strength_bits`, `alg_bits`, `id`; nil for a
client
@usage
local s <close> = assert(csock.create_connection({"localhost", 443}, {ssl = true}))
print((s:shared_ciphers())) --> nil
*/
static int conn_shared_ciphers(lua_State *L) {
  const SSL *ssl = established(L);
  STACK_OF(SSL_CIPHER) *offered = ssl != NULL ? SSL_get_client_ciphers(ssl) : NULL;
  STACK_OF(SSL_CIPHER) *ours = ssl != NULL ? SSL_get_ciphers(ssl) : NULL;
  if (offered == NULL || !tls_conn_at(L, 1)->server) return 0;
  lua_Integer n = 0;
  lua_newtable(L);
  for (int i = 0; i < sk_SSL_CIPHER_num(offered); i++) {
    const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(offered, i);
    bool shared = false;
    for (int j = 0; j < sk_SSL_CIPHER_num(ours) && !shared; j++)
      shared = sk_SSL_CIPHER_value(ours, j) == cipher;
    if (!shared) continue;
    tls_cipher_push(L, cipher);
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

/***
The protocol that was agreed upon for the inside.
Source: Python's `ssl.SSLSocket.selected_alpn_protocol`.
@function SSLSocket:selected_alpn_protocol
@treturn ?string such as `"http/1.1"`; nil: none
@usage
local s <close> = assert(csock.create_connection({"localhost", 443}, {ssl = true}))
print((s:selected_alpn_protocol())) --> nil
*/
static int conn_alpn(lua_State *L) {
  const unsigned char *name;
  unsigned len;
  SSL_get0_alpn_selected(tls_conn_at(L, 1)->ssl, &name, &len);
  if (len == 0) return 0;
  lua_pushlstring(L, (const char *)name, len);
  return 1;
}

/***
The peer's certificate. Source: Python's `ssl.SSLSocket.getpeercert`.
@function SSLSocket:getpeercert
@tparam[opt=false] boolean binary_form DER instead of a table
@treturn ?table|string `subject` and `issuer` (sequences of parts, each a sequence of `{name,
value}`), `version`, `serialNumber`, `notBefore`, `notAfter`, `subjectAltName` (`{{"DNS", name},
...}`), `OCSP`, `caIssuers`, `crlDistributionPoints`; an empty table when it was not verified, nil
when there is none
@usage
local s <close> = assert(csock.create_connection({"localhost", 443}, {ssl = true}))
print(s:getpeercert().subject[1][1][2]) --> localhost
*/
static int conn_getpeercert(lua_State *L) {
  const SSL *ssl = tls_conn_at(L, 1)->ssl;
  X509 *cert = SSL_get0_peer_certificate(ssl);
  if (cert == NULL) return 0;
  if (lua_toboolean(L, 2)) return tls_certificate_push_der(L, cert);
  if (SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE) return tls_certificate_push(L, cert);
  lua_newtable(L);
  return 1;
}

static int push_chain(lua_State *L, STACK_OF(X509) * chain, X509 *first) {
  lua_Integer n = 0;
  if (chain == NULL && first == NULL) return 0;
  lua_newtable(L);
  if (first != NULL) {
    tls_certificate_push_der(L, first);
    lua_rawseti(L, -2, ++n);
  }
  for (int i = 0; i < sk_X509_num(chain); i++) {
    tls_certificate_push_der(L, sk_X509_value(chain, i));
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

/***
The chain of certificates that was verified, from the peer's to an authority's.
Source: Python's `ssl.SSLSocket.get_verified_chain`.
@function SSLSocket:get_verified_chain
@treturn ?{string,...} in DER; nil when nothing was verified, or the session was taken up again
@usage
local s <close> = assert(csock.create_connection({"localhost", 443}, {ssl = true}))
print(#s:get_verified_chain()) --> 2
*/
static int conn_get_verified_chain(lua_State *L) {
  const SSL *ssl = tls_conn_at(L, 1)->ssl;
  if (SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE) return 0;
  return push_chain(L, SSL_get0_verified_chain(ssl), NULL);
}

/***
The certificates that the peer has sent. Source: Python's `ssl.SSLSocket.get_unverified_chain`.
@function SSLSocket:get_unverified_chain
@treturn ?{string,...} in DER, the peer's own first
@usage
local s <close> = assert(csock.create_connection({"localhost", 443}, {ssl = true}))
print(#s:get_unverified_chain()) --> 1
*/
static int conn_get_unverified_chain(lua_State *L) {
  const tls_conn *c = tls_conn_at(L, 1);
  /* A server's list of a client's does not have the client's own. */
  return push_chain(L, SSL_get_peer_cert_chain(c->ssl),
                    c->server ? SSL_get0_peer_certificate(c->ssl) : NULL);
}

/***
The session, to be given to `wrap_socket` for the next connection. With TLS 1.3 it is complete once
something has been received. Source: Python's `ssl.SSLSocket.session`.
@function SSLSocket:session
@treturn ?SSLSession with `id`, `time`, `timeout`, `ticket_lifetime_hint`, `has_ticket`
@usage
local s <close> = assert(csock.create_connection({"localhost", 443}, {ssl = true}))
local session = s:session()
*/
static int conn_session(lua_State *L) {
  return tls_session_push(L, tls_conn_at(L, 1));
}

/***
Whether the handshake took up an earlier session. Source: Python's `ssl.SSLSocket.session_reused`.
@function SSLSocket:session_reused
@treturn boolean
@usage
local s <close> = assert(csock.create_connection({"localhost", 443}, {ssl = true}))
print(s:session_reused()) --> false
*/
static int conn_session_reused(lua_State *L) {
  lua_pushboolean(L, SSL_session_reused(tls_conn_at(L, 1)->ssl));
  return 1;
}

/***
The OCSP response that the server has sent with its certificate (see `set_stapled_response`). Nobody
has verified it. Not with a session that was taken up again.
@function SSLSocket:get_stapled_response
@treturn ?string DER; nil: none
@usage
local s <close> = assert(csock.create_connection({"localhost", 443}, {ssl = true}))
print((s:get_stapled_response())) --> nil
*/
static int conn_get_stapled_response(lua_State *L) {
  const unsigned char *der;
  long len = SSL_get_tlsext_status_ocsp_resp(tls_conn_at(L, 1)->ssl, &der);
  if (len <= 0) return 0;
  lua_pushlstring(L, (const char *)der, (size_t)len);
  return 1;
}

/***
How many bytes `recv` gives without the kernel. Source: Python's `ssl.SSLSocket.pending`.
@function SSLSocket:pending
@treturn int
@usage
local s <close> = assert(csock.create_connection({"localhost", 443}, {ssl = true}))
print(s:pending()) --> 0
*/
static int conn_pending(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)tls_conn_buffered(tls_conn_at(L, 1)));
  return 1;
}

/***
The name that was verified, or that the client has asked for.
Source: Python's `ssl.SSLSocket.server_hostname`.
@function SSLSocket:server_hostname
@treturn ?string
@usage
local s <close> = assert(csock.create_connection({"localhost", 443}, {ssl = true}))
print(s:server_hostname()) --> localhost
*/
static int conn_server_hostname(lua_State *L) {
  const tls_conn *c = tls_conn_at(L, 1);
  const char *name = c->server_name;
  if (name == NULL && c->server) name = SSL_get_servername(c->ssl, TLSEXT_NAMETYPE_host_name);
  lua_pushstring(L, name); /* nil for NULL */
  return 1;
}

/***
@function SSLSocket:server_side
@treturn boolean whether this end is the server
@usage
local s <close> = assert(csock.create_connection({"localhost", 443}, {ssl = true}))
print(s:server_side()) --> false
*/
static int conn_server_side(lua_State *L) {
  lua_pushboolean(L, tls_conn_at(L, 1)->server);
  return 1;
}

/***
@function SSLSocket:context
@treturn SSLContext what it was wrapped by
@usage
local s <close> = assert(csock.create_connection({"localhost", 443}, {ssl = true}))
print(s:context().verify_mode == ssl.CERT_REQUIRED) --> true
*/
static int conn_context(lua_State *L) {
  tls_conn_at(L, 1);
  lua_pushvalue(L, 1);
  lua_rawget(L, TLS_OWNERS);
  return 1;
}

#define UNIQUE_MAX 64
#define EXPORTER   32 /* RFC 9266 section 2 */

/***
Bytes that tie a login inside to this very connection.
Source: Python's `ssl.SSLSocket.get_channel_binding`; RFC 5929, RFC 9266.
@function SSLSocket:get_channel_binding
@tparam[opt="tls-unique"] string type `"tls-unique"` (TLS 1.2) or `"tls-exporter"`
@treturn ?string nil before the handshake, and where the version has none of that type
@usage
local s <close> = assert(csock.create_connection({"localhost", 443}, {ssl = true}))
print(#s:get_channel_binding "tls-exporter") --> 32
*/
static int conn_get_channel_binding(lua_State *L) {
  static const char *const types[] = {"tls-unique", "tls-exporter", NULL};
  tls_conn *c = tls_conn_at(L, 1);
  unsigned char bytes[UNIQUE_MAX];
  size_t len;
  bool exporter = luaL_checkoption(L, 2, "tls-unique", types) == 1;
  if (!SSL_is_init_finished(c->ssl)) return 0;
  if (exporter) {
    static const char label[] = "EXPORTER-Channel-Binding";
    if (SSL_export_keying_material(c->ssl, bytes, EXPORTER, label, sizeof label - 1,
                                   (const unsigned char *)"", 0, 1) != 1)
      return tls_failure_push(L, TLS_API(L), "get_channel_binding", NULL);
    len = EXPORTER;
  } else {
    if (SSL_version(c->ssl) >= TLS1_3_VERSION) return 0;
    /* Who has sent the first Finished: the client, but for a session that is taken up again. */
    bool mine = c->server == (SSL_session_reused(c->ssl) != 0);
    len = mine ? SSL_get_finished(c->ssl, bytes, sizeof bytes)
               : SSL_get_peer_finished(c->ssl, bytes, sizeof bytes);
  }
  lua_pushlstring(L, (const char *)bytes, len);
  return 1;
}

const luaL_Reg tls_info_methods[] = {
    {"version", conn_version},
    {"cipher", conn_cipher},
    {"shared_ciphers", conn_shared_ciphers},
    {"selected_alpn_protocol", conn_alpn},
    {"getpeercert", conn_getpeercert},
    {"get_verified_chain", conn_get_verified_chain},
    {"get_unverified_chain", conn_get_unverified_chain},
    {"session", conn_session},
    {"session_reused", conn_session_reused},
    {"get_stapled_response", conn_get_stapled_response},
    {"pending", conn_pending},
    {"server_hostname", conn_server_hostname},
    {"server_side", conn_server_side},
    {"context", conn_context},
    {"get_channel_binding", conn_get_channel_binding},
    {NULL, NULL},
};
