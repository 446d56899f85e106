/* transport.c: TLS under a socket: see csrc/api.h.
 *
 * The socket owns the connection. Which context it is under is known to a weak table of Lua's
 * (TLS_OWNERS), which keeps the context alive. */
#include "tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

typedef struct tls_transport {
  cs_transport head;
  const cs_api *api;
  tls_conn conn;
  SSL_CTX *listens; /* a listening socket's: what is accepted is under this context */
} tls_transport;

static tls_transport *of(cs_transport *t) {
  return (tls_transport *)t;
}

static const tls_transport *of_const(const cs_transport *t) {
  return (const tls_transport *)t;
}

/* --- the descriptor --- */

static tls_transport *carried(tls_conn *c) {
  return (tls_transport *)(void *)((char *)c - offsetof(tls_transport, conn));
}

static int carrier_receive(tls_conn *c, char *bytes, size_t n, size_t *got) {
  tls_transport *t = carried(c);
  return t->api->receive(&t->head, bytes, n, got);
}

static int carrier_transmit(tls_conn *c, const char *bytes, size_t n, size_t *sent) {
  tls_transport *t = carried(c);
  return t->api->transmit(&t->head, bytes, n, sent);
}

static const tls_carrier carrier = {carrier_receive, carrier_transmit};

/* --- what csock calls --- */

/* No Lua runs here, so no function of the program's can be asked for a name. */
static int without_lua(tls_transport *t, int result) {
  if (result != TLS_ASK) return result;
  t->conn.want = 0;
  return EOPNOTSUPP;
}

static int op_recv(cs_transport *t, char *bytes, size_t n, bool peek, size_t *got) {
  return without_lua(of(t), tls_conn_read(&of(t)->conn, bytes, n, peek, got));
}

static int op_send(cs_transport *t, const char *bytes, size_t n, size_t *sent) {
  return without_lua(of(t), tls_conn_write(&of(t)->conn, bytes, n, sent));
}

static bool op_pending(const cs_transport *t) {
  return tls_conn_pending(&of_const(t)->conn);
}

static int op_shutdown(cs_transport *t) {
  return tls_conn_shutdown(&of(t)->conn);
}

static int op_establish(cs_transport *t) {
  return without_lua(of(t), tls_conn_handshake(&of(t)->conn));
}

static void op_free(cs_transport *t) {
  tls_conn_free(&of(t)->conn);
  free(t);
}

static void op_explain(cs_transport *t, int err, cs_words *words) {
  if (err == EOPNOTSUPP && !of(t)->conn.decided && of(t)->conn.server) {
    words->text = "call do_handshake first: the context's sni_callback is a function";
    return;
  }
  if (err == EBUSY) words->text = "there is input to be read first"; /* unwrap */
  tls_failure_words(&of(t)->conn, err, words);
}

static const cs_transport_ops ops = {
    .name = "ssl",
    .recv = op_recv,
    .send = op_send,
    .pending = op_pending,
    .shutdown = op_shutdown,
    .free = op_free,
    .explain = op_explain,
    .establish = op_establish,
};

/* --- a socket that listens: what it accepts is over TLS --- */

static int none_recv(cs_transport *t, char *bytes, size_t n, bool peek, size_t *got) {
  (void)t, (void)bytes, (void)n, (void)peek, (void)got;
  return ENOTCONN;
}

static int none_send(cs_transport *t, const char *bytes, size_t n, size_t *sent) {
  (void)t, (void)bytes, (void)n, (void)sent;
  return ENOTCONN;
}

static bool none_pending(const cs_transport *t) {
  (void)t;
  return false;
}

static int none_shutdown(cs_transport *t) {
  (void)t;
  return 0;
}

static void listening_free(cs_transport *t) {
  SSL_CTX_free(of(t)->listens);
  free(t);
}

static void listening_accepted(lua_State *L, cs_transport *t, int listener, cs_sock *conn);

static const cs_transport_ops listening_ops = {
    .name = "ssl",
    .recv = none_recv,
    .send = none_send,
    .pending = none_pending,
    .shutdown = none_shutdown,
    .free = listening_free,
    .accepted = listening_accepted,
};

/* --- the bytes that came behind the end of TLS: the plain socket gives them first --- */

typedef struct tls_rest {
  cs_transport head;
  const cs_api *api;
  tls_bytes bytes;
} tls_rest;

static tls_rest *rest_of(cs_transport *t) {
  return (tls_rest *)(void *)t;
}

