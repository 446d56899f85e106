/* cipher.c: a transport for specs: a toy cipher with the manners of TLS, and worse ones.
   local cipher = require "spec.support.cipher"; it knows csock by csrc/api.h alone.

   Bytes travel in records: a kind, two bytes of length, the enciphered body, a checksum. Every so
   many records the sender asks whether it is heard, and sends no other before the answer: so it
   reads in order to write. Who is asked gives nothing that came after the question before it has
   answered: so it writes in order to read. A recv gives bytes of one record at most, and the cipher
   receives what it likes: more may be held, or be in the kernel. A record under way must be sent
   again with the same bytes. The end is a record, too. */
#include "../../csrc/api.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
EXPORT int luaopen_spec_support_cipher(lua_State *L);

#define HEAD    3    /* bytes before a record's body */
#define LARGEST 4096 /* bytes of a body */

enum { DATA = 'D', ASK = 'A', ANSWER = 'K', END = 'E', HELLO = 'H' };

typedef struct bytes {
  char *at;
  size_t len, room;
} bytes;

typedef struct cipher {
  cs_transport head;
  const cs_api *api;
  size_t record, ahead;
  unsigned every;           /* records before a question; 0: none */
  uint32_t in_key, out_key; /* of the next record */
  bytes raw, plain, out;    /* received; deciphered; to be sent */
  bytes cuts;               /* size_t: where in `plain` records end */
  size_t held;              /* bytes of the program's that are in `out` */
  uint32_t held_sum;        /* ... and what they were */
  unsigned count;           /* records since the last question */
  bool must_greet, greeting, asked, must_answer, ended, cut_off, said_end, greeted, answered, mute;
  int broken;                           /* what was wrong with what came: nothing follows it */
  lua_Integer write_reads, read_writes; /* how often that was wanted */
} cipher;

/* --- bytes --- */

static int add(bytes *b, const void *data, size_t len) {
  if (len == 0) return 0;
  if (b->len + len > b->room) {
    size_t room = 2 * (b->len + len);
    char *at = realloc(b->at, room);
    if (at == NULL) return ENOMEM;
    b->at = at;
    b->room = room;
  }
  memcpy(b->at + b->len, data, len);
  b->len += len;
  return 0;
}

static void take(bytes *b, size_t len) {
  if (len == 0) return;
  memmove(b->at, b->at + len, b->len - len);
  b->len -= len;
}

static uint32_t sum(const char *data, size_t len) {
  uint32_t h = 2166136261u;
  for (size_t i = 0; i < len; i++) h = (h ^ (unsigned char)data[i]) * 16777619u;
  return h;
}

/* --- records --- */

static void scramble(char *data, size_t len, uint32_t *key) {
  for (size_t i = 0; i < len; i++) {
    *key = *key * 1664525u + 1013904223u;
    data[i] = (char)(data[i] ^ (char)(*key >> 24));
  }
}

static int put(cipher *c, char kind, const char *body, size_t len) {
  char head[HEAD] = {kind, (char)(len >> 8), (char)len}, check = (char)sum(body, len);
  int err = add(&c->out, head, HEAD);
  if (err == 0 && len > 0) err = add(&c->out, body, len);
  if (err == 0) err = add(&c->out, &check, 1);
  if (err == 0) scramble(c->out.at + c->out.len - len - 1, len + 1, &c->out_key);
  return err;
}

/* Sends what is in `out`. */
static int flush(cipher *c) {
  while (c->out.len > 0) {
    size_t sent;
    int err = c->api->transmit(&c->head, c->out.at, c->out.len, &sent);
    if (err != 0) return err;
    take(&c->out, sent);
  }
  return 0;
}

/* The answer that is owed. A peer that is gone needs none. */
static int answer(cipher *c) {
  if (c->must_answer && !c->answered) {
    int err = put(c, ANSWER, "", 0);
    if (err != 0) return err;
    c->answered = true;
  }
  int err = flush(c);
  if (err < 0) return err;
  if (err > 0) c->mute = true;
  c->must_answer = c->answered = false;
  return 0;
}

static int got_record(cipher *c, char kind, char *body, size_t len) {
  scramble(body, len + 1, &c->in_key);
  if (body[len] != (char)sum(body, len)) return EBADMSG;
  switch (kind) {
  case DATA: {
    int err = add(&c->plain, body, len);
    return err != 0 ? err : add(&c->cuts, &c->plain.len, sizeof c->plain.len);
  }
  case ASK:
    c->must_answer = true;
    return 0;
  case ANSWER:
    c->asked = false;
    return 0;
  case HELLO:
    c->greeted = true;
    return 0;
  case END:
    c->ended = true;
    return 0;
  default:
    return EBADMSG;
  }
}

