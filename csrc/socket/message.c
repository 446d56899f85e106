/* message.c: messages with ancillary data, and the descriptors that travel in it (control.c). Bytes
   alone: transfer.c; files: sendfile.c. sock_* = methods, message_* = functions. */
#include "message.h"
#include "../base/parts.h"
#include "../name/address.h"
#include "../base/buffer.h"
#include "../name/lookup.h"

#include <sys/uio.h>

/* Beside the descriptors that recv_fds asks for there may come credentials and a security label. */
#define CONTROL_SPARE 256

static const cs_class message_class = {"csock.message"};

/* Pushes a message for `count` (<= IOV_MAX) pieces and `room` bytes of ancillary data; one that may
   receive descriptors owns them. */
static cs_message *push_message(lua_State *L, size_t count, size_t room, bool owner) {
  size_t head = offsetof(cs_message, iov) + count * sizeof(struct iovec);
  cs_message *m;
  if (owner && room > 0) {
    m = (cs_message *)cs_object_new(L, &message_class, head + room, 0);
  } else {
    m = (cs_message *)lua_newuserdatauv(L, head + room, 0);
    memset(m, 0, head + room);
  }
  m->room = (unsigned)room;
  m->control = room > 0 ? (char *)m + head : NULL;
  m->count = (unsigned short)count;
  return m;
}

static void set_header(struct msghdr *h, cs_message *m, struct iovec *iov, unsigned short count) {
  memset(h, 0, sizeof *h);
  h->msg_iov = iov;
  h->msg_iovlen = count;
  h->msg_control = m->control;
  h->msg_controllen = m->room;
}

static int message_gc(lua_State *L) {
  cs_message *m = (cs_message *)lua_touserdata(L, 1);
  if (m->received > 0) cs_control_close(cs_state_get(L), m->control, m->received, 0);
  m->received = 0;
  return 0;
}

/* --- sending --- */

const char *cs_message_bytes(lua_State *L, int idx, size_t *len) {
  const char *bytes = cs_buffer_test(L, idx, len);
  return bytes != NULL ? bytes : lua_tolstring(L, idx, len);
}

size_t cs_message_pieces(lua_State *L, int arg) {
  size_t len;
  if (!lua_istable(L, arg)) {
    cs_check_bytes(L, arg, &len);
    lua_pushvalue(L, arg);
    return 1;
  }
  lua_Integer n = luaL_len(L, arg);
  if (n < 0) n = 0;
  if (n > IOV_MAX) return IOV_MAX + 1;
  luaL_checkstack(L, (int)n + LUA_MINSTACK, "too many buffers");
  for (lua_Integer i = 1; i <= n; i++) {
    lua_geti(L, arg, i);
    if (cs_message_bytes(L, -1, &len) == NULL)
      luaL_argerror(L, arg,
                    lua_pushfstring(L, "[%d]: string or csock.buffer expected, got %s", (int)i,
                                    luaL_typename(L, -1)));
  }
  return (size_t)n;
}

cs_message *cs_message_outgoing(lua_State *L, int first, size_t count, size_t room) {
  cs_message *m = push_message(L, count, room, false);
  for (size_t i = 0; i < count; i++) {
    size_t len;
    m->iov[i].iov_base = (void *)(uintptr_t)cs_message_bytes(L, first + (int)i, &len);
    m->iov[i].iov_len = len;
  }
  return m;
}

int cs_sendmsg_attempt(lua_State *L, cs_op *op) {
  cs_message *m = (cs_message *)(uintptr_t)op->data;
  const cs_address *to = (const cs_address *)op->ptr;
  struct msghdr h;
  set_header(&h, m, m->iov, m->count);
  if (to != NULL) {
    h.msg_name = (void *)(uintptr_t)&to->sa;
    h.msg_namelen = to->len;
  }
  size_t sent;
  int err = m->room > 0 ? cs_control_ask(L, cs_sock_of(op->w), op->call, &h) : 0;
  if (err == 0) err = cs_sock_sendmsg(L, cs_sock_of(op->w), op->call, &h, op->flags, &sent);
  if (err > 0 && to != NULL) return cs_fail_address(L, op->call, err, to);
  if (err != 0) return cs_transfer_failed(L, op, err, CS_WRITABLE);
  lua_pushinteger(L, (lua_Integer)sent);
  return 1;
}

