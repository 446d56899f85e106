/* heap.c: how much of the C heap is in use, for specs that look for leaks outside of Lua's memory.
 */
#define _GNU_SOURCE
#include <lua.h>
#include <lauxlib.h>

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>
#if defined(__GLIBC__)
#if __GLIBC_PREREQ(2, 33)
#include <malloc.h>
#define HAVE_MALLINFO2 1
#endif
#endif

/* in_use(): bytes; nil where nobody counts them. AddressSanitizer has an allocator of its own. */
static int l_in_use(lua_State *L) {
  void *found = dlsym(RTLD_DEFAULT, "__sanitizer_get_current_allocated_bytes");
  if (found != NULL) {
    size_t (*count)(void);
    memcpy(&count, &found, sizeof count); /* ISO C converts no data pointer to a function's */
    lua_pushinteger(L, (lua_Integer)count());
    return 1;
  }
#ifdef HAVE_MALLINFO2
  struct mallinfo2 m = mallinfo2();
  lua_pushinteger(L, (lua_Integer)(m.uordblks + m.hblkhd));
#else
  lua_pushnil(L);
#endif
  return 1;
}

__attribute__((visibility("default"))) int luaopen_spec_support_heap(lua_State *L);

int luaopen_spec_support_heap(lua_State *L) {
  static const luaL_Reg functions[] = {{"in_use", l_in_use}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