/* For who only looks at what comes. */
static int rest_fill(tls_rest *r) {
  char some[4096];
  size_t got;
  int err = r->api->receive(&r->head, some, sizeof some, &got);
  return err == 0 && got > 0 ? tls_bytes_add(&r->bytes, some, got) : err;
}

static int rest_recv(cs_transport *t, char *bytes, size_t n, bool peek, size_t *got) {
  tls_rest *r = rest_of(t);
  if (r->bytes.len == 0 && !peek) return r->api->receive(t, bytes, n, got);
  int err = r->bytes.len == 0 ? rest_fill(r) : 0;
  if (err != 0 || r->bytes.len == 0) return err;
  *got = n < r->bytes.len ? n : r->bytes.len;
  memcpy(bytes, r->bytes.at + r->bytes.from, *got);
  if (!peek) tls_bytes_drop(&r->bytes, *got);
  return 0;
}

static int rest_send(cs_transport *t, const char *bytes, size_t n, size_t *sent) {
  return rest_of(t)->api->transmit(t, bytes, n, sent);
}

static bool rest_pending(const cs_transport *t) {
  return ((const tls_rest *)(const void *)t)->bytes.len > 0;
}

static void rest_free(cs_transport *t) {
  tls_bytes_free(&rest_of(t)->bytes);
  free(t);
}

static const cs_transport_ops rest_ops = {
    .name = "plain",
    .recv = rest_recv,
    .send = rest_send,
    .pending = rest_pending,
    .shutdown = none_shutdown,
    .free = rest_free,
};

/* --- wrapping --- */

/* What is written comes in whole records: nothing is won by waiting for more (Nagle), and much is
   lost where one follows another (a ticket, then the answer). */
static void no_delay(int fd) {
  int on = 1;
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* no TCP: no matter */
}

static bool listens(int fd) {
  int on = 0;
  socklen_t len = sizeof on;
  return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on != 0;
}

static bool connected(int fd) {
  struct sockaddr_storage addr;
  socklen_t len = sizeof addr;
  return getpeername(fd, (struct sockaddr *)&addr, &len) == 0;
}

/* Puts a connection under the socket. 0 or an errno value. */
static int attach(const cs_api *api, cs_sock *s, SSL_CTX *ctx, tls_conn **made) {
  tls_transport *t = calloc(1, sizeof *t);
  if (t == NULL) return ENOMEM;
  t->head.ops = &ops;
  t->api = api;
  int err = tls_conn_init(&t->conn, ctx, &carrier);
  t->conn.opens = !t->conn.server && connected(api->descriptor(s)); /* else connect does it */
  if (err == 0) err = api->attach(s, &t->head);
  if (err != 0) {
    op_free(&t->head);
    return err;
  }
  no_delay(api->descriptor(s));
  *made = &t->conn;
  return 0;
}

static int attach_listening(const cs_api *api, cs_sock *s, SSL_CTX *ctx) {
  tls_transport *t = calloc(1, sizeof *t);
  if (t == NULL) return ENOMEM;
  t->head.ops = &listening_ops;
  t->api = api;
  t->listens = ctx;
  int err = api->attach(s, &t->head);
  if (err != 0)
    free(t);
  else
    SSL_CTX_up_ref(ctx);
  return err;
}

/* TLS_OWNERS, for a function that the core calls. */
static const char owners_key = 'o';

static void listening_accepted(lua_State *L, cs_transport *t, int listener, cs_sock *conn) {
  tls_conn *made;
  int top = lua_gettop(L);
  luaL_checkstack(L, 4, NULL);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &owners_key);
  lua_pushvalue(L, top);
  lua_pushvalue(L, listener);
  lua_rawget(L, -3); /* the listener's context is the connection's */
  lua_rawset(L, -3);
  lua_settop(L, top);
  int err = attach(of(t)->api, conn, of(t)->listens, &made);
  if (err != 0) luaL_error(L, "accept: %s", strerror(err));
}

static void set_owner(lua_State *L, int object, int context) {
  lua_pushvalue(L, object);
  if (context != 0)
    lua_pushvalue(L, context);
  else
    lua_pushnil(L);
  lua_rawset(L, TLS_OWNERS);
}

/* After `unwrap` the socket gives what came behind the end first. Once that is read, it is plain.
 */
static int take_off_rest(const cs_api *api, cs_sock *s) {
  cs_transport *rest = api->transport(s, &rest_ops);
  if (rest == NULL) return 0;
  if (rest_pending(rest)) return EBUSY;
  rest_free(api->detach(s, NULL));
  return 0;
}

