/* coder.c: what turns bytes that come in pieces into others, as objects: all have the same methods.
   What Lua finds in csock.core.coding is for csock.wire, not for programs. */
#include "base64.h"
#include "dots.h"
#include "quoted.h"
#include "../base/buffer.h"
#include "../base/error.h"
#include "../base/parts.h"

#define CODING_KIND "coding" /* of errors */

typedef union coder_state {
  cs_base64_encoder to_base64;
  cs_base64_decoder of_base64;
  cs_quoted_encoder to_quoted;
  cs_quoted_decoder of_quoted;
  cs_dots_stuffer to_dots;
  cs_dots_unstuffer of_dots;
} coder_state;

/* What came of it. */
typedef struct outcome {
  const char *refused; /* why, or NULL */
  size_t len;
  size_t used;     /* bytes of a piece */
  bool ended;      /* no more can come, and the rest of the piece is no part of it */
  unsigned faults; /* of a lenient decoder */
} outcome;

typedef struct coder_kind {
  const char *call; /* of errors */
  size_t (*most)(const coder_state *state, size_t n);
  void (*push)(coder_state *state, char *to, const char *from, size_t n, outcome *o);
  void (*end)(coder_state *state, char *to, outcome *o);
} coder_kind;

typedef struct coder {
  const cs_class *cls;
  const coder_kind *kind;
  coder_state state;
} coder;

static const cs_class coder_class = {"csock.coder"};

/* --- kinds --- */

static size_t most_base64(const coder_state *s, size_t n) {
  return cs_coding_base64_encoded(&s->to_base64, n);
}

static void push_base64(coder_state *s, char *to, const char *from, size_t n, outcome *o) {
  o->len = cs_coding_base64_encode(&s->to_base64, to, from, n);
}

static void end_base64(coder_state *s, char *to, outcome *o) {
  o->len = cs_coding_base64_encode_end(&s->to_base64, to);
}

static const char no_base64[] = "no Base64";

static size_t most_of_base64(const coder_state *s, size_t n) {
  (void)s;
  return cs_coding_base64_decoded(n);
}

static void push_of_base64(coder_state *s, char *to, const char *from, size_t n, outcome *o) {
  if (!cs_coding_base64_decode(&s->of_base64, to, from, n, &o->len)) o->refused = no_base64;
}

static void end_of_base64(coder_state *s, char *to, outcome *o) {
  if (!cs_coding_base64_decode_end(&s->of_base64, to, &o->len, &o->faults)) o->refused = no_base64;
}

static size_t most_quoted(const coder_state *s, size_t n) {
  (void)s;
  return cs_coding_quoted_encoded(n);
}

static void push_quoted(coder_state *s, char *to, const char *from, size_t n, outcome *o) {
  o->len = cs_coding_quoted_encode(&s->to_quoted, to, from, n);
}

static void end_quoted(coder_state *s, char *to, outcome *o) {
  o->len = cs_coding_quoted_encode_end(&s->to_quoted, to);
}

static size_t most_of_quoted(const coder_state *s, size_t n) {
  return cs_coding_quoted_decoded(&s->of_quoted, n);
}

static void push_of_quoted(coder_state *s, char *to, const char *from, size_t n, outcome *o) {
  o->len = cs_coding_quoted_decode(&s->of_quoted, to, from, n);
}

static void end_of_quoted(coder_state *s, char *to, outcome *o) {
  o->len = cs_coding_quoted_decode_end(&s->of_quoted, to);
}

static size_t most_dots(const coder_state *s, size_t n) {
  (void)s;
  return cs_coding_dots_stuffed(n);
}

static void push_dots(coder_state *s, char *to, const char *from, size_t n, outcome *o) {
  o->len = cs_coding_dots_stuff(&s->to_dots, to, from, n);
}

static void end_dots(coder_state *s, char *to, outcome *o) {
  o->len = cs_coding_dots_stuff_end(&s->to_dots, to);
}

