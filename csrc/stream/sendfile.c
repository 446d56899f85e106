/* sendfile.c: a file's bytes to a stream socket: by sendfile(2) where the system can, else copied
   piece by piece. */
#include "../base/parts.h"
#include "../socket/transfer.h"
#include "stream.h"
#include "../sys/rw.h"

#include <sys/stat.h>

#define STEP  (1 << 20) /* bytes in one sendfile(2): the deadline is looked at in between */
#define CHUNK 65536     /* bytes to copy at once */
#define TURN  16        /* steps or chunks for which a task may keep the others waiting */

#define FILE_ARG 2

typedef enum transfer_way { BY_KERNEL, BY_OFFSET, BY_READING } transfer_way;

/* A call in progress; in a userdata on the stack. */
typedef struct transfer {
  transfer_way way;
  cs_rw_kind kind;
  off_t start, offset; /* where in the file it began, and where the next byte to send is */
  lua_Integer left;    /* bytes to send at most */
  lua_Integer sent;
  char *chunk;         /* made (at op->slot) when it is needed; */
  size_t from, to;     /* its bytes from .. to - 1 have been read and not been sent */
  struct pollfd input; /* to wait for a source that has nothing just now */
} transfer;

/* What an attempt returns after progress: now and then the other tasks have their turn. */
static int sendfile_go_on(cs_op *op, transfer *t, size_t sent) {
  t->sent += (lua_Integer)sent;
  t->left -= (lua_Integer)sent;
  return ++op->mark % TURN == 0 && op->timeout != 0 ? CS_YIELD : CS_AGAIN;
}

static size_t at_most(lua_Integer left, size_t n) {
  return left < (lua_Integer)n ? (size_t)left : n;
}

/* Puts a Lua file's position behind what was sent, as Python does. */
static void move_position(lua_State *L, const transfer *t) {
  luaL_Stream *file = (luaL_Stream *)luaL_testudata(L, FILE_ARG, LUA_FILEHANDLE);
  if (t->way == BY_READING || t->sent == 0 || file == NULL || file->closef == NULL) return;
  fseeko(file->f, t->start + (off_t)t->sent, SEEK_SET);
}

static int sendfile_fail(lua_State *L, cs_op *op, int err) {
  const transfer *t = (const transfer *)op->ptr;
  move_position(L, t);
  int n = cs_transport_fail(L, cs_sock_of(op->w), op->call, err);
  lua_pushinteger(L, t->sent);
  if (t->way != BY_READING || t->from == t->to) return n + 1;
  lua_pushlstring(L, t->chunk + t->from, t->to - t->from);
  return n + 2;
}

static int finish_transfer(lua_State *L, const transfer *t) {
  move_position(L, t);
  lua_pushinteger(L, t->sent);
  return 1;
}

static int send_by_kernel(lua_State *L, cs_op *op, transfer *t, int fd) {
  size_t sent = 0;
  int err = cs_watched_nonblock_keep(op->w, POLLOUT);
  if (err == 0) err = cs_rw_sendfile(op->w->fd, fd, &t->offset, at_most(t->left, STEP), &sent);
  cs_watched_nonblock_end(op->w);
  switch (err) {
  case 0:
    cs_sock_sent(cs_sock_of(op->w), sent);
    if (sent > 0 && cs_sock_of(op->w)->tapped) cs_traffic_file(cs_sock_of(op->w), sent);
    return sent == 0 ? finish_transfer(L, t) : sendfile_go_on(op, t, sent);
  case EINVAL:
  case ENOSYS:
  case ESPIPE:
  case EOPNOTSUPP:
  case EOVERFLOW: /* the kernel cannot do it for this file: copying can, or says what is wrong */
    t->way = BY_OFFSET;
    return CS_AGAIN;
  case EAGAIN:
    return CS_WRITABLE;
  default:
    return sendfile_fail(L, op, err);
  }
}

/* Reads from the source once: 0, an errno value, or the direction that it needs. A stream knows
   what lies between its descriptor and its bytes. */
static int read_source(lua_State *L, const transfer *t, int fd, size_t n, size_t *got) {
  cs_stream *st = (cs_stream *)cs_object_test(L, FILE_ARG, &cs_stream_class);
  if (st != NULL && st->in.len == 0) return cs_stream_receive(st, t->chunk, n, got);
  if (st != NULL) {
    *got = cs_stream_take(L, FILE_ARG, t->chunk, n);
    return 0;
  }
  int err = cs_rw_read(fd, t->kind, t->chunk, n, got);
  return err == EAGAIN ? CS_READABLE : err;
}

/* Reads the next piece into the chunk, likewise. */
static int read_chunk(lua_State *L, transfer *t, int fd) {
  size_t n = at_most(t->left, CHUNK), got = 0;
  int err = 0;
  if (t->way == BY_OFFSET) {
    ssize_t r = pread(fd, t->chunk, n, t->offset);
    if (r < 0) err = errno;
    if (r > 0) got = (size_t)r;
  } else {
    err = read_source(L, t, fd, n, &got);
  }
  t->from = 0;
  t->to = err == 0 ? got : 0;
  return err;
}

