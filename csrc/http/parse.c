/* parse.c: the parser over strings: whole heads, and chunks cut anywhere. */
#include "chunks.h"
#include "push.h"
#include "../base/parts.h"

/* --- heads --- */

static int parse(lua_State *L, const char *call, bool response, int init, int limits_at,
                 const char *method, size_t method_len) {
  size_t len;
  const char *bytes = luaL_checklstring(L, 1, &len);
  lua_Integer from = cs_opt_int(L, init, 1, 1, (lua_Integer)len + 1);
  const cs_http_limits *limits = cs_http_push_limits(L, limits_at);
  cs_http_field list[CS_HTTP_FIELDS];
  cs_http_head h = {.response = response, .list = list};
  cs_http_framing f;
  bytes += from - 1;
  cs_http_verdict v = cs_http_head_read(&h, bytes, len - (size_t)from + 1, limits);
  if (v == CS_HTTP_DONE) v = cs_http_head_check(&h, bytes);
  if (v == CS_HTTP_DONE) v = cs_http_framing_decide(&h, bytes, method, method_len, limits, &f);
  if (v == CS_HTTP_MORE) {
    lua_pushnil(L);
    return 1;
  }
  if (v != CS_HTTP_DONE) return cs_http_push_refusal(L, call, v);
  cs_http_push_head(L, &h, bytes, &f);
  lua_pushinteger(L, from + (lua_Integer)h.place.at);
  return 2;
}

/* parse_request(bytes[, init[, limits]]): the head (push.c) that begins at the byte `init`, and
   where what follows it begins; nil alone when it is not complete; nil, error, errno when it is
   refused. */
static int parse_request(lua_State *L) {
  return parse(L, "parse_request", false, 2, 3, NULL, 0);
}

/* parse_response(bytes, method[, init[, limits]]): the same of a response to a request with that
   method (nil: an ordinary one, as GET). */
static int parse_response(lua_State *L) {
  size_t len = 0;
  const char *method = luaL_optlstring(L, 2, "", &len);
  return parse(L, "parse_response", true, 3, 4, method, len);
}

/* --- chunks --- */

typedef struct decoder {
  const cs_class *cls;
  cs_http_limits limits;
  cs_http_chunks chunks;
  cs_http_verdict refused; /* it stays so */
} decoder;

static const cs_class decoder_class = {"csock.http.decoder"};

/* decoder([limits]): an object that takes a body in chunks out of the bytes that it is fed. */
static int new_decoder(lua_State *L) {
  const cs_http_limits *limits = cs_http_push_limits(L, 1);
  decoder *d = (decoder *)cs_object_new(L, &decoder_class, sizeof *d, 0);
  d->limits = *limits;
  return 1;
}

/* decoder:feed(bytes[, init]): the bytes of the body that are in `bytes` from the byte `init` on,
   where the first byte is that has not been used, and whether the body has ended. nil, error,
   errno when it is refused. */
static int decoder_feed(lua_State *L) {
  decoder *d = (decoder *)cs_object_check(L, 1, &decoder_class);
  size_t len, used;
  const char *bytes = luaL_checklstring(L, 2, &len);
  size_t at = (size_t)cs_opt_int(L, 3, 1, 1, (lua_Integer)len + 1) - 1;
  cs_http_verdict v = d->refused;
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  while (!cs_http_refused(v)) {
    v = cs_http_chunks_read(&d->chunks, bytes + at, len - at, &used, &d->limits);
    at += used;
    if (v != CS_HTTP_RUN || at == len) break;
    uint64_t run = d->chunks.run;
    size_t n = len - at < run ? len - at : (size_t)run;
    luaL_addlstring(&b, bytes + at, n);
    d->chunks.run -= n;
    at += n;
  }
  if (cs_http_refused(v)) {
    d->refused = v;
    return cs_http_push_refusal(L, "feed", v);
  }
  luaL_pushresult(&b);
  lua_pushinteger(L, (lua_Integer)at + 1);
  lua_pushboolean(L, v == CS_HTTP_DONE);
  return 3;
}

/* decoder:trailers(): the table of the trailers (as `headers` of a head), empty where there are
   none. */
static int decoder_trailers(lua_State *L) {
  const decoder *d = (const decoder *)cs_object_check(L, 1, &decoder_class);
  cs_http_field list[CS_HTTP_FIELDS];
  unsigned count = cs_http_chunks_trailers(&d->chunks, &d->limits, list);
  cs_http_push_fields(L, list, count, cs_bytes_at(&d->chunks.trailer, 0));
  return 1;
}

static int decoder_gc(lua_State *L) {
  decoder *d = (decoder *)cs_object_check(L, 1, &decoder_class);
  cs_http_chunks_free(&d->chunks);
  return 0;
}

void cs_open_http_parse(lua_State *L) {
  static const luaL_Reg functions[] = {{"decoder", new_decoder},
                                       {"parse_request", parse_request},
                                       {"parse_response", parse_response},
                                       {NULL, NULL}};
  static const luaL_Reg methods[] = {
      {"feed", decoder_feed}, {"trailers", decoder_trailers}, {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__gc", decoder_gc}, {NULL, NULL}};
  cs_class_make(L, &decoder_class, methods, meta);
  lua_getfield(L, -1, "http");
  cs_setfuncs(L, functions);
  lua_pop(L, 1);
}