int cs_message_send(lua_State *L, cs_op *op, cs_message *m, int arg, int last) {
  cs_sock *s = cs_sock_of(op->w);
  op->data = (char *)m;
  op->line = CS_WRITABLE;
  if (arg <= last && !lua_isnil(L, arg)) {
    op->line = 0; /* a look-up may come first */
    int err = cs_lookup_address(L, op, arg, last, s->family, s->proto);
    if (err != 0) return cs_fail(L, op->call, err);
  }
  return cs_drive(L, op);
}

/* Pushes one part of an item of ancdata: by its position, or by its name. */
static void push_item_part(lua_State *L, int item, int position, const char *name) {
  if (lua_geti(L, item, position) != LUA_TNIL) return;
  lua_pop(L, 1);
  lua_getfield(L, item, name);
}

static bool is_cint(lua_State *L, int idx) {
  int isnum;
  lua_Integer n = lua_tointegerx(L, idx, &isnum);
  return isnum && n >= INT_MIN && n <= INT_MAX;
}

/* Pushes level, type and data of each item of the sequence at `arg`; returns the number of items.
   They are read once only: reading may run the program's code. */
static int push_ancdata(lua_State *L, int arg, size_t *room) {
  *room = 0;
  if (lua_isnoneornil(L, arg)) return 0;
  luaL_checktype(L, arg, LUA_TTABLE);
  lua_Integer n = luaL_len(L, arg);
  if (n < 0 || n > CS_CONTROL_MAX / (lua_Integer)CMSG_SPACE(0))
    luaL_argerror(L, arg, "too much ancillary data");
  luaL_checkstack(L, 3 * (int)n + LUA_MINSTACK, "too much ancillary data");
  for (int i = 1; i <= n; i++) {
    size_t len = 0;
    lua_geti(L, arg, i);
    int item = lua_gettop(L);
    if (lua_istable(L, item)) {
      push_item_part(L, item, 1, "level");
      push_item_part(L, item, 2, "type");
      push_item_part(L, item, 3, "data");
    }
    if (!lua_istable(L, item) || !is_cint(L, -3) || !is_cint(L, -2) ||
        cs_message_bytes(L, -1, &len) == NULL)
      luaL_argerror(L, arg, lua_pushfstring(L, "[%d]: {level, type, data} expected", i));
    lua_remove(L, item);
    cs_control_room(L, arg, room, len);
  }
  return (int)n;
}

/***
Sends the pieces, one after the other, as one message, with ancillary data. On a stream it may send
less than asked.
Source: sendmsg(2), Python's `socket.sendmsg`.
@function socket:sendmsg
@tparam table|string|buffer buffers a sequence of strings and buffers, or one of them
@tparam[opt] table ancdata a sequence of `{level, type, data}`: two integers and a string
(`level`, `type` and `data` may also be named fields)
@tparam[opt=0] int flags `MSG_*`
@param[opt] address where to, on an unconnected socket; see @{address}
@treturn[1] int the number of bytes sent
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EAGAIN`, `ETIMEDOUT`, `EMSGSIZE`: too long, or more than `IOV_MAX` (1024)
pieces; `EINVAL`: ancillary data that the kernel does not know ...)
@usage print(a:sendmsg {"one", "two"}) --> 6
*/
static int sock_sendmsg(lua_State *L) {
  cs_op op;
  size_t room;
  cs_sock *s = cs_sock_check(L, 1);
  int flags = cs_opt_cint(L, 4, 0);
  if (lua_gettop(L) < 4) lua_settop(L, 4);
  int last = lua_gettop(L);
  size_t count = cs_message_pieces(L, 2);
  if (count > IOV_MAX) return cs_fail(L, "sendmsg", EMSGSIZE);
  int items = lua_gettop(L) + 1;
  int n = push_ancdata(L, 3, &room);
  cs_message *m = cs_message_outgoing(L, last + 1, count, room);
  char *at = m->control;
  for (int i = items; i < items + 3 * n; i += 3) {
    size_t len;
    const char *data = cs_message_bytes(L, i + 2, &len);
    cs_control_put(&at, (int)lua_tointeger(L, i), (int)lua_tointeger(L, i + 1), data, len);
  }
  cs_transfer_op(&op, s, "sendmsg", cs_sendmsg_attempt, flags);
  return cs_message_send(L, &op, m, 5, last);
}

