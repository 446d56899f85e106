/* answer.c: the heads of a server's answers: their fields checked and put together, and their
   framing, which is decided here alone. */
#include "syntax.h"
#include "../base/class.h"
#include "../base/parts.h"
#include "../base/quote.h"
#include "../sys/bytes.h"

#include <time.h>

/* Makes heads. What Lua sees is the function `compose`, with these upvalues: it, the reason phrases
   by status, the metatable of csock.wire.headers' blocks. */
typedef struct composer {
  const cs_class *cls;
  cs_bytes out;  /* the head that is being made */
  time_t second; /* of which `date` is */
  char date[48]; /* the line */
  size_t software_len;
  char software[64]; /* the line Server */
} composer;

static const cs_class composer_class = {"csock.http.composer"};

/* What the program has said of the fields that mean something to the server itself. */
typedef struct given {
  bool connection, close, date, server, length;
  lua_Integer bytes; /* of `length` */
} given;

/* --- bytes --- */

/* Makes room for `n` bytes behind what is there: *space. */
static void reserve(lua_State *L, composer *c, size_t n, char **space) {
  size_t got;
  if (cs_bytes_reserve(&c->out, n, space, &got) != 0) luaL_error(L, "not enough memory");
}

/* All between `space` and `end` is filled. */
static void fill_space(composer *c, const char *space, const char *end) {
  cs_bytes_commit(&c->out, (size_t)(end - space));
}

/* These write at `p`, and return what is behind it. */

static char *put_bytes(char *p, const char *bytes, size_t n) {
  return (char *)memcpy(p, bytes, n) + n;
}

#define COPY(p, literal) put_bytes(p, literal, sizeof(literal) - 1)

static char *copy_integer(char *p, lua_Integer n) {
  char digits[24], *first = digits + sizeof digits;
  do *--first = (char)('0' + n % 10);
  while ((n /= 10) > 0);
  return put_bytes(p, first, (size_t)(digits + sizeof digits - first));
}

/* In English in each locale (RFC 9110, 5.6.7), made once a second. */
static char *copy_date(composer *c, char *p) {
  static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  time_t now = time(NULL);
  struct tm t;
  if (now != c->second && gmtime_r(&now, &t) != NULL) {
    c->second = now;
    snprintf(c->date, sizeof c->date, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n",
             days[t.tm_wday % 7], t.tm_mday % 100, months[t.tm_mon % 12],
             (t.tm_year + 1900) % 10000, t.tm_hour % 100, t.tm_min % 100, t.tm_sec % 100);
  }
  return put_bytes(p, c->date, strlen(c->date));
}

/* --- fields --- */

/* Where something is wrong with an answer, the functions here push words for it and give false:
   they are called outside of protected calls. */
static bool fault(lua_State *L, const char *format, const char *name) {
  lua_pushfstring(L, format, name);
  return false;
}

/* The value of a field at the index `idx`, as a string, which replaces a number there. NULL for
   what cannot be one. */
static const char *check_value(lua_State *L, const char *name, int idx, size_t *n) {
  int type = lua_type(L, idx);
  if (type != LUA_TSTRING && type != LUA_TNUMBER) {
    lua_pushfstring(L, "the value of %s is a %s", name, lua_typename(L, type));
    return NULL;
  }
  const char *value = lua_tolstring(L, idx, n);
  if (cs_http_syntax_line(value, *n)) return value;
  luaL_Buffer b;
  lua_pushfstring(L, "the value of %s is no line: ", name);
  luaL_buffinit(L, &b);
  cs_quote_add(&b, value, *n);
  luaL_pushresult(&b);
  lua_concat(L, 2);
  return NULL;
}

/* value(name, value): that of a field, as a string; raises for what cannot be one. */
static int field_value(lua_State *L) {
  size_t n;
  const char *name = luaL_checkstring(L, 1);
  luaL_checkany(L, 2);
  lua_settop(L, 2);
  return check_value(L, name, 2, &n) != NULL ? 1 : lua_error(L);
}

static void read_own_connection(given *g, const char *p, size_t n) {
  const char *end = p + n, *option;
  size_t len;
  g->connection = true;
  while (cs_http_syntax_element(&p, end, &option, &len))
    g->close |= CS_HTTP_EQUAL(option, len, "close");
}

static bool read_own_length(lua_State *L, given *g, const char *p, size_t n) {
  const size_t most = 18;
  if (n == 0 || n > most || cs_http_span_of(p, n, CS_HTTP_DIGIT_CHAR) != n)
    return fault(L, "\"%s\" is no Content-Length", p);
  g->length = true;
  g->bytes = 0;
  for (size_t i = 0; i < n; i++) g->bytes = g->bytes * 10 + (p[i] - '0');
  return true;
}

