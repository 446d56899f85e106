/* read.c: messages out of a stream: heads from what it has received, without a copy, and bodies as
   streams of their own. Both wait as every read of a stream does. */
#include "chunks.h"
#include "push.h"
#include "../base/parts.h"
#include "../stream/stream.h"
#include "../wait/driver.h"

/* --- heads ---
   On the stack: the stream, the request's method or nil, the limits or nil, in how many seconds a
   head that has begun must be complete, or nil. In the op: done, size and last are the place up to
   which the head has been read (fields.h). The fields themselves are not kept while the task waits:
   a head that did not come at once is read once more when it is complete. */

#define HURRIED 2 /* in the op's flags: the time of the head runs */

/* The head has begun. Waiting for it to begin may be allowed to take much longer. */
static void hurry(lua_State *L, cs_op *op) {
  if ((op->flags & HURRIED) || op->timeout == 0) return;
  const cs_clock *clock = &cs_state_get(L)->clock;
  int64_t deadline = cs_clock_deadline(clock, cs_check_timeout(L, 4));
  if (op->deadline == 0) op->deadline = cs_clock_deadline(clock, op->timeout);
  if (deadline < op->deadline) op->deadline = deadline;
  op->flags |= HURRIED;
}

/* Gives the head at the top its `bytes`, where all of its body has come. Returns how many that
   are. */
static size_t push_whole(lua_State *L, const cs_http_framing *f, const char *bytes, size_t n) {
  if (f->body != CS_HTTP_BODY_LENGTH || f->length > n) return 0;
  lua_pushlstring(L, bytes, (size_t)f->length);
  lua_setfield(L, -2, "bytes");
  return (size_t)f->length;
}

typedef void push_function(lua_State *L, const cs_http_head *h, const char *bytes,
                           const cs_http_framing *f);

static int read_head(lua_State *L, cs_op *op, bool response, push_function *push) {
  cs_stream *st = cs_stream_begun(op);
  const cs_http_limits *limits = cs_http_push_limits(L, 3);
  cs_http_field list[CS_HTTP_FIELDS];
  cs_http_head h = {.response = response, .list = list};
  cs_http_verdict v;
  if (op->done > 0) h.place.count = (unsigned)op->last;
  h.place.at = op->done;
  h.place.scanned = op->size;
  bool whole = op->done == 0;
  for (bool filled = false;; filled = true) {
    v = cs_http_head_read(&h, cs_bytes_at(&st->in, 0), st->in.len, limits);
    if (v != CS_HTTP_MORE) break;
    op->done = h.place.at;
    op->size = h.place.scanned;
    op->last = (int)h.place.count;
    if (op->flags & CS_STREAM_AT_END) {
      bool nothing = st->in.len <= 2 && h.place.at == st->in.len; /* an empty line is nothing */
      if (!nothing) return cs_http_push_refusal(L, op->call, CS_HTTP_CUT);
      lua_pushnil(L);
      return 1;
    }
    if (st->in.len > 0) hurry(L, op);
    if (filled) return CS_AGAIN;
    int n = cs_stream_more(L, op);
    if (n != 0) return n;
  }
  const char *bytes = cs_bytes_at(&st->in, 0), *method = NULL;
  size_t method_len = 0;
  cs_http_framing f;
  if (response && !lua_isnil(L, 2)) method = lua_tolstring(L, 2, &method_len);
  if (v == CS_HTTP_DONE && !whole) {
    h = (cs_http_head){.response = response, .list = list};
    v = cs_http_head_read(&h, bytes, st->in.len, limits);
  }
  if (v == CS_HTTP_DONE) v = cs_http_head_check(&h, bytes);
  if (v == CS_HTTP_DONE) v = cs_http_framing_decide(&h, bytes, method, method_len, limits, &f);
  if (v != CS_HTTP_DONE) return cs_http_push_refusal(L, op->call, v);
  push(L, &h, bytes, &f);
  size_t taken = h.place.at;
  if (response) taken += push_whole(L, &f, bytes + taken, st->in.len - taken);
  cs_stream_drop(st, taken);
  return 1;
}

static int request_attempt(lua_State *L, cs_op *op) {
  return read_head(L, op, false, cs_http_push_head);
}