static size_t most_of_dots(const coder_state *s, size_t n) {
  (void)s;
  return cs_coding_dots_unstuffed(n);
}

static void push_of_dots(coder_state *s, char *to, const char *from, size_t n, outcome *o) {
  o->len = cs_coding_dots_unstuff(&s->of_dots, to, from, n, &o->used);
  o->ended = cs_coding_dots_ended(&s->of_dots);
}

static void end_of_dots(coder_state *s, char *to, outcome *o) {
  (void)to;
  if (!cs_coding_dots_ended(&s->of_dots)) o->refused = "the line of one dot is missing";
  s->of_dots.phase = 0;
}

static const coder_kind to_base64 = {"encode", most_base64, push_base64, end_base64};
static const coder_kind of_base64 = {"decode", most_of_base64, push_of_base64, end_of_base64};
static const coder_kind to_quoted = {"encode", most_quoted, push_quoted, end_quoted};
static const coder_kind of_quoted = {"decode", most_of_quoted, push_of_quoted, end_of_quoted};
static const coder_kind to_dots = {"stuff", most_dots, push_dots, end_dots};
static const coder_kind of_dots = {"unstuff", most_of_dots, push_of_dots, end_of_dots};

static coder *new_coder(lua_State *L, const coder_kind *kind) {
  coder *c = (coder *)cs_object_new(L, &coder_class, sizeof *c, 0);
  c->kind = kind;
  return c;
}

/* base64_encoder([columns[, bare]]): lines of so many characters, with LF alone if `bare`. */
static int base64_encoder(lua_State *L) {
  uint32_t columns = (uint32_t)cs_opt_int(L, 1, 0, 0, 1 << 20);
  luaL_argcheck(L, columns % 4 == 0, 1, "a multiple of 4 expected");
  bool bare = lua_toboolean(L, 2);
  coder *c = new_coder(L, &to_base64);
  c->state.to_base64.columns = columns;
  c->state.to_base64.bare = bare;
  return 1;
}

/* base64_decoder([lenient]) */
static int base64_decoder(lua_State *L) {
  bool lenient = lua_toboolean(L, 1);
  new_coder(L, &of_base64)->state.of_base64.lenient = lenient;
  return 1;
}

/* quoted_encoder([binary[, bare]]) */
static int quoted_encoder(lua_State *L) {
  bool binary = lua_toboolean(L, 1), bare = lua_toboolean(L, 2);
  coder *c = new_coder(L, &to_quoted);
  c->state.to_quoted.binary = binary;
  c->state.to_quoted.bare = bare;
  return 1;
}

static int quoted_decoder(lua_State *L) {
  new_coder(L, &of_quoted);
  return 1;
}

static int dots_stuffer(lua_State *L) {
  new_coder(L, &to_dots);
  return 1;
}

static int dots_unstuffer(lua_State *L) {
  new_coder(L, &of_dots);
  return 1;
}

/* --- methods --- */

static coder *check_coder(lua_State *L) {
  return (coder *)cs_object_check(L, 1, &coder_class);
}

static int fail_coding(lua_State *L, const coder *c, const outcome *o) {
  cs_words words = {0};
  words.text = o->refused;
  return cs_fail_words(L, c->kind->call, CODING_KIND, EBADMSG, &words);
}

static int push_faults(lua_State *L, unsigned faults) {
  static const struct {
    unsigned fault;
    const char *name;
  } rows[] = {{CS_BASE64_CHARACTERS, "characters"},
              {CS_BASE64_PADDING, "padding"},
              {CS_BASE64_LENGTH, "length"}};
  int n = 0;
  for (size_t i = 0; i < CS_COUNT(rows); i++) {
    if (!(faults & rows[i].fault)) continue;
    lua_pushstring(L, rows[i].name);
    n++;
  }
  return n;
}

/***
Something that turns bytes that come in pieces into others: Base64, quoted-printable, texts that end
with a dot.
@type coder
*/

