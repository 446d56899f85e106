/* constants.c: puts the rows of the other files here into csock's table, those of errnos.c into
   csock.errno. */
#include "../base/rows.h"
#include "../base/errnos.h"
#include "../base/error.h"
#include "../base/parts.h"
#include "../sys/errtext.h"

static void set_all(lua_State *L, const cs_family *families) {
  for (const cs_family *f = families; f->rows != NULL; f++)
    for (size_t i = 0; i < f->n; i++) cs_set_int(L, f->rows[i].name, f->rows[i].value);
}

/***
The numbers of errors by their names, and their names by the numbers: `csock.errno.EAGAIN` is 11 on
Linux, and `csock.errno[11]` is `"EAGAIN"`. Where two names share a number, the number has the usual
one: `EAGAIN`, not `EWOULDBLOCK`.
Source: Python's modules `errno` and `errno.errorcode`.
@field errno
*/

/***
True: csock speaks IPv6. Whether a host can is another matter.
Source: Python's `socket.has_ipv6`.
@field has_ipv6
*/

static void set_errnos(lua_State *L) {
  lua_createtable(L, 160, 160);
  set_all(L, cs_constants_errno);
  for (const cs_family *f = cs_constants_errno; f->rows != NULL; f++)
    for (size_t i = 0; i < f->n; i++) {
      lua_pushstring(L, cs_errno_name((int)f->rows[i].value));
      lua_rawseti(L, -2, f->rows[i].value);
    }
  lua_setfield(L, -2, "errno");
}

/***
The system's text for an errno value.
Source: strerror_r(3), Python's `os.strerror`.
@function strerror
@tparam int errno
@treturn string
*/
static int constants_strerror(lua_State *L) {
  char text[128];
  lua_pushstring(L, cs_strerror(cs_check_cint(L, 1), text, sizeof text));
  return 1;
}

static const luaL_Reg functions[] = {{"strerror", constants_strerror}, {NULL, NULL}};

void cs_open_constants(lua_State *L) {
  set_all(L, cs_constants_socket);
  set_all(L, cs_constants_option);
  set_all(L, cs_constants_ip);
  set_all(L, cs_constants_transport);
  set_all(L, cs_constants_ioctl);
  set_all(L, cs_constants_linux);
  set_all(L, cs_constants_can);
  set_all(L, cs_constants_kqueue);
  set_errnos(L);
  lua_pushboolean(L, 1);
  lua_setfield(
      L, -2,
      "has_ipv6"); /* of the headers, as in Python: whether a host has it is another matter */
  cs_setfuncs(L, functions);
}
