/* read.c: what a stream receives. A call looks at the queued bytes until it knows all that
   it will take, and only then takes it: a call that fails or times out leaves every byte in place,
   and can be repeated. */
#include "stream.h"
#include "../base/parts.h"
#include "piece.h"

void cs_stream_drop(cs_stream *st, size_t n) {
  cs_bytes_consume(&st->in, n < st->in.len ? n : st->in.len);
  st->scanned = 0;
  st->taken++;
  /* What is left may be what the next task waits for. */
  if (!cs_waitq_empty(&st->w->readers) && st->in.len > 0) cs_watched_pass(st->w, CS_READABLE);
}

size_t cs_stream_take(lua_State *L, int idx, char *bytes, size_t n) {
  bool buffered;
  if (cs_stream_fd(L, idx, &buffered) == -2) return 0;
  cs_stream *st = cs_stream_check(L, idx);
  if (n > st->in.len) n = st->in.len;
  if (n == 0) return 0;
  memcpy(bytes, cs_bytes_at(&st->in, 0), n);
  cs_stream_drop(st, n);
  return n;
}

/* --- operations ---
   In the op: done = where the current piece begins, size = how far it has been looked through,
   slot = its format's stack index, last = that of the last one, flags = CS_STREAM_AT_END once the
   stream has ended, mark = the stream's count of reads: when another task has taken bytes
   meanwhile, the call starts anew. */

void cs_stream_begin(cs_op *op, cs_stream *st, const char *call, cs_attempt attempt) {
  cs_stream_op(op, st, st->readable, call, attempt);
  op->mark = st->taken;
  op->slot = 2;
}

cs_stream *cs_stream_begun(cs_op *op) {
  cs_stream *st = (cs_stream *)op->ptr;
  if (op->mark != st->taken) {
    op->mark = st->taken;
    op->slot = 2;
    op->done = op->size = 0;
  }
  return st;
}

/* Nothing has come: it may be long until something does. */
static void stream_idle(cs_stream *st) {
  st->want = CS_STREAM_WANT;
  cs_bytes_idle(&st->in);
}

/* Receives once. 0, or what the attempt has to return. */
static int fill_stream(lua_State *L, cs_op *op) {
  cs_stream *st = (cs_stream *)op->ptr;
  char *space;
  size_t room, got = 0;
  int err = cs_stream_usable(L, st);
  if (err == 0) err = cs_bytes_reserve(&st->in, st->want, &space, &room);
  if (err == 0) err = cs_stream_receive(st, space, room, &got);
  if (err < 0) stream_idle(st);
  if (err != 0) return cs_stream_failed(L, op, err, CS_READABLE);
  if (got == 0) op->flags |= CS_STREAM_AT_END;
  if (got == room) st->want = CS_STREAM_MORE;
  cs_bytes_commit(&st->in, got);
  return 0;
}

/* Whether nothing has come, so that a task begins with the wait and need not ask the kernel. */
static bool begins_waiting(cs_op *op) {
  cs_stream *st = (cs_stream *)op->ptr;
  if (op->line != 0 || (st->w->flags & (CS_W_WATCHED | CS_W_INPUT)) != CS_W_WATCHED) return false;
  if (st->source != NULL && st->source->ready(st->source)) return false;
  op->line = CS_READABLE;
  stream_idle(st);
  return true;
}

/* What is received from may know better than the call how long it is worth waiting. Once it has
   given something, that deadline is over: the next one is its own again. */
static void wait_for_source(cs_op *op, bool waits) {
  const cs_stream *st = (const cs_stream *)op->ptr;
  if (st->source == NULL || st->source->wait == NULL || op->timeout == 0) return;
  int64_t deadline = waits ? st->source->wait(st->source) : 0;
  if (deadline != 0) {
    op->deadline = deadline;
    op->flags |= CS_STREAM_PACED;
  } else if (!waits && (op->flags & CS_STREAM_PACED)) {
    op->deadline = CS_FOREVER;
  }
}

int cs_stream_more(lua_State *L, cs_op *op) {
  const cs_stream *st = (const cs_stream *)op->ptr;
  int n = begins_waiting(op) ? CS_AGAIN : fill_stream(L, op);
  if (n <= 0) wait_for_source(op, n < 0);
  return n == 0 && op->mark != st->taken ? CS_AGAIN : n; /* a fileno method has read from it */
}

