/* tap.c: csock.tap: looking at a socket's traffic as it passes. How it is noted: traffic.c. */
#include "traffic.h"
#include "../base/keywords.h"
#include "../base/parts.h"

static const cs_class tap_class = {"csock.tap"};

#define LIMIT (1 << 20) /* bytes */

static cs_tap *check_tap(lua_State *L) {
  return (cs_tap *)cs_object_check(L, 1, &tap_class);
}

/***
Looks at what passes on a socket, from now on: what the program receives and sends, by whatever
calls, streams or reactor, and under a transport (TLS) what goes over the wire. The traffic itself
runs as before; a closed tap costs nothing. A socket may have several.
@function tap
@tparam socket socket
@tparam[opt] table options
@tparam[opt=1048576] int options.limit how many bytes are kept until they are read, with some for
each piece
@treturn[1] tap
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EBADF`: the socket is closed)
@usage
local tap = csock.tap(a)
a:send "hello"
print(select(2, tap:read())) --> > plain hello
*/
static int csock_tap(lua_State *L) {
  cs_sock *s = cs_sock_check(L, 1);
  uint64_t limit = LIMIT;
  const cs_keyword rows[] = {{"limit", CS_KEYWORD_COUNT, &limit, 0, 0}};
  cs_keywords_read(L, 2, rows, CS_COUNT(rows));
  if (s->w.fd < 0) return cs_fail(L, "tap", EBADF);
  cs_tap *tap = (cs_tap *)cs_object_new(L, &tap_class, sizeof *tap, 0);
  tap->state = s->w.state;
  tap->limit = limit < SIZE_MAX ? (size_t)limit : SIZE_MAX;
  cs_traffic_begin(tap, s);
  return 1;
}

/***
What `csock.tap` makes. It ends with its socket, or when it is closed.
@type tap
*/

static int tap_attempt(lua_State *L, cs_op *op) {
  cs_tap *tap = check_tap(L);
  const char *bytes;
  cs_passed passed;
  luaL_checkstack(L, 8, NULL);
  if (!cs_traffic_next(tap, &passed, &bytes)) {
    if (tap->sock == NULL) return cs_fail(L, op->call, EBADF);
    op->ptr = &tap->readers;
    return CS_PARK;
  }
  lua_pushnumber(L, cs_clock_to_seconds(passed.when));
  lua_pushstring(L, passed.direction == '<' ? "<" : ">");
  lua_pushstring(L, passed.wire ? "wire" : "plain");
  bool there = bytes != NULL && !passed.counted;
  if (there) {
    lua_pushlstring(L, bytes, (size_t)passed.count);
  } else {
    lua_pushnil(L);
    lua_pushinteger(L, (lua_Integer)passed.count);
    lua_pushstring(L, bytes == NULL ? "lost" : "file");
  }
  cs_traffic_take(tap, &passed);
  return there ? 4 : 6;
}

/***
Waits for the next piece of traffic, and gives it. Outside of tasks, this runs the loop meanwhile.
@function tap:read
@tparam[opt] number timeout seconds; 0: does not wait
@treturn[1] number when it passed, on the clock of `now`
@treturn[1] string "<": received, or ">": sent
@treturn[1] string "plain": as the program sees it, or "wire": as it goes over the wire, under a
transport
@treturn[1] ?string the bytes of one call; "": the end of a stream, or an empty datagram; nil: they
are not there:
@treturn[1] ?int how many bytes these would be
@treturn[1] ?string why: "lost", more came than was to be kept, or "file", `sendfile` had the system
send them
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EBADF`: the tap is closed, or its socket, and all has been read;
`ETIMEDOUT`, with a timeout of 0 `EAGAIN`; `EDEADLK`: nothing can come any more)
@usage
local tap = csock.tap(a)
b:send "hello"
a:recv(100)
local time, direction, layer, data = tap:read(5)
print(direction, data) --> < hello
*/
static int tap_read(lua_State *L) {
  cs_op op;
  check_tap(L);
  cs_op_init(&op, "tap", tap_attempt, NULL, cs_check_timeout(L, 2));
  lua_settop(L, 1);
  return cs_drive(L, &op);
}

/***
Looks no more, and forgets what has not been read. Tasks that wait in `read` get `EBADF`.
@function tap:close
@treturn boolean true
@usage
local tap = csock.tap(a)
tap:close()
*/
static int tap_close(lua_State *L) {
  cs_tap *tap = check_tap(L);
  cs_traffic_leave(tap);
  cs_bytes_free(&tap->queue);
  memset(tap->lost, 0, sizeof tap->lost);
  lua_pushboolean(L, 1);
  return 1;
}

static const luaL_Reg tap_methods[] = {{"close", tap_close}, {"read", tap_read}, {NULL, NULL}};

static const luaL_Reg tap_meta[] = {{"__gc", tap_close}, {"__close", tap_close}, {NULL, NULL}};

static const luaL_Reg tap_functions[] = {{"tap", csock_tap}, {NULL, NULL}};

void cs_open_tap(lua_State *L) {
  cs_class_make(L, &tap_class, tap_methods, tap_meta);
  cs_setfuncs(L, tap_functions);
}
