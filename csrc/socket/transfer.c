/* transfer.c: moving bytes on a socket: recv*, send*. Messages with ancillary data: message.c. */
#include "../base/parts.h"
#include "transfer.h"
#include "../name/address.h"
#include "../base/buffer.h"
#include "../name/lookup.h"

#include <sys/ioctl.h>

#ifndef MSG_ERRQUEUE
#define MSG_ERRQUEUE 0
#endif

void cs_transfer_op(cs_op *op, cs_sock *s, const char *call, cs_attempt attempt, int flags) {
  cs_sock_op(op, s, call, attempt);
  if (flags & (MSG_DONTWAIT | MSG_ERRQUEUE)) op->timeout = 0;
  op->flags = flags;
}

static int fail(lua_State *L, const cs_op *op, int err) {
  return cs_transport_fail(L, cs_sock_of(op->w), op->call, err);
}

/* Whether the usual kind of call may go to the system before all preparation, which is wasted when
   it succeeds at once: it may wait, so it can be tried again, and nobody is before it in its line.
   This saves a small message over a Unix socket a twentieth of its time. */
static inline bool may_try_first(cs_sock *s, int line, cs_why why) {
  return !cs_sock_closed(s) && s->w.fd >= 0 && s->timeout != 0 && s->transport == NULL &&
         cs_drive_first(&s->w, line, why);
}

/* --- receiving --- */

static bool is_stream(const cs_op *op) {
  return cs_sock_of(op->w)->type == SOCK_STREAM;
}

int cs_transfer_room(const cs_op *op, size_t *room) {
  cs_sock *s = cs_sock_of(op->w);
  int waiting = 0, err = 0;
  char byte;
  size_t got;
  if (!is_stream(op) && !(op->flags & MSG_ERRQUEUE)) /* which knows no peeking */
    err = cs_sock_read(s, &byte, 1, op->flags | MSG_PEEK, NULL, &got);
  if (err != 0) return err;
  if (s->transport == NULL && (ioctl(s->w.fd, FIONREAD, &waiting) != 0 || waiting < 0))
    waiting = 1 << 20;
  *room = (size_t)waiting > CS_SCRATCH ? (size_t)waiting : CS_SCRATCH;
  if (*room > op->size) *room = op->size;
  return 0;
}

/* Starts an op that receives. Linux: with MSG_TRUNC a datagram's whole length is told even when it
   is cut. On a stream the flag means that the bytes are dropped, and the buffer keeps what was in
   it: not for a program to see. */
static void recv_op(cs_op *op, cs_sock *s, const char *call, cs_attempt attempt, size_t size,
                    int flags, cs_restart restart, cs_why why) {
  flags = s->type == SOCK_STREAM ? flags & ~MSG_TRUNC : flags | MSG_TRUNC;
  cs_transfer_op(op, s, call, attempt, flags);
  op->size = size;
  op->restart = restart;
  op->why = (uint8_t)why;
  op->line = size == 0 || (flags & MSG_OOB) ? 0 : CS_READABLE;
}

/* Into `buf`, with the sender where the op has room for an address (op->slot). No bytes of a stream
   are there at once; TCP would wait for the next one. */
static int receive_bytes(cs_op *op, char *buf, size_t size, cs_sender *from, size_t *got) {
  *got = 0;
  from->len = 0;
  if (size == 0 && is_stream(op)) return 0;
  return cs_sock_read(cs_sock_of(op->w), buf, size, op->flags, op->slot != 0 ? from : NULL, got);
}

/* What follows the data (which has been pushed): the address where it was asked for, and the length
   of a datagram that was cut. Gives the number of results. */
static int push_rest(lua_State *L, cs_op *op, size_t got, size_t size, const cs_sender *from) {
  int n = 1;
  if (op->slot != 0) {
    cs_address_push(L, &from->addr.any, from->len, cs_sock_of(op->w)->proto);
    n++;
  }
  if (got > size) {
    lua_pushinteger(L, (lua_Integer)got);
    n++;
  }
  return n;
}

/* For more than the scratch buffer holds. */
static int recv_large(lua_State *L, cs_op *op) {
  cs_sender from;
  luaL_Buffer b;
  int top = lua_gettop(L);
  size_t size, got;
  int err = cs_transfer_room(op, &size);
  if (err != 0) return cs_transfer_failed(L, op, err, CS_READABLE);
  err = receive_bytes(op, luaL_buffinitsize(L, &b, size), size, &from, &got);
  if (err != 0) {
    lua_settop(L, top);
    return cs_transfer_failed(L, op, err, CS_READABLE);
  }
  luaL_pushresultsize(&b, got < size ? got : size);
  return push_rest(L, op, got, size, &from);
}

