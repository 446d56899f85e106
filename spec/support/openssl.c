/* openssl.c: the queue of errors of the OpenSSL that this process has loaded, seen from outside: it
 * belongs to the thread, so to the host of csock.tls as well. */
#include <lua.h>
#include <lauxlib.h>

#include <dlfcn.h>
#include <string.h>

/* Of libcrypto; raises when it is not loaded. (ISO C converts no data pointer to a function's.) */
static void find(lua_State *L, const char *name, void *function) {
  void *library = dlopen("libcrypto.so.3", RTLD_NOW | RTLD_NOLOAD);
  void *found = library != NULL ? dlsym(library, name) : NULL;
  if (found == NULL) luaL_error(L, "no %s", name);
  memcpy(function, &found, sizeof found);
  dlclose(library);
}

/* first_error(): what is first in the queue, as a number; 0: it is empty. */
static int first_error(lua_State *L) {
  unsigned long (*peek)(void);
  find(L, "ERR_peek_error", &peek);
  lua_pushinteger(L, (lua_Integer)peek());
  return 1;
}

/* leave_error(): puts one into the queue, as a careless host does. */
static int leave_error(lua_State *L) {
  void (*new_error)(void);
  void (*set_error)(int library, int reason, const char *format, ...);
  find(L, "ERR_new", &new_error);
  find(L, "ERR_set_error", &set_error);
  new_error();
  set_error(128, 1, NULL); /* ERR_LIB_USER */
  return 0;
}

__attribute__((visibility("default"))) int luaopen_spec_support_openssl(lua_State *L);

int luaopen_spec_support_openssl(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"first_error", first_error}, {"leave_error", leave_error}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
