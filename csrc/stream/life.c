/* life.c: where a stream comes from (makefile, csock.stream), how long it waits, its end,
   its text. Reading: read.c; writing: write.c. stream_* = methods. */
#include "stream.h"
#include "../base/keywords.h"
#include "../base/parts.h"

/***
A buffered stream, with the methods of Lua's files and some of Python's. It waits like the socket
beneath it: not at all, up to a timeout, or as a task. A read gives all that it was asked for or
nothing: what has arrived stays in the stream when it fails, and the same read can be repeated.

A stream is closed by `close`, at the end of a `<close>` variable's block, and by the collector.
@type stream
*/

/* --- making --- */

/* Pushes a stream that is closed, until it is given its descriptor. */
static cs_stream *push_new_stream(lua_State *L) {
  cs_state *state = cs_state_get(L); /* first: it may raise */
  cs_stream *st = (cs_stream *)cs_object_new(L, &cs_stream_class, sizeof *st, 2);
  st->w = &st->own;
  st->own.fd = -1;
  st->own.state = state;
  st->timeout = CS_FOREVER;
  st->want = CS_STREAM_WANT;
  st->limit = SIZE_MAX;
  st->closed = true;
  return st;
}

/* Takes the mode and the buffering from the arguments `arg` and `arg + 1`, for the stream on the
 * top.
 */
static void check_mode(lua_State *L, int arg, cs_stream *st) {
  const char *mode = lua_isnoneornil(L, arg) ? "r" : cs_check_cstring(L, arg);
  for (const char *c = mode; *c != '\0'; c++)
    if (strchr("rwb", *c) == NULL) luaL_argerror(L, arg, "invalid mode (made of 'r', 'w' and 'b')");
  st->writable = strchr(mode, 'w') != NULL;
  st->readable = strchr(mode, 'r') != NULL || !st->writable;
  st->out_size = CS_STREAM_BUFFER;
  if (cs_is_text(L, arg + 1, "turn")) {
    cs_stream_by_turn(L, -1, st);
    return;
  }
  lua_Integer size = cs_opt_int(L, arg + 1, -1, -1, INT_MAX);
  st->by_line = size == 1;
  if (size != -1 && size != 1) st->out_size = (size_t)size;
}

/* The last argument, if it is a table of options: read, and taken off the stack. A socket's stream
   (`socket`) does not own the descriptor in any case. */
typedef struct stream_options {
  bool closefd;
  int limit; /* 0: none */
} stream_options;

static stream_options take_options(lua_State *L, bool socket) {
  stream_options options = {.closefd = true};
  int top = lua_gettop(L);
  const cs_keyword rows[] = {{"limit", CS_KEYWORD_INT, &options.limit, 1, INT_MAX},
                             {"closefd", CS_KEYWORD_FLAG, &options.closefd, 0, 0}};
  if (top > 1 && lua_istable(L, top)) {
    cs_keywords_read(L, top, rows, CS_COUNT(rows) - socket);
    lua_settop(L, top - 1);
  }
  lua_settop(L, 3);
  return options;
}

static void use_options(cs_stream *st, const stream_options *options) {
  if (options->limit > 0) st->limit = (size_t)options->limit;
}

/* Opens the stream on the top over the socket at `arg`, whose descriptor it shares. */
static int open_socket(lua_State *L, cs_stream *st, int arg, const char *call) {
  cs_sock *s = cs_sock_check(L, arg);
  if (cs_sock_fd(s) < 0) return cs_fail(L, call, EBADF);
  lua_pushvalue(L, arg);
  lua_setiuservalue(L, -2, 1);
  st->sock = s;
  st->w = &s->w;
  st->kind = CS_RW_SOCKET;
  st->closed = false;
  s->streams++;
  return 1;
}

/***
Makes a stream over the socket: buffered reading and writing with the methods of Lua's files, and
some of Python's. The stream waits as long as the socket's timeout says, whenever that is set. The
socket's descriptor stays open until the socket and all its streams are closed.
Source: Python's `socket.makefile`.
@function socket:makefile
@tparam[opt="r"] string mode `"r"`, `"w"` or `"rw"`; a `"b"` makes no difference
@tparam[opt=-1] int|string buffering of what is written: `0` sends at once, `1` when a line is
complete, more is the size of the buffer in bytes, `-1` is 8192 bytes; `"turn"` sends at the end of
the loop's turn, see `setvbuf`
@tparam[opt] table options
@tparam[opt] int options.limit the most bytes, from 1 on, that a line may have (without its line
end), what comes before a delimiter, or all that `read "a"` and `readlines` read; what is longer
gives `EMSGSIZE` and stays in the stream. A limit of the call's own comes before it. Default: none,
so that whoever sends without end fills the memory
@treturn[1] stream
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EBADF`)
@usage
local stream <close> = assert(s:makefile "rw")
stream:write("hello\n"):flush()
print(stream:read()) --> hello
*/
static int sock_makefile(lua_State *L) {
  cs_sock_check(L, 1);
  stream_options options = take_options(L, true);
  cs_stream *st = push_new_stream(L);
  check_mode(L, 2, st);
  use_options(st, &options);
  return open_socket(L, st, 1, "makefile");
}