/* *sent: whether the line is. Those of the framing are made elsewhere. */
static bool take_own(lua_State *L, given *g, const char *name, size_t n, const char *value,
                     size_t len, bool *sent) {
  *sent = true;
  if (CS_HTTP_EQUAL(name, n, "date")) {
    g->date = true;
  } else if (CS_HTTP_EQUAL(name, n, "server")) {
    g->server = true;
  } else if (CS_HTTP_EQUAL(name, n, "connection")) {
    read_own_connection(g, value, len);
  } else if (CS_HTTP_EQUAL(name, n, "content-length")) {
    *sent = false;
    return read_own_length(L, g, value, len);
  } else if (CS_HTTP_EQUAL(name, n, "transfer-encoding")) {
    return fault(L, "%s is the server's to say", name);
  }
  return true;
}

/* The name is at `idx`, and the value, which may become a string, at the top. */
static bool add_line(lua_State *L, composer *c, given *g, int idx) {
  size_t n, len;
  if (lua_type(L, idx) != LUA_TSTRING)
    return fault(L, "a %s cannot be the name of a field", luaL_typename(L, idx));
  const char *name = lua_tolstring(L, idx, &n);
  if (n == 0 || cs_http_span_of(name, n, CS_HTTP_TOKEN_CHAR) != n)
    return fault(L, "\"%s\" cannot be the name of a field", name);
  const char *value = check_value(L, name, lua_gettop(L), &len);
  bool sent;
  if (value == NULL || !take_own(L, g, name, n, value, len, &sent)) return false;
  if (!sent) return true;
  char *space;
  reserve(L, c, n + len + 4, &space);
  char *p = put_bytes(space, name, n);
  p = COPY(p, ": ");
  p = put_bytes(p, value, len);
  fill_space(c, space, COPY(p, "\r\n"));
  return true;
}