/***
Sends open descriptors to another process over an `AF_UNIX` socket, with at least one byte of data
(a stream does not carry them otherwise). The receiver gets copies: ours stay open.
Source: unix(7) `SCM_RIGHTS`, Python's `socket.send_fds`.
@function send_fds
@tparam socket sock
@tparam table|string|buffer buffers the data, as for `socket:sendmsg`
@tparam table fds a sequence of descriptors: numbers, sockets, files, anything with a `fileno`
method
@tparam[opt=0] int flags `MSG_*`
@param[opt] address where to, on an unconnected socket
@treturn[1] int the number of bytes of data sent
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EBADF`: a descriptor is closed; `EINVAL`: too many (Linux: 253); ...)
@usage assert(csock.send_fds(a, "x", {io.stdout, s}))
*/
static int message_send_fds(lua_State *L) {
  cs_op op;
  size_t room = 0;
  cs_sock *s = cs_sock_check(L, 1);
  luaL_checktype(L, 3, LUA_TTABLE);
  int flags = cs_opt_cint(L, 4, 0);
  int last = lua_gettop(L);
  size_t count = cs_message_pieces(L, 2);
  if (count > IOV_MAX) return cs_fail(L, "send_fds", EMSGSIZE);
  lua_Integer n = luaL_len(L, 3);
  if (n < 0 || n > CS_CONTROL_MAX / (lua_Integer)sizeof(int))
    return luaL_argerror(L, 3, "too many descriptors");
  size_t len = (size_t)n * sizeof(int);
  if (n > 0) cs_control_room(L, 3, &room, len);
  cs_message *m = cs_message_outgoing(L, last + 1, count, room);
  int *fds = (int *)lua_newuserdatauv(L, len, 0);
  for (lua_Integer i = 0; i < n; i++) {
    lua_geti(L, 3, i + 1);
    fds[i] = cs_item_fd(L, 3, i + 1);
    if (fds[i] < 0) return cs_fail_at(L, "send_fds", EBADF, -1);
    lua_pop(L, 1);
  }
  char *at = m->control;
  if (n > 0) cs_control_put(&at, SOL_SOCKET, SCM_RIGHTS, fds, len);
  cs_transfer_op(&op, s, "send_fds", cs_sendmsg_attempt, flags);
  return cs_message_send(L, &op, m, 5, last);
}

/* --- receiving --- */

/* recvmsg(2). Pushes the data, or, where the message has pieces to receive into, their length. On
   failure `*result` is what the attempt returns. */