/* Deciphers what has been received, up to a question that is not answered yet. */
static int decipher(cipher *c) {
  int err = c->broken;
  while (err == 0 && !c->must_answer && c->raw.len >= HEAD) {
    const unsigned char *head = (const unsigned char *)c->raw.at;
    size_t len = (size_t)head[1] << 8 | head[2];
    if (len > LARGEST) return c->broken = EBADMSG;
    if (c->raw.len < HEAD + len + 1) return 0;
    err = got_record(c, c->raw.at[0], c->raw.at + HEAD, len);
    take(&c->raw, HEAD + len + 1);
  }
  return c->broken = err;
}

/* One look at what the peer has sent: 0 when something has come of it. */
static int hear(cipher *c) {
  char raw[LARGEST];
  size_t got;
  if (c->must_answer) {
    int err = answer(c);
    return err != 0 ? err : decipher(c);
  }
  if (c->broken != 0) return c->broken;
  if (c->cut_off) return EPROTO;
  int err = c->api->receive(&c->head, raw, c->ahead, &got);
  if (err != 0) return err;
  if (got == 0) c->cut_off = true;
  if ((err = add(&c->raw, raw, got)) != 0) return err;
  return decipher(c);
}

/* --- the transport --- */

static cipher *of(const cs_transport *t) {
  return (cipher *)(uintptr_t)t;
}

static bool cipher_pending(const cs_transport *t) {
  const cipher *c = of(t);
  return c->plain.len > 0 || c->must_answer || c->ended || c->cut_off || c->broken != 0;
}

static int cipher_recv(cs_transport *t, char *data, size_t n, bool peek, size_t *got) {
  cipher *c = of(t);
  if (c->must_greet && !c->greeting) {
    int err = put(c, HELLO, "hello", 5);
    if (err != 0) return err;
    c->greeting = true;
  }
  if (c->must_greet) {
    int err = flush(c);
    if (err != 0) return err;
    c->must_greet = false;
  }
  while (c->plain.len == 0) {
    if (c->ended) return 0; /* *got is 0 */
    int err = hear(c);
    if (err == CS_WRITABLE) c->read_writes++;
    if (err != 0) return err;
  }
  size_t *cuts = (size_t *)(void *)c->cuts.at, count = c->cuts.len / sizeof *cuts;
  if (n > cuts[0]) n = cuts[0];
  memcpy(data, c->plain.at, n);
  *got = n;
  if (peek) return 0;
  take(&c->plain, n);
  for (size_t i = 0; i < count; i++) cuts[i] -= n;
  if (cuts[0] == 0) take(&c->cuts, sizeof *cuts);
  return 0;
}

/* A record of some of the bytes, and a question where one is due. */
static int begin(cipher *c, const char *data, size_t n) {
  size_t len = n < c->record ? n : c->record;
  int err = put(c, DATA, data, len);
  if (err == 0 && c->every > 0 && ++c->count == c->every) {
    c->count = 0;
    c->asked = true;
    err = put(c, ASK, "", 0);
  }
  c->held = len;
  c->held_sum = sum(data, len);
  return err;
}

static int cipher_send(cs_transport *t, const char *data, size_t n, size_t *sent) {
  cipher *c = of(t);
  int err = 0;
  if (c->said_end || c->mute) return EPIPE;
  if (c->held == 0) {
    while (c->asked) {
      if (c->ended) return EPIPE;
      if ((err = flush(c)) == 0) err = hear(c);
      if (err == CS_READABLE) c->write_reads++;
      if (err != 0) return err;
    }
    if ((err = begin(c, data, n)) != 0) return err;
  } else if (n < c->held || sum(data, c->held) != c->held_sum) {
    return EILSEQ;
  }
  if ((err = flush(c)) != 0) return err;
  *sent = c->held;
  c->held = 0;
  return 0;
}

static int cipher_shutdown(cs_transport *t) {
  cipher *c = of(t);
  if (!c->said_end) {
    int err = put(c, END, "", 0);
    if (err != 0) return err;
    c->said_end = true;
  }
  return flush(c);
}

static void cipher_free(cs_transport *t) {
  cipher *c = of(t);
  free(c->raw.at);
  free(c->plain.at);
  free(c->out.at);
  free(c->cuts.at);
  free(c);
}

