/* connect.c: from an address to a connection: bind, listen, accept, connect, and the names of both
   ends. sock_* = methods. */
#include "../base/parts.h"
#include "ledger.h"
#include "transport.h"
#include "../name/address.h"
#include "../name/lookup.h"
#include "../sys/fd.h"

static const char spare_key = 's'; /* registry: a socket made ahead of accept(2) */

static int ask_for(lua_State *L, cs_sock *s, const char *call, int what,
                   const struct sockaddr *address, socklen_t len) {
  const cs_policy_place place = {what, s->family, s->type, s->proto, address, len};
  return cs_policy_address(L, s->w.state, call, &place);
}

static int bind_attempt(lua_State *L, cs_op *op) {
  const cs_address *at = (const cs_address *)op->ptr;
  int err = ask_for(L, cs_sock_of(op->w), op->call, CSOCK_ASK_BIND, &at->sa, at->len);
  if (err == 0 && bind(op->w->fd, &at->sa, at->len) != 0) err = errno;
  if (err != 0) return cs_fail_address(L, op->call, err, at);
  lua_pushboolean(L, 1);
  return 1;
}

/***
Gives the socket an address of its own.
Source: bind(2), Python's `socket.bind`.
@function socket:bind
@param address an address value, a table, or its parts as arguments; see @{address}
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EADDRINUSE`, `EADDRNOTAVAIL`, `EACCES`, `EINVAL` when it has one already
...)
@usage assert(csock.socket():bind {"127.0.0.1", 0})
*/
static int sock_bind(lua_State *L) {
  cs_op op;
  cs_sock *s = cs_sock_check(L, 1);
  cs_sock_op(&op, s, "bind", bind_attempt);
  int err = cs_lookup_address(L, &op, 2, lua_gettop(L), s->family, s->proto);
  return err != 0 ? cs_fail(L, "bind", err) : cs_drive(L, &op);
}

/***
Makes the socket accept connections.
Source: listen(2), Python's `socket.listen`.
@function socket:listen
@tparam[opt=128] int backlog how many connections may wait for `accept`
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno
@usage
local listener <close> = assert(csock.socket())
assert(listener:listen()) -- at a free port
*/
static int sock_listen(lua_State *L) {
  cs_sock *s = cs_sock_check(L, 1);
  int backlog = cs_opt_cint(L, 2, SOMAXCONN < 128 ? SOMAXCONN : 128);
  if (cs_sock_closed(s)) return cs_fail(L, "listen", EBADF);
  if (s->w.state->policed) {
    cs_sockaddr at;
    socklen_t len = sizeof at;
    int err = getsockname(s->w.fd, &at.any, &len) != 0 ? errno : 0;
    if (err == 0) err = ask_for(L, s, "listen", CSOCK_ASK_LISTEN, &at.any, len);
    if (err != 0) return cs_fail(L, "listen", err);
  }
  if (!(s->w.flags & CS_W_OUTSIDE)) s->w.flags |= CS_W_KEEP; /* many processes may accept */
  return cs_result(L, "listen", listen(s->w.fd, backlog < 0 ? 0 : backlog) != 0 ? errno : 0);
}

/* Pushes a socket without a descriptor, the same one until it is taken: made before accept(2), so
   that no memory error can lose the connection, and kept when there was none to accept. */
static cs_sock *push_spare(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &spare_key) == LUA_TNIL) {
    lua_pop(L, 1);
    cs_sock_new(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &spare_key);
  }
  return (cs_sock *)lua_touserdata(L, -1);
}

static void take_spare(lua_State *L) {
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &spare_key); /* an existing key: allocates nothing */
}

/* accept(2) reports what befell a connection that is gone already; the next one may be sound. */
static bool passes_over(int err) {
  switch (err) {
  case ECONNABORTED:
  case EPROTO:
  case ENETDOWN:
  case ENOPROTOOPT:
  case EHOSTDOWN:
  case EHOSTUNREACH:
  case ENETUNREACH:
#ifdef ENONET
  case ENONET:
#endif
    return true;
  default:
    return false;
  }
}

/* AF_ALG has no peers: asked for one's address, the kernel refuses every accept. */
static bool has_peers(int family) {
#ifdef AF_ALG
  return family != AF_ALG;
#else
  (void)family;
  return true;
#endif
}

