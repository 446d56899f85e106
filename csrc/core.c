/* core.c: luaopen_csock_core: the list of the parts, nothing else. */
#include "base/args.h"
#include "base/parts.h"

static void (*const parts[])(lua_State *L) = {
    cs_open_error,       cs_open_constants,    cs_open_address,  cs_open_address_read,
    cs_open_socket,      cs_open_sockmake,     cs_open_connect,  cs_open_sockio,
    cs_open_message,     cs_open_afalg,        cs_open_sendfile, cs_open_options,
    cs_open_netdb,       cs_open_convert,      cs_open_buffer,   cs_open_stream,
    cs_open_stream_read, cs_open_stream_write, cs_open_select,   cs_open_poll,
    cs_open_epoll,       cs_open_kqueue,       cs_open_kevent,   cs_open_loop,
    cs_open_task,        cs_open_inner,        cs_open_hub,      cs_open_lines,
    cs_open_signal,      cs_open_fork,         cs_open_process,
};

#if defined(__GNUC__)
#define CS_EXPORT __attribute__((visibility("default")))
#else
#define CS_EXPORT
#endif

CS_EXPORT int luaopen_csock_core(lua_State *L);

static const char opened_key = 'o'; /* registry: the module */

/* Whoever clears package.loaded gets the same module again: the objects of the first one live on,
   and so do its classes and what its state holds. */
int luaopen_csock_core(lua_State *L) {
  luaL_checkversion(L);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &opened_key) != LUA_TNIL) return 1;
  cs_state_make(L);
  lua_createtable(L, 0, 1600);
  for (size_t i = 0; i < CS_COUNT(parts); i++) parts[i](L);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &opened_key);
  return 1;
}