static void cipher_explain(cs_transport *t, int err, cs_words *words) {
  (void)t;
  words->name = err == EBADMSG ? "BAD_RECORD" : err == EPROTO ? "NO_GOODBYE" : "WRONG_REPEAT";
  words->text = err == EBADMSG  ? "a record that is none"
                : err == EPROTO ? "the peer has ended without a goodbye"
                : err == EILSEQ ? "other bytes than at the last try"
                                : NULL;
}

static const cs_transport_ops ops = {
    .name = "cipher",
    .recv = cipher_recv,
    .send = cipher_send,
    .pending = cipher_pending,
    .shutdown = cipher_shutdown,
    .free = cipher_free,
    .explain = cipher_explain,
};

/* --- for Lua --- */

#define API ((const cs_api *)lua_touserdata(L, lua_upvalueindex(1)))

static size_t option(lua_State *L, const char *name, size_t dflt, size_t max) {
  if (!lua_istable(L, 2)) return dflt;
  lua_getfield(L, 2, name);
  lua_Integer n = luaL_optinteger(L, -1, (lua_Integer)dflt);
  lua_pop(L, 1);
  return n < 0 || (size_t)n > max ? max : (size_t)n;
}

/* wrap(socket[, {record=, ahead=, every=, key=, greet=}]): the socket, over the cipher from now on.
   `greet`: 1 when the first recv begins with a handshake's record. */
static int wrap(lua_State *L) {
  const cs_api *api = API;
  cs_sock *s = api->check_sock(L, 1);
  cipher made = {.head.ops = &ops, .api = api};
  made.record = option(L, "record", 100, LARGEST);
  made.ahead = option(L, "ahead", 170, LARGEST);
  made.every = (unsigned)option(L, "every", 3, 1 << 30);
  made.must_greet = option(L, "greet", 0, 1) != 0;
  made.in_key = made.out_key = (uint32_t)option(L, "key", 42, UINT32_MAX);
  cipher *c = malloc(sizeof *c);
  if (c == NULL) return luaL_error(L, "not enough memory");
  *c = made;
  int err = api->attach(s, &c->head);
  if (err != 0) {
    free(c);
    return api->fail(L, s, "wrap", err);
  }
  lua_settop(L, 1);
  return 1;
}

static cipher *check(lua_State *L) {
  cs_transport *t = API->transport(API->check_sock(L, 1), &ops);
  luaL_argcheck(L, t != NULL, 1, "a socket over the cipher expected");
  return of(t);
}

typedef struct greeting {
  cs_step step;
  cipher *c;
  bool said;
} greeting;

static int greet(lua_State *L, cs_step *step) {
  greeting *g = (greeting *)(void *)step;
  int err = 0;
  if (!g->said) err = put(g->c, HELLO, "hello", 5);
  g->said = true;
  if (err == 0) err = flush(g->c);
  while (err == 0 && !g->c->greeted) err = hear(g->c);
  if (err < 0) return err;
  if (err > 0) return g->c->api->fail(L, g->c->head.sock, "handshake", err);
  lua_pushboolean(L, 1);
  return 1;
}

/* handshake(socket): each end greets the other. */
static int handshake(lua_State *L) {
  cipher *c = check(L);
  greeting *g = lua_newuserdatauv(L, sizeof *g, 0);
  *g = (greeting){.step.run = greet, .c = c};
  return c->api->drive(L, 1, "handshake", CS_READABLE, &g->step);
}

/* unwrap(socket): a plain socket again. */
static int unwrap(lua_State *L) {
  check(L);
  cipher_free(API->detach(API->check_sock(L, 1), NULL));
  return 0;
}

/* counts(socket): how often a write wanted to read, a read to write; bytes that are held. */
static int counts(lua_State *L) {
  const cipher *c = check(L);
  lua_pushinteger(L, c->write_reads);
  lua_pushinteger(L, c->read_writes);
  lua_pushinteger(L, (lua_Integer)c->plain.len);
  return 3;
}

static const luaL_Reg functions[] = {
    {"wrap", wrap}, {"handshake", handshake}, {"unwrap", unwrap}, {"counts", counts}, {NULL, NULL},
};

int luaopen_spec_support_cipher(lua_State *L) {
  const cs_api *api = cs_api_get(L, "spec.support.cipher");
  lua_newtable(L);
  lua_pushlightuserdata(L, (void *)(uintptr_t)api);
  luaL_setfuncs(L, functions, 1);
  return 1;
}
