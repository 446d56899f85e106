/* epoll.c: epoll objects, Linux's. poll objects: poll.c.
 *
 * The first user value maps a descriptor to the object that was registered for it: it keeps the
 * object alive, and comes back with the event. */
#include "select.h"
#include "../base/parts.h"
#include "../socket/socket.h"
#include "../sys/fd.h"

#if CS_HAVE_EPOLL
#include <sys/epoll.h>

typedef struct epoll {
  const cs_class *cls;
  cs_watched w;
} epoll;

static const cs_class epoll_class = {"csock.epoll"};

#define EPOLL_OBJECTS        1
#define EPOLL_DEFAULT_EVENTS (EPOLLIN | EPOLLPRI | EPOLLOUT)
#define EPOLL_BATCH          1024 /* events in one call; the others come with the next one */

static epoll *push_epoll(lua_State *L) {
  cs_state *state = cs_state_get(L); /* first: it may raise */
  epoll *e = (epoll *)cs_object_new(L, &epoll_class, sizeof *e, EPOLL_OBJECTS);
  e->w.fd = -1;
  e->w.state = state;
  lua_newtable(L);
  lua_setiuservalue(L, -2, EPOLL_OBJECTS);
  return e;
}

static epoll *check_epoll(lua_State *L) {
  return (epoll *)cs_object_check(L, 1, &epoll_class);
}

/***
Makes an epoll object, which is close-on-exec. `csock.epoll.fromfd(fd)` makes an object over a
descriptor that is one already, and takes it over (`EBADF`: there is no such descriptor).

On Linux alone; nil on other systems.
Source: epoll_create1(2), Python's `select.epoll`, `epoll.fromfd`.
@function epoll
@tparam[opt=-1] int sizehint has no effect; -1, or positive
@tparam[opt=0] int flags 0 or `EPOLL_CLOEXEC`, which makes no difference
@treturn[1] epoll
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EMFILE`; `EINVAL`: other flags)
@usage
local ep <close> = assert(csock.epoll())
ep:register(a, csock.EPOLLIN)
b:send "x"
print(#ep:poll(1)) --> 1
*/
static int new_epoll(lua_State *L) { /* __call of the table csock.epoll, which is argument 1 */
  bool tried = false;
  lua_Integer hint = luaL_optinteger(L, 2, -1);
  luaL_argcheck(L, hint == -1 || hint > 0, 2, "-1 or a positive number expected");
  int flags = cs_opt_cint(L, 3, 0);
  epoll *e = push_epoll(L);
  int fd, err;
  do {
    err = cs_state_room(e->w.state, 1);
    fd = err == 0 ? epoll_create1(flags | EPOLL_CLOEXEC) : -1;
    if (err == 0 && fd < 0) err = errno;
  } while (err != 0 && cs_may_retry(L, err, &tried));
  if (err != 0) return cs_fail(L, "epoll", err);
  cs_watched_hold(&e->w, fd);
  return 1;
}

static int epoll_fromfd(lua_State *L) {
  int fd = cs_check_cint(L, 1);
  epoll *e = push_epoll(L);
  int err = cs_policy_take(L, e->w.state, "fromfd", fd);
  if (err == 0 && fcntl(fd, F_GETFD) < 0) err = errno;
  if (err != 0) return cs_fail(L, "fromfd", err);
  cs_watched_hold(&e->w, fd);
  return 1;
}

/***
An epoll object. Its field `closed` (a boolean) tells whether it is closed.
@type epoll
*/

static int epoll_control(lua_State *L, const char *call, int action, int fd, uint32_t events) {
  struct epoll_event event = {.events = events, .data = {.u64 = (uint32_t)fd}};
  epoll *e = check_epoll(L);
  if (e->w.fd < 0) return cs_fail(L, call, EBADF);
  if (fd < 0) return cs_fail_at(L, call, EBADF, 2);
  if (epoll_ctl(e->w.fd, action, fd, &event) != 0) return cs_fail_at(L, call, errno, 2);
  return cs_result(L, call, 0);
}

/* objects[fd] = the value at `idx`, or nil (0). */
static void epoll_set_object(lua_State *L, int fd, int idx) {
  lua_getiuservalue(L, 1, EPOLL_OBJECTS);
  if (idx == 0)
    lua_pushnil(L);
  else
    lua_pushvalue(L, idx);
  lua_rawseti(L, -2, fd);
  lua_pop(L, 1);
}

static uint32_t epoll_check_events(lua_State *L, int arg) {
  return (uint32_t)cs_check_int(L, arg, 0, UINT32_MAX);
}