/* Short delimiters as numbers; 0 for others. */
#define KEY_LF ((uint64_t)1 << 56 | (uint64_t)'\n' << 48)

static uint64_t delimiter_key(const cs_piece *p) {
  uint64_t key = p->delimiter_len;
  if (key > 7) return 0;
  for (size_t i = 0; i < 7; i++)
    key = key << 8 | (i < p->delimiter_len ? (unsigned char)p->delimiter[i] : 0);
  return key;
}

/* Measures the piece at op->done, receiving as needed. 0, or what the attempt has to return. The
   stream remembers for a short delimiter how far it has been looked for, also from call to call: a
   long line that is asked for again and again is looked through once. */
static int find_piece(lua_State *L, cs_op *op, cs_piece *p) {
  cs_stream *st = (cs_stream *)op->ptr;
  uint64_t key = op->done == 0 ? delimiter_key(p) : 0;
  if (key != 0 && key == st->scanned_for && op->size < st->scanned) op->size = st->scanned;
  bool may_wait = p->kind != CS_PIECE_COUNT || p->limit > 0;
  for (bool filled = false;; filled = true) {
    if (cs_piece_measure(L, &st->in, op->done, op->flags & CS_STREAM_AT_END, &op->size, p))
      return 0;
    if (key != 0) {
      st->scanned = op->size;
      st->scanned_for = key;
    }
    if (filled) return CS_AGAIN;
    int n = may_wait ? cs_stream_more(L, op) : fill_stream(L, op);
    if ((n == CS_READABLE || n == CS_WRITABLE) && !may_wait) return 0;
    if (n != 0) return n;
    if (op->mark != st->taken) return CS_AGAIN;
  }
}

/* What was asked for is longer than allowed: the bytes stay where they are. */
static int fail_too_long(lua_State *L, cs_op *op, size_t limit) {
  luaL_checkstack(L, 6, NULL);
  cs_words words = {.text =
                        lua_pushfstring(L, "Message too long: limit %I bytes", (LUAI_UACINT)limit)};
  int n = cs_fail_words(L, op->call, "error", EMSGSIZE, &words);
  if (op->fail == NULL) return n;
  lua_pop(L, 1); /* lines: it is raised */
  return lua_error(L);
}

/* Goes on to the next piece. */
static void advance(cs_op *op, const cs_piece *p) {
  op->done = op->size = p->end;
}

/* --- read --- */

/* `most`: unless the call has a limit of its own. */
static cs_piece line_piece(cs_piece_kind kind, size_t limit, size_t most) {
  return (cs_piece){.kind = kind,
                    .limit = limit,
                    .most = limit == CS_NO_LIMIT ? most : CS_NO_LIMIT,
                    .delimiter = "\n",
                    .delimiter_len = 1};
}

/* The piece that the format at `slot` stands for; raises when there is no such format. */
static cs_piece format_piece(lua_State *L, int slot, size_t most) {
  cs_piece p = {.limit = CS_NO_LIMIT, .most = CS_NO_LIMIT};
  if (lua_type(L, slot) == LUA_TNUMBER) {
    lua_Integer n = cs_check_int(L, slot, 0, LUA_MAXINTEGER);
    p.kind = CS_PIECE_COUNT;
    p.limit = (lua_Unsigned)n < CS_NO_LIMIT ? (size_t)n : CS_NO_LIMIT;
    return p;
  }
  const char *format = luaL_checkstring(L, slot);
  if (*format == '*') format++; /* as Lua's files do */
  switch (*format) {
  case 'l':
    return line_piece(CS_PIECE_LINE, CS_NO_LIMIT, most);
  case 'L':
    return line_piece(CS_PIECE_WHOLE_LINE, CS_NO_LIMIT, most);
  case 'n':
    p.kind = CS_PIECE_NUMERAL;
    break;
  case 'a':
    p.kind = CS_PIECE_ALL;
    p.most = most;
    break;
  default:
    luaL_argerror(L, slot, "invalid format");
  }
  return p;
}