/* Puts TLS under the socket, to be that of the name. 0 or an errno value. */
static int cover(const cs_api *api, cs_sock *s, tls_context *t, const char *name, tls_conn **made) {
  int err = take_off_rest(api, s);
  if (err != 0) return err;
  if (listens(api->descriptor(s))) return attach_listening(api, s, t->ctx);
  err = attach(api, s, t->ctx, made);
  if (err != 0 || (err = tls_names_expect(*made, t, name)) == 0) return err;
  op_free(api->detach(s, NULL));
  return err;
}

/* Why there is no TLS under the socket. */
static int not_wrapped(lua_State *L, const cs_api *api, const cs_sock *s, int err) {
  cs_words words = {.text = "a stream over it is open, which may hold what came in the clear"};
  if (err != EBUSY) return api->fail(L, NULL, "wrap_socket", err);
  if (api->transport(s, &rest_ops) != NULL)
    words.text = "what came behind the end of TLS must be read first";
  return api->fail_words(L, "wrap_socket", "error", err, &words);
}

/* wrap(socket, context, server_hostname, session): puts TLS under the socket, and says whether the
   handshake can be made now. (Else it is not connected yet, or it listens.) */
static int wrap(lua_State *L) {
  const cs_api *api = TLS_API(L);
  cs_sock *s = api->check_sock(L, 1);
  tls_context *t = tls_context_check(L, 2);
  const char *name = luaL_optstring(L, 3, NULL);
  SSL_SESSION *session = tls_session_opt(L, 4, t, name);
  tls_conn *c = NULL;
  lua_settop(L, 4);
  lua_pushvalue(L, 1);
  lua_rawget(L, TLS_OWNERS);
  set_owner(L, 1, 2); /* before there is something to be lost */
  int err = cover(api, s, t, name, &c);
  if (err != 0) {
    set_owner(L, 1, 5); /* whose it was before */
    return not_wrapped(L, api, s, err);
  }
  t->used = true;
  if (c != NULL && session != NULL) SSL_set_session(c->ssl, session);
  if (c != NULL && session == NULL) tls_session_resume(c, t);
  lua_pushboolean(L, c != NULL && connected(api->descriptor(s)) && !api->nonblocking(s));
  return 1;
}

/***
What a socket over TLS has beside the methods of every socket; a plain one raises. All else is as
ever: `recv` gives `""` once the peer has said that it is done (close_notify), an error
`UNEXPECTED_EOF_WHILE_READING` when the connection was cut without that, and `ECONNRESET` for a
reset; `shutdown(SHUT_WR)` and `close` say close_notify, and neither waits for the peer.
@type SSLSocket
*/

/* --- steps --- */

typedef struct step {
  cs_step head;
  const cs_api *api;
  cs_sock *sock;
  const char *call;
} step;

static tls_transport *transport_of(const cs_api *api, const cs_sock *s) {
  cs_transport *t = api->transport(s, &ops);
  return t != NULL ? of(t) : NULL;
}

tls_conn *tls_transport_conn(lua_State *L, int arg) {
  const cs_api *api = TLS_API(L);
  tls_transport *t = transport_of(api, api->check_sock(L, arg));
  return t != NULL ? &t->conn : NULL;
}

static tls_transport *check(lua_State *L) {
  const cs_api *api = TLS_API(L);
  tls_transport *t = transport_of(api, api->check_sock(L, 1));
  luaL_argcheck(L, t != NULL, 1, "a socket over TLS expected");
  return t;
}

static int drive(lua_State *L, const char *call, int (*run)(lua_State *, cs_step *)) {
  const cs_api *api = check(L)->api;
  step *s = lua_newuserdatauv(L, sizeof *s, 0);
  *s = (step){.head.run = run, .api = api, .sock = api->check_sock(L, 1), .call = call};
  return api->drive(L, 1, call, CS_READABLE, &s->head);
}

/* What a step that has tried returns. */
static int tried(lua_State *L, const step *s, int err) {
  if (err < 0) return err;
  if (err > 0) return s->api->fail(L, s->sock, s->call, err);
  lua_pushboolean(L, 1);
  return 1;
}

/* Each step looks anew: somebody may have taken TLS off while this one waited. */
static int handshake_step(lua_State *L, cs_step *head) {
  return tried(L, (const step *)(void *)head, tls_names_handshake(L, 1, tls_transport_conn));
}

