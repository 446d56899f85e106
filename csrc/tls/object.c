/* object.c: TLS without a socket: MemoryBIO, a queue of bytes, and SSLObject, a connection between
 * two of them. For TLS inside TLS, and for whoever moves the bytes himself. */
#include "tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE  "csock.MemoryBIO"
#define OBJECT "csock.SSLObject"

/***
A queue of bytes.
@type MemoryBIO
*/

/***
TLS between two queues of bytes. It has the methods of an @{SSLSocket} that ask for something, too.
@type SSLObject
*/

/* --- MemoryBIO --- */

typedef struct queue {
  tls_bytes bytes;
  bool ended; /* nothing more will be written */
} queue;

static queue *check_queue(lua_State *L, int arg) {
  return luaL_checkudata(L, arg, QUEUE);
}

/***
A queue of bytes. Source: Python's `ssl.MemoryBIO`.
@function MemoryBIO
@treturn MemoryBIO
@usage
local queue = ssl.MemoryBIO()
queue:write "hello"
print(queue:read()) --> hello
*/
static int make_queue(lua_State *L) {
  queue *q = lua_newuserdatauv(L, sizeof *q, 0);
  memset(q, 0, sizeof *q);
  luaL_setmetatable(L, QUEUE);
  return 1;
}

static int queue_gc(lua_State *L) {
  tls_bytes_free(&check_queue(L, 1)->bytes);
  return 0;
}

/***
Takes bytes out.
@function MemoryBIO:read
@tparam[opt] int n at most so many; all by default
@treturn string `""` when there is none
@usage
local queue = ssl.MemoryBIO()
queue:write "hello"
print(queue:read(2)) --> he
*/
static int queue_read(lua_State *L) {
  queue *q = check_queue(L, 1);
  lua_Integer n = luaL_optinteger(L, 2, -1);
  size_t len = n < 0 || (size_t)n > q->bytes.len ? q->bytes.len : (size_t)n;
  lua_pushlstring(L, len > 0 ? q->bytes.at + q->bytes.from : "", len);
  if (len > 0) tls_bytes_drop(&q->bytes, len);
  return 1;
}

/***
Puts bytes in.
@function MemoryBIO:write
@tparam string data
@treturn int how many: all of them
@usage
local queue = ssl.MemoryBIO()
print(queue:write "hello") --> 5
*/
static int queue_write(lua_State *L) {
  queue *q = check_queue(L, 1);
  size_t len;
  const char *data = luaL_checklstring(L, 2, &len);
  if (q->ended) return luaL_error(L, "cannot write after write_eof");
  if (len > 0 && tls_bytes_add(&q->bytes, data, len) != 0) return tls_no_memory(L);
  lua_pushinteger(L, (lua_Integer)len);
  return 1;
}

/***
Says that nothing more will be written.
@function MemoryBIO:write_eof
@usage
local queue = ssl.MemoryBIO()
queue:write_eof()
*/
static int queue_write_eof(lua_State *L) {
  check_queue(L, 1)->ended = true;
  return 0;
}

/***
@function MemoryBIO:pending
@treturn int how many bytes are in it
@usage
local queue = ssl.MemoryBIO()
print(queue:pending()) --> 0
*/
static int queue_pending(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)check_queue(L, 1)->bytes.len);
  return 1;
}

/***
@function MemoryBIO:eof
@treturn boolean whether it is empty, and nothing more will be written
@usage
local queue = ssl.MemoryBIO()
queue:write_eof()
print(queue:eof()) --> true
*/
static int queue_eof(lua_State *L) {
  const queue *q = check_queue(L, 1);
  lua_pushboolean(L, q->ended && q->bytes.len == 0);
  return 1;
}

static const luaL_Reg queue_methods[] = {
    {"read", queue_read},       {"write", queue_write}, {"write_eof", queue_write_eof},
    {"pending", queue_pending}, {"eof", queue_eof},     {NULL, NULL},
};

/* --- SSLObject --- */

enum { INCOMING = 1, OUTGOING }; /* user values: keep the queues */

typedef struct object {
  tls_conn conn;
  queue *incoming, *outgoing;
} object;

static object *carried(tls_conn *c) {
  return (object *)(void *)c; /* its first member */
}

static int carrier_receive(tls_conn *c, char *bytes, size_t n, size_t *got) {
  queue *q = carried(c)->incoming;
  *got = n < q->bytes.len ? n : q->bytes.len;
  if (*got == 0) return q->ended ? 0 : CS_READABLE;
  memcpy(bytes, q->bytes.at + q->bytes.from, *got);
  tls_bytes_drop(&q->bytes, *got);
  return 0;
}