static void push_served(lua_State *L, const cs_http_head *h, const char *bytes,
                        const cs_http_framing *f) {
  cs_http_push_served(L, h, bytes, f, lua_upvalueindex(1), 5);
}

static int served_attempt(lua_State *L, cs_op *op) {
  return read_head(L, op, false, push_served);
}

static int response_attempt(lua_State *L, cs_op *op) {
  return read_head(L, op, true, cs_http_push_head);
}

static int read_next(lua_State *L, cs_attempt attempt) {
  cs_op op;
  cs_stream *st = cs_stream_check(L, 1);
  cs_http_push_limits(L, 2);
  cs_check_timeout(L, 3);
  lua_pushnil(L);
  lua_insert(L, 2);
  cs_stream_begin(&op, st, "read_request", attempt);
  return cs_drive(L, &op);
}

/* read_request(stream[, limits[, seconds]]): the head (push.c) of the next request, which is taken
   from the stream; nil alone when the stream has ended before one; nil, error, errno when reading
   fails, or when it is refused (error.status): its bytes stay in the stream then. `seconds`: in how
   many after its first byte it must be complete (nil: no limit but the stream's timeout, which
   holds for the whole call). */
static int read_request(lua_State *L) {
  lua_settop(L, 3);
  return read_next(L, request_attempt);
}

/* server(metatable): a function like read_request that gives what a server's program gets (push.c)
   with this metatable, and takes its `link` as the fourth argument. */
static int served_request(lua_State *L) {
  lua_settop(L, 4);
  return read_next(L, served_attempt);
}

static int new_server(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_pushcclosure(L, served_request, 1);
  return 1;
}

/* read_response(stream[, method[, limits]]): the same of a response to a request with that method.
   A body whose length is known, and that has come as a whole, is taken with the head: its
   `bytes`. */
static int read_response(lua_State *L) {
  cs_op op;
  cs_stream *st = cs_stream_check(L, 1);
  luaL_optstring(L, 2, NULL);
  lua_settop(L, 3);
  cs_http_push_limits(L, 3);
  lua_pushnil(L);
  cs_stream_begin(&op, st, "read_response", response_attempt);
  return cs_drive(L, &op);
}

/* quiet(stream): whether nothing has come, and it has not ended or failed. What has come is in the
   stream then. Nothing is waited for. */
static int quiet_stream(lua_State *L) {
  cs_stream *st = cs_stream_check(L, 1);
  int err = cs_stream_usable(L, st);
  if (err == 0 && st->in.len == 0) {
    char *space;
    size_t room, got = 0;
    err = cs_bytes_reserve(&st->in, st->want, &space, &room);
    if (err == 0) err = cs_stream_receive(st, space, room, &got);
    if (err == 0) cs_bytes_commit(&st->in, got);
    if (err < 0) cs_bytes_idle(&st->in);
  }
  lua_pushboolean(L, err == CS_READABLE);
  return 1;
}

/* --- bodies --- */

typedef struct body_read {
  const cs_class *cls;
  cs_stream_source source;
  cs_stream *over; /* the connection's; uservalue 1 keeps it alive */
  cs_http_body kind;
  cs_http_limits limits;
  cs_http_chunks chunks; /* its `run` is what is left of a length, too */
  cs_http_verdict refused;
  bool ended;
  /* The sender's pace: how long it may still be waited for, and since when it is. */
  int64_t timeout, patience, waiting; /* ns; 0: the stream's timeout alone; 0: it is not */
  double byte_time;                   /* ns that a byte adds to `patience`, up to `timeout` */
} body_read;

static const cs_class body_class = {"csock.http.body"};

static body_read *of_source(const cs_stream_source *source) {
  return (body_read *)((const char *)source - offsetof(body_read, source));
}

static int refuse(body_read *b, cs_http_verdict v) {
  b->refused = v;
  return cs_http_verdict_errno(v);
}

static void body_explain(const cs_stream_source *source, int err, cs_words *words) {
  cs_http_verdict v = of_source(source)->refused;
  if (cs_http_refused(v) && err == cs_http_verdict_errno(v)) cs_http_push_words(v, words);
}

/* --- the pace ---
   Only the time counts in which somebody waits for bytes: a program may take its own between two
   reads. */

static const cs_clock *pace_clock(const body_read *b) {
  return &b->over->w->state->clock;
}