static bool receive_message(lua_State *L, cs_op *op, struct msghdr *h, cs_sockaddr *addr,
                            int *result) {
  cs_message *m = (cs_message *)op->ptr;
  struct iovec one = {.iov_base = op->w->state->scratch, .iov_len = op->size};
  bool into = op->slot != 0;
  /* Only AF_UNIX passes descriptors, and not every other family takes the flag. */
  int cloexec = cs_sock_of(op->w)->family == AF_UNIX ? CS_MSG_CMSG_CLOEXEC : 0;
  int top = lua_gettop(L), err = 0;
  size_t got = 0;
  if (m->room > 0 && cs_sock_of(op->w)->family == AF_UNIX)
    err = cs_policy_pass(L, op->w->state, op->call, -1);
  if (err == 0 && !into && op->size > CS_SCRATCH) {
    err = cs_transfer_room(op, &one.iov_len);
    if (err == 0) one.iov_base = lua_newuserdatauv(L, one.iov_len, 0);
  }
  if (err == 0) {
    set_header(h, m, into ? m->iov : &one, into ? m->count : 1);
    h->msg_name = addr;
    h->msg_namelen = sizeof *addr;
    if (op->mark != 0)
      h->msg_namelen = 0;
    else
      err = cs_sock_recvmsg(cs_sock_of(op->w), h, op->flags | cloexec, &got);
  }
  if (err != 0) {
    lua_settop(L, top);
    *result = cs_transfer_failed(L, op, err, CS_READABLE);
    return false;
  }
  /* From here on the descriptors in it are ours. */
  if (m->room > 0) cs_control_own(op->w->state, h, cloexec != 0);
  m->received = m->room > 0 ? (unsigned)h->msg_controllen : 0;
  h->msg_flags &= ~(cloexec & ~op->flags); /* the kernel gives our own flag back */
  if (into)
    lua_pushinteger(L, (lua_Integer)got);
  else
    lua_pushlstring(L, (const char *)one.iov_base, got < one.iov_len ? got : one.iov_len);
  return true;
}

static void push_ancdata_received(lua_State *L, struct msghdr *h) {
  size_t len;
  lua_Integer i = 0;
  lua_newtable(L);
  for (struct cmsghdr *c = NULL; (c = cs_control_next(h, c, &len)) != NULL;) {
    lua_createtable(L, 3, 3);
    lua_pushinteger(L, c->cmsg_level);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "level");
    lua_rawseti(L, -2, 1);
    lua_pushinteger(L, c->cmsg_type);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "type");
    lua_rawseti(L, -2, 2);
    lua_pushlstring(L, (const char *)CMSG_DATA(c), len);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "data");
    lua_rawseti(L, -2, 3);
    lua_rawseti(L, -2, ++i);
  }
}

static void push_sender(lua_State *L, cs_op *op, const struct msghdr *h, const cs_sockaddr *addr) {
  cs_address_push(L, &addr->any, h->msg_namelen, cs_sock_of(op->w)->proto);
}

static int recvmsg_attempt(lua_State *L, cs_op *op) {
  cs_message *m = (cs_message *)op->ptr;
  cs_sockaddr addr;
  struct msghdr h;
  int result;
  if (!receive_message(L, op, &h, &addr, &result)) return result;
  push_ancdata_received(L, &h);
  lua_pushinteger(L, h.msg_flags);
  push_sender(L, op, &h, &addr);
  m->received = 0; /* the program has the descriptors now */
  return 4;
}

/* On a stream MSG_TRUNC drops the bytes, and the buffer keeps what was in it: not for a program to
   see. And no bytes (`wanted`) are there at once (op->mark): the system would wait for some. */
static void recvmsg_op(cs_op *op, cs_sock *s, const char *call, cs_attempt attempt, int flags,
                       size_t wanted) {
  bool stream = s->type == SOCK_STREAM;
  cs_transfer_op(op, s, call, attempt, stream ? flags & ~MSG_TRUNC : flags);
  op->mark = stream && wanted == 0;
  op->line = op->mark != 0 || (flags & MSG_OOB) ? 0 : CS_READABLE;
}

static size_t check_ancbufsize(lua_State *L, int arg) {
  return (size_t)cs_opt_int(L, arg, 0, 0, CS_CONTROL_MAX);
}