static int accept_attempt(lua_State *L, cs_op *op) {
  cs_sockaddr addr;
  int fd = -1, err;
  bool tried = false;
  cs_sock *s = cs_sock_of(op->w), *conn;
  int top = lua_gettop(L);
  /* A task's connections wait in the poller, which wants O_NONBLOCK: at no cost if set from birth.
   */
  const cs_state *state = op->w->state;
  bool nonblock = state->default_timeout != CS_FOREVER || cs_in_task(state);
  socklen_t len;
  do {
    lua_settop(L, top);
    conn = push_spare(L); /* each time: the collection's finalizers may have taken the last one */
    len = has_peers(s->family) ? sizeof addr : 0;
    memset(&addr, 0, sizeof(struct sockaddr));
    /* The loop has set it for good. */
    err = cs_state_room(state, 1);
    if (err == 0 && !(op->w->flags & CS_W_WATCHED)) err = cs_watched_nonblock_keep(op->w, POLLIN);
    if (err == 0) err = cs_fd_accept(op->w->fd, nonblock, len > 0 ? &addr.any : NULL, &len, &fd);
    cs_watched_nonblock_end(op->w);
  } while (passes_over(err) || (err != 0 && cs_may_retry(L, err, &tried)));
  if (err != 0) {
    lua_settop(L, top);
    err = cs_transport_refused(s, err, CS_READABLE);
    if (err == CS_READABLE) return err;
    if (err == EINTR) /* Ctrl-C is seen in the wait; in a task, there would be no new event */
      return op->timeout == 0 || cs_in_task(state) ? CS_AGAIN : CS_READABLE;
    return cs_fail(L, op->call, err);
  }
  cs_watched_hold(&conn->w, fd);
  take_spare(L);
  err = cs_sock_adopt(L, conn, fd, nonblock, s->family, s->type, s->proto);
  if (err != 0) return cs_sock_abandon(L, conn, op->call, err);
  s->w.state->accepted++;
  if (state->debug) cs_ledger_enter(L, conn, s);
  if (s->transport != NULL && s->transport->ops->accepted != NULL)
    s->transport->ops->accepted(L, s->transport, 1, conn);
  cs_address_push(L, &addr.any, len, s->proto);
  return 2;
}

/***
Takes a waiting connection. A connection that was reset before it could be accepted is passed over.
Source: accept(2), Python's `socket.accept`.
@function socket:accept
@treturn[1] socket the connection; its timeout is the default timeout
@treturn[1] address the peer's (nil for `AF_ALG`, which has none)
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EAGAIN`, `ETIMEDOUT`, `EMFILE`, `EINVAL` when not listening ...)
@usage
local listener <close> = assert(csock.create_server {"127.0.0.1", 0})
csock.create_connection(listener:getsockname())
local conn <close>, addr = assert(listener:accept())
*/
static int sock_accept(lua_State *L) {
  cs_op op;
  cs_sock_op(&op, cs_sock_check(L, 1), "accept", accept_attempt);
  op.line = CS_READABLE;
  return cs_drive(L, &op);
}

enum { CONNECT_START, CONNECT_UNDER_WAY, CONNECT_ESTABLISHING };

static int connect_fail(lua_State *L, cs_op *op, int err) {
  if (err == EAGAIN && op->done != CONNECT_START) err = EINPROGRESS;
  if (op->ptr == NULL) return cs_fail(L, op->call, err); /* the name is not looked up yet */
  return cs_fail_address(L, op->call, err, (const cs_address *)op->ptr);
}

/* The second half: what a transport has to do before the connection is one. `again`: there was one
   already, unless an earlier call's time ran out in this half. */
static int establish_attempt(lua_State *L, cs_op *op, bool again) {
  cs_sock *s = cs_sock_of(op->w);
  cs_transport *t = s->transport;
  int err = 0;
  op->done = CONNECT_ESTABLISHING;
  op->line = CS_WRITABLE;
  if (t != NULL && t->ops->establish != NULL)
    err = cs_transport_tried(s, CS_WRITABLE, t->ops->establish(t));
  if (err < 0) return err;
  if (err > 0 && op->fail == connect_fail) return cs_transport_fail(L, s, op->call, err);
  if (err == 0 && again) err = EISCONN;
  if (err > 0) return op->fail(L, op, err);
  lua_pushboolean(L, 1);
  return 1;
}