static int64_t body_wait(cs_stream_source *source) {
  body_read *b = of_source(source);
  if (b->timeout == 0) return 0;
  if (b->waiting == 0) b->waiting = cs_clock_now(pace_clock(b));
  return b->waiting + b->patience;
}

static bool is_late(const body_read *b) {
  return b->waiting != 0 && cs_clock_now(pace_clock(b)) >= b->waiting + b->patience;
}

/* Bytes have come. */
static void reward(body_read *b, size_t got) {
  if (b->waiting == 0 || got == 0) return;
  double left = (double)(b->patience - (cs_clock_now(pace_clock(b)) - b->waiting)) +
                (double)got * b->byte_time;
  b->patience = left > (double)b->timeout ? b->timeout : left < 0 ? 0 : (int64_t)left;
  b->waiting = 0;
}

/* The connection has ended. */
static int end_body(body_read *b) {
  if (b->kind != CS_HTTP_BODY_CLOSE) return refuse(b, CS_HTTP_CUT);
  b->ended = true;
  return 0;
}

/* Receives into the connection's stream: 0 when bytes have come, or the body has ended. */
static int receive_more(body_read *b) {
  cs_stream *over = b->over;
  char *space;
  size_t room, got = 0;
  int err = cs_bytes_reserve(&over->in, over->want, &space, &room);
  if (err == 0) err = cs_stream_receive(over, space, room, &got);
  if (err != 0) return err;
  if (got == 0) return end_body(b);
  reward(b, got);
  cs_bytes_commit(&over->in, got);
  return 0;
}

/* A run of so many bytes is received where it is wanted, with no buffer between; a shorter one
   together with what comes after it. */
#define DIRECT 4096

/* Takes bytes of the current run. */
static int take_run(body_read *b, char *bytes, size_t n, size_t *got) {
  cs_stream *over = b->over;
  int err = 0;
  if (n > b->chunks.run) n = (size_t)b->chunks.run;
  if (over->in.len == 0 && n >= DIRECT) {
    err = cs_stream_receive(over, bytes, n, got);
    if (err == 0 && *got == 0) return end_body(b);
    reward(b, *got);
  } else {
    if (over->in.len == 0) err = receive_more(b);
    *got = n < over->in.len ? n : over->in.len;
    memcpy(bytes, cs_bytes_at(&over->in, 0), *got);
    if (*got > 0) cs_stream_drop(over, *got);
  }
  if (b->kind == CS_HTTP_BODY_CLOSE || err != 0) return err;
  b->chunks.run -= *got;
  b->ended = b->kind == CS_HTTP_BODY_LENGTH && b->chunks.run == 0;
  return 0;
}

/* Goes on to the next run: 0 when bytes of it follow, or the body has ended. */
static int next_run(body_read *b) {
  for (;;) {
    size_t used;
    const cs_bytes *in = &b->over->in;
    cs_http_verdict v =
        cs_http_chunks_read(&b->chunks, cs_bytes_at(in, 0), in->len, &used, &b->limits);
    if (used > 0) cs_stream_drop(b->over, used);
    b->ended = v == CS_HTTP_DONE;
    if (cs_http_refused(v)) return refuse(b, v);
    if (v != CS_HTTP_MORE) return 0;
    int err = receive_more(b);
    if (err != 0) return err;
  }
}

static int body_receive(cs_stream_source *source, char *bytes, size_t n, size_t *got) {
  body_read *b = of_source(source);
  *got = 0;
  if (b->over->closed) return EBADF;
  if (cs_http_refused(b->refused)) return refuse(b, b->refused);
  while (*got < n && !b->ended) {
    size_t more = 0;
    /* What has come is given before the kernel is asked for the rest. */
    if (*got > 0 && b->over->in.len == 0) return 0;
    int err = b->chunks.run == 0 && b->kind == CS_HTTP_BODY_CHUNKED ? next_run(b) : 0;
    if (err == 0 && !b->ended) err = take_run(b, bytes + *got, n - *got, &more);
    *got += more;
    if (err < 0) cs_bytes_idle(&b->over->in); /* it may be long until something comes */
    if (err != 0) return *got > 0 ? 0 : err;
  }
  return 0;
}

static bool body_ready(const cs_stream_source *source) {
  const body_read *b = of_source(source);
  return b->ended || b->over->in.len > 0 || cs_http_refused(b->refused) || b->over->closed;
}

