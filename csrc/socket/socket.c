/* socket.c: the socket object: its class, how long it waits, its end, its text. Making sockets:
   make.c; bind to connect: connect.c; bytes: transfer.c, message.c, stream.c. sock_* = methods.
 */
#include "ledger.h"
#include "transport.h"
#include "../wait/turn_end.h"
#include "../base/parts.h"
#include "../base/quote.h"
#include "../base/rows.h"
#include "../name/address.h"
#include "../name/lookup.h"
#include "../sys/fd.h"

const cs_class cs_sock_class = {"csock.socket"};
const char cs_sock_simulated = 's';
static const char variants_key = 'v'; /* registry: (family, type, proto) -> metatable */

/* --- the object --- */

/***
A socket. `tostring` shows its fields, and the addresses at both ends:
`<csock.socket fd=3, family=AF_INET, type=SOCK_STREAM, proto=6, laddr=('127.0.0.1', 40000),
raddr=('127.0.0.1', 1040)>`.

A socket is closed by `close`, at the end of a `<close>` variable's block, and by the collector.
After that `fileno` gives -1 and every other call fails with `EBADF`; closing it again is harmless.
@type socket
*/

cs_sock *cs_sock_new(lua_State *L) {
  cs_state *state = cs_state_get(L); /* first: it may raise */
  cs_sock *s = (cs_sock *)cs_object_new(L, &cs_sock_class, sizeof *s, 0);
  s->w.fd = -1;
  s->w.state = state;
  s->timeout = CS_FOREVER;
  return s;
}

int cs_sock_fd(const cs_sock *s) {
  return cs_sock_closed(s) ? -1 : s->w.fd;
}

/* In the place of the table on the top: a copy. */
static void push_table_copy(lua_State *L) {
  lua_newtable(L);
  for (lua_pushnil(L); lua_next(L, -3) != 0;) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -4);
  }
  lua_remove(L, -2);
}

/* A look-up through an __index function costs as much as the rest of a method's call. So sockets in
   the usual mode (blocking: timeout is nil) have a metatable for their family, type and protocol,
   whose __index is a plain table: the methods and those three. The others use the class's own,
   with sock_index. */
static void push_variant(lua_State *L, const cs_sock *s) {
  uint64_t key = (uint64_t)s->family << 48 | (uint64_t)s->type << 32 | (uint32_t)s->proto;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &variants_key);
  if (lua_rawgeti(L, -1, (lua_Integer)key) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &cs_sock_class);
    push_table_copy(L); /* of the class's metatable ... */
    lua_getfield(L, -1, "methods");
    push_table_copy(L); /* ... with an __index of its own */
    cs_set_int(L, "family", s->family);
    cs_set_int(L, "type", s->type);
    cs_set_int(L, "proto", s->proto);
    lua_setfield(L, -2, "__index");
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, (lua_Integer)key);
  }
  lua_remove(L, -2);
}

/* Copies the `n` upvalues at `first` to the top, and makes functions of the list with them in the
   table below. */
static void set_methods(lua_State *L, const luaL_Reg *list, int first, int n) {
  for (int i = 0; i < n; i++) lua_pushvalue(L, first + i);
  luaL_setfuncs(L, list, n);
}

/* The sockets that there are already, and the variants, get them as well. */
void cs_sock_methods(lua_State *L, const luaL_Reg *list, int upvalues) {
  int first = lua_gettop(L) - upvalues + 1;
  luaL_checkstack(L, upvalues + 6, NULL);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &cs_sock_class);
  lua_getfield(L, -1, "methods");
  set_methods(L, list, first, upvalues);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &variants_key);
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 2)) {
    lua_getfield(L, -1, "__index");
    set_methods(L, list, first, upvalues);
  }
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &cs_sock_simulated) != LUA_TNIL) {
    lua_getfield(L, -1, "methods");
    set_methods(L, list, first, upvalues);
  }
  lua_settop(L, first - 1);
}