/* Opens the stream on the top over whatever is at stack index 1. */
static int open_descriptor(lua_State *L, cs_stream *st, bool closefd) {
  bool number = lua_type(L, 1) == LUA_TNUMBER, owns = number && closefd;
  int fd = cs_check_fd(L, 1), err = 0;
  /* A Lua file is the program's, whatever its number. */
  if (luaL_testudata(L, 1, LUA_FILEHANDLE) == NULL)
    err = (owns ? cs_policy_take : cs_policy_follow)(L, st->own.state, "stream", fd);
  if (err == 0) err = cs_rw_kind_of(fd, &st->kind);
  if (err != 0) return cs_fail(L, "stream", err);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  (owns ? cs_watched_hold : cs_watched_borrow)(&st->own, fd);
  /* Said to be non-blocking, as cs_io makes it: so the loop has no reason to change the flag. */
  st->own.flags =
      CS_W_NONBLOCK | (owns ? 0 : CS_W_FOREIGN) | (st->kind == CS_RW_FILE ? CS_W_FILE : 0);
  st->owns = owns;
  st->foreign = !number;
  st->closed = false;
  return 1;
}

/***
Makes a stream over any descriptor: standard input, a pipe, a terminal. Its `O_NONBLOCK` flag is
left alone, since it belongs to everyone who shares the open file; the stream waits as its own
`settimeout` says, at first without limit.
A number is the stream's own from then on and is closed with it, unless the option `closefd` is
false; a Lua file or an object stays its owner's (and what a Lua file has read ahead stays in that
file). A socket object is treated as by `makefile`. Source: Python's `open(fd, closefd=...)`.
@function stream
@param file a descriptor number, a Lua file, a socket, or an object with a `fileno` method
@tparam[opt="r"] string mode as in `makefile`
@tparam[opt=-1] int|string buffering as in `makefile`
@tparam[opt] table options those of @{socket:makefile}, and
@tparam[opt=true] boolean options.closefd false: the number stays its owner's
@treturn[1] stream
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EBADF`)
@usage
local stdin = csock.stream(io.stdin)
local line = stdin:read()
*/
static int new_stream(lua_State *L) {
  luaL_checkany(L, 1);
  stream_options options = take_options(L, false);
  cs_stream *st = push_new_stream(L);
  check_mode(L, 2, st);
  use_options(st, &options);
  if (cs_object_test(L, 1, &cs_sock_class) != NULL) return open_socket(L, st, 1, "stream");
  return open_descriptor(L, st, options.closefd);
}

void cs_stream_push_over(lua_State *L, int idx, cs_stream_source *source) {
  cs_stream *over = cs_stream_check(L, idx), *st = push_new_stream(L);
  if (over->sock != NULL)
    lua_getiuservalue(L, idx, 1);
  else
    lua_pushvalue(L, idx);
  lua_setiuservalue(L, -2, 1);
  lua_insert(L, -2);
  lua_setiuservalue(L, -2, 2);
  st->sock = over->sock;
  st->w = over->w;
  st->timeout = over->timeout;
  st->limit = over->limit;
  st->source = source;
  st->readable = true;
  st->closed = false;
}

/* --- waiting --- */

/***
How long calls may wait; each whole call, however many pieces it takes. A stream over a socket has
no timeout of its own: this sets the socket's.
@function stream:settimeout
@tparam ?number seconds nil: as long as it takes; 0: not at all (`EAGAIN`)
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EBADF`)
@usage
local stream <close> = s:makefile()
stream:settimeout(0.01)
print(select(2, stream:read()).name) --> ETIMEDOUT
*/
static int stream_settimeout(lua_State *L) {
  cs_stream *st = cs_stream_check(L, 1);
  luaL_checkany(L, 2);
  int64_t timeout = cs_check_timeout(L, 2);
  int err = cs_stream_visible_fd(st) < 0 ? EBADF : 0;
  if (err == 0 && st->sock != NULL) {
    lua_getiuservalue(L, 1, 1);
    err = cs_sock_set_timeout(L, -1, st->sock, timeout);
  } else {
    st->timeout = timeout;
  }
  return cs_result(L, "settimeout", err);
}

/***
The timeout of the stream, which is that of its socket.
@function stream:gettimeout
@treturn ?number seconds; nil when it blocks
@usage
local stream <close> = s:makefile()
print(stream:gettimeout())
*/
static int stream_gettimeout(lua_State *L) {
  const cs_stream *st = cs_stream_check(L, 1);
  cs_push_timeout(L, st->sock != NULL ? st->sock->timeout : st->timeout);
  return 1;
}

