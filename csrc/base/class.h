/* class.h: classes of userdata. */
#ifndef CS_CLASS_H
#define CS_CLASS_H

#include "../sys/port.h"

#include <lua.h>
#include <lauxlib.h>

#ifndef lua_writestringerror /* Lua 5.5 keeps it to itself */
#include <stdio.h>
#define lua_writestringerror(s, p) (fprintf(stderr, (s), (p)), fflush(stderr))
#endif

/* A class is known by its address, which is the first member of each of its objects: a check is
   one comparison, with no look-up of the metatable. `name` is __name.

   So C code can forge an object: a userdata of another library that begins with these very bytes is
   taken for one. Lua code cannot, unless some library lets it choose the first bytes of a userdata
   (csock.buffer's are behind its class) and it knows where this one lies: such a library gives a
   script the memory of the process anyway. */
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
  const cs_class **object = (const cs_class **)lua_touserdata(L, idx);
  /* A light userdata has no length; a foreign one may be short, or hold anything. */
  if (object == NULL || lua_rawlen(L, idx) < sizeof *object || *object != cls) return NULL;
  return object;
}

static inline void *cs_object_check(lua_State *L, int arg, const cs_class *cls) {
  void *object = cs_object_test(L, arg, cls);
  if (object == NULL) luaL_typeerror(L, arg, cls->name);
  return object;
}

/* Registers the functions of `list` in the table on the top. */
#define cs_setfuncs(L, list) luaL_setfuncs(L, list, 0)

#endif