void cs_sock_use_metatable(lua_State *L, int idx, const cs_sock *s) {
  idx = lua_absindex(L, idx);
  luaL_checkstack(L, 8, NULL);
  const void *shared = s->simulated ? (const void *)&cs_sock_simulated : &cs_sock_class;
  if (s->timeout == CS_FOREVER && !s->simulated)
    push_variant(L, s);
  else
    lua_rawgetp(L, LUA_REGISTRYINDEX, shared);
  lua_setmetatable(L, idx);
}

/* __index of sockets with a timeout; upvalue 1: the methods. */
static int sock_index(lua_State *L) {
  cs_sock *s = (cs_sock *)cs_object_test(L, 1, &cs_sock_class);
  lua_settop(L, 2);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL || s == NULL) return 1;
  if (cs_is_text(L, 2, "timeout"))
    cs_push_timeout(L, s->timeout);
  else if (cs_is_text(L, 2, "family"))
    lua_pushinteger(L, s->family);
  else if (cs_is_text(L, 2, "type"))
    lua_pushinteger(L, s->type);
  else if (cs_is_text(L, 2, "proto"))
    lua_pushinteger(L, s->proto);
  return 1;
}

/* A socket that the loop watches stays non-blocking, whatever its timeout, and so does one whose
   open file others may share: they trust that it is. */
static int apply_nonblock(cs_sock *s) {
  bool is = (s->w.flags & CS_W_NONBLOCK) != 0;
  bool nonblock =
      s->timeout != CS_FOREVER || (s->w.flags & CS_W_WATCHED) || (is && (s->w.flags & CS_W_KEEP));
  if (is == nonblock) return 0;
  int err = cs_fd_set_nonblock(s->w.fd, nonblock);
  if (err == 0) s->w.flags ^= CS_W_NONBLOCK;
  return err;
}

int cs_sock_adopt(lua_State *L, cs_sock *s, int fd, bool nonblock, int family, int type,
                  int proto) {
  if (s->w.fd != fd) cs_watched_hold(&s->w, fd);
  s->w.flags = CS_W_SOCKET | (nonblock ? CS_W_NONBLOCK : 0);
  s->family = (uint16_t)family;
  s->type = (uint16_t)type;
  s->proto = proto;
  s->timeout = s->w.state->default_timeout;
  /* In blocking use O_NONBLOCK makes no difference here, and others may count on it. */
  int err = s->timeout == CS_FOREVER ? 0 : apply_nonblock(s);
  cs_sock_use_metatable(L, -1, s);
  return err;
}

/* --- waiting --- */

int cs_sock_set_timeout(lua_State *L, int idx, cs_sock *s, int64_t timeout) {
  s->timeout = timeout;
  int err = apply_nonblock(s);
  cs_sock_use_metatable(L, idx, s);
  return err;
}

static int set_timeout(lua_State *L, const char *call, int64_t timeout) {
  cs_sock *s = cs_sock_check(L, 1);
  if (cs_sock_fd(s) < 0) return cs_fail(L, call, EBADF);
  return cs_result(L, call, cs_sock_set_timeout(L, 1, s, timeout));
}

/***
How long calls may wait. It bounds each whole call, however many pieces it takes.

The descriptor is non-blocking (`O_NONBLOCK`) as long as there is a timeout. Once others may count
on it, it stays so without one: when a task has waited for the socket, when it listens, has sent a
file or has a copy by `dup`. One that came from outside (`fileno`, `fromfd`) blocks again.
Source: Python's `socket.settimeout`.
@function socket:settimeout
@tparam ?number seconds nil: as long as it takes; 0: not at all (`EAGAIN`)
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EBADF`)
@usage
s:settimeout(0.01)
print(select(2, s:recv(100)).name) --> ETIMEDOUT
*/
static int sock_settimeout(lua_State *L) {
  luaL_checkany(L, 2);
  return set_timeout(L, "settimeout", cs_check_timeout(L, 2));
}