/* All formats have been found to end within what is queued: pushes the results. */
static int push_results(lua_State *L, cs_op *op) {
  cs_stream *st = (cs_stream *)op->ptr;
  size_t at = 0;
  int count = 0;
  luaL_checkstack(L, op->last, NULL);
  for (int slot = 2; slot <= op->last && at <= st->in.len; slot++) {
    size_t scan = at;
    cs_piece p = format_piece(L, slot, CS_NO_LIMIT);
    cs_piece_measure(L, &st->in, at, op->flags & CS_STREAM_AT_END, &scan, &p);
    cs_piece_push(L, &st->in, at, &p);
    at = p.end;
    count++;
    if (p.absent) break;
  }
  cs_stream_drop(st, at);
  return count;
}

static int read_attempt(lua_State *L, cs_op *op) {
  cs_stream *st = cs_stream_begun(op);
  for (; op->slot <= op->last; op->slot++) {
    cs_piece p = format_piece(L, op->slot, st->limit);
    int n = find_piece(L, op, &p);
    if (n != 0) return n;
    if (p.too_long) return fail_too_long(L, op, st->limit);
    advance(op, &p);
    if (p.absent) break;
  }
  return push_results(L, op);
}

/* The usual case, a line that is there already: whether it was, and is now pushed. */
static inline bool take_ready_line(lua_State *L, cs_stream *st) {
  size_t at = st->scanned_for == KEY_LF ? st->scanned : 0;
  if (at >= st->in.len) return false;
  const char *line = cs_bytes_at(&st->in, 0);
  const char *lf = (const char *)memchr(line + at, '\n', st->in.len - at);
  if (lf == NULL) return false;
  size_t n = (size_t)(lf - line);
  if (n > st->limit) return false;
  lua_pushlstring(L, line, n > 0 && lf[-1] == '\r' ? n - 1 : n);
  cs_stream_drop(st, n + 1);
  return true;
}

/* Checks the formats from stack index 2 on; whether they ask for just a line. */
static bool check_formats(lua_State *L) {
  int top = lua_gettop(L);
  for (int slot = 2; slot <= top; slot++) format_piece(L, slot, CS_NO_LIMIT);
  return top == 1 || (top == 2 && format_piece(L, 2, CS_NO_LIMIT).kind == CS_PIECE_LINE);
}

/***
Reads by formats, as Lua's files do. All the formats of one call are read together or not at all:
when the call fails or times out, every byte stays in the stream, and the same call can be repeated.

- `"l"`: a line, without its LF or CRLF (no other byte is touched); the default
- `"L"`: a line, with its line end
- `"n"`: a number, by Lua's rules
- `"a"`: everything up to the end of the stream
- an integer: so many bytes, fewer only at the end of the stream. `0` never waits: it gives `""`, or
  nil when the stream is known to have ended

A last line without a line end is a line. The results end with the first format that finds nothing.
Source: Lua's `file:read`.
@function stream:read
@param[opt="l"] ... formats
@treturn[1] string|number... one for each format; nil (alone) at the end of the stream, and for "n"
where there is no numeral
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EAGAIN`, `ETIMEDOUT`, `ECONNRESET`, `EBADF`, `ENOMEM` ...)
@usage
b:send "GET\n12 rest"
local stream <close> = a:makefile()
print(stream:read("l", "n", 5)) --> GET 12  rest
*/
static int stream_read(lua_State *L) {
  cs_op op;
  cs_stream *st = cs_stream_check(L, 1);
  if (check_formats(L) && take_ready_line(L, st)) return 1;
  if (lua_gettop(L) == 1) lua_pushliteral(L, "l");
  cs_stream_begin(&op, st, "read", read_attempt);
  op.last = lua_gettop(L);
  return cs_drive(L, &op);
}

/* --- lines --- */

static int raise_failure(lua_State *L, cs_op *op, int err) {
  cs_stream_fail(L, op, err);
  lua_pop(L, 1);
  return lua_error(L);
}

/* Upvalues: the stream, their number, the formats. */
static int next_pieces(lua_State *L) {
  cs_op op;
  int count = (int)lua_tointeger(L, lua_upvalueindex(2));
  lua_settop(L, 0);
  luaL_checkstack(L, count + 1, NULL);
  lua_pushvalue(L, lua_upvalueindex(1));
  for (int i = 1; i <= count; i++) lua_pushvalue(L, lua_upvalueindex(2 + i));
  cs_stream_begin(&op, cs_stream_check(L, 1), "lines", read_attempt);
  op.fail = raise_failure;
  op.last = count + 1;
  return cs_drive(L, &op);
}

