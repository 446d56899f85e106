/* push.c: heads as tables, refusals as errors, and the object that holds limits. What Lua finds in
   csock.core.http is for csock.http and its kin, not for programs. */
#include "push.h"
#include "../base/keywords.h"
#include "../base/parts.h"

/* --- limits --- */

typedef struct limits_object {
  const cs_class *cls;
  cs_http_limits limits;
} limits_object;

static const cs_class limits_class = {"csock.http.limits"};

const cs_http_limits *cs_http_push_limits(lua_State *L, int arg) {
  if (lua_isnoneornil(L, arg)) return &cs_http_verdict_limits;
  const limits_object *object = (const limits_object *)cs_object_check(L, arg, &limits_class);
  return &object->limits;
}

/* limits(options): an object for the functions here, made once and used for many messages. Options,
   in bytes: line, field, head, extension, trailer, body; and fields, a number. What is not given is
   as usual; body = false: no limit, which is usual. (What each is: verdict.h.) */
static int new_limits(lua_State *L) {
  const cs_http_limits usual = cs_http_verdict_limits;
  int line = (int)usual.line, field = (int)usual.field, fields = (int)usual.fields,
      head = (int)usual.head, extension = (int)usual.extension, trailer = (int)usual.trailer;
  cs_http_limits limits = usual;
  const cs_keyword rows[] = {{"line", CS_KEYWORD_INT, &line, 1, INT_MAX},
                             {"field", CS_KEYWORD_INT, &field, 1, INT_MAX},
                             {"fields", CS_KEYWORD_INT, &fields, 0, CS_HTTP_FIELDS},
                             {"head", CS_KEYWORD_INT, &head, 1, INT_MAX},
                             {"extension", CS_KEYWORD_INT, &extension, 0, INT_MAX},
                             {"trailer", CS_KEYWORD_INT, &trailer, 2, INT_MAX},
                             {"body", CS_KEYWORD_COUNT, &limits.body, 0, 0}};
  cs_keywords_read(L, 1, rows, CS_COUNT(rows));
  limits.line = (uint32_t)line;
  limits.field = (uint32_t)field;
  limits.fields = (uint32_t)fields;
  limits.head = (uint32_t)head;
  limits.extension = (uint32_t)extension;
  limits.trailer = (uint32_t)trailer;
  limits_object *object = (limits_object *)cs_object_new(L, &limits_class, sizeof *object, 0);
  object->limits = limits;
  return 1;
}

/* --- heads --- */

static void push_span(lua_State *L, const char *bytes, cs_http_span span) {
  lua_pushlstring(L, bytes + span.at, span.len);
}

#define NAME_USUAL 64

void cs_http_push_lower(lua_State *L, const char *name, size_t n) {
  char usual[NAME_USUAL];
  luaL_Buffer b;
  char *lower = n <= NAME_USUAL ? usual : luaL_buffinitsize(L, &b, n);
  bool same = true;
  for (size_t i = 0; i < n; i++) {
    lower[i] = cs_http_lower(name[i]);
    same &= lower[i] == name[i];
  }
  if (n > NAME_USUAL)
    luaL_pushresultsize(&b, n);
  else if (same)
    lua_pushvalue(L, -1);
  else
    lua_pushlstring(L, lower, n);
}

void cs_http_push_field(lua_State *L, int idx, lua_Integer i) {
  lua_rotate(L, -3, 1); /* the key, name, value */
  lua_pushvalue(L, -1);
  lua_rawseti(L, idx, 2 * i + 2);
  lua_insert(L, -2);
  lua_rawseti(L, idx, 2 * i + 1);
  lua_pushvalue(L, -2);
  if (lua_rawget(L, idx) == LUA_TNIL) {
    lua_pop(L, 1);
  } else {
    lua_pushliteral(L, ", ");
    lua_rotate(L, -3, 2); /* before it, value: the one so far, and what is between them */
    lua_concat(L, 3);
  }
  lua_rawset(L, idx);
}

/* The list of names and values, in order and as they were sent: {"Host", "a", "Accept", "b"}; and
   in the same table each name in lower case with its value, or its values with ", " between them.
 */
void cs_http_push_fields(lua_State *L, const cs_http_field *list, unsigned count,
                         const char *bytes) {
  luaL_checkstack(L, 6, NULL);
  lua_createtable(L, 2 * (int)count, (int)count);
  int table = lua_gettop(L);
  for (unsigned i = 0; i < count; i++) {
    const cs_http_field *f = &list[i];
    push_span(L, bytes, f->name);
    cs_http_push_lower(L, bytes + f->name.at, f->name.len);
    push_span(L, bytes, f->value);
    lua_insert(L, -2);
    cs_http_push_field(L, table, i);
  }
}

static const char *const bodies[] = {"none", "length", "chunked", "close",
                                     "tunnel"}; /* of each cs_http_body */

static void set_flag(lua_State *L, const char *name, bool flag) {
  lua_pushboolean(L, flag);
  lua_setfield(L, -2, name);
}

/* The fields: of a request method and target, of a response status and reason; version (10 or 11),
   headers, body ("none", "length", "chunked", "close", "tunnel") and, of "length", length;
   keep_alive. upgrade and expect_continue are there where they are true. */