/***
The socket's timeout.
Source: Python's `socket.gettimeout`.
@function socket:gettimeout
@treturn ?number seconds; nil when it blocks
@usage print(s:gettimeout())
*/
static int sock_gettimeout(lua_State *L) {
  cs_push_timeout(L, cs_sock_check(L, 1)->timeout);
  return 1;
}

/***
`settimeout(nil)` or `settimeout(0)`.
Source: Python's `socket.setblocking`.
@function socket:setblocking
@tparam boolean on
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EBADF`)
@usage s:setblocking(false)
*/
static int sock_setblocking(lua_State *L) {
  luaL_checkany(L, 2);
  bool on = lua_type(L, 2) == LUA_TNUMBER ? lua_tonumber(L, 2) != 0 : lua_toboolean(L, 2) != 0;
  return set_timeout(L, "setblocking", on ? CS_FOREVER : 0);
}

/***
Whether calls may wait: the timeout is not 0.
Source: Python's `socket.getblocking`.
@function socket:getblocking
@treturn boolean
@usage print(s:getblocking()) --> true
*/
static int sock_getblocking(lua_State *L) {
  lua_pushboolean(L, cs_sock_check(L, 1)->timeout != 0);
  return 1;
}

/***
Whether child processes that run another program keep the descriptor.
Source: fcntl(2) with `FD_CLOEXEC`, Python's `socket.set_inheritable`.
@function socket:set_inheritable
@tparam boolean on
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno
@usage assert(s:set_inheritable(true))
*/
static int sock_set_inheritable(lua_State *L) {
  cs_sock *s = cs_sock_check(L, 1);
  luaL_checkany(L, 2);
  return cs_result(L, "set_inheritable", cs_fd_set_inheritable(cs_sock_fd(s), lua_toboolean(L, 2)));
}

/***
Whether the descriptor is inheritable. No socket is, unless `set_inheritable` made it so.
Source: fcntl(2), Python's `socket.get_inheritable`.
@function socket:get_inheritable
@treturn[1] boolean
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno
@usage print(s:get_inheritable()) --> false
*/
static int sock_get_inheritable(lua_State *L) {
  bool on = false;
  int err = cs_fd_get_inheritable(cs_sock_fd(cs_sock_check(L, 1)), &on);
  if (err != 0) return cs_fail(L, "get_inheritable", err);
  lua_pushboolean(L, on);
  return 1;
}

/* --- the end --- */

/* Over a transport: the goodbye. With SHUT_WR that is all, since reading may have to write. */
static int shutdown_attempt(lua_State *L, cs_op *op) {
  cs_sock *s = cs_sock_of(op->w);
  int how = op->flags, err = 0;
  if (s->transport != NULL && how != SHUT_RD)
    err = cs_transport_tried(s, CS_WRITABLE, s->transport->ops->shutdown(s->transport));
  if (err == 0 && (s->transport == NULL || how != SHUT_WR))
    err = shutdown(s->w.fd, how) != 0 ? errno : 0;
  if (err != 0) return cs_transport_failed(L, s, op, err, CS_WRITABLE);
  return cs_result(L, op->call, 0);
}