static int next_line(lua_State *L) {
  cs_stream *st = (cs_stream *)lua_touserdata(L, lua_upvalueindex(1));
  return take_ready_line(L, st) ? 1 : next_pieces(L);
}

#define MAX_FORMATS 250

/***
An iterator that reads by the formats on each step (by default a line), for the generic `for`. It
stops at the end of the stream. A failure raises the error value; no byte is lost by it.
Source: Lua's `file:lines`; iterating over a file in Python.
@function stream:lines
@param[opt="l"] ... formats, see `read`
@treturn function
@usage
b:send "one\ntwo\n"
b:close()
for line in a:makefile():lines() do print(line) end --> one two
*/
static int stream_lines(lua_State *L) {
  cs_stream_check(L, 1);
  luaL_argcheck(L, lua_gettop(L) <= MAX_FORMATS + 1, MAX_FORMATS + 2, "too many formats");
  bool plain = check_formats(L);
  if (lua_gettop(L) == 1) lua_pushliteral(L, "l");
  int count = lua_gettop(L) - 1;
  lua_pushinteger(L, count);
  lua_insert(L, 2);
  lua_pushcclosure(L, plain ? next_line : next_pieces, count + 2);
  return 1;
}

/* --- Python's --- */

/* An optional limit at `slot`: nil and negative numbers are none. */
static size_t limit_at(lua_State *L, int slot) {
  lua_Integer n = luaL_optinteger(L, slot, -1);
  return n < 0 || (lua_Unsigned)n >= CS_NO_LIMIT ? CS_NO_LIMIT : (size_t)n;
}

static int readline_attempt(lua_State *L, cs_op *op) {
  cs_stream *st = cs_stream_begun(op);
  cs_piece p = line_piece(CS_PIECE_WHOLE_LINE, limit_at(L, 2), st->limit);
  int n = find_piece(L, op, &p);
  if (n != 0) return n;
  if (p.too_long) return fail_too_long(L, op, st->limit);
  p.absent = false; /* "" */
  cs_piece_push(L, &st->in, 0, &p);
  cs_stream_drop(st, p.end);
  return 1;
}

/***
Reads a line with its line end.
Source: Python's `io.IOBase.readline`.
@function stream:readline
@tparam[opt] int limit at most so many bytes; the rest of the line stays in the stream
@treturn[1] string `""` at the end of the stream
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno
@usage
b:send "one\ntwo\n"
local stream <close> = a:makefile()
print(#stream:readline()) --> 4
*/
static int stream_readline(lua_State *L) {
  cs_op op;
  cs_stream *st = cs_stream_check(L, 1);
  limit_at(L, 2);
  cs_stream_begin(&op, st, "readline", readline_attempt);
  return cs_drive(L, &op);
}

static int readlines_attempt(lua_State *L, cs_op *op) {
  cs_stream *st = cs_stream_begun(op);
  size_t hint = limit_at(L, 2), at = 0;
  cs_piece p = line_piece(CS_PIECE_WHOLE_LINE, CS_NO_LIMIT, st->limit);
  if (hint == 0) hint = CS_NO_LIMIT;
  do {
    int n = find_piece(L, op, &p);
    if (n != 0) return n;
    advance(op, &p);
    if (p.too_long || (hint == CS_NO_LIMIT && op->done > st->limit))
      return fail_too_long(L, op, st->limit);
  } while (!p.absent && op->done < hint);
  lua_newtable(L);
  for (lua_Integer i = 1; at < op->done && at < st->in.len; i++) {
    size_t scan = at;
    cs_piece_measure(L, &st->in, at, true, &scan, &p);
    cs_piece_push(L, &st->in, at, &p);
    lua_rawseti(L, -2, i);
    at = p.end;
  }
  cs_stream_drop(st, at);
  return 1;
}

/***
Reads the lines up to the end of the stream, each with its line end.
Source: Python's `io.IOBase.readlines`.
@function stream:readlines
@tparam[opt] int hint stop after the line that makes the total so many bytes or more
@treturn[1] {string,...} empty at the end of the stream
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno
@usage
b:send "one\ntwo\n"
b:close()
local stream <close> = a:makefile()
print(#stream:readlines()) --> 2
*/
static int stream_readlines(lua_State *L) {
  cs_op op;
  cs_stream *st = cs_stream_check(L, 1);
  limit_at(L, 2);
  cs_stream_begin(&op, st, "readlines", readlines_attempt);
  return cs_drive(L, &op);
}