/***
Receives a message with its ancillary data. Descriptors in it are close-on-exec.
Source: recvmsg(2), Python's `socket.recvmsg`.
@function socket:recvmsg
@tparam int size at most so many bytes of data; what a datagram has beyond them is lost, and
`msg_flags` has `MSG_TRUNC`
@tparam[opt=0] int ancbufsize room for ancillary data in bytes, 0 .. 2^20; see `CMSG_SPACE` and
`CMSG_LEN`. What does not fit is lost (descriptors are closed), and `msg_flags` has `MSG_CTRUNC`
@tparam[opt=0] int flags `MSG_*`; `MSG_WAITALL` does not make it wait for more than one piece
@treturn[1] string data; `""` at the end of a stream
@treturn[1] table a sequence of `{level, type, data}`, also by these names
@treturn[1] int msg_flags
@treturn[1] address the sender; nil on a connected stream
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno
@usage print(a:send "hello", b:recvmsg(1024, csock.CMSG_SPACE(12)))
*/
static int sock_recvmsg(lua_State *L) {
  cs_op op;
  cs_sock *s = cs_sock_check(L, 1);
  size_t size = cs_check_size(L, 2);
  size_t room = check_ancbufsize(L, 3);
  recvmsg_op(&op, s, "recvmsg", recvmsg_attempt, cs_opt_cint(L, 4, 0), size + room);
  op.size = size;
  op.ptr = push_message(L, 0, room, true);
  return cs_drive(L, &op);
}

/***
Receives a message into buffers, which are filled one after the other.
Source: recvmsg(2), Python's `socket.recvmsg_into`.
@function socket:recvmsg_into
@tparam table|buffer buffers a sequence of buffers, or one
@tparam[opt=0] int ancbufsize as for `recvmsg`
@tparam[opt=0] int flags `MSG_*`
@treturn[1] int the number of bytes received
@treturn[1] table a sequence of `{level, type, data}`, also by these names
@treturn[1] int msg_flags
@treturn[1] address the sender; nil on a connected stream
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EMSGSIZE`: more than `IOV_MAX` (1024) buffers ...)
@usage print(a:send "onetwo", b:recvmsg_into {csock.buffer(3), csock.buffer(100)})
*/
static int sock_recvmsg_into(lua_State *L) {
  cs_op op;
  cs_sock *s = cs_sock_check(L, 1);
  if (!lua_istable(L, 2) && !lua_isuserdata(L, 2)) return luaL_typeerror(L, 2, "table of buffers");
  size_t room = check_ancbufsize(L, 3);
  size_t wanted = room;
  int flags = cs_opt_cint(L, 4, 0), first = lua_gettop(L) + 1;
  size_t count = cs_message_pieces(L, 2);
  if (count > IOV_MAX) return cs_fail(L, "recvmsg_into", EMSGSIZE);
  cs_message *m = push_message(L, count, room, true);
  for (size_t i = 0; i < count; i++) {
    size_t len;
    m->iov[i].iov_base = cs_buffer_test(L, first + (int)i, &len);
    if (m->iov[i].iov_base == NULL)
      return luaL_argerror(
          L, 2, lua_pushfstring(L, "[%d]: csock.buffer expected, got string", (int)i + 1));
    m->iov[i].iov_len = len;
    wanted += len;
  }
  recvmsg_op(&op, s, "recvmsg_into", recvmsg_attempt, flags, wanted);
  op.ptr = m;
  op.slot = 1;
  return cs_drive(L, &op);
}

/* Pushes a sequence of the first `max` descriptors; returns how many of them there are. Where there
   are more the message counts as cut. */
static size_t push_descriptors(lua_State *L, struct msghdr *h, size_t max) {
  size_t len, n = 0;
  lua_newtable(L);
  for (struct cmsghdr *c = NULL; (c = cs_control_next(h, c, &len)) != NULL;) {
    size_t here = c->cmsg_type == SCM_RIGHTS ? cs_control_fds(c, len) : 0, i = 0;
    for (; i < here && n < max; i++) {
      lua_pushinteger(L, cs_control_fd(c, i));
      lua_rawseti(L, -2, (lua_Integer)++n);
    }
    if (i < here) h->msg_flags |= MSG_CTRUNC;
  }
  return n;
}