static int recv_attempt(lua_State *L, cs_op *op) {
  cs_sender from;
  size_t got;
  char *scratch = op->w->state->scratch;
  if (op->size > CS_SCRATCH) return recv_large(L, op);
  int err = receive_bytes(op, scratch, op->size, &from, &got);
  if (err != 0) return cs_transfer_failed(L, op, err, CS_READABLE);
  lua_pushlstring(L, scratch, got < op->size ? got : op->size);
  return push_rest(L, op, got, op->size, &from);
}

/* --- MSG_WAITALL --- */

/* Gathers op->size bytes of a stream at op->ptr: in the caller's buffer, or in the userdata at
   op->last, which grows as they come. What has been received is not lost to a failure: a time-out
   after the first byte ends the call with what there is, as the system's own does; any other
   failure has it as a fourth result. */
static bool gathers(const cs_op *op) {
  /* Peeking sees the same bytes again, so it cannot gather them. */
  return (op->flags & (MSG_WAITALL | MSG_PEEK)) == MSG_WAITALL && is_stream(op) &&
         op->timeout != 0 && op->size > 0;
}

static void push_gathered(lua_State *L, const cs_op *op) {
  if (op->last != 0)
    lua_pushlstring(L, (const char *)op->ptr, op->done);
  else
    lua_pushinteger(L, (lua_Integer)op->done);
}

static int gather_end(lua_State *L, cs_op *op, const cs_sender *from) {
  push_gathered(L, op);
  return push_rest(L, op, op->done, op->done, from);
}

static int gather_fail(lua_State *L, cs_op *op, int err) {
  const cs_sender unknown = {.len = 0};
  if (err == ETIMEDOUT && op->done > 0) return gather_end(L, op, &unknown);
  int n = fail(L, op, err);
  push_gathered(L, op);
  return n + 1;
}

/* How many bytes there is room for at op->ptr; if it is full, there is more then. */
static size_t gather_room(lua_State *L, cs_op *op) {
  if (op->last == 0) return op->size;
  size_t room = (size_t)lua_rawlen(L, op->last);
  if (op->done < room) return room;
  room = room < op->size / 2 ? room * 2 : op->size;
  char *grown = (char *)lua_newuserdatauv(L, room, 0);
  memcpy(grown, op->ptr, op->done);
  op->ptr = grown;
  lua_replace(L, op->last);
  return room;
}

static int gather_attempt(lua_State *L, cs_op *op) {
  cs_sender from = {.len = 0};
  while (op->done < op->size) {
    size_t got, room = gather_room(L, op);
    int err = receive_bytes(op, (char *)op->ptr + op->done, room - op->done, &from, &got);
    if (err != 0) return cs_transfer_failed(L, op, err, CS_READABLE);
    if (got == 0) break;
    op->done += got;
  }
  return gather_end(L, op, &from);
}

static int gather(lua_State *L, cs_op *op) {
  op->attempt = gather_attempt;
  op->restart = NULL; /* it keeps what it has gathered */
  op->fail = gather_fail;
  if (op->ptr == NULL) {
    op->ptr = lua_newuserdatauv(L, op->size < 4096 ? op->size : 4096, 0);
    op->last = lua_gettop(L);
  }
  return cs_drive(L, op);
}

/* --- recv* --- */

static int run_recv(lua_State *L, cs_why why) {
  cs_op op;
  cs_sock *s = cs_sock_check(L, 1);
  size_t size = cs_check_size(L, 2);
  int flags = cs_opt_cint(L, 3, 0);
  int err = 0;
  if (flags == 0 && s->type == SOCK_STREAM && size > 0 && size <= CS_SCRATCH &&
      may_try_first(s, CS_READABLE, why)) {
    size_t got = 0;
    err = cs_sock_read(s, s->w.state->scratch, size, 0, NULL, &got);
    if (err >= 0) cs_drive_passed(&s->w, CS_READABLE);
    if (err == 0) {
      lua_pushlstring(L, s->w.state->scratch, got);
      return 1;
    }
    if (err > 0) return cs_fail(L, "recv", err);
  }
  recv_op(&op, s, "recv", recv_attempt, size, flags, run_recv, why);
  op.tried = err == CS_READABLE && op.line == err;
  return gathers(&op) ? gather(L, &op) : cs_drive(L, &op);
}

