/* push.h: what the parser has found, as Lua sees it. */
#ifndef CS_HTTP_PUSH_H
#define CS_HTTP_PUSH_H

#include "framing.h"
#include "../base/error.h"

/* The limits at `arg`, an object that `limits` has made; nil or none: the usual ones. */
const cs_http_limits *cs_http_push_limits(lua_State *L, int arg);

/* Pushes the table of a head that has been read in full; `bytes` are those that it was read
   from. */
void cs_http_push_head(lua_State *L, const cs_http_head *h, const char *bytes,
                       const cs_http_framing *f);

/* Pushes a request as a server's program gets it, with the metatable and the link at these
   indexes. */
void cs_http_push_served(lua_State *L, const cs_http_head *h, const char *bytes,
                         const cs_http_framing *f, int metatable, int link);

/* Pushes a name in lower case; as it is written, it is at the top. */
void cs_http_push_lower(lua_State *L, const char *name, size_t n);

/* Takes a name, its value and the name in lower case from the top, which become the field `i`, from
   0, of the table at `idx`, a true index. */
void cs_http_push_field(lua_State *L, int idx, lua_Integer i);

/* Pushes the table of `count` fields. */
void cs_http_push_fields(lua_State *L, const cs_http_field *list, unsigned count,
                         const char *bytes);

#define CS_HTTP_KIND "http" /* of errors */

/* What an error says of it; its field `status` is the number. */
void cs_http_push_words(cs_http_verdict v, cs_words *words);

/* Pushes nil, an error value and its errno value; returns 3. */
int cs_http_push_refusal(lua_State *L, const char *call, cs_http_verdict v);

#endif
