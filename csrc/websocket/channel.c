/* channel.c: a stream that carries messages. Receiving takes them out of what has come, without a
   copy where they lie there whole; sending puts whole frames into the queue of what is to go. What
   Lua finds in csock.core.websocket is for csock.websocket, not for programs. */
#include "reader.h"
#include "sha1.h"
#include "../base/buffer.h"
#include "../base/keywords.h"
#include "../base/parts.h"
#include "../stream/stream.h"
#include "../sys/entropy.h"
#include "../wait/driver.h"

#define KIND "websocket" /* of errors */

#define KEYS (64 * CS_FRAME_KEY)

typedef struct channel {
  const cs_class *cls;
  cs_websocket_reader reader;
  cs_websocket_verdict refused; /* it stays so */
  size_t max_pending;
  bool closed; /* a close frame has been queued */
  /* The message that is being sent in fragments: */
  bool begun;
  bool text; /* it is one, and not deflated */
  cs_utf8 utf8;
  /* A client's masks: */
  unsigned forks; /* of the process that drew them */
  unsigned used;
  uint8_t keys[]; /* KEYS bytes; a server has none */
} channel;

static const cs_class channel_class = {"csock.websocket.channel"};

static channel *check_channel(lua_State *L, int arg) {
  return (channel *)cs_object_check(L, arg, &channel_class);
}

/* channel(options): the state of one connection. server: true at the server's side. max_message,
   max_fragments: of what comes. max_pending: so many bytes may wait to be sent before a message
   has to. deflate: messages may be deflated. */
static int new_channel(lua_State *L) {
  bool server = false, deflate = false;
  int max_fragments = INT_MAX;
  uint64_t max_message = SIZE_MAX, max_pending = SIZE_MAX;
  const cs_keyword rows[] = {{"server", CS_KEYWORD_FLAG, &server, 0, 0},
                             {"deflate", CS_KEYWORD_FLAG, &deflate, 0, 0},
                             {"max_message", CS_KEYWORD_COUNT, &max_message, 0, 0},
                             {"max_fragments", CS_KEYWORD_INT, &max_fragments, 1, INT_MAX},
                             {"max_pending", CS_KEYWORD_COUNT, &max_pending, 0, 0}};
  cs_keywords_read(L, 1, rows, CS_COUNT(rows));
  channel *c = (channel *)cs_object_new(L, &channel_class, sizeof *c + (server ? 0 : KEYS), 0);
  c->reader.server = server;
  c->reader.deflate = deflate;
  c->reader.max_message = max_message < SIZE_MAX ? max_message : SIZE_MAX;
  c->reader.max_fragments = (uint32_t)max_fragments;
  c->max_pending = max_pending < SIZE_MAX ? (size_t)max_pending : SIZE_MAX;
  c->used = KEYS;
  return 1;
}

static int channel_gc(lua_State *L) {
  cs_bytes_free(&check_channel(L, 1)->reader.message);
  return 0;
}

/* --- receiving --- */

static int push_refusal(lua_State *L, cs_websocket_verdict v) {
#define ROW(name, err, code, text) {err, #code, text},
  static const struct {
    int err;
    const char *code, *text;
  } rows[] = {CS_WEBSOCKET_VERDICTS(ROW)};
#undef ROW
  cs_words words = {.text = rows[v].text, .more = {{"code", rows[v].code, true}}};
  return cs_fail_words(L, "recv", KIND, rows[v].err, &words);
}

static int push_event(lua_State *L, cs_websocket_verdict v, const cs_websocket_event *event) {
  static const char *const names[] = {"text", "binary", "close", "ping", "pong"}; /* from TEXT on */
  lua_pushlstring(L, event->data, event->len);
  lua_pushstring(L, names[v - CS_WEBSOCKET_TEXT]);
  if (v == CS_WEBSOCKET_TEXT || v == CS_WEBSOCKET_BINARY) {
    if (!event->packed) return 2;
    lua_pushboolean(L, 1);
  } else {
    lua_pushinteger(L, (lua_Integer)event->code);
  }
  return 3;
}

/* Takes what has come up to the next event: how many results it pushed; 0: more is needed. */
static int take_frames(lua_State *L, cs_stream *st, channel *c) {
  cs_websocket_event event = {0};
  size_t used;
  if (cs_websocket_refused(c->refused)) return push_refusal(L, c->refused);
  char *bytes = st->in.len > 0 ? st->in.block + st->in.head : NULL;
  if (bytes == NULL) return 0;
  cs_websocket_verdict v = cs_websocket_reader_read(&c->reader, bytes, st->in.len, &used, &event);
  int n = 0;
  if (v != CS_WEBSOCKET_MORE) {
    /* The bytes are unmasked by now: when there is no memory for the string, they are lost. */
    c->refused = cs_websocket_refused(v) ? v : CS_WEBSOCKET_NO_MEMORY;
    if (cs_websocket_refused(v)) return push_refusal(L, v);
    n = push_event(L, v, &event);
    c->refused = CS_WEBSOCKET_MORE;
    cs_websocket_reader_go_on(&c->reader);
  }
  if (used > 0) cs_stream_drop(st, used);
  return n;
}