static int carrier_transmit(tls_conn *c, const char *bytes, size_t n, size_t *sent) {
  queue *q = carried(c)->outgoing;
  *sent = 0;
  if (q->ended) return EPIPE;
  int err = tls_bytes_add(&q->bytes, bytes, n);
  if (err == 0) *sent = n;
  return err;
}

static const tls_carrier carrier = {carrier_receive, carrier_transmit};

tls_conn *tls_object_conn(lua_State *L, int arg) {
  object *o = luaL_testudata(L, arg, OBJECT);
  return o != NULL && o->conn.ssl != NULL ? &o->conn : NULL;
}

static object *check_object(lua_State *L) {
  object *o = luaL_checkudata(L, 1, OBJECT);
  luaL_argcheck(L, o->conn.ssl != NULL, 1, "the object is at its end");
  return o;
}

/* object(context, incoming, outgoing, server_hostname, session) */
static int make_object(lua_State *L) {
  tls_context *t = tls_context_check(L, 1);
  queue *incoming = check_queue(L, 2), *outgoing = check_queue(L, 3);
  const char *name = luaL_optstring(L, 4, NULL);
  SSL_SESSION *session = tls_session_opt(L, 5, t, name);
  object *o = lua_newuserdatauv(L, sizeof *o, 2);
  memset(o, 0, sizeof *o);
  luaL_setmetatable(L, OBJECT);
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, -2, INCOMING);
  lua_pushvalue(L, 3);
  lua_setiuservalue(L, -2, OUTGOING);
  o->incoming = incoming;
  o->outgoing = outgoing;
  lua_pushvalue(L, -1);
  lua_pushvalue(L, 1);
  lua_rawset(L, TLS_OWNERS);
  int err = tls_conn_init(&o->conn, t->ctx, &carrier);
  if (err == 0) err = tls_names_expect(&o->conn, t, name);
  if (err != 0) {
    tls_conn_free(&o->conn);
    return TLS_API(L)->fail(L, NULL, "wrap_bio", err);
  }
  t->used = true;
  if (session != NULL)
    SSL_set_session(o->conn.ssl, session);
  else
    tls_session_resume(&o->conn, t);
  return 1;
}

static int object_gc(lua_State *L) {
  object *o = luaL_checkudata(L, 1, OBJECT);
  tls_conn_free(&o->conn);
  return 0;
}

static int object_tostring(lua_State *L) {
  const object *o = luaL_checkudata(L, 1, OBJECT);
  lua_pushfstring(L, "<SSLObject: %p>", (const void *)o);
  return 1;
}

/* What a try's result is for Lua; 0: it went well, and nothing is pushed. */
static int fail(lua_State *L, object *o, const char *call, int err) {
  cs_words words = {0};
  if (err < 0) return TLS_API(L)->fail(L, NULL, call, EAGAIN);
  tls_failure_words(&o->conn, err, &words);
  if (words.text == NULL) return TLS_API(L)->fail(L, NULL, call, err);
  return TLS_API(L)->fail_words(L, call, "ssl", err, &words);
}

static int result(lua_State *L, object *o, const char *call, int err) {
  if (err != 0) return fail(L, o, call, err);
  lua_pushboolean(L, 1);
  return 1;
}

/***
Goes on with the handshake. Source: Python's `ssl.SSLObject.do_handshake`.
@function SSLObject:do_handshake
@treturn[1] boolean true: it is done
@treturn[2] nil
@treturn[2] error `EAGAIN`: move bytes between the queues and the peer, and call again
@treturn[2] int errno
@usage
local context = assert(ssl.create_default_context())
local options = {server_hostname = "localhost"}
local object = assert(context:wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), options))
print(select(2, object:do_handshake()).name) --> EAGAIN
*/
static int object_do_handshake(lua_State *L) {
  object *o = check_object(L);
  return result(L, o, "do_handshake", tls_names_handshake(L, 1, tls_object_conn));
}