static int recv_fds_attempt(lua_State *L, cs_op *op) {
  cs_message *m = (cs_message *)op->ptr;
  cs_sockaddr addr;
  struct msghdr h;
  int result;
  if (!receive_message(L, op, &h, &addr, &result)) return result;
  size_t taken = push_descriptors(L, &h, op->done);
  lua_pushinteger(L, h.msg_flags);
  push_sender(L, op, &h, &addr);
  cs_control_close(op->w->state, m->control, m->received, taken); /* nothing raises from here on */
  m->received = 0;
  return 4;
}

/***
Receives data and the descriptors that came with it over an `AF_UNIX` socket. They are
close-on-exec, and the program's to close; what comes beyond `maxfds` is closed, and `msg_flags` has
`MSG_CTRUNC`.
Source: unix(7) `SCM_RIGHTS`, Python's `socket.recv_fds`.
@function recv_fds
@tparam socket sock
@tparam int size at most so many bytes of data
@tparam int maxfds at most so many descriptors
@tparam[opt=0] int flags `MSG_*`
@treturn[1] string data; `""` at the end of a stream
@treturn[1] table a sequence of descriptors (integers)
@treturn[1] int msg_flags
@treturn[1] address the sender; nil on a connected stream
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno
@usage local data, fds = csock.recv_fds(b, csock.send_fds(a, "x", {s}), 1)
*/
static int message_recv_fds(lua_State *L) {
  cs_op op;
  cs_sock *s = cs_sock_check(L, 1);
  size_t size = cs_check_size(L, 2);
  size_t max = (size_t)cs_check_int(L, 3, 0, CS_CONTROL_MAX / (lua_Integer)sizeof(int));
  recvmsg_op(&op, s, "recv_fds", recv_fds_attempt, cs_opt_cint(L, 4, 0), 1);
  op.size = size;
  op.done = max;
  op.ptr = push_message(L, 0, CMSG_SPACE(max * sizeof(int)) + CONTROL_SPARE, true);
  return cs_drive(L, &op);
}

/* --- sizes --- */

/***
The size of a control message with so many bytes of data: the `ancbufsize` that receives just one.
Source: cmsg(3), Python's `socket.CMSG_LEN`.
@function CMSG_LEN
@tparam int length bytes of data; the result is an int, too
@treturn int bytes
@usage a:recvmsg(1, csock.CMSG_LEN(4), csock.MSG_DONTWAIT)
*/
static int message_cmsg_len(lua_State *L) {
  lua_pushinteger(
      L, (lua_Integer)CMSG_LEN((size_t)cs_check_int(L, 1, 0, INT_MAX - (lua_Integer)CMSG_LEN(0))));
  return 1;
}

/***
The same with the padding after it: sum these up for the `ancbufsize` that receives several.
Source: cmsg(3), Python's `socket.CMSG_SPACE`.
@function CMSG_SPACE
@tparam int length bytes of data; the result is an int, too
@treturn int bytes
@usage a:recvmsg(1, csock.CMSG_SPACE(4) + csock.CMSG_SPACE(12), csock.MSG_DONTWAIT)
*/
static int message_cmsg_space(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)CMSG_SPACE(
                         (size_t)cs_check_int(L, 1, 0, INT_MAX - (lua_Integer)CMSG_SPACE(1))));
  return 1;
}

/* --- registration --- */

static const luaL_Reg message_methods[] = {
    {"recvmsg", sock_recvmsg},
    {"recvmsg_into", sock_recvmsg_into},
    {"sendmsg", sock_sendmsg},
    {NULL, NULL},
};

static const luaL_Reg message_functions[] = {
    {"CMSG_LEN", message_cmsg_len},
    {"CMSG_SPACE", message_cmsg_space},
    {"recv_fds", message_recv_fds},
    {"send_fds", message_send_fds},
    {NULL, NULL},
};

static const luaL_Reg message_meta[] = {{"__gc", message_gc}, {NULL, NULL}};

void cs_open_message(lua_State *L) {
  cs_class_methods(L, &cs_sock_class, message_methods);
  cs_class_make(L, &message_class, NULL, message_meta);
  cs_setfuncs(L, message_functions);
}