static int read_until_attempt(lua_State *L, cs_op *op) {
  cs_stream *st = cs_stream_begun(op);
  cs_piece p = {.kind = CS_PIECE_RECORD, .limit = limit_at(L, 3), .most = CS_NO_LIMIT};
  if (p.limit == CS_NO_LIMIT) p.limit = st->limit;
  p.delimiter = lua_tolstring(L, 2, &p.delimiter_len);
  int n = find_piece(L, op, &p);
  if (n != 0) return n;
  if (p.too_long) return fail_too_long(L, op, p.limit);
  if (p.absent) {
    lua_pushnil(L);
    return 1;
  }
  size_t end = p.end;
  bool whole = end >= p.delimiter_len && memcmp(cs_bytes_at(&st->in, end - p.delimiter_len),
                                                p.delimiter, p.delimiter_len) == 0;
  lua_pushlstring(L, cs_bytes_at(&st->in, 0), whole ? end - p.delimiter_len : end);
  lua_pushboolean(L, whole);
  cs_stream_drop(st, end);
  return 2;
}

/***
Reads up to a delimiter, which is taken from the stream but is no part of the result.
Source: csock's own; compare `asyncio.StreamReader.readuntil` in Python.
@function stream:read_until
@tparam string delimiter one byte or more
@tparam[opt] int limit the most bytes that the result may have
@treturn[1] string what comes before the delimiter, or before the end of the stream
@treturn[1] boolean false when the stream ended before a delimiter came
@treturn[2] nil at the end of the stream (one result)
@treturn[3] nil
@treturn[3] error
@treturn[3] int errno (`EMSGSIZE` when there is no delimiter within the limit: the bytes are still
in the stream)
@usage
b:send "key=value;"
local stream <close> = a:makefile()
print(stream:read_until "=", stream:read_until ";") --> key value true
*/
static int stream_read_until(lua_State *L) {
  cs_op op;
  cs_stream *st = cs_stream_check(L, 1);
  size_t len;
  luaL_checklstring(L, 2, &len);
  luaL_argcheck(L, len > 0, 2, "empty delimiter");
  limit_at(L, 3);
  cs_stream_begin(&op, st, "read_until", read_until_attempt);
  return cs_drive(L, &op);
}

static int peek_attempt(lua_State *L, cs_op *op) {
  cs_stream *st = cs_stream_begun(op);
  bool any = lua_isnoneornil(L, 2);
  cs_piece p = {
      .kind = CS_PIECE_COUNT, .limit = any ? 1 : cs_check_size(L, 2), .most = CS_NO_LIMIT};
  int n = find_piece(L, op, &p);
  if (n != 0) return n;
  lua_pushlstring(L, cs_bytes_at(&st->in, 0), any ? st->in.len : p.end);
  return 1;
}

/***
Shows the next bytes and leaves them in the stream. It waits for as many as were asked for (with no
number, for one at least).
Source: Python's `io.BufferedReader.peek`, which may give fewer.
@function stream:peek
@tparam[opt] int size bytes; without it, all that have been received
@treturn[1] string fewer bytes only at the end of the stream, then `""`
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno
@usage
b:send "hello"
local stream <close> = a:makefile()
print(stream:peek(1), stream:read(5)) --> h hello
*/
static int stream_peek(lua_State *L) {
  cs_op op;
  cs_stream *st = cs_stream_check(L, 1);
  cs_opt_size(L, 2, 0);
  cs_stream_begin(&op, st, "peek", peek_attempt);
  return cs_drive(L, &op);
}

/***
How many bytes have been received and not yet read.
@function stream:buffered
@treturn int bytes
@usage
b:send "one\ntwo\n"
local stream <close> = a:makefile()
stream:read()
print(stream:buffered()) --> 4
*/
static int stream_buffered(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)cs_stream_check(L, 1)->in.len);
  return 1;
}

static const luaL_Reg read_methods[] = {
    {"buffered", stream_buffered},
    {"lines", stream_lines},
    {"peek", stream_peek},
    {"read", stream_read},
    {"read_until", stream_read_until},
    {"readline", stream_readline},
    {"readlines", stream_readlines},
    {NULL, NULL},
};

void cs_open_stream_read(lua_State *L) {
  cs_class_methods(L, &cs_stream_class, read_methods);
}
