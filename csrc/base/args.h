/* args.h: checked arguments, and fields of tables. */
#ifndef CS_ARGS_H
#define CS_ARGS_H

#include "state.h"

/* --- arguments ---------------------------------------------------------------------------- */
/* All raise, naming the argument, when it is wrong. */

lua_Integer cs_check_int(lua_State *L, int arg, lua_Integer min, lua_Integer max);
lua_Integer cs_opt_int(lua_State *L, int arg, lua_Integer dflt, lua_Integer min, lua_Integer max);

/* The same with int's own range. */
int cs_check_cint(lua_State *L, int arg);
static inline int cs_opt_cint(lua_State *L, int arg, int dflt) {
  return lua_gettop(L) < arg || lua_isnil(L, arg) ? dflt : cs_check_cint(L, arg);
}

/* A number of bytes; a larger one counts as 2^31-1: no system call moves more. */
size_t cs_check_size_other(lua_State *L, int arg);
static inline size_t cs_check_size(lua_State *L, int arg) {
  int isnum;
  lua_Integer n = lua_tointegerx(L, arg, &isnum);
  return isnum && n >= 0 && n <= INT_MAX ? (size_t)n : cs_check_size_other(L, arg);
}
size_t cs_opt_size(lua_State *L, int arg, size_t dflt);

/* A time in seconds as ns; nil or none is CS_FOREVER. */
int64_t cs_check_timeout(lua_State *L, int arg);

/* Whether the value is one that cs_check_timeout takes, and what it says of others. */
bool cs_to_timeout(lua_State *L, int idx, int64_t *ns);
extern const char cs_timeout_words[];

/* What the value at `idx` is, for "... expected, got ...": a number, or the name of its type. May
   push a value. */
const char *cs_got(lua_State *L, int idx);

void cs_push_timeout(lua_State *L, int64_t ns); /* CS_FOREVER: nil */

/* A string without a zero byte, for the C library. A number is none: where a name is expected, it
   is a mistake. */
const char *cs_check_cstring(lua_State *L, int arg);

/* Whether the value is this very string, to its last byte. */
bool cs_is_text(lua_State *L, int idx, const char *text);

/* string.sub's i and j over `len` bytes: 0 <= *from <= *to <= len as offsets. Arguments
   `arg` and `arg + 1`, both optional. */
void cs_opt_range(lua_State *L, int arg, size_t len, size_t *from, size_t *to);

/* The descriptor of a socket, a stream, an open Lua file, a number, or anything with a `fileno`
   method (called unprotected). -1 when the thing is closed, also for a negative number, which is
   what a closed thing's `fileno` gives; raises when it is none of these. */
int cs_check_fd(lua_State *L, int arg);

/* The same of the value on the top, which is item `i` of the sequence at `arg`. */
int cs_item_fd(lua_State *L, int arg, lua_Integer i);

/* --- tables ------------------------------------------------------------------------------- */

void cs_set_int(lua_State *L, const char *name, lua_Integer value);
void cs_set_string(lua_State *L, const char *name, const char *value); /* NULL: no such field */

#endif
