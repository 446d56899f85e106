/* random.c: csock.random. */
#include "error.h"
#include "parts.h"
#include "../sys/entropy.h"

/***
Random bytes from the system, which nobody can foretell and which no two processes share: for keys,
tokens and session ids. (`math.random` is for dice: who has seen enough of its numbers knows the
next.) Source: getrandom(2), arc4random(3) or `/dev/urandom`; Python's `os.urandom`.
@function random
@tparam int n how many, 0 to 2^31-1
@treturn[1] string n bytes
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EMFILE`, `ENOENT`: where there is no system call, and the file cannot be
opened)
@usage
local token = assert(csock.random(16)):gsub(".", function(c) return ("%02x"):format(c:byte()) end)
print(#token) --> 32
*/
static int csock_random(lua_State *L) {
  luaL_Buffer b;
  size_t n = (size_t)cs_check_int(L, 1, 0, INT_MAX);
  int err = cs_entropy_fill(luaL_buffinitsize(L, &b, n), n);
  if (err != 0) return cs_fail(L, "random", err);
  luaL_pushresultsize(&b, n);
  return 1;
}

void cs_open_random(lua_State *L) {
  lua_pushcfunction(L, csock_random);
  lua_setfield(L, -2, "random");
}