/* The value is at the top, and taken: one, or a sequence of values. */
static bool add(lua_State *L, composer *c, given *g, int idx) {
  if (!lua_istable(L, -1)) {
    if (!add_line(L, c, g, idx)) return false;
  } else {
    for (lua_Integer i = 1; lua_geti(L, -1, i) != LUA_TNIL; i++) {
      if (!add_line(L, c, g, idx)) return false;
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return true;
}

static bool is_block(lua_State *L, int idx) {
  if (!lua_istable(L, idx) || !lua_getmetatable(L, idx)) return false;
  bool block = lua_rawequal(L, -1, lua_upvalueindex(3));
  lua_pop(L, 1);
  return block;
}

/* Of a table from names to values, a sequence of names and values in turn, or a block. */
static bool add_all(lua_State *L, composer *c, given *g, int fields) {
  if (is_block(L, fields)) {
    lua_rawgeti(L, fields, 1);
    lua_replace(L, fields);
  }
  if (!lua_istable(L, fields))
    return fault(L, "the fields of an answer are a %s", luaL_typename(L, fields));
  bool sequence = lua_rawgeti(L, fields, 1) != LUA_TNIL;
  lua_pop(L, 1);
  if (!sequence) {
    lua_pushnil(L);
    while (lua_next(L, fields))
      if (!add(L, c, g, lua_gettop(L) - 1)) return false;
    return true;
  }
  lua_Integer count = luaL_len(L, fields);
  for (lua_Integer i = 1; i <= count; i += 2) {
    lua_geti(L, fields, i);
    lua_geti(L, fields, i + 1);
    if (!add(L, c, g, lua_gettop(L) - 1)) return false;
    lua_pop(L, 1);
  }
  return true;
}

/* --- framing --- */

typedef enum body { NONE, LENGTH, CHUNKED, CLOSE } body;

static bool is_head(lua_State *L) {
  lua_getfield(L, 1, "bodiless");
  bool head = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return head;
}

static bool is_old(lua_State *L) {
  lua_getfield(L, 1, "version");
  bool old = lua_tointeger(L, -1) < 11;
  lua_pop(L, 1);
  return old;
}

/* Decides how the body goes. *length: in, that of the body, or -1 where it is not known; out, what
   the head says of it, or -1. (Which have none: RFC 9110, 6.4.1.) */
static bool decide(lua_State *L, const given *g, lua_Integer status, lua_Integer *length,
                   body *how) {
  lua_Integer known = *length;
  *length = -1;
  *how = NONE;
  if (status < 200 || status == 204) return true; /* and no length: RFC 9110, 8.6 */
  bool head = is_head(L);
  if (head || status == 304) {
    *length = g->length ? g->bytes : head ? known : -1;
  } else if (status == 205) {
    *length = 0;
  } else if (g->length && known >= 0 && g->bytes != known) {
    lua_pushfstring(L, "Content-Length is %I, and the body has %I bytes", (LUAI_UACINT)g->bytes,
                    (LUAI_UACINT)known);
    return false;
  } else {
    *length = g->length ? g->bytes : known;
    *how = *length >= 0 ? LENGTH : is_old(L) ? CLOSE : CHUNKED;
  }
  return true;
}

/* --- the head --- */

static void add_status(lua_State *L, composer *c, lua_Integer status) {
  size_t n = 0;
  lua_rawgeti(L, lua_upvalueindex(2), status);
  const char *reason = lua_tolstring(L, -1, &n);
  if (reason != NULL && !cs_http_syntax_text(reason, n)) reason = NULL; /* the table is public */
  char *space;
  reserve(L, c, n + 64, &space);
  char *p = COPY(space, "HTTP/1.1 ");
  p = copy_integer(p, status);
  p = COPY(p, " ");
  p = reason != NULL ? put_bytes(p, reason, n) : COPY(p, "Unknown");
  fill_space(c, space, COPY(p, "\r\n"));
  lua_pop(L, 1);
}

/* What the server says itself. */
static void add_own(lua_State *L, composer *c, const given *g, lua_Integer status, bool keep,
                    body how, lua_Integer length) {
  char *space;
  reserve(L, c, 256, &space);
  char *p = space;
  if (!g->server) p = put_bytes(p, c->software, c->software_len);
  if (!g->date) p = copy_date(c, p);
  if (!g->connection && status >= 200) {
    if (!keep)
      p = COPY(p, "Connection: close\r\n");
    else if (is_old(L))
      p = COPY(p, "Connection: keep-alive\r\n");
  }
  if (length >= 0) {
    p = COPY(p, "Content-Length: ");
    p = copy_integer(p, length);
    p = COPY(p, "\r\n");
  } else if (how == CHUNKED) {
    p = COPY(p, "Transfer-Encoding: chunked\r\n");
  }
  fill_space(c, space, COPY(p, "\r\n"));
}

/* compose(request, status[, fields[, length[, switches]]]): `request`: its bodiless, version and
   keep_alive count (push.c); `length`: that of the body, nil where it is not known (of no body at
   all it is 0); `switches`: the connection becomes something else (after another 1xx a client goes
   on waiting). The head as a string; how the body goes: "none", "length", "chunked" or "close";
   whether the connection may go on; and the length that is said, if one is. nil and words when
   something is wrong with the status or the fields. */
static int compose(lua_State *L) {
  static const char *const words[] = {"none", "length", "chunked", "close"};
  composer *c = (composer *)lua_touserdata(L, lua_upvalueindex(1));
  given g = {0};
  lua_Integer length = luaL_optinteger(L, 4, -1);
  body how = NONE;
  lua_Integer least = lua_toboolean(L, 5) ? 100 : 200;
  lua_settop(L, 3);
  lua_Integer status = lua_tointeger(L, 2);
  bool good = lua_isinteger(L, 2) && status >= least && status <= 999;
  if (!good) {
    fault(L, "the status of an answer is %s", luaL_tolstring(L, 2, NULL));
  } else {
    cs_bytes_consume(&c->out, c->out.len); /* of one that was given up */
    add_status(L, c, status);
    good = (lua_isnil(L, 3) || add_all(L, c, &g, 3)) && decide(L, &g, status, &length, &how);
  }
  if (!good) {
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
  }
  lua_getfield(L, 1, "keep_alive");
  bool keep = lua_toboolean(L, -1) && !g.close && how != CLOSE;
  add_own(L, c, &g, status, keep, how, length);
  lua_pushlstring(L, cs_bytes_at(&c->out, 0), c->out.len);
  lua_pushstring(L, words[how]);
  lua_pushboolean(L, keep);
  if (length >= 0)
    lua_pushinteger(L, length);
  else
    lua_pushnil(L);
  return 4;
}

static int composer_gc(lua_State *L) {
  composer *c = (composer *)cs_object_check(L, 1, &composer_class);
  cs_bytes_free(&c->out);
  return 0;
}

/* composer(software, reasons, block): the function `compose` of a server that calls itself so. */
static int new_composer(lua_State *L) {
  size_t n;
  const char *software = luaL_checklstring(L, 1, &n);
  composer *c = (composer *)cs_object_new(L, &composer_class, sizeof *c, 0);
  luaL_argcheck(L, n + 11 < sizeof c->software, 1, "too long");
  c->software_len = (size_t)sprintf(c->software, "Server: %s\r\n", software);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, 3);
  lua_pushcclosure(L, compose, 3);
  return 1;
}

void cs_open_http_answer(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"composer", new_composer}, {"value", field_value}, {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__gc", composer_gc}, {NULL, NULL}};
  cs_class_make(L, &composer_class, NULL, meta);
  lua_getfield(L, -1, "http");
  cs_setfuncs(L, functions);
  lua_pop(L, 1);
}
