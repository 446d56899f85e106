/* args.h: what every file of the binding shares: classes of userdata, the state of one Lua state,
   checked arguments. */
#ifndef CS_ARGS_H
#define CS_ARGS_H

#include "../sys/port.h"
#include "../sys/clock.h"

#include <lua.h>
#include <lauxlib.h>

/* --- classes ------------------------------------------------------------------------------ */

/* A class is known by its address, which is the first member of each of its objects: a check is
   one comparison, with no look-up of the metatable. `name` is __name. */
typedef struct cs_class {
  const char *name;
} cs_class;

/* Makes the class's metatable, with `methods` under __index (may be NULL) and `meta` in itself,
   and keeps it in the registry under the class's address. Leaves nothing on the stack. */
void cs_class_make(lua_State *L, const cs_class *cls, const luaL_Reg *methods,
                   const luaL_Reg *meta);

/* Adds to the methods of a class that was made with some: each file brings its own. */
void cs_class_methods(lua_State *L, const cs_class *cls, const luaL_Reg *methods);

/* Pushes a new object: `size` zeroed bytes of which the first are the class pointer. */
void *cs_object_new(lua_State *L, const cs_class *cls, size_t size, int uservalues);

/* The object at `idx` if it is of the class, else NULL; cs_object_check raises instead. */
static inline void *cs_object_test(lua_State *L, int idx, const cs_class *cls) {
  const cs_class **object = lua_touserdata(L, idx);
  /* A light userdata has no length; a foreign one may be short, or hold anything. */
  if (object == NULL || lua_rawlen(L, idx) < sizeof *object || *object != cls) return NULL;
  return object;
}

static inline void *cs_object_check(lua_State *L, int arg, const cs_class *cls) {
  void *object = cs_object_test(L, arg, cls);
  if (object == NULL) luaL_typeerror(L, arg, cls->name);
  return object;
}

/* --- the state ---------------------------------------------------------------------------- */

struct cs_resolver;
struct cs_loop;

/* One for each Lua state; it lives until the state closes. */
typedef struct cs_state {
  const cs_class *cls;
  char *scratch;                /* CS_SCRATCH bytes to receive into, before they become a string */
  int64_t default_timeout;      /* ns; Python's setdefaulttimeout; CS_FOREVER = blocking */
  struct cs_resolver *resolver; /* lookup.c's; NULL once the state closes */
  struct cs_loop *loop;         /* made on first use by loop.c */
} cs_state;

#define CS_SCRATCH 65536

cs_state *cs_state_get(lua_State *L);
void cs_state_make(lua_State *L); /* once, by luaopen_csock_core */

/* Whether a call that gave `err` is worth another try: out of descriptors, once for each `tried`,
   since collecting garbage may have closed forgotten ones. */
bool cs_may_retry(lua_State *L, int err, bool *tried);

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
void cs_push_timeout(lua_State *L, int64_t ns); /* CS_FOREVER: nil */

/* A string without a zero byte, for the C library. */
const char *cs_check_cstring(lua_State *L, int arg);

/* string.sub's i and j over `len` bytes: 0 <= *from <= *to <= len as offsets. Arguments
   `arg` and `arg + 1`, both optional. */
void cs_opt_range(lua_State *L, int arg, size_t len, size_t *from, size_t *to);

/* The descriptor of a socket, a stream, an open Lua file, a number, or anything with a `fileno`
   method (called unprotected). -1 when the thing is closed; raises when it is none of these. */
int cs_check_fd(lua_State *L, int arg);

/* The same of the value on the top, which is item `i` of the sequence at `arg`. */
int cs_item_fd(lua_State *L, int arg, lua_Integer i);

/* --- tables ------------------------------------------------------------------------------- */

/* Registers the functions of `list` in the table on the top. */
#define cs_setfuncs(L, list) luaL_setfuncs(L, list, 0)

void cs_set_int(lua_State *L, const char *name, lua_Integer value);

/* A field of the options table at `idx` (which may be nil or none): pushes it, returns its type. */
int cs_get_option(lua_State *L, int idx, const char *name);

#endif