/***
Receives at most `size` bytes. On a stream, `""` is the end of the stream; a datagram that was
longer than `size` is cut, and its whole length is the second result.

With `MSG_WAITALL` a stream's bytes are gathered until there are `size`, or the stream or the time
is at its end. What has been gathered is lost when the call is given up from outside: its task is
cancelled, `loop.timeout` or Ctrl-C ends it. A read of a stream (`makefile`) loses nothing then, and
`recv_into` leaves it in the buffer. The same is true of `recvfrom`, `recv_into` and
`recvfrom_into`. Source: recv(2), Python's `socket.recv`.
@function socket:recv
@tparam int size bytes, at least 0
@tparam[opt=0] int flags `MSG_*`
@treturn[1] string what has arrived
@treturn[1] ?int the datagram's length, when it was cut
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EAGAIN` when nothing is there and the timeout is 0, `ETIMEDOUT`,
`ECONNRESET`, `EBADF` on a closed socket ...)
@treturn[2] ?string with `MSG_WAITALL`, what came before the failure
@usage
a:send "hello"
print(b:recv(1024)) --> hello
*/
static int sock_recv(lua_State *L) {
  return run_recv(L, CS_WHY_NONE);
}

static int run_recvfrom(lua_State *L, cs_why why) {
  cs_op op;
  cs_sock *s = cs_sock_check(L, 1);
  size_t size = cs_check_size(L, 2);
  int flags = cs_opt_cint(L, 3, 0);
  recv_op(&op, s, "recvfrom", recv_attempt, size, flags, run_recvfrom, why);
  op.slot = 1;
  return gathers(&op) ? gather(L, &op) : cs_drive(L, &op);
}

/***
Receives at most `size` bytes, and tells who sent them.
Source: recvfrom(2), Python's `socket.recvfrom`.
@function socket:recvfrom
@tparam int size bytes, at least 0
@tparam[opt=0] int flags `MSG_*`
@treturn[1] string what has arrived
@treturn[1] address the sender (a string for `AF_UNIX`; nil on a connected stream)
@treturn[1] ?int the datagram's length, when it was cut
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno
@treturn[2] ?string with `MSG_WAITALL`, what came before the failure
@usage
local u <close> = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
u:bind {"127.0.0.1", 0}
u:sendto("hi", u:getsockname())
local data, sender = assert(u:recvfrom(1024))
*/
static int sock_recvfrom(lua_State *L) {
  return run_recvfrom(L, CS_WHY_NONE);
}

static int recv_into_attempt(lua_State *L, cs_op *op) {
  cs_sender from;
  size_t got;
  int err = receive_bytes(op, (char *)op->ptr, op->size, &from, &got);
  if (err != 0) return cs_transfer_failed(L, op, err, CS_READABLE);
  lua_pushinteger(L, (lua_Integer)(got < op->size ? got : op->size));
  return push_rest(L, op, got, op->size, &from);
}

/* The driver is to end it: it may have waited, and the buffer been closed meanwhile, and what it
   was woken for is the next one's. */
static int buffer_too_small(lua_State *L, cs_op *op, int err) {
  (void)op, (void)err;
  return luaL_argerror(L, 3, "more than the buffer holds");
}

static int receive_into(lua_State *L, const char *call, int slot, cs_restart restart, cs_why why) {
  cs_op op;
  size_t room;
  cs_sock *s = cs_sock_check(L, 1);
  char *into = cs_buffer_test(L, 2, &room);
  if (into == NULL) return luaL_typeerror(L, 2, "csock.buffer");
  size_t size = cs_opt_size(L, 3, 0);
  int flags = cs_opt_cint(L, 4, 0);
  recv_op(&op, s, call, recv_into_attempt, size == 0 ? room : size, flags, restart, why);
  op.ptr = into;
  op.slot = slot;
  if (size > room) {
    op.closed = true;
    op.fail = buffer_too_small;
    return cs_drive(L, &op);
  }
  return gathers(&op) ? gather(L, &op) : cs_drive(L, &op);
}

static int run_recv_into(lua_State *L, cs_why why) {
  return receive_into(L, "recv_into", 0, run_recv_into, why);
}

