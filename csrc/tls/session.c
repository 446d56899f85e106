/* session.c: sessions that are taken up again: SSLSession, and the sessions that a client's context
 * keeps by itself. */
#include "tls.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SESSION "csock.SSLSession"

#define KEPT_MAX 128 /* names whose last session a context keeps */

/* --- SSLSession --- */

/* Who takes up a session again verifies nothing: it goes by what was verified then. So it is of use
   to the same context alone, for the same name. */
typedef struct session {
  SSL_SESSION *session;
  SSL_CTX *ctx;
  char *name; /* malloc; NULL: none was expected */
} session;

static bool same_name(const char *a, const char *b) {
  if (a == NULL || b == NULL) return a == b;
  size_t len = strlen(a);
  return strncasecmp(a, b, len) == 0 && (b[len] == '\0' || strcmp(b + len, ".") == 0);
}

SSL_SESSION *tls_session_opt(lua_State *L, int arg, const tls_context *t, const char *name) {
  if (lua_isnoneornil(L, arg)) return NULL;
  const session *s = luaL_checkudata(L, arg, SESSION);
  if (t->server) luaL_error(L, "session: a server takes up what its clients bring");
  if (s->ctx != t->ctx) luaL_error(L, "session: it is another context's");
  if (t->check_hostname && !same_name(s->name, name))
    luaL_error(L, "session: it is of a connection to another server");
  return s->session;
}

int tls_session_push(lua_State *L, const tls_conn *c) {
  session *s = lua_newuserdatauv(L, sizeof *s, 0);
  *s = (session){NULL, NULL, NULL};
  luaL_setmetatable(L, SESSION);
  if (c->server_name != NULL && (s->name = strdup(c->server_name)) == NULL) return tls_no_memory(L);
  s->ctx = SSL_get_SSL_CTX(c->ssl);
  SSL_CTX_up_ref(s->ctx);
  s->session = SSL_get1_session(c->ssl);
  if (s->session == NULL) lua_pushnil(L);
  return 1;
}

static int session_gc(lua_State *L) {
  session *s = luaL_checkudata(L, 1, SESSION);
  SSL_SESSION_free(s->session);
  SSL_CTX_free(s->ctx);
  free(s->name);
  *s = (session){NULL, NULL, NULL};
  return 0;
}

static int session_index(lua_State *L) {
  static const char *const names[] = {"id",         "time", "timeout", "ticket_lifetime_hint",
                                      "has_ticket", NULL};
  const SSL_SESSION *s = ((const session *)luaL_checkudata(L, 1, SESSION))->session;
  const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  int i = 0;
  unsigned len;
  while (names[i] != NULL && strcmp(names[i], name) != 0) i++;
  if (s == NULL) return 0;
  switch (i) {
  case 0: {
    const unsigned char *id = SSL_SESSION_get_id(s, &len);
    lua_pushlstring(L, (const char *)id, len);
    return 1;
  }
  case 1:
    lua_pushinteger(L, SSL_SESSION_get_time(s));
    return 1;
  case 2:
    lua_pushinteger(L, SSL_SESSION_get_timeout(s));
    return 1;
  case 3:
    lua_pushinteger(L, (lua_Integer)SSL_SESSION_get_ticket_lifetime_hint(s));
    return 1;
  case 4:
    lua_pushboolean(L, SSL_SESSION_has_ticket(s));
    return 1;
  default:
    return 0;
  }
}

static int session_eq(lua_State *L) {
  const session *a = luaL_testudata(L, 1, SESSION), *b = luaL_testudata(L, 2, SESSION);
  unsigned n, m;
  if (a == NULL || b == NULL || a->session == NULL || b->session == NULL) return 0;
  const unsigned char *x = SSL_SESSION_get_id(a->session, &n);
  const unsigned char *y = SSL_SESSION_get_id(b->session, &m);
  lua_pushboolean(L, a->session == b->session || (n > 0 && n == m && memcmp(x, y, n) == 0));
  return 1;
}

static const luaL_Reg meta[] = {
    {"__gc", session_gc},
    {"__index", session_index},
    {"__eq", session_eq},
    {NULL, NULL},
};