static int send_copy(lua_State *L, cs_op *op, transfer *t, int fd) {
  if (t->chunk == NULL) {
    t->chunk = (char *)lua_newuserdatauv(L, CHUNK, 0);
    lua_replace(L, op->slot);
  }
  if (t->from == t->to) {
    int err = read_chunk(L, t, fd);
    t->input.fd = fd;
    t->input.events = err == CS_WRITABLE ? POLLOUT : POLLIN;
    if (err < 0) return CS_ANY;
    if (err != 0) return sendfile_fail(L, op, err);
    if (t->to == 0) return finish_transfer(L, t);
  }
  size_t sent = 0;
  int err = cs_sock_write(cs_sock_of(op->w), t->chunk + t->from, t->to - t->from, 0, &sent);
  if (err != 0) return cs_transfer_failed(L, op, err, CS_WRITABLE);
  t->from += sent;
  t->offset += (off_t)sent;
  return sendfile_go_on(op, t, sent);
}

/* A Lua file is the program's, whatever its number. */
static int ask_for_source(lua_State *L, const cs_op *op, int fd) {
  if (!op->w->state->policed || luaL_testudata(L, FILE_ARG, LUA_FILEHANDLE) != NULL) return 0;
  return cs_policy_use(L, op->w->state, op->call, fd);
}

static int sendfile_attempt(lua_State *L, cs_op *op) {
  transfer *t = (transfer *)op->ptr;
  if (t->left == 0) return finish_transfer(L, t);
  int fd = cs_check_fd(L, FILE_ARG); /* each time: another task may close the file */
  int err = fd < 0 ? EBADF : ask_for_source(L, op, fd);
  if (err != 0) return sendfile_fail(L, op, err);
  if (t->way == BY_KERNEL && cs_sock_of(op->w)->transport != NULL) t->way = BY_OFFSET;
  return t->way == BY_KERNEL ? send_by_kernel(L, op, t, fd) : send_copy(L, op, t, fd);
}

/* Finds out how the file can be read. 0 or an errno value. */
static int look_at_source(lua_State *L, const cs_op *op, transfer *t) {
  int fd = cs_check_fd(L, FILE_ARG);
  int err = fd < 0 ? EBADF : ask_for_source(L, op, fd);
  if (err != 0) return err;
  int mode = fcntl(fd, F_GETFL);
  if (mode < 0 || (mode & O_ACCMODE) == O_WRONLY) return EBADF;
  err = cs_rw_kind_of(fd, &t->kind);
  if (err != 0) return err;
  if (lseek(fd, 0, SEEK_CUR) < 0) {
    t->way = BY_READING;
    return t->start == 0 ? 0 : ESPIPE;
  }
  luaL_Stream *file = (luaL_Stream *)luaL_testudata(L, FILE_ARG, LUA_FILEHANDLE);
  return file != NULL && fflush(file->f) != 0 ? errno : 0; /* what was written is to be sent */
}

/***
Sends a file's bytes over a stream socket, by sendfile(2) where the system can. The socket's timeout
bounds the whole call. A Lua file's position is behind what was sent afterwards; other objects'
position stays where it is.

A source without positions (a pipe, a terminal, a socket) is read as it comes, up to its end or
`count` bytes; what a csock stream holds goes first, but what Lua's own file has already read ahead
is not sent. If such a call fails, the bytes that were read and could not be sent are its fifth
result.
Source: sendfile(2), Python's `socket.sendfile`.
@function socket:sendfile
@param file an open Lua file, a descriptor, a stream, or anything with a `fileno` method
@tparam[opt=0] int offset where in the file to begin, in bytes from its start
@tparam[opt] int count how many bytes, at least 1; nil: up to the end of the file
@treturn[1] int the number of bytes sent; less than `count` if the file ended before
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EAGAIN`, `ETIMEDOUT`, `EPIPE`, `EBADF`: the file is closed, or not open for
reading; `ESPIPE`: an offset in a pipe; `EISDIR` ...)
@treturn[2] int the number of bytes that were sent before the failure
@treturn[2] ?string bytes taken from a pipe and not sent
@raise on a socket of another type
@usage
local file <close> = assert(io.open "/etc/hosts")
assert(a:sendfile(file))
*/
static int sock_sendfile(lua_State *L) {
  cs_op op;
  cs_sock *s = cs_sock_check(L, 1);
  luaL_checkany(L, FILE_ARG);
  lua_Integer offset = cs_opt_int(L, 3, 0, 0, sizeof(off_t) < 8 ? INT32_MAX : INT64_MAX);
  lua_Integer count = cs_opt_int(L, 4, LUA_MAXINTEGER, 1, LUA_MAXINTEGER);
  luaL_argcheck(L, s->type == SOCK_STREAM, 1, "stream socket expected");
  lua_settop(L, 4);
  transfer *t = (transfer *)lua_newuserdatauv(L, sizeof *t, 0);
  memset(t, 0, sizeof *t);
  t->start = t->offset = (off_t)offset;
  t->left = count;
  cs_transfer_op(&op, s, "sendfile", sendfile_attempt, 0);
  op.fail = sendfile_fail;
  op.ptr = t;
  op.line = CS_WRITABLE; /* in line with whoever else sends */
  op.fds = &t->input;
  op.nfds = 1;
  op.owner = lua_gettop(L);
  int err = look_at_source(L, &op, t);
  if (err != 0) return sendfile_fail(L, &op, err);
  lua_pushnil(L); /* the chunk's place */
  op.slot = lua_gettop(L);
  return cs_drive(L, &op);
}

static const luaL_Reg sendfile_methods[] = {{"sendfile", sock_sendfile}, {NULL, NULL}};

void cs_open_sendfile(lua_State *L) {
  cs_class_methods(L, &cs_sock_class, sendfile_methods);
}