/***
Receives into a buffer instead of making a string.
Source: recv(2), Python's `socket.recv_into`.
@function socket:recv_into
@tparam buffer buffer
@tparam[opt=0] int nbytes at most so many; 0 is the whole buffer
@tparam[opt=0] int flags `MSG_*`
@treturn[1] int the number of bytes received; 0 is the end of a stream
@treturn[1] ?int the datagram's length, when it was cut
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno
@treturn[2] ?int with `MSG_WAITALL`, how many bytes came before the failure: they are in the buffer
@usage
local buffer = csock.buffer(1024)
a:send "hello"
local n = assert(b:recv_into(buffer))
print(buffer:sub(1, n)) --> hello
*/
static int sock_recv_into(lua_State *L) {
  return run_recv_into(L, CS_WHY_NONE);
}

static int run_recvfrom_into(lua_State *L, cs_why why) {
  return receive_into(L, "recvfrom_into", 1, run_recvfrom_into, why);
}

/***
Receives into a buffer, and tells who sent it.
Source: recvfrom(2), Python's `socket.recvfrom_into`.
@function socket:recvfrom_into
@tparam buffer buffer
@tparam[opt=0] int nbytes at most so many; 0 is the whole buffer
@tparam[opt=0] int flags `MSG_*`
@treturn[1] int the number of bytes received
@treturn[1] address the sender
@treturn[1] ?int the datagram's length, when it was cut
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno
@treturn[2] ?int with `MSG_WAITALL`, how many bytes came before the failure: they are in the buffer
@usage
local buffer = csock.buffer(1024)
a:send "hello"
local n, sender = assert(b:recvfrom_into(buffer))
*/
static int sock_recvfrom_into(lua_State *L) {
  return run_recvfrom_into(L, CS_WHY_NONE);
}

/* --- sending --- */

static int send_attempt(lua_State *L, cs_op *op) {
  size_t sent = 0;
  int err = cs_sock_write(cs_sock_of(op->w), op->data, op->size, op->flags, &sent);
  if (err != 0) return cs_transfer_failed(L, op, err, CS_WRITABLE);
  lua_pushinteger(L, (lua_Integer)sent);
  return 1;
}

static int run_send(lua_State *L, cs_why why) {
  cs_op op;
  size_t len, from = 0;
  cs_sock *s = cs_sock_check(L, 1);
  const char *data = cs_check_bytes(L, 2, &len);
  int flags = 0;
  if (lua_gettop(L) > 2) {
    size_t to;
    flags = cs_opt_cint(L, 3, 0);
    cs_opt_range(L, 4, len, &from, &to);
    len = to - from;
  }
  int err = 0;
  if (!(flags & MSG_DONTWAIT) && may_try_first(s, CS_WRITABLE, why)) {
    size_t sent = 0;
    err = cs_sock_write(s, data + from, len, flags, &sent);
    if (err >= 0) cs_drive_passed(&s->w, CS_WRITABLE);
    if (err == 0) {
      lua_pushinteger(L, (lua_Integer)sent);
      return 1;
    }
    if (err > 0) return cs_fail(L, "send", err);
  }
  cs_transfer_op(&op, s, "send", send_attempt, flags);
  op.data = data + from;
  op.line = CS_WRITABLE;
  op.tried = err == CS_WRITABLE && op.timeout != 0;
  op.restart = run_send;
  op.why = (uint8_t)why;
  op.size = len;
  return cs_drive(L, &op);
}

/***
Sends a string or buffer, or a part of it. On a stream, it may send less than asked: see `sendall`.
Source: send(2), Python's `socket.send`.
@function socket:send
@param data string or buffer
@tparam[opt=0] int flags `MSG_*`
@tparam[opt=1] int i the first byte to send, as in `string.sub`
@tparam[opt=-1] int j the last byte to send
@treturn[1] int the number of bytes sent
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EAGAIN`, `ETIMEDOUT`, `EPIPE`, `ECONNRESET`, `EMSGSIZE` ...)
@usage print(a:send "hello") --> 5
*/
static int sock_send(lua_State *L) {
  return run_send(L, CS_WHY_NONE);
}

/* Fails with the count of what was sent as a fourth result. */
static int sendall_fail(lua_State *L, cs_op *op, int err) {
  int n = fail(L, op, err);
  lua_pushinteger(L, (lua_Integer)op->done);
  return n + 1;
}