void tls_session_register(lua_State *L) {
  luaL_newmetatable(L, SESSION);
  luaL_setfuncs(L, meta, 0);
  lua_pop(L, 1);
}

/* --- what a client's context keeps: for each name, the last session --- */

static size_t find(const tls_context *t, const char *name) {
  size_t i = 0;
  while (i < t->kept_count && strcmp(t->kept[i].name, name) != 0) i++;
  return i;
}

/* OpenSSL's: 1: the session is ours now. */
static int keep(SSL *ssl, SSL_SESSION *fresh) {
  const tls_conn *c = tls_conn_of(ssl);
  tls_context *t = tls_context_of(SSL_get_SSL_CTX(ssl));
  if (c == NULL || c->server || c->server_name == NULL || !SSL_SESSION_is_resumable(fresh))
    return 0;
  size_t i = find(t, c->server_name);
  if (t->kept == NULL) t->kept = calloc(KEPT_MAX, sizeof *t->kept);
  char *name = t->kept != NULL ? strdup(c->server_name) : NULL;
  if (name == NULL) return 0;
  if (i < t->kept_count) tls_record_drop_session(t, i);
  if (t->kept_count == KEPT_MAX) tls_record_drop_session(t, KEPT_MAX - 1);
  memmove(&t->kept[1], &t->kept[0], t->kept_count * sizeof *t->kept);
  t->kept[0] = (struct tls_kept){name, fresh};
  t->kept_count++;
  return 1;
}

/* A ticket of TLS 1.3 is for one use: who sees it twice knows that it was the same client. */
void tls_session_resume(tls_conn *c, tls_context *t) {
  if (c->server || c->server_name == NULL || !t->keeps_sessions) return;
  size_t i = find(t, c->server_name);
  if (i == t->kept_count) return;
  SSL_set_session(c->ssl, t->kept[i].session);
  if (SSL_SESSION_get_protocol_version(t->kept[i].session) >= TLS1_3_VERSION)
    tls_record_drop_session(t, i);
  ERR_clear_error();
}

void tls_session_install(tls_context *t) {
  if (t->server) return; /* OpenSSL's defaults: tickets, and a cache for those without */
  SSL_CTX_set_session_cache_mode(t->ctx, t->keeps_sessions
                                             ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL
                                             : SSL_SESS_CACHE_OFF);
  SSL_CTX_sess_set_new_cb(t->ctx, t->keeps_sessions ? keep : NULL);
}

static const struct {
  const char *name;
  int command;
} counters[] = {
    {"number", SSL_CTRL_SESS_NUMBER},
    {"connect", SSL_CTRL_SESS_CONNECT},
    {"connect_good", SSL_CTRL_SESS_CONNECT_GOOD},
    {"connect_renegotiate", SSL_CTRL_SESS_CONNECT_RENEGOTIATE},
    {"accept", SSL_CTRL_SESS_ACCEPT},
    {"accept_good", SSL_CTRL_SESS_ACCEPT_GOOD},
    {"accept_renegotiate", SSL_CTRL_SESS_ACCEPT_RENEGOTIATE},
    {"hits", SSL_CTRL_SESS_HIT},
    {"misses", SSL_CTRL_SESS_MISSES},
    {"timeouts", SSL_CTRL_SESS_TIMEOUTS},
    {"cache_full", SSL_CTRL_SESS_CACHE_FULL},
};

/***
How often sessions were made and taken up again.
Source: Python's `SSLContext.session_stats`.
@function SSLContext:session_stats
@treturn table integers: `number`, `connect`, `connect_good`, `accept`, `accept_good`, `hits`,
`misses` ...
@usage
local context = assert(ssl.create_default_context())
print(context:session_stats().connect) --> 0
*/
static int context_session_stats(lua_State *L) {
  const tls_context *t = tls_context_check(L, 1);
  lua_newtable(L);
  for (size_t i = 0; i < sizeof counters / sizeof *counters; i++) {
    lua_pushinteger(L, SSL_CTX_ctrl(t->ctx, counters[i].command, 0, NULL));
    lua_setfield(L, -2, counters[i].name);
  }
  return 1;
}

const luaL_Reg tls_session_methods[] = {
    {"session_stats", context_session_stats},
    {NULL, NULL},
};