/***
Takes what the peer has said. Source: Python's `ssl.SSLObject.read`.
@function SSLObject:read
@tparam[opt=16384] int n at most so many bytes
@treturn[1] string `""` at the end
@treturn[2] nil
@treturn[2] error (`EAGAIN` ...)
@treturn[2] int errno
@usage
local context = assert(ssl.create_default_context())
local options = {server_hostname = "localhost"}
local object = assert(context:wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), options))
print(select(2, object:read()).name) --> EAGAIN
*/
static int object_read(lua_State *L) {
  object *o = check_object(L);
  lua_Integer n = luaL_optinteger(L, 2, TLS_RECORD_MAX);
  luaL_argcheck(L, n >= 0, 2, "not negative expected");
  if (n > TLS_RECORD_MAX) n = TLS_RECORD_MAX; /* a record at a time */
  size_t got = 0;
  luaL_Buffer b;
  char *bytes = luaL_buffinitsize(L, &b, (size_t)n);
  int err = n > 0 ? tls_conn_read(&o->conn, bytes, (size_t)n, false, &got) : 0;
  if (err == TLS_ASK) err = EOPNOTSUPP;
  if (err != 0) return fail(L, o, "read", err);
  luaL_pushresultsize(&b, got);
  return 1;
}

/***
Says something to the peer. Source: Python's `ssl.SSLObject.write`.
@function SSLObject:write
@tparam string data
@treturn[1] int how many bytes of it were taken: a record at most
@treturn[2] nil
@treturn[2] error (`EAGAIN` during the handshake ...)
@treturn[2] int errno
@usage
local context = assert(ssl.create_default_context())
local options = {server_hostname = "localhost"}
local object = assert(context:wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), options))
print(select(2, object:write "hello").name) --> EAGAIN
*/
static int object_write(lua_State *L) {
  object *o = check_object(L);
  size_t len, sent = 0;
  const char *data = luaL_checklstring(L, 2, &len);
  int err = len > 0 ? tls_conn_write(&o->conn, data, len, &sent) : 0;
  if (err == TLS_ASK) err = EOPNOTSUPP;
  if (err != 0) return fail(L, o, "write", err);
  lua_pushinteger(L, (lua_Integer)sent);
  return 1;
}

/* What came behind the peer's end is not TLS's: it is in the queue again. */
static int give_back(object *o) {
  tls_bytes *in = &o->conn.in, *left = &o->incoming->bytes;
  if (in->len == 0) return 0;
  int err = left->len > 0 ? tls_bytes_add(in, left->at + left->from, left->len) : 0;
  if (err != 0) return err;
  tls_bytes_free(left);
  *left = *in;
  *in = (tls_bytes){NULL, 0, 0, 0};
  return 0;
}

/***
Says that nothing more will be said, and sees whether the peer has said so, too.
Source: Python's `ssl.SSLObject.unwrap`.
@function SSLObject:unwrap
@treturn[1] boolean true: both are done
@treturn[2] nil
@treturn[2] error (`EAGAIN` ...)
@treturn[2] int errno
@usage
local context = assert(ssl.create_default_context())
local options = {server_hostname = "localhost"}
local object = assert(context:wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), options))
local ok, err = object:unwrap()
*/
static int object_unwrap(lua_State *L) {
  object *o = check_object(L);
  int err = tls_conn_unwrap(&o->conn);
  if (err == 0) err = give_back(o);
  return result(L, o, "unwrap", err);
}

/***
What a try that gave `EAGAIN` waits for.
@function SSLObject:want
@treturn ?string `"readable"`: bytes from the peer
@usage
local context = assert(ssl.create_default_context())
local options = {server_hostname = "localhost"}
local object = assert(context:wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), options))
object:do_handshake()
print(object:want()) --> readable
*/
static int object_want(lua_State *L) {
  int want = check_object(L)->conn.want;
  if (want == 0) return 0;
  lua_pushstring(L, want == CS_READABLE ? "readable" : "writable");
  return 1;
}

static const luaL_Reg object_methods[] = {
    {"do_handshake", object_do_handshake},
    {"read", object_read},
    {"write", object_write},
    {"unwrap", object_unwrap},
    {"want", object_want},
    {NULL, NULL},
};

const luaL_Reg tls_object_functions[] = {
    {"MemoryBIO", make_queue},
    {"object", make_object},
    {NULL, NULL},
};

void tls_object_register(lua_State *L, const luaL_Reg *more) {
  static const luaL_Reg queue_meta[] = {{"__gc", queue_gc}, {NULL, NULL}};
  static const luaL_Reg object_meta[] = {
      {"__gc", object_gc}, {"__tostring", object_tostring}, {NULL, NULL}};
  luaL_newmetatable(L, QUEUE);
  luaL_setfuncs(L, queue_meta, 0);
  luaL_newlib(L, queue_methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  luaL_newmetatable(L, OBJECT);
  luaL_setfuncs(L, object_meta, 0);
  lua_newtable(L);
  tls_setfuncs(L, object_methods);
  tls_setfuncs(L, more);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