/***
Takes a piece.
@function coder:push
@tparam string|buffer bytes
@treturn[1] string what comes of it so far, which may be `""`
@treturn[1] ?string of an unstuffer whose text has ended: the bytes behind it
@treturn[2] nil when this is nothing that can be decoded, and then for each piece up to `finish`
@treturn[2] error
@treturn[2] int errno
@usage
local coder = base64.encoder()
print(coder:push "hel" .. coder:push "lo" .. coder:finish()) --> aGVsbG8=
*/
static int coder_push(lua_State *L) {
  coder *c = check_coder(L);
  outcome o = {0};
  luaL_Buffer b;
  const char *bytes = cs_check_bytes(L, 2, &o.used);
  size_t n = o.used;
  char *to = luaL_buffinitsize(L, &b, c->kind->most(&c->state, n));
  c->kind->push(&c->state, to, bytes, n, &o);
  if (o.refused != NULL) return fail_coding(L, c, &o);
  luaL_pushresultsize(&b, o.len);
  if (!o.ended) return 1;
  lua_pushlstring(L, bytes + o.used, n - o.used);
  return 2;
}

/***
Says that this was all. Then the coder is as new.
@function coder:finish
@treturn[1] string the rest of what comes of it
@treturn[1] ?string ... of a lenient decoder: what was wrong: `"characters"`, `"padding"`,
`"length"`, in this order
@treturn[2] nil when it was nothing that can be decoded, or was cut
@treturn[2] error
@treturn[2] int errno
@usage
local coder = base64.decoder {lenient = true}
print(coder:push "aGV-sbG8" .. coder:finish()) --> hello
*/
static int coder_finish(lua_State *L) {
  coder *c = check_coder(L);
  outcome o = {0};
  luaL_Buffer b;
  char *to = luaL_buffinitsize(L, &b, c->kind->most(&c->state, 0));
  c->kind->end(&c->state, to, &o);
  if (o.refused != NULL) return fail_coding(L, c, &o);
  luaL_pushresultsize(&b, o.len);
  return 1 + push_faults(L, o.faults);
}

/***
Takes all at once: what `push` and `finish` give, together.
@function coder:whole
@tparam string|buffer bytes
@treturn[1] string
@treturn[1] ?string ... as `finish` has it; of an unstuffer, the bytes behind the text
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno
@usage print(base64.decoder():whole "aGVsbG8=") --> hello
*/
static int coder_whole(lua_State *L) {
  coder *c = check_coder(L);
  outcome o = {0}, end = {0};
  luaL_Buffer b;
  const char *bytes = cs_check_bytes(L, 2, &o.used);
  size_t n = o.used;
  char *to = luaL_buffinitsize(L, &b, c->kind->most(&c->state, n));
  c->kind->push(&c->state, to, bytes, n, &o);
  c->kind->end(&c->state, to + o.len, &end);
  if (end.refused != NULL) return fail_coding(L, c, &end);
  luaL_pushresultsize(&b, o.len + end.len);
  if (!o.ended) return 1 + push_faults(L, end.faults);
  lua_pushlstring(L, bytes + o.used, n - o.used);
  return 2;
}

void cs_open_coding(lua_State *L) {
  static const luaL_Reg functions[] = {{"base64_decoder", base64_decoder},
                                       {"base64_encoder", base64_encoder},
                                       {"dots_stuffer", dots_stuffer},
                                       {"dots_unstuffer", dots_unstuffer},
                                       {"quoted_decoder", quoted_decoder},
                                       {"quoted_encoder", quoted_encoder},
                                       {NULL, NULL}};
  static const luaL_Reg methods[] = {
      {"finish", coder_finish}, {"push", coder_push}, {"whole", coder_whole}, {NULL, NULL}};
  static const luaL_Reg meta[] = {{NULL, NULL}};
  cs_class_make(L, &coder_class, methods, meta);
  lua_newtable(L);
  cs_setfuncs(L, functions);
  lua_setfield(L, -2, "coding");
}