static int receive_attempt(lua_State *L, cs_op *op) {
  cs_stream *st = cs_stream_begun(op);
  channel *c = (channel *)lua_touserdata(L, 2);
  for (bool filled = false;; filled = true) {
    int n = take_frames(L, st, c);
    op->mark = st->taken;
    if (n != 0) return n;
    if (op->flags & CS_STREAM_AT_END) {
      lua_pushnil(L);
      return 1;
    }
    if (filled) return CS_AGAIN;
    n = cs_stream_more(L, op);
    if (n != 0) return n;
  }
}

/* receive(stream, channel[, seconds]): the next message and its kind, "text" or "binary", and true
   where it is deflated; or the payload of a control frame, its kind "ping", "pong" or "close", and
   a number, which is the code of "close". nil alone when the stream has ended. nil, error, errno
   when receiving fails, or when what came is refused: error.code is what the connection is to be
   closed with. */
static int channel_receive(lua_State *L) {
  cs_op op;
  cs_stream *st = cs_stream_check(L, 1);
  channel *c = check_channel(L, 2);
  if (!st->closed && (st->in.len > 0 || cs_websocket_refused(c->refused))) {
    int n = take_frames(L, st, c);
    if (n != 0) return n;
  }
  lua_settop(L, 3);
  cs_stream_begin(&op, st, "recv", receive_attempt);
  op.timeout = cs_check_timeout(L, 3);
  return cs_drive(L, &op);
}

/* --- sending --- */

/* The next mask: 0 or an errno value; *key is NULL for a server. */
static int next_key(channel *c, unsigned forks, const uint8_t **key) {
  *key = NULL;
  if (c->reader.server) return 0;
  if (c->used == KEYS || c->forks != forks) {
    int err = cs_entropy_fill((char *)c->keys, KEYS);
    if (err != 0) return err;
    c->forks = forks;
    c->used = 0;
  }
  *key = c->keys + c->used;
  c->used += CS_FRAME_KEY;
  return 0;
}

/* Whether the peer would take the frame for a part of a text, and refuse it. `utf8`: the state
   behind it. */
static bool is_no_text(const channel *c, unsigned first, const char *data, size_t len, bool *text,
                       cs_utf8 *utf8) {
  unsigned opcode = first & CS_FRAME_OPCODE;
  *text = c->text;
  *utf8 = c->utf8;
  if (cs_frame_is_control(opcode)) return false;
  if (opcode != CS_FRAME_NEXT) {
    *text = opcode == CS_FRAME_TEXT && !(first & CS_FRAME_PACKED);
    *utf8 = (cs_utf8){0};
  }
  if (!*text) return false;
  if (!cs_websocket_utf8_feed(utf8, data, len)) return true;
  return (first & CS_FRAME_FIN) && !cs_utf8_complete(utf8);
}

/* Whether the frame may come now: ECANCELED behind a close frame, EBUSY in the middle of another
   message. (Who waits for room cannot know what goes meanwhile.) */
static int check_turn(const channel *c, unsigned first) {
  unsigned opcode = first & CS_FRAME_OPCODE;
  if (c->closed) return ECANCELED;
  return cs_frame_is_control(opcode) || c->begun == (opcode == CS_FRAME_NEXT) ? 0 : EBUSY;
}

/* Queues a frame, all of it or nothing: 0 or an errno value. */
static int queue_frame(cs_stream *st, channel *c, unsigned first, const char *data, size_t len) {
  const uint8_t *key;
  char head[CS_FRAME_HEAD], *space;
  size_t room;
  bool text;
  cs_utf8 utf8;
  int err = check_turn(c, first);
  if (err == 0 && is_no_text(c, first, data, len, &text, &utf8)) err = EILSEQ;
  if (err == 0) err = next_key(c, st->w->state->forks, &key);
  if (err != 0) return err;
  size_t n = cs_websocket_frame_write(head, first, len, key);
  err = len > SIZE_MAX - n ? ENOMEM : cs_bytes_reserve(&st->out, n + len, &space, &room);
  if (err != 0) return err;
  memcpy(space, head, n);
  if (key == NULL)
    memcpy(space + n, data, len);
  else
    cs_websocket_frame_mask(space + n, data, len, key, 0);
  cs_bytes_commit(&st->out, n + len);
  unsigned opcode = first & CS_FRAME_OPCODE;
  if (!cs_frame_is_control(opcode)) c->begun = !(first & CS_FRAME_FIN);
  c->closed = opcode == CS_FRAME_CLOSE;
  c->text = text;
  c->utf8 = utf8;
  return 0;
}

