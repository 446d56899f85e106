/* class.c: classes of userdata: how they are made, and their objects. */
#include "class.h"

void cs_class_make(lua_State *L, const cs_class *cls, const luaL_Reg *methods,
                   const luaL_Reg *meta) {
  lua_newtable(L);
  lua_pushstring(L, cls->name);
  lua_setfield(L, -2, "__name");
  if (methods != NULL) {
    lua_newtable(L);
    cs_setfuncs(L, methods);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "__index");
    lua_setfield(L, -2, "methods");
  }
  if (meta != NULL) cs_setfuncs(L, meta);
  lua_rawsetp(L, LUA_REGISTRYINDEX, cls);
}

void cs_class_methods(lua_State *L, const cs_class *cls, const luaL_Reg *methods) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, cls);
  lua_getfield(L, -1, "methods");
  cs_setfuncs(L, methods);
  lua_pop(L, 2);
}

void *cs_object_new(lua_State *L, const cs_class *cls, size_t size, int uservalues) {
  void *object = lua_newuserdatauv(L, size, uservalues);
  memset(object, 0, size);
  *(const cs_class **)object = cls;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, cls) != LUA_TTABLE) luaL_error(L, "%s is gone", cls->name);
  lua_setmetatable(L, -2);
  return object;
}