static int connect_attempt(lua_State *L, cs_op *op) {
  const cs_address *to = (const cs_address *)op->ptr;
  int err = 0;
  if (op->done == CONNECT_ESTABLISHING) return establish_attempt(L, op, false);
  if (op->done == CONNECT_START) {
    err = ask_for(L, cs_sock_of(op->w), op->call, CSOCK_ASK_CONNECT, &to->sa, to->len);
    if (err != 0) return op->fail(L, op, err);
    cs_watched_nonblock_begin(op->w);
    if (connect(op->w->fd, &to->sa, to->len) != 0) err = errno;
    cs_watched_nonblock_end(op->w);
    /* Linux answers the first call after a wait for the connection as if it had been that one. */
    if (err == 0 && (op->w->flags & CS_W_CONNECTED)) err = EISCONN;
    op->w->flags &= ~CS_W_CONNECTED;
    /* EALREADY: an earlier call's time ran out, or Ctrl-C ended it. */
    if (err == EINPROGRESS || err == EINTR || (err == EALREADY && op->timeout != 0)) {
      op->done = CONNECT_UNDER_WAY;
      return CS_WRITABLE;
    }
    if (err == EAGAIN && to->sa.sa_family == AF_UNIX) return CS_PAUSE; /* a full backlog */
  } else {
    struct pollfd p = {.fd = op->w->fd, .events = POLLOUT};
    if (poll(&p, 1, 0) == 0) return CS_WRITABLE;
    socklen_t len = sizeof err;
    if (getsockopt(op->w->fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0) err = errno;
    if (err == 0) op->w->flags |= CS_W_CONNECTED;
  }
  bool again = err == EISCONN;
  return err != 0 && !again ? op->fail(L, op, err) : establish_attempt(L, op, again);
}

static int start_connect(lua_State *L, cs_op *op, const char *call, cs_attempt attempt,
                         int (*fail)(lua_State *, cs_op *, int)) {
  cs_sock *s = cs_sock_check(L, 1);
  cs_sock_op(op, s, call, attempt);
  op->fail = fail;
  return cs_lookup_address(L, op, 2, lua_gettop(L), s->family, s->proto);
}

/***
Connects to an address. A host name is looked up first; the timeout bounds both.
Source: connect(2), Python's `socket.connect`.
@function socket:connect
@param address an address value, a table, or its parts as arguments; see @{address}
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error with the `address`
@treturn[2] int errno (`ECONNREFUSED`, `ETIMEDOUT`, `EINPROGRESS` with a timeout of 0 ...)
@usage assert(csock.socket():connect {"localhost", 21567})
*/
static int sock_connect(lua_State *L) {
  cs_op op;
  int err = start_connect(L, &op, "connect", connect_attempt, connect_fail);
  return err != 0 ? cs_fail(L, "connect", err) : cs_drive(L, &op);
}

/* connect_ex's results: the error's number alone; a failed look-up stays an error. */
static int connect_ex_fail(lua_State *L, cs_op *op, int err) {
  if (err == EAGAIN && op->done != CONNECT_START) err = EINPROGRESS;
  lua_pushinteger(L, err == CS_DENIED ? EPERM : err);
  return 1;
}

static int connect_ex_attempt(lua_State *L, cs_op *op) {
  int n = connect_attempt(L, op);
  if (n == 1 && lua_isboolean(L, -1)) return connect_ex_fail(L, op, 0);
  return n;
}

/***
Connects as `connect` does, and gives the error's number instead of a failure.
Source: connect(2), Python's `socket.connect_ex`.
@function socket:connect_ex
@param address as for `connect`
@treturn[1] int 0, or an errno value: `ECONNREFUSED`, `EINPROGRESS`, `ETIMEDOUT` ...
@treturn[2] nil when the name could not be looked up
@treturn[2] error
@treturn[2] int errno
@usage print(csock.errno[csock.socket():connect_ex {"127.0.0.1", 1}]) --> ECONNREFUSED
*/
static int sock_connect_ex(lua_State *L) {
  cs_op op;
  int err = start_connect(L, &op, "connect_ex", connect_ex_attempt, connect_ex_fail);
  return err != 0 ? connect_ex_fail(L, &op, err) : cs_drive(L, &op);
}

static int push_sockname(lua_State *L, const char *call, bool peer) {
  cs_sock *s = cs_sock_check(L, 1);
  cs_sockaddr addr;
  socklen_t len = sizeof addr;
  memset(&addr, 0, sizeof addr);
  int err = cs_sock_closed(s) ? EBADF : cs_sock_name(s, peer, &addr, &len);
  if (err != 0) return cs_fail(L, call, err);
  cs_address_push(L, &addr.any, len, s->proto);
  return 1;
}

/***
The socket's own address.
Source: getsockname(2), Python's `socket.getsockname`.
@function socket:getsockname
@treturn[1] address a string for `AF_UNIX`
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno
@usage print(s:getsockname().port)
*/
static int sock_getsockname(lua_State *L) {
  return push_sockname(L, "getsockname", false);
}

/***
The peer's address.
Source: getpeername(2), Python's `socket.getpeername`.
@function socket:getpeername
@treturn[1] address a string for `AF_UNIX`
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`ENOTCONN` ...)
@usage print(s:getpeername().host) --> 127.0.0.1
*/
static int sock_getpeername(lua_State *L) {
  return push_sockname(L, "getpeername", true);
}

static const luaL_Reg connect_methods[] = {
    {"accept", sock_accept},           {"bind", sock_bind},
    {"connect", sock_connect},         {"connect_ex", sock_connect_ex},
    {"getpeername", sock_getpeername}, {"getsockname", sock_getsockname},
    {"listen", sock_listen},           {NULL, NULL},
};

void cs_open_connect(lua_State *L) {
  cs_class_methods(L, &cs_sock_class, connect_methods);
}