#define QUEUED 1 /* in the op's flags: the frame is */

/* Whether a frame may be queued now: nothing keeps those of control waiting. */
static bool has_room(const cs_stream *st, const channel *c, unsigned first) {
  return st->out.len < c->max_pending || cs_frame_is_control(first & CS_FRAME_OPCODE);
}

static int channel_attempt(lua_State *L, cs_op *op) {
  cs_stream *st = (cs_stream *)op->ptr;
  channel *c = (channel *)lua_touserdata(L, 2);
  unsigned first = (unsigned)lua_tointeger(L, 3);
  if (!(op->flags & QUEUED)) {
    int n = has_room(st, c, first) ? 0 : cs_stream_send(L, op);
    if (n != 0 && (n > 0 || !has_room(st, c, first))) return n;
    if (!lua_isnil(L, 4)) {
      size_t len;
      const char *data = cs_check_bytes(L, 4, &len);
      int err = queue_frame(st, c, first, data, len);
      if (err != 0) return cs_fail(L, op->call, err);
    }
    op->flags |= QUEUED;
  }
  int n = lua_isnil(L, 4) || cs_stream_send_later(st) ? 0 : cs_stream_send(L, op);
  if (n != 0) return n;
  if (st->out.len == 0) cs_bytes_idle(&st->out);
  lua_pushboolean(L, 1);
  return 1;
}

/* send(stream, channel, first, data[, seconds]): queues a frame with this first byte; `data` nil:
   just waits until one may be. It is sent at the end of the loop's turn where there is one, else at
   once. true; or nil, error, errno: in the loop nothing of it has been taken then. EILSEQ: it would
   make a text no UTF-8; ECANCELED, EBUSY: see check_turn. */
static int send_frame(lua_State *L) {
  cs_op op;
  cs_stream *st = cs_stream_check(L, 1);
  channel *c = check_channel(L, 2);
  unsigned first = (unsigned)cs_check_int(L, 3, 0, UINT8_MAX);
  size_t len = 0;
  const char *data = lua_isnil(L, 4) ? NULL : cs_check_bytes(L, 4, &len);
  bool queued = !st->closed && has_room(st, c, first);
  if (queued) {
    int err = data != NULL ? queue_frame(st, c, first, data, len) : 0;
    if (err != 0) return cs_fail(L, "send", err);
    if (data == NULL || cs_stream_send_later(st)) {
      lua_pushboolean(L, 1);
      return 1;
    }
  }
  lua_settop(L, 5);
  cs_stream_op(&op, st, true, "send", channel_attempt);
  op.timeout = cs_check_timeout(L, 5);
  op.flags = queued ? QUEUED : 0;
  return cs_drive(L, &op);
}

/* pending(stream): how many bytes wait to be sent, of which the system does not know yet. */
static int pending(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)cs_stream_check(L, 1)->out.len);
  return 1;
}

/* is_awaited(stream): whether a task waits for what comes. */
static int is_awaited(lua_State *L) {
  lua_pushboolean(L, !cs_waitq_empty(&cs_stream_check(L, 1)->w->readers));
  return 1;
}

/* --- what the handshake and texts need --- */

/* sha1(bytes): the digest, 20 bytes. */
static int sha1(lua_State *L) {
  uint8_t digest[CS_SHA1_SIZE];
  size_t len;
  const char *bytes = luaL_checklstring(L, 1, &len);
  cs_websocket_sha1_of(bytes, len, digest);
  lua_pushlstring(L, (const char *)digest, sizeof digest);
  return 1;
}

/* is_utf8(bytes) */
static int is_utf8(lua_State *L) {
  size_t len;
  const char *bytes = cs_check_bytes(L, 1, &len);
  cs_utf8 u = {0};
  lua_pushboolean(L, cs_websocket_utf8_feed(&u, bytes, len) && cs_utf8_complete(&u));
  return 1;
}

/* may_say(code): whether a close frame may have it. */
static int may_say(lua_State *L) {
  lua_Integer code = luaL_checkinteger(L, 1);
  lua_pushboolean(L, code >= 0 && code <= UINT16_MAX && cs_websocket_frame_may_say((unsigned)code));
  return 1;
}

void cs_open_websocket_channel(lua_State *L) {
  static const luaL_Reg functions[] = {{"channel", new_channel},
                                       {"is_awaited", is_awaited},
                                       {"is_utf8", is_utf8},
                                       {"may_say", may_say},
                                       {"pending", pending},
                                       {"receive", channel_receive},
                                       {"send", send_frame},
                                       {"sha1", sha1},
                                       {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__gc", channel_gc}, {NULL, NULL}};
  cs_class_make(L, &channel_class, NULL, meta);
  lua_newtable(L);
  cs_setfuncs(L, functions);
  lua_setfield(L, -2, "websocket");
}
