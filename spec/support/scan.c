/* scan.c: counts the bytes that memchr and memmem look through, in an interpreter that preloads
   this library (LD_PRELOAD): local count = require "spec.support.scan". */
#include <lua.h>
#include <lauxlib.h>
#include <stddef.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT void *memchr(const void *s, int c, size_t n);
EXPORT void *memmem(const void *s, size_t n, const void *what, size_t size);
EXPORT int luaopen_spec_support_scan(lua_State *L);

static lua_Integer looked_through;

void *memchr(const void *s, int c, size_t n) {
  const unsigned char *p = s;
  size_t i = 0;
  while (i < n && p[i] != (unsigned char)c) i++;
  looked_through += (lua_Integer)i;
  return i < n ? (void *)(size_t)(p + i) : NULL;
}

void *memmem(const void *s, size_t n, const void *what, size_t size) {
  const unsigned char *p = s, *q = what;
  for (size_t i = 0; size <= n && i <= n - size; i++) {
    size_t same = 0;
    while (same < size && p[i + same] == q[same]) same++;
    looked_through++;
    if (same == size) return (void *)(size_t)(p + i);
  }
  return NULL;
}

static int count(lua_State *L) {
  lua_pushinteger(L, looked_through);
  return 1;
}

int luaopen_spec_support_scan(lua_State *L) {
  lua_pushcfunction(L, count);
  return 1;
}