void cs_http_push_head(lua_State *L, const cs_http_head *h, const char *bytes,
                       const cs_http_framing *f) {
  luaL_checkstack(L, 8, NULL);
  lua_createtable(L, 0, h->response ? 16 : 8); /* the client makes its response of it */
  if (h->response) {
    cs_set_int(L, "status", h->status);
    push_span(L, bytes, h->reason);
    lua_setfield(L, -2, "reason");
  } else {
    push_span(L, bytes, h->method);
    lua_setfield(L, -2, "method");
    push_span(L, bytes, h->target);
    lua_setfield(L, -2, "target");
  }
  cs_set_int(L, "version", h->version);
  cs_http_push_fields(L, h->list, h->place.count, bytes);
  lua_setfield(L, -2, "headers");
  lua_pushstring(L, bodies[f->body]);
  lua_setfield(L, -2, "body");
  if (f->body == CS_HTTP_BODY_LENGTH) cs_set_int(L, "length", (lua_Integer)f->length);
  set_flag(L, "keep_alive", f->keep_alive);
  if (f->upgrade) set_flag(L, "upgrade", true);
  if (f->expect_continue) set_flag(L, "expect_continue", true);
}

/* Of a request that is to be answered: `method`, `target`, `version`, `keep_alive` and, where they
   are, `length`, `upgrade` and `expect_continue` are as above, and `framing` is the head's `body`.
   `bodiless` is there and true where the answer has no body, whatever the program makes of
   `method`. The fields are `lines` as yet, for most programs look at few requests' (see `fields`);
   `link` is the caller's. */
void cs_http_push_served(lua_State *L, const cs_http_head *h, const char *bytes,
                         const cs_http_framing *f, int metatable, int link) {
  luaL_checkstack(L, 4, NULL);
  lua_createtable(L, 0, 8);
  push_span(L, bytes, h->method);
  lua_setfield(L, -2, "method");
  push_span(L, bytes, h->target);
  lua_setfield(L, -2, "target");
  cs_set_int(L, "version", h->version);
  set_flag(L, "keep_alive", f->keep_alive);
  lua_pushstring(L, bodies[f->body]);
  lua_setfield(L, -2, "framing");
  size_t at = h->place.count > 0 ? h->list[0].name.at : h->place.at;
  lua_pushlstring(L, bytes + at, h->place.at - at);
  lua_setfield(L, -2, "lines");
  lua_pushvalue(L, link);
  lua_setfield(L, -2, "link");
  if (f->body == CS_HTTP_BODY_LENGTH) cs_set_int(L, "length", (lua_Integer)f->length);
  if (h->method.len == 4 && memcmp(bytes + h->method.at, "HEAD", 4) == 0)
    set_flag(L, "bodiless", true);
  if (f->upgrade) set_flag(L, "upgrade", true);
  if (f->expect_continue) set_flag(L, "expect_continue", true);
  lua_pushvalue(L, metatable);
  lua_setmetatable(L, -2);
}

/* lower(text): with the capital letters of ASCII small, whatever the locale says. */
static int lower(lua_State *L) {
  size_t len;
  const char *text = luaL_checklstring(L, 1, &len);
  lua_settop(L, 1);
  cs_http_push_lower(L, text, len);
  return 1;
}

/* The upvalue is the table of a block's methods. */
static int index_block(lua_State *L) {
  size_t len;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  if (lua_type(L, 2) != LUA_TSTRING || lua_rawgeti(L, 1, 1) != LUA_TTABLE) return 0;
  const char *name = lua_tolstring(L, 2, &len);
  lua_pushvalue(L, 2);
  cs_http_push_lower(L, name, len);
  lua_rawget(L, -3);
  return 1;
}

/* block_index(methods): the `__index` of csock.wire.headers' blocks, whose first element is such a
   table: a method, or the value of the field with this name in any case. */
static int block_index(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_pushcclosure(L, index_block, 1);
  return 1;
}

/* fields(lines): the table of the fields (as `headers` of a head) in such lines. */
static int fields(lua_State *L) {
  static const cs_http_limits none = {.field = UINT32_MAX - 1, .fields = CS_HTTP_FIELDS};
  size_t len;
  const char *bytes = luaL_checklstring(L, 1, &len);
  cs_http_field list[CS_HTTP_FIELDS];
  cs_http_place place = {0};
  cs_http_verdict v = cs_http_fields_read(bytes, len, &place, &none, SIZE_MAX, CS_HTTP_MORE, list);
  if (cs_http_refused(v)) return cs_http_push_refusal(L, "fields", v);
  cs_http_push_fields(L, list, place.count, bytes);
  return 1;
}

/* --- refusals --- */

void cs_http_push_words(cs_http_verdict v, cs_words *words) {
  words->text = cs_http_verdict_text(v);
  words->more[0].name = "status";
  words->more[0].value = cs_http_verdict_status(v);
  words->more[0].integer = true;
}

int cs_http_push_refusal(lua_State *L, const char *call, cs_http_verdict v) {
  cs_words words = {0};
  cs_http_push_words(v, &words);
  return cs_fail_words(L, call, CS_HTTP_KIND, cs_http_verdict_errno(v), &words);
}

void cs_open_http(lua_State *L) {
  static const luaL_Reg functions[] = {{"block_index", block_index},
                                       {"fields", fields},
                                       {"limits", new_limits},
                                       {"lower", lower},
                                       {NULL, NULL}};
  cs_class_make(L, &limits_class, NULL, NULL);
  lua_newtable(L);
  cs_setfuncs(L, functions);
  lua_setfield(L, -2, "http");
}