/***
The descriptor.
Source: Python's `io.IOBase.fileno`.
@function stream:fileno
@treturn int -1 when closed
@usage
local stream <close> = s:makefile()
print(stream:fileno() == s:fileno()) --> true
*/
static int stream_fileno(lua_State *L) {
  lua_pushinteger(L, cs_stream_visible_fd(cs_stream_check(L, 1)));
  return 1;
}

/* --- the end --- */

/* Gives up everything; what was not sent is lost. 0 or close(2)'s errno. */
static int close_now(cs_stream *st) {
  if (st->closed) return 0;
  st->closed = true; /* first: nothing may close the number twice */
  st->taken++;       /* for a read that waits */
  cs_turn_end_leave(st->w->state, &st->end);
  cs_bytes_free(&st->in);
  cs_bytes_free(&st->out);
  if (st->sock != NULL || st->source != NULL) {
    if (st->w->fd >= 0) cs_watched_wake(st->w, st); /* they find it closed */
    return st->source == NULL ? cs_sock_release_stream(st->sock) : 0;
  }
  if (st->owns) return cs_watched_close(&st->own);
  cs_watched_release(&st->own);
  return 0;
}

static int close_fail(lua_State *L, cs_op *op, int err) {
  int n = cs_stream_fail(L, op, err);
  close_now((cs_stream *)op->ptr);
  return n;
}

static int close_attempt(lua_State *L, cs_op *op) {
  const cs_stream *st = (const cs_stream *)op->ptr;
  int n = st->closed ? 0 : cs_stream_send(L, op); /* by another task meanwhile: closed is closed */
  return n != 0 ? n : cs_result(L, op->call, close_now((cs_stream *)op->ptr));
}

/***
Sends what was written, waiting as for `flush`, and closes the stream. It is closed in any case:
when sending fails or times out, the rest is lost, and the error says so. Closing again is harmless.
Also called at the end of a `<close>` variable's block. A collected stream sends what it can without
waiting.
Source: Lua's `file:close`, Python's `io.IOBase.close`.
@function stream:close
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno
@usage
local stream = a:makefile "w"
stream:write "bye\n"
assert(stream:close())
*/
static int stream_close(lua_State *L) {
  cs_op op;
  cs_stream *st = cs_stream_check(L, 1);
  if (st->out.len == 0) return cs_result(L, "close", close_now(st));
  cs_stream_op(&op, st, true, "close", close_attempt);
  op.fail = close_fail;
  return cs_drive(L, &op);
}

/* --- text --- */

static int stream_tostring(lua_State *L) {
  const cs_stream *st = cs_stream_check(L, 1);
  lua_pushfstring(L, "<csock.stream %sfd=%d, mode=%s%s>", st->closed ? "[closed] " : "",
                  cs_stream_visible_fd(st), st->readable ? "r" : "", st->writable ? "w" : "");
  return 1;
}

/* Sends what can be sent at once; raises what a `fileno` method raises. */
static int send_rest(lua_State *L) {
  cs_stream *st = cs_stream_check(L, 1);
  size_t sent;
  while (st->out.len > 0 && cs_stream_usable(L, st) == 0 && cs_stream_transmit(st, &sent) == 0)
    cs_bytes_consume(&st->out, sent);
  return 0;
}

/* __gc: a descriptor that nobody closed, and bytes that are lost, are named in a warning. */
static int stream_gc(lua_State *L) {
  cs_stream *st = cs_stream_check(L, 1);
  if (!st->closed && st->out.len > 0) {
    lua_pushcfunction(L, send_rest);
    lua_pushvalue(L, 1);
    lua_pcall(L, 1, 0, 0);
  }
  if (!st->closed && (st->owns || st->out.len > 0)) {
    lua_pushcfunction(L, stream_tostring);
    lua_pushvalue(L, 1);
    const char *text = lua_pcall(L, 1, 1, 0) == LUA_OK ? lua_tostring(L, -1) : "a stream";
    lua_warning(L, "csock: collected without close: ", 1);
    lua_warning(L, text, st->out.len > 0);
    if (st->out.len > 0) lua_warning(L, ", bytes lost", 0);
  }
  close_now(st);
  return 0;
}

/* --- registration --- */

static const luaL_Reg sock_methods[] = {{"makefile", sock_makefile}, {NULL, NULL}};

static const luaL_Reg stream_methods[] = {
    {"close", stream_close},
    {"fileno", stream_fileno},
    {"gettimeout", stream_gettimeout},
    {"settimeout", stream_settimeout},
    {NULL, NULL},
};

static const luaL_Reg stream_meta[] = {
    {"__gc", stream_gc},
    {"__close", stream_close},
    {"__tostring", stream_tostring},
    {NULL, NULL},
};

static const luaL_Reg stream_functions[] = {{"stream", new_stream}, {NULL, NULL}};

void cs_open_stream(lua_State *L) {
  cs_class_make(L, &cs_stream_class, stream_methods, stream_meta);
  cs_class_methods(L, &cs_sock_class, sock_methods);
  cs_setfuncs(L, stream_functions);
}