/* body(stream, kind[, length[, limits[, seconds[, rate]]]]): a stream that reads the body of a
   message whose head has just been taken from `stream`; `kind` and `length` are the head's `body`
   and `length`. It has all methods of a stream. It ends with the body, and fails where that is cut,
   malformed or too long: what came before can still be read then. Closing it leaves the connection
   open, and what was not read in it.
   `seconds`: instead of the stream's timeout, how long all reads together may wait for bytes; but
   so many as would come in a time at `rate`, in bytes a second, give that time back (nil: any byte
   gives all back). */
static int new_body(lua_State *L) {
  static const char *const kinds[] = {"none", "length", "chunked", "close", NULL};
  cs_stream *over = cs_stream_check(L, 1);
  cs_http_body kind = (cs_http_body)luaL_checkoption(L, 2, NULL, kinds);
  lua_Integer length = kind == CS_HTTP_BODY_LENGTH ? cs_check_int(L, 3, 0, LUA_MAXINTEGER) : 0;
  const cs_http_limits *limits = cs_http_push_limits(L, 4);
  int64_t timeout = cs_check_timeout(L, 5);
  lua_Number rate = luaL_optnumber(L, 6, 0);
  luaL_argcheck(L, rate >= 0, 6, "rate >= 0 expected");
  body_read *b = (body_read *)cs_object_new(L, &body_class, sizeof *b, 1);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  b->source =
      (cs_stream_source){CS_HTTP_KIND, over, body_receive, body_ready, body_explain, body_wait};
  b->over = over;
  b->kind = kind;
  b->limits = *limits;
  b->timeout = b->patience = timeout == CS_FOREVER ? 0 : timeout;
  b->byte_time = rate > 0 ? 1e9 / rate : (double)b->timeout;
  b->chunks.run = kind == CS_HTTP_BODY_CLOSE ? UINT64_MAX : (uint64_t)length;
  b->ended = kind == CS_HTTP_BODY_NONE || (kind == CS_HTTP_BODY_LENGTH && length == 0);
  cs_stream_push_over(L, 1, &b->source);
  return 1;
}

static body_read *check_body(lua_State *L) {
  const cs_stream *st = cs_stream_check(L, 1);
  luaL_argcheck(L, st->source != NULL && st->source->receive == body_receive, 1, "no body");
  return of_source(st->source);
}

/* body_ended(body): whether all of it has come from the connection (it may not have been read yet),
   so that another message may follow. */
static int body_ended(lua_State *L) {
  lua_pushboolean(L, check_body(L)->ended);
  return 1;
}

/* body_status(body): the status of the answer to a request whose body is refused, or does not come;
   nil while all is well. */
static int body_status(lua_State *L) {
  const body_read *b = check_body(L);
  if (cs_http_refused(b->refused))
    lua_stringtonumber(L, cs_http_verdict_status(b->refused));
  else if (!b->ended && is_late(b))
    lua_pushinteger(L, 408);
  else
    lua_pushnil(L);
  return 1;
}

/* body_trailers(body): the table of the trailers (as `headers` of a head), empty where there are
   none and while the body has not ended. */
static int body_trailers(lua_State *L) {
  const body_read *b = check_body(L);
  cs_http_field list[CS_HTTP_FIELDS];
  unsigned count = cs_http_chunks_trailers(&b->chunks, &b->limits, list);
  cs_http_push_fields(L, list, count, cs_bytes_at(&b->chunks.trailer, 0));
  return 1;
}

static int body_gc(lua_State *L) {
  body_read *b = (body_read *)cs_object_check(L, 1, &body_class);
  cs_http_chunks_free(&b->chunks);
  return 0;
}

void cs_open_http_read(lua_State *L) {
  static const luaL_Reg functions[] = {{"body", new_body},
                                       {"body_ended", body_ended},
                                       {"body_status", body_status},
                                       {"body_trailers", body_trailers},
                                       {"quiet", quiet_stream},
                                       {"read_request", read_request},
                                       {"read_response", read_response},
                                       {"server", new_server},
                                       {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__gc", body_gc}, {NULL, NULL}};
  cs_class_make(L, &body_class, NULL, meta);
  lua_getfield(L, -1, "http");
  cs_setfuncs(L, functions);
  lua_pop(L, 1);
}