/***
Adds an object. The epoll object keeps it alive until it is taken out.
Source: epoll_ctl(2) `EPOLL_CTL_ADD`, Python's `epoll.register`.
@function epoll:register
@param object socket, stream, descriptor, or anything with a `fileno` method
@tparam[opt=EPOLLIN|EPOLLPRI|EPOLLOUT] int mask `EPOLL*`
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EEXIST`: it is there already; `EPERM`: a regular file; `EBADF` ...)
@usage
local ep <close> = assert(csock.epoll())
assert(ep:register(a, csock.EPOLLIN | csock.EPOLLET))
*/
static int epoll_register(lua_State *L) {
  check_epoll(L);
  int fd = cs_check_fd(L, 2);
  uint32_t events = lua_isnoneornil(L, 3) ? EPOLL_DEFAULT_EVENTS : epoll_check_events(L, 3);
  lua_getiuservalue(L, 1, EPOLL_OBJECTS);
  bool known = fd >= 0 && lua_rawgeti(L, -1, fd) != LUA_TNIL;
  lua_settop(L, 3);
  if (fd >= 0 && !known) epoll_set_object(L, fd, 2); /* may raise: so before the kernel is told */
  int n = epoll_control(L, "register", EPOLL_CTL_ADD, fd, events);
  if (n == 1) {
    epoll_set_object(L, fd, 2); /* a closed object's number may be another's now */
  } else if (fd >= 0 && !known) {
    epoll_set_object(L, fd, 0);
  }
  return n;
}

/***
Changes what is waited for.
Source: epoll_ctl(2) `EPOLL_CTL_MOD`, Python's `epoll.modify`.
@function epoll:modify
@param object as registered
@tparam int mask `EPOLL*`
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`ENOENT`: not registered; `EBADF` ...)
@usage
local ep <close> = assert(csock.epoll())
ep:register(a, csock.EPOLLIN)
assert(ep:modify(a, csock.EPOLLOUT))
*/
static int epoll_modify(lua_State *L) {
  check_epoll(L);
  uint32_t events = epoll_check_events(L, 3);
  return epoll_control(L, "modify", EPOLL_CTL_MOD, cs_check_fd(L, 2), events);
}

/* Lets the very object at index 2 go, which is closed; whether it was there. The kernel has
   forgotten it too, unless a copy of the descriptor is still open: then, at best, the number still
   names it. */
static bool epoll_forget(lua_State *L, const epoll *e) {
  lua_getiuservalue(L, 1, EPOLL_OBJECTS);
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    if (!lua_rawequal(L, -1, 2)) continue;
    struct epoll_event ignored = {0};
    epoll_ctl(e->w.fd, EPOLL_CTL_DEL, (int)lua_tointeger(L, -2), &ignored);
    lua_pushnil(L);
    lua_replace(L, -2);
    lua_rawset(L, -3);
    return true;
  }
  return false;
}

/***
Takes an object out. One that was closed meanwhile can be taken out too (the kernel took it out when
it was closed).
Source: epoll_ctl(2) `EPOLL_CTL_DEL`, Python's `epoll.unregister`.
@function epoll:unregister
@param object as registered
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`ENOENT`: not registered ...)
@usage
local ep <close> = assert(csock.epoll())
ep:register(a)
assert(ep:unregister(a))
*/
static int epoll_unregister(lua_State *L) {
  epoll *e = check_epoll(L);
  int fd = cs_check_fd(L, 2);
  if (fd < 0 && e->w.fd >= 0) {
    if (epoll_forget(L, e)) return cs_result(L, "unregister", 0);
    return cs_fail_at(L, "unregister", ENOENT, 2);
  }
  int n = epoll_control(L, "unregister", EPOLL_CTL_DEL, fd, 0);
  if (n == 1) epoll_set_object(L, fd, 0);
  return n;
}

/* --- poll --- */