/***
Ends one or both directions of a connection. With a transport (TLS) the peer is first told that
nothing more will be sent, for which the call waits as `send` does; not where the loop calls a
function back: there is one try there, which gives `EAGAIN` when it would have to wait.
Source: shutdown(2), Python's `socket.shutdown`.
@function socket:shutdown
@tparam int how `SHUT_RD` (0), `SHUT_WR` (1) or `SHUT_RDWR` (2)
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`ENOTCONN` ...)
@usage assert(a:shutdown(csock.SHUT_WR)) -- b:recv(100) gives "" then
*/
static int sock_shutdown(lua_State *L) {
  cs_op op;
  cs_sock *s = cs_sock_check(L, 1);
  int how = cs_check_cint(L, 2);
  if (s->streams > 0)
    cs_turn_end_all(L, s->w.state); /* what they were to send comes before the end */
  if (s->transport == NULL)
    return cs_result(L, "shutdown", shutdown(cs_sock_fd(s), how) != 0 ? errno : 0);
  luaL_argcheck(L, how == SHUT_RD || how == SHUT_WR || how == SHUT_RDWR, 2, "not one of SHUT_*");
  cs_sock_op(&op, s, "shutdown", shutdown_attempt);
  if (!cs_may_wait(s->w.state)) op.timeout = 0;
  op.line = CS_WRITABLE;
  op.flags = how;
  return cs_drive(L, &op);
}

/* --- accounting --- */

/***
Whether there is input that the system does not know of: a transport (TLS) may hold some. `select`
and `poll` ask by themselves; to be asked before waiting with `epoll` or `kqueue`, which cannot.
Source: LuaSocket's `dirty`.
@function socket:dirty
@treturn boolean
@usage print(s:dirty()) --> false
*/
static int sock_dirty(lua_State *L) {
  lua_pushboolean(L, cs_transport_has_input(&cs_sock_check(L, 1)->w));
  return 1;
}

/***
The same as `getstats`.
@function socket:counters
@treturn int bytes received
@treturn int bytes sent
@usage print(a:send "hello", a:counters()) --> 5 0 5
*/

/***
How many bytes the program has received and sent, since the socket was made: its own, not those that
the protocols below add.
Source: LuaSocket's `getstats`, without the socket's age.
@function socket:getstats
@treturn int bytes received
@treturn int bytes sent
@usage print(a:send "hello", a:getstats()) --> 5 0 5
*/
static int sock_getstats(lua_State *L) {
  const cs_sock *s = cs_sock_check(L, 1);
  lua_pushinteger(L, (lua_Integer)s->received);
  lua_pushinteger(L, (lua_Integer)s->sent);
  return 2;
}

/***
The descriptor.
Source: Python's `socket.fileno`.
@function socket:fileno
@treturn int -1 when closed
@usage print(s:fileno())
*/
static int sock_fileno(lua_State *L) {
  lua_pushinteger(L, cs_sock_fd(cs_sock_check(L, 1)));
  return 1;
}

/* Nobody has it any more. */
static int end_sock(cs_sock *s) {
  cs_transport_end(s, true);
  cs_traffic_end(s);
  return cs_watched_close(&s->w);
}

static int close_sock(cs_sock *s) {
  s->w.flags |= CS_W_CLOSED;
  if (s->streams == 0) return end_sock(s);
  cs_watched_wake(&s->w, NULL); /* the streams go on */
  return 0;
}

int cs_sock_release_stream(cs_sock *s) {
  s->streams--;
  return cs_sock_closed(s) && s->streams == 0 ? end_sock(s) : 0;
}

/***
Closes the socket: tasks that wait in its calls get `EBADF` at once. Streams from `makefile` go on,
and keep the descriptor until they are closed too. Closing again is harmless. It never waits: a
transport (TLS) has one try to tell the peer of the end, see `shutdown`.
Source: close(2), Python's `socket.close`.
@function socket:close
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno
@usage assert(s:close())
*/
static int sock_close(lua_State *L) {
  return cs_result(L, "close", close_sock(cs_sock_check(L, 1)));
}

/* hang_up(socket): closes it, for a server whose handler has returned. Where a stream over it was
   left open, which keeps the descriptor until it is collected, or a transport has to say goodbye,
   the peer is told in one try that nothing more will come; closing alone says so otherwise, and a
   system call is saved. False: that try would have to wait, and nothing is closed. */