/***
Makes the handshake, if it is not made yet; the socket's timeout bounds it.
Source: Python's `ssl.SSLSocket.do_handshake`.
@function SSLSocket:do_handshake
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error of kind `"ssl"`: `name` is OpenSSL's reason (`CERTIFICATE_VERIFY_FAILED` ...)
@treturn[2] int errno (`EPROTO`, `ETIMEDOUT`, `EAGAIN` ...)
@usage
local context = assert(ssl.create_default_context())
local s <close> = assert(csock.create_connection {"localhost", 443})
context:wrap_socket(s, {server_hostname = "localhost", do_handshake_on_connect = false})
assert(s:do_handshake())
*/
static int sock_do_handshake(lua_State *L) {
  return drive(L, "do_handshake", handshake_step);
}

static int key_update_step(lua_State *L, cs_step *head) {
  step *s = (step *)(void *)head;
  tls_transport *t = transport_of(s->api, s->sock);
  return tried(L, s, t != NULL ? tls_bio_flush(&t->conn) : ENOTCONN);
}

/***
Changes the keys of both directions (TLS 1.3), as is advisable after very many bytes.
Source: RFC 8446 section 4.6.3.
@function SSLSocket:key_update
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno
@usage
local s <close> = assert(csock.create_connection({"localhost", 443}, {ssl = true}))
assert(s:key_update())
*/
static int sock_key_update(lua_State *L) {
  tls_transport *t = check(L);
  int over = t->conn.broken != 0 ? t->conn.broken : t->conn.said_end ? EPIPE : 0;
  if (over != 0) return t->api->fail(L, t->api->check_sock(L, 1), "key_update", over);
  ERR_clear_error();
  /* The message is sealed by the handshake function, which has nothing else to do now. */
  if (SSL_key_update(t->conn.ssl, SSL_KEY_UPDATE_REQUESTED) != 1 ||
      SSL_do_handshake(t->conn.ssl) != 1)
    return tls_failure_push(L, t->api, "key_update", NULL);
  return drive(L, "key_update", key_update_step);
}

/* What came behind the peer's end stays with the socket. */
static int take_off(tls_transport *t, cs_sock *sock) {
  tls_rest *rest = NULL;
  if (t->conn.in.len > 0) {
    rest = calloc(1, sizeof *rest);
    if (rest == NULL) return ENOMEM;
    rest->head.ops = &rest_ops;
    rest->api = t->api;
    rest->bytes = t->conn.in;
    memset(&t->conn.in, 0, sizeof t->conn.in);
  }
  t->api->detach(sock, rest != NULL ? &rest->head : NULL);
  op_free(&t->head);
  return 0;
}

static int unwrap_step(lua_State *L, cs_step *head) {
  step *s = (step *)(void *)head;
  tls_transport *t = transport_of(s->api, s->sock);
  int err = t != NULL ? tls_conn_unwrap(&t->conn) : ENOTCONN;
  if (err == 0) err = take_off(t, s->sock);
  if (err != 0) return tried(L, s, err);
  set_owner(L, 1, 0);
  lua_pushvalue(L, 1);
  return 1;
}

/***
Ends TLS on both sides: says that nothing more will be sent, and waits until the peer has said so,
too. What it still sends must be read before. Then the socket is a plain one again.
Source: Python's `ssl.SSLSocket.unwrap`.
@function SSLSocket:unwrap
@treturn[1] socket the same, plain
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EBUSY`: there is input to be read first; `ETIMEDOUT` ...)
@usage
local s <close> = assert(csock.create_connection({"localhost", 443}, {ssl = true}))
s:settimeout(0.1)
local plain, err = s:unwrap() -- a peer that says nothing lets it time out
*/
static int sock_unwrap(lua_State *L) {
  return drive(L, "unwrap", unwrap_step);
}

/***
What a try that gave `EAGAIN` waits for, for a program that waits itself.
@function SSLSocket:want
@treturn ?string `"readable"`, `"writable"`, or nil
@usage
local s <close> = assert(csock.create_connection({"localhost", 443}, {ssl = true}))
print((s:want())) --> nil
*/
static int sock_want(lua_State *L) {
  int want = check(L)->conn.want;
  if (want == 0) return 0;
  lua_pushstring(L, want == CS_READABLE ? "readable" : "writable");
  return 1;
}

const luaL_Reg tls_transport_methods[] = {
    {"do_handshake", sock_do_handshake},
    {"key_update", sock_key_update},
    {"unwrap", sock_unwrap},
    {"want", sock_want},
    {NULL, NULL},
};

const luaL_Reg tls_transport_functions[] = {
    {"wrap", wrap},
    {NULL, NULL},
};

void tls_transport_register(lua_State *L) {
  lua_pushvalue(L, TLS_OWNERS);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &owners_key);
}