static int sendall_attempt(lua_State *L, cs_op *op) {
  size_t sent = 0;
  int err =
      cs_sock_write(cs_sock_of(op->w), op->data + op->done, op->size - op->done, op->flags, &sent);
  if (err != 0) return cs_transfer_failed(L, op, err, CS_WRITABLE);
  op->done += sent;
  if (op->done < op->size) return CS_AGAIN;
  lua_pushinteger(L, (lua_Integer)op->done);
  return 1;
}

/***
Sends all of a string or buffer. The socket's timeout bounds the whole call.
Source: send(2), Python's `socket.sendall`.
@function socket:sendall
@param data string or buffer
@tparam[opt=0] int flags `MSG_*`
@treturn[1] int the number of bytes sent: all
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno
@treturn[2] int the number of bytes that were sent before the failure
@usage assert(a:sendall(("x"):rep(10000)))
*/
static int sock_sendall(lua_State *L) {
  cs_op op;
  cs_sock *s = cs_sock_check(L, 1);
  size_t len;
  const char *data = cs_check_bytes(L, 2, &len);
  int flags = cs_opt_cint(L, 3, 0);
  size_t sent = 0;
  int err = 0;
  if (flags == 0 && may_try_first(s, CS_WRITABLE, CS_WHY_NONE)) {
    err = cs_sock_write(s, data, len, 0, &sent);
    if (err > 0 || sent == len) {
      cs_drive_passed(&s->w, CS_WRITABLE);
      int n = err > 0 ? cs_fail(L, "sendall", err) : 0;
      lua_pushinteger(L, (lua_Integer)sent);
      return n + 1;
    }
  }
  cs_transfer_op(&op, s, "sendall", sendall_attempt, flags);
  op.fail = sendall_fail;
  op.line = CS_WRITABLE;
  op.data = data;
  op.size = len;
  op.done = sent;
  op.begun = sent > 0;
  op.tried = err == CS_WRITABLE;
  return cs_drive(L, &op);
}

static int sendto_attempt(lua_State *L, cs_op *op) {
  const cs_address *to = (const cs_address *)op->ptr;
  size_t sent = 0;
  cs_sock *s = cs_sock_of(op->w);
  int err = to != NULL ? cs_sock_sendto(L, s, op->call, op->data, op->size, op->flags, to, &sent)
                       : cs_sock_write(s, op->data, op->size, op->flags, &sent);
  if (err < 0) return cs_transfer_failed(L, op, err, CS_WRITABLE);
  if (err > 0) return cs_fail_address(L, op->call, err, to);
  lua_pushinteger(L, (lua_Integer)sent);
  return 1;
}

/***
Sends a datagram to an address: an address value, a table, or its parts as arguments.
Source: sendto(2), Python's `socket.sendto`.
@function socket:sendto
@param data string or buffer
@tparam[opt=0] int flags `MSG_*` (may be left out: `s:sendto(data, address)`. Before an address in
parts of which the first is a number, as `AF_NETLINK` and `AF_VSOCK` have, and the last may be left
out, it must be given)
@param address where to; see @{address}
@treturn[1] int the number of bytes sent
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno
@usage
local u <close> = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
assert(u:sendto("hello", {"127.0.0.1", 21567}))
*/
static int sock_sendto(lua_State *L) {
  cs_op op;
  size_t len;
  cs_sock *s = cs_sock_check(L, 1);
  const char *data = cs_check_bytes(L, 2, &len);
  int last = lua_gettop(L);
  bool has_flags = lua_isnil(L, 3) || (lua_type(L, 3) == LUA_TNUMBER &&
                                       !cs_address_begins(L, 3, last, s->family, s->proto));
  int flags = has_flags ? cs_opt_cint(L, 3, 0) : 0;
  int arg = has_flags ? 4 : 3;
  cs_transfer_op(&op, s, "sendto", sendto_attempt, flags);
  op.data = data;
  op.size = len;
  int err = cs_lookup_address(L, &op, arg, last, s->family, s->proto);
  return err != 0 ? cs_fail(L, "sendto", err) : cs_drive(L, &op);
}

static const luaL_Reg transfer_methods[] = {
    {"recv", sock_recv},           {"recvfrom", sock_recvfrom},
    {"recv_into", sock_recv_into}, {"recvfrom_into", sock_recvfrom_into},
    {"send", sock_send},           {"sendall", sock_sendall},
    {"sendto", sock_sendto},       {NULL, NULL},
};

void cs_open_transfer(lua_State *L) {
  cs_class_methods(L, &cs_sock_class, transfer_methods);
}