static int hang_up(lua_State *L) {
  cs_op op;
  cs_sock *s = cs_sock_check(L, 1);
  if ((s->streams > 0 || s->transport != NULL) && cs_sock_fd(s) >= 0) {
    cs_turn_end_all(L, s->w.state);
    cs_sock_op(&op, s, "shutdown", shutdown_attempt);
    op.timeout = 0;
    op.flags = SHUT_WR;
    if (cs_drive(L, &op) == 3 && lua_tointeger(L, -1) == EAGAIN) {
      lua_pushboolean(L, 0);
      return 1;
    }
  }
  close_sock(s);
  lua_pushboolean(L, 1);
  return 1;
}

/* crossed(object): whether reading from it must write first, and writing read: what is to be polled
   for is the other thing then. False for what is no socket. */
static int crossed(lua_State *L) {
  const cs_sock *s = (const cs_sock *)cs_object_test(L, 1, &cs_sock_class);
  unsigned flags = s != NULL ? s->w.flags : 0;
  lua_pushboolean(L, (flags & CS_W_READ_OUT) != 0);
  lua_pushboolean(L, (flags & CS_W_WRITE_IN) != 0);
  return 2;
}

/***
Gives the descriptor away: the socket is closed without closing it. A transport (TLS) is let go,
with what it holds, and the peer is told nothing: the descriptor is that of a plain connection.
Source: Python's `socket.detach`.
@function socket:detach
@treturn int the descriptor, -1 when the socket was closed
@usage csock.close(s:detach())
*/
static int sock_detach(lua_State *L) {
  cs_sock *s = cs_sock_check(L, 1);
  int fd = cs_sock_fd(s);
  lua_pushinteger(L, fd);
  cs_transport_end(s, false);
  cs_traffic_end(s);
  cs_watched_release(&s->w);
  if (fd >= 0) cs_given_add(s->w.state, fd); /* without memory it is not counted */
  s->w.flags |= CS_W_CLOSED;
  return 1;
}

int cs_sock_abandon(lua_State *L, cs_sock *s, const char *call, int err) {
  close_sock(s);
  return cs_fail(L, call, err);
}

/* --- text --- */

static const cs_constant family_names[] = {
    CS_K(AF_INET),    CS_K(AF_INET6),  CS_K(AF_UNIX),
#ifdef AF_NETLINK
    CS_K(AF_NETLINK), CS_K(AF_PACKET),
#endif
#ifdef AF_ALG
    CS_K(AF_ALG),     CS_K(AF_CAN),    CS_K(AF_TIPC), CS_K(AF_VSOCK),
#endif
};

static const cs_constant type_names[] = {
    CS_K(SOCK_STREAM), CS_K(SOCK_DGRAM), CS_K(SOCK_RAW), CS_K(SOCK_SEQPACKET), CS_K(SOCK_RDM),
};

/* Pushes " label=(address)" for the address of the socket or its peer, if there is one. */
static int push_labelled(lua_State *L, const cs_sock *s, const char *label, bool peer) {
  cs_sockaddr addr;
  socklen_t len = sizeof addr;
  memset(&addr, 0, sizeof addr);
  if (cs_sock_name(s, peer, &addr, &len) != 0 || len == 0) return 0;
  cs_address_push(L, &addr.any, len, s->proto);
  if (lua_rawlen(L, -1) == 0 && lua_type(L, -1) == LUA_TSTRING) { /* an unnamed Unix socket */
    lua_pop(L, 1);
    return 0;
  }
  if (lua_type(L, -1) == LUA_TSTRING) {
    size_t size;
    luaL_Buffer b;
    const char *path = lua_tolstring(L, -1, &size);
    luaL_buffinit(L, &b);
    cs_quote_add(&b, path, size);
    luaL_pushresult(&b);
  } else {
    luaL_tolstring(L, -1, NULL);
  }
  lua_pushfstring(L, ", %s=%s", label, lua_tostring(L, -1));
  lua_replace(L, -3);
  lua_pop(L, 1);
  return 1;
}