static int epoll_attempt(lua_State *L, cs_op *op) {
  struct epoll_event events[EPOLL_BATCH];
  int max = op->size < EPOLL_BATCH ? (int)op->size : EPOLL_BATCH;
  int n = epoll_wait(op->w->fd, events, max, 0);
  if (n < 0) return errno == EINTR ? CS_AGAIN : cs_fail(L, "poll", errno);
  if (n == 0) return CS_READABLE;
  lua_getiuservalue(L, 1, EPOLL_OBJECTS);
  lua_createtable(L, n, 0);
  for (int i = 0; i < n; i++) {
    int fd = (int)events[i].data.u32;
    lua_rawgeti(L, -2, fd);
    cs_push_event(L, fd, events[i].events);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

static int epoll_fail(lua_State *L, cs_op *op, int err) {
  (void)op;
  if (err != ETIMEDOUT && err != EAGAIN) return cs_fail(L, "poll", err);
  lua_newtable(L);
  return 1;
}

/***
Waits until something that is registered has an event. Only the kernel is asked: input that a stream
holds already is no event (`select` and `poll` know of it).
Source: epoll_wait(2), Python's `epoll.poll`.
@function epoll:poll
@tparam[opt] number timeout seconds (rounded up); nil or negative: for as long as it takes
@tparam[opt=-1] int maxevents at most so many events at once, and never more than 1024: the others
come with the next call; -1 is 1024
@treturn[1] table a sequence of `{fd, event, object}`, also by these names: the descriptor, the
`EPOLL*` bits, and the object that was registered; empty when the time is over
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EBADF`: the epoll object is closed)
@usage
local ep <close> = assert(csock.epoll())
ep:register(a, csock.EPOLLOUT)
for _, ready in ipairs(assert(ep:poll(1))) do print(ready.event & csock.EPOLLOUT ~= 0) end --> true
*/
static int epoll_poll(lua_State *L) {
  cs_op op;
  epoll *e = check_epoll(L);
  bool forever = lua_isnoneornil(L, 2) || luaL_checknumber(L, 2) < 0;
  int64_t timeout = forever ? CS_FOREVER : cs_check_timeout(L, 2);
  int max = cs_opt_cint(L, 3, -1);
  luaL_argcheck(L, max == -1 || max > 0, 3, "-1 or a positive number expected");
  cs_op_init(&op, "poll", epoll_attempt, &e->w, timeout);
  op.fail = epoll_fail;
  op.size = max == -1 ? EPOLL_BATCH : (size_t)max;
  return cs_drive(L, &op);
}

/***
Closes the epoll object. Closing again is harmless. `<close>` and the collector do it too.
Source: Python's `epoll.close`.
@function epoll:close
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno
@usage csock.epoll():close()
*/
static int epoll_close(lua_State *L) {
  epoll *e = check_epoll(L);
  return cs_result(L, "close", cs_watched_close(&e->w));
}

/***
The descriptor, which is itself readable when there are events.
Source: Python's `epoll.fileno`.
@function epoll:fileno
@treturn int -1 when closed
@usage
local ep <close> = assert(csock.epoll())
print(ep:fileno())
*/
static int epoll_fileno(lua_State *L) {
  lua_pushinteger(L, check_epoll(L)->w.fd);
  return 1;
}

static int epoll_tostring(lua_State *L) {
  const epoll *e = check_epoll(L);
  lua_pushfstring(L, "<csock.epoll %sfd=%d>", e->w.fd < 0 ? "[closed] " : "", e->w.fd);
  return 1;
}

/* upvalue 1: the methods */
static int epoll_index(lua_State *L) {
  const epoll *e = check_epoll(L);
  if (cs_is_text(L, 2, "closed")) {
    lua_pushboolean(L, e->w.fd < 0);
  } else {
    lua_settop(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
  }
  return 1;
}

static const luaL_Reg epoll_methods[] = {
    {"close", epoll_close}, {"fileno", epoll_fileno},     {"modify", epoll_modify},
    {"poll", epoll_poll},   {"register", epoll_register}, {"unregister", epoll_unregister},
    {NULL, NULL},
};

static const luaL_Reg epoll_meta[] = {
    {"__close", epoll_close},
    {"__gc", epoll_close},
    {"__tostring", epoll_tostring},
    {NULL, NULL},
};

void cs_open_epoll(lua_State *L) {
  cs_class_make(L, &epoll_class, NULL, epoll_meta);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &epoll_class);
  lua_newtable(L);
  cs_setfuncs(L, epoll_methods);
  lua_pushcclosure(L, epoll_index, 1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);

  lua_newtable(L); /* csock.epoll: called, it makes an object */
  lua_pushcfunction(L, epoll_fromfd);
  lua_setfield(L, -2, "fromfd");
  lua_newtable(L);
  lua_pushcfunction(L, new_epoll);
  lua_setfield(L, -2, "__call");
  lua_setmetatable(L, -2);
  lua_setfield(L, -2, "epoll");
}

#else

void cs_open_epoll(lua_State *L) {
  (void)L;
}

#endif
