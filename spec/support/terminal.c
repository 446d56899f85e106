/* terminal.c: a terminal's modes and size, as they are seen from its other end: require
   "spec.support.terminal". It shares no code with csock, so that it can judge it. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <lua.h>
#include <lauxlib.h>

static int fail(lua_State *L, const char *call) {
  int err = errno;
  lua_pushnil(L);
  lua_pushfstring(L, "%s: %s", call, strerror(err));
  lua_pushinteger(L, err);
  return 3;
}

/* modes(fd) -> all of a terminal's modes, as text | nil, err, errno */
static int l_modes(lua_State *L) {
  struct termios t;
  if (tcgetattr((int)luaL_checkinteger(L, 1), &t) != 0) return fail(L, "tcgetattr");
  lua_pushfstring(L, "%I %I %I %I:", (lua_Integer)t.c_iflag, (lua_Integer)t.c_oflag,
                  (lua_Integer)t.c_cflag, (lua_Integer)t.c_lflag);
  for (size_t i = 0; i < NCCS; i++) {
    lua_pushfstring(L, "%s %d", lua_tostring(L, -1), (int)t.c_cc[i]);
    lua_remove(L, -2);
  }
  return 1;
}

/* window(fd, columns, lines): a terminal of another size */
static int l_window(lua_State *L) {
  struct winsize size = {.ws_col = (unsigned short)luaL_checkinteger(L, 2),
                         .ws_row = (unsigned short)luaL_checkinteger(L, 3)};
  if (ioctl((int)luaL_checkinteger(L, 1), TIOCSWINSZ, &size) != 0) return fail(L, "ioctl");
  lua_pushboolean(L, 1);
  return 1;
}

static const luaL_Reg functions[] = {
    {"modes", l_modes},
    {"window", l_window},
    {NULL, NULL},
};

__attribute__((visibility("default"))) int luaopen_spec_support_terminal(lua_State *L);
int luaopen_spec_support_terminal(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
