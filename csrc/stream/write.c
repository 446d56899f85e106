/* write.c: what a stream sends. Bytes are queued first and sent from the queue, so that a
   call that fails has neither lost nor doubled any. */
#include "stream.h"
#include "../base/parts.h"
#include "../base/buffer.h"

static int write_attempt(lua_State *L, cs_op *op) {
  int n = cs_stream_send(L, op);
  if (n != 0) return n;
  lua_pushvalue(L, 1);
  return 1;
}

/* Queues the arguments from 2 on, all or none: 0 or ENOMEM. *line: there was an LF. */
static int queue_arguments(lua_State *L, cs_stream *st, bool *line) {
  int top = lua_gettop(L);
  size_t before = st->out.len, len;
  for (int arg = 3; arg <= top; arg++) cs_check_bytes(L, arg, &len); /* before the first is taken */
  for (int arg = 2; arg <= top; arg++) {
    const char *bytes = cs_check_bytes(L, arg, &len);
    int err = cs_bytes_append(&st->out, bytes, len);
    if (err != 0) {
      cs_bytes_retract(&st->out, st->out.len - before);
      return err;
    }
    if (st->by_line && len > 0 && memchr(bytes, '\n', len) != NULL) *line = true;
  }
  return 0;
}

/***
Writes strings, numbers and buffers. They are sent when the stream's buffer is full (see
`setvbuf`), and by `flush` and `close`.
The stream has taken what `write` was given also when sending it fails or times out: what was not
sent stays in the stream. Call `flush` then, and do not write the same again.
Source: Lua's `file:write`, Python's `io.BufferedWriter.write`.
@function stream:write
@param ... strings, numbers, buffers
@treturn[1] stream itself
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EAGAIN`, `ETIMEDOUT`, `EPIPE`, `ECONNRESET`, `EBADF`; after `ENOMEM` the
stream has taken nothing)
@usage
local stream <close> = a:makefile "w"
stream:write("n = ", 1, "\n"):flush()
print(b:recv(100)) --> n = 1
*/
static int stream_write(lua_State *L) {
  cs_op op;
  cs_stream *st = cs_stream_check(L, 1);
  bool line = false;
  if (!st->closed && st->writable) {
    int err = queue_arguments(L, st, &line);
    if (err != 0) return cs_fail(L, "write", err);
    if (st->out.len < st->out_size && !line && (!st->by_turn || cs_stream_send_later(st))) {
      lua_settop(L, 1);
      return 1;
    }
  }
  cs_stream_op(&op, st, st->writable, "write", write_attempt);
  return cs_drive(L, &op);
}

static int flush_attempt(lua_State *L, cs_op *op) {
  cs_stream *st = (cs_stream *)op->ptr;
  int n = cs_stream_send(L, op);
  if (n != 0) return n;
  cs_bytes_idle(&st->out);
  lua_pushboolean(L, 1);
  return 1;
}

/***
Sends what was written and is still in the stream. After a time-out, `flush` goes on where the
call before had to stop.
Source: Lua's `file:flush`, Python's `io.BufferedWriter.flush`.
@function stream:flush
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno
@usage
local stream <close> = a:makefile "w"
stream:write "hello"
assert(stream:flush())
*/
static int stream_flush(lua_State *L) {
  cs_op op;
  cs_stream *st = cs_stream_check(L, 1);
  bool nothing_to_do = st->readable && !st->writable; /* as Python's: not an error */
  cs_stream_op(&op, st, st->writable || nothing_to_do, "flush", flush_attempt);
  return cs_drive(L, &op);
}

/***
Says when written bytes are sent. It changes nothing about reading.

With `"turn"`, what tasks write in one turn of the loop leaves in one system call at the turn's end:
the way to send much that is small to many. What does not go at once follows as the peer takes it,
while the loop runs; `write` waits only when the buffer is full. A failure is reported by the next
`write`, `flush` or `close`. Outside of the loop it is as `"no"`.
Source: Lua's `file:setvbuf`; `"turn"` is csock's own.
@function stream:setvbuf
@tparam string mode `"no"`: at once; `"line"`: when a line is complete or the buffer is full;
`"full"`: when the buffer is full; `"turn"`: at the end of the loop's turn, or when it is full
@tparam[opt=8192] int size of the buffer, in bytes
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EBADF`)
@usage
local stream <close> = a:makefile "w"
assert(stream:setvbuf "line")
*/
static int stream_setvbuf(lua_State *L) {
  static const char *const modes[] = {"no", "full", "line", "turn", NULL};
  cs_stream *st = cs_stream_check(L, 1);
  cs_check_cstring(L, 2);
  int mode = luaL_checkoption(L, 2, NULL, modes);
  size_t size = cs_opt_size(L, 3, CS_STREAM_BUFFER);
  if (st->closed) return cs_fail(L, "setvbuf", EBADF);
  st->out_size = mode == 0 ? 0 : size;
  st->by_line = mode == 2;
  st->by_turn = false;
  if (mode == 3) cs_stream_by_turn(L, 1, st);
  lua_pushboolean(L, 1);
  return 1;
}

static const luaL_Reg write_methods[] = {
    {"flush", stream_flush},
    {"setvbuf", stream_setvbuf},
    {"write", stream_write},
    {NULL, NULL},
};

void cs_open_stream_write(lua_State *L) {
  cs_class_methods(L, &cs_stream_class, write_methods);
}