static int sock_tostring(lua_State *L) {
  const cs_sock *s = cs_sock_check(L, 1);
  int fd = cs_sock_fd(s);
  int parts = 3;
  lua_pushfstring(L, "<csock.socket %sfd=%d", fd < 0 ? "[closed] " : "", fd);
  lua_pushfstring(L, ", family=%d", s->family);
  for (size_t i = 0; i < CS_COUNT(family_names); i++)
    if (cs_constant_value(&family_names[i]) == s->family) {
      lua_pop(L, 1);
      lua_pushfstring(L, ", family=%s", family_names[i].name);
    }
  lua_pushfstring(L, ", type=%d", s->type);
  for (size_t i = 0; i < CS_COUNT(type_names); i++)
    if (cs_constant_value(&type_names[i]) == s->type) {
      lua_pop(L, 1);
      lua_pushfstring(L, ", type=%s", type_names[i].name);
    }
  lua_pushfstring(L, ", proto=%d", s->proto);
  parts++;
  if (fd >= 0 && s->transport != NULL) {
    lua_pushfstring(L, ", transport=%s", s->transport->ops->name);
    parts++;
  }
  if (fd >= 0) {
    parts += push_labelled(L, s, "laddr", false);
    parts += push_labelled(L, s, "raddr", true);
  }
  lua_pushliteral(L, ">");
  lua_concat(L, parts + 1);
  return 1;
}

/* left_open(socket): it is collected, and nobody has closed it. */
static int left_open(lua_State *L) {
  const cs_sock *s = cs_sock_check(L, 1);
  const char *text = "a socket";
  lua_pushcfunction(L, sock_tostring);
  lua_pushvalue(L, 1);
  if (lua_pcall(L, 1, 1, 0) == LUA_OK) text = lua_tostring(L, -1);
  if (s->id != 0) cs_ledger_left_open(L, s, text);
  if (cs_sock_closed(s)) return 0; /* but a stream over it is open */
  lua_warning(L, "csock: collected without close: ", 1);
  lua_warning(L, text, 0);
  return 0;
}

/* __gc: a socket that nobody closed is named in a warning. */
static int sock_gc(lua_State *L) {
  cs_sock *s = cs_sock_check(L, 1);
  if (s->w.fd >= 0 && (s->id != 0 || !cs_sock_closed(s))) {
    lua_pushcfunction(L, left_open);
    lua_pushvalue(L, 1);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) lua_pop(L, 1);
  }
  if (s->id != 0) cs_ledger_leave(L, s);
  close_sock(s);
  return 0;
}

/* --- registration --- */

static const luaL_Reg socket_methods[] = {
    {"close", sock_close},
    {"counters", sock_getstats},
    {"detach", sock_detach},
    {"dirty", sock_dirty},
    {"fileno", sock_fileno},
    {"get_inheritable", sock_get_inheritable},
    {"getblocking", sock_getblocking},
    {"getstats", sock_getstats},
    {"gettimeout", sock_gettimeout},
    {"set_inheritable", sock_set_inheritable},
    {"setblocking", sock_setblocking},
    {"settimeout", sock_settimeout},
    {"shutdown", sock_shutdown},
    {NULL, NULL},
};

static const luaL_Reg sock_meta[] = {
    {"__gc", sock_gc},
    {"__close", sock_close},
    {"__tostring", sock_tostring},
    {NULL, NULL},
};

void cs_open_socket(lua_State *L) {
  cs_class_make(L, &cs_sock_class, socket_methods, sock_meta);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &cs_sock_class);
  lua_getfield(L, -1, "methods");
  lua_pushcclosure(L, sock_index, 1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  lua_newtable(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &variants_key);
  lua_getfield(L, -1, "loop");
  lua_pushcfunction(L, hang_up);
  lua_setfield(L, -2, "hang_up");
  lua_pushcfunction(L, crossed);
  lua_setfield(L, -2, "crossed");
  lua_pop(L, 1);
}
