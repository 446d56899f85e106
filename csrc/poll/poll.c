/* poll.c: poll objects, which remember what to wait on. select: select.c; epoll objects: epoll.c.
 *
 * The registrations are an array of pollfd, in the object's first user value; the second maps a
 * descriptor to its place in the array (from 1), the third a place to the object registered. The
 * fourth keeps a spare array for the next poll(): each call works on a copy, since registrations
 * may change while it waits. */
#include "select.h"
#include "../base/parts.h"
#include "../sys/fd.h"

typedef struct poller {
  const cs_class *cls;
  const cs_state *state;
  bool closed;
  bool holders;       /* there may be objects that hold input themselves */
  unsigned n;         /* registrations */
  unsigned room;      /* of the array */
  struct pollfd *fds; /* the array */
} poller;

static const cs_class poller_class = {"csock.poll"};

enum { ARRAY = 1, PLACES, OBJECTS, SPARE };

#define POLL_DEFAULT_EVENTS (POLLIN | POLLPRI | POLLOUT)

/***
Makes a poll object: `register` once what to wait on, then `poll` as often as need be.
Source: poll(2), Python's `select.poll`.
@function poll
@treturn poll
@usage
local p = csock.poll()
p:register(a, csock.POLLIN)
b:send "x"
print(#p:poll(1000)) --> 1
*/
static int new_poller(lua_State *L) {
  cs_state *state = cs_state_get(L); /* first: it may raise */
  poller *p = (poller *)cs_object_new(L, &poller_class, sizeof *p, SPARE);
  p->state = state;
  lua_newtable(L);
  lua_setiuservalue(L, -2, PLACES);
  lua_newtable(L);
  lua_setiuservalue(L, -2, OBJECTS);
  return 1;
}

static poller *check_poller(lua_State *L) {
  return (poller *)cs_object_check(L, 1, &poller_class);
}

/***
A poll object.
@type poll
*/

/* The place of descriptor `fd`, 0 when it is not registered. */
static unsigned place_of(lua_State *L, int fd) {
  if (lua_getiuservalue(L, 1, PLACES) != LUA_TTABLE) { /* closed */
    lua_pop(L, 1);
    return 0;
  }
  lua_rawgeti(L, -1, fd);
  unsigned place = (unsigned)lua_tointeger(L, -1);
  lua_pop(L, 2);
  return place;
}

/* The place where the very object at index 2 is registered, for one that is closed and has no
   descriptor any more; 0 when it is not. */
static unsigned place_of_object(lua_State *L, const poller *p) {
  unsigned place = p->n;
  lua_getiuservalue(L, 1, OBJECTS);
  for (; place > 0; place--) {
    lua_rawgeti(L, -1, place);
    bool same = lua_rawequal(L, -1, 2);
    lua_pop(L, 1);
    if (same) break;
  }
  lua_pop(L, 1);
  return place;
}

static void poll_set_object(lua_State *L, unsigned place, int object) {
  lua_getiuservalue(L, 1, OBJECTS);
  lua_pushvalue(L, object);
  lua_rawseti(L, -2, place);
  lua_pop(L, 1);
}

static void set_place(lua_State *L, int fd, unsigned place) {
  lua_getiuservalue(L, 1, PLACES);
  if (place == 0)
    lua_pushnil(L);
  else
    lua_pushinteger(L, place);
  lua_rawseti(L, -2, fd);
  lua_pop(L, 1);
}

static void grow_places(lua_State *L, poller *p) {
  unsigned room = p->room == 0 ? 8 : 2 * p->room;
  struct pollfd *fds = (struct pollfd *)lua_newuserdatauv(L, room * sizeof *fds, 0);
  if (p->n > 0) memcpy(fds, p->fds, p->n * sizeof *fds);
  lua_setiuservalue(L, 1, ARRAY);
  p->fds = fds;
  p->room = room;
}

static short poll_check_events(lua_State *L, int arg) {
  return (short)(unsigned short)cs_check_int(L, arg, 0, USHRT_MAX);
}

/***
Adds an object, or changes what is waited for where its descriptor is registered already. The poll
object keeps the object alive.
Source: Python's `poll.register`.
@function poll:register
@param object socket, stream, Lua file, descriptor, or anything with a `fileno` method
@tparam[opt=POLLIN|POLLPRI|POLLOUT] int mask `POLL*`
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EBADF`: the object is closed)
@usage
local p = csock.poll()
assert(p:register(a, csock.POLLIN))
*/
static int poller_register(lua_State *L) {
  poller *p = check_poller(L);
  int fd = cs_check_fd(L, 2);
  short events = lua_isnoneornil(L, 3) ? POLL_DEFAULT_EVENTS : poll_check_events(L, 3);
  if (p->closed) return cs_fail(L, "register", EBADF);
  if (fd < 0) return cs_fail_at(L, "register", EBADF, 2);
  unsigned place = place_of(L, fd);
  if (place == 0) {
    if (p->n == p->room) grow_places(L, p);
    place = p->n + 1;
    poll_set_object(L, place, 2);
    set_place(L, fd, place);
    p->n = place; /* last: whatever raised before has changed nothing that counts */
  } else {
    poll_set_object(L, place, 2);
  }
  p->fds[place - 1] = (struct pollfd){.fd = fd, .events = events};
  if (cs_may_hold_input(L, 2)) p->holders = true;
  return cs_result(L, "register", 0);
}

/* The place of the argument's registration, or 0 and an errno value. */
static unsigned find_ready(lua_State *L, poller *p, int *err) {
  int fd = cs_check_fd(L, 2);
  unsigned place = 0;
  if (!p->closed) place = fd >= 0 ? place_of(L, fd) : place_of_object(L, p);
  *err = p->closed ? EBADF : place == 0 ? ENOENT : 0;
  return place;
}

/***
Changes what is waited for.
Source: Python's `poll.modify`.
@function poll:modify
@param object as registered
@tparam int mask `POLL*`
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`ENOENT`: not registered)
@usage
local p = csock.poll()
p:register(a, csock.POLLIN)
assert(p:modify(a, csock.POLLIN | csock.POLLOUT))
*/
static int poller_modify(lua_State *L) {
  int err;
  poller *p = check_poller(L);
  short events = poll_check_events(L, 3);
  unsigned place = find_ready(L, p, &err);
  if (err != 0) return cs_fail_at(L, "modify", err, 2);
  p->fds[place - 1].events = events;
  return cs_result(L, "modify", 0);
}

/***
Takes an object out. One that was closed meanwhile can be taken out too.
Source: Python's `poll.unregister`.
@function poll:unregister
@param object as registered
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`ENOENT`: not registered)
@usage
local p = csock.poll()
p:register(a)
assert(p:unregister(a))
*/
static int poller_unregister(lua_State *L) {
  int err;
  poller *p = check_poller(L);
  unsigned place = find_ready(L, p, &err);
  if (err != 0) return cs_fail_at(L, "unregister", err, 2);
  struct pollfd *gone = &p->fds[place - 1], *last = &p->fds[p->n - 1];
  set_place(L, gone->fd, 0);
  if (gone != last) { /* the last one takes its place: neither table grows, so nothing raises */
    set_place(L, last->fd, place);
    lua_getiuservalue(L, 1, OBJECTS);
    lua_rawgeti(L, -1, p->n);
    lua_rawseti(L, -2, place);
    *gone = *last;
  }
  lua_getiuservalue(L, 1, OBJECTS);
  lua_pushnil(L);
  lua_rawseti(L, -2, p->n);
  p->n--;
  return cs_result(L, "unregister", 0);
}

/* --- poll --- */

/* Pushes the object that is registered for `fd`; where none is any more, nothing. */
static bool push_polled(lua_State *L, int fd) {
  unsigned place = place_of(L, fd);
  if (place == 0) return false;
  lua_getiuservalue(L, 1, OBJECTS);
  lua_rawgeti(L, -1, place);
  lua_remove(L, -2);
  return true;
}

/* Adds to the events what streams hold already; whether there is any. */
static bool add_input(lua_State *L, struct pollfd *fds, unsigned nfds) {
  bool added = false;
  for (unsigned i = 0; i < nfds; i++) {
    if (!(fds[i].events & POLLIN) || !push_polled(L, fds[i].fd)) continue;
    if (cs_has_input(L, -1)) {
      fds[i].revents |= POLLIN;
      added = true;
    }
    lua_pop(L, 1);
  }
  return added;
}

/* Ends a call with the table on the top, and keeps the call's array for the next one. */
static int end_poll(lua_State *L, cs_op *op) {
  lua_pushvalue(L, op->slot);
  lua_setiuservalue(L, 1, SPARE);
  return 1;
}

static int poll_attempt(lua_State *L, cs_op *op) {
  poller *p = (poller *)lua_touserdata(L, 1);
  bool events = false;
  int err = p->closed ? EBADF : cs_poll_now(op->fds, op->nfds, &events);
  if (err == EINTR) return CS_AGAIN;
  if (err != 0) return cs_fail(L, "poll", err);
  if (op->flags != 0 && add_input(L, op->fds, op->nfds)) events = true;
  if (!events) return CS_ANY;
  lua_Integer n = 0;
  lua_newtable(L);
  for (unsigned i = 0; i < op->nfds; i++) {
    struct pollfd *e = &op->fds[i];
    if (e->revents == 0 || !push_polled(L, e->fd)) continue;
    int fd = cs_select_own_fd(L, -1);
    unsigned bits = (unsigned short)e->revents;
    if (fd == e->fd && (bits & POLLNVAL) && cs_fd_is_open(fd))
      bits &= ~(unsigned)POLLNVAL;                /* another object over it was closed */
    if (fd != -2 && fd != e->fd) bits = POLLNVAL; /* closed: the number is nobody's, or another's */
    if (bits == 0) {
      e->revents = 0;
      lua_pop(L, 1);
      continue;
    }
    cs_push_event(L, e->fd, bits);
    lua_rawseti(L, -2, ++n);
  }
  if (n > 0) return end_poll(L, op);
  lua_pop(L, 1);
  cs_poll_hush(op->fds, op->nfds);
  return CS_ANY;
}

static int poll_fail(lua_State *L, cs_op *op, int err) {
  if (err != ETIMEDOUT && err != EAGAIN) return cs_fail(L, "poll", err);
  lua_newtable(L);
  return end_poll(L, op);
}

/* Pushes an array for `n` descriptors: the spare one, if it is there and large enough. */
static struct pollfd *take_array(lua_State *L, const poller *p) {
  if (lua_getiuservalue(L, 1, SPARE) != LUA_TNIL) {
    lua_pushnil(L);
    lua_setiuservalue(L, 1, SPARE);
    if (lua_rawlen(L, -1) >= p->n * sizeof(struct pollfd))
      return (struct pollfd *)lua_touserdata(L, -1);
  }
  lua_pop(L, 1);
  return (struct pollfd *)lua_newuserdatauv(L, p->room * sizeof(struct pollfd), 0);
}

static int64_t check_milliseconds(lua_State *L, int arg) {
  int64_t ns = 0;
  if (lua_isnoneornil(L, arg)) return CS_FOREVER;
  lua_Number ms = luaL_checknumber(L, arg);
  if (ms < 0) return CS_FOREVER;
  luaL_argcheck(L, cs_clock_from_seconds(ms / 1000, &ns) == 0, arg, "milliseconds expected");
  return ns;
}

/***
Waits until something that is registered has an event. A stream (or an object with a method `dirty`,
LuaSocket's) that holds input counts as readable. A socket that was closed without `unregister`
gives `POLLNVAL`. Source: poll(2), Python's `poll.poll`.
@function poll:poll
@tparam[opt] number ms milliseconds (rounded up); nil or negative: for as long as it takes
@treturn[1] table a sequence of `{fd, event, object}`, also by these names: the descriptor, the
`POLL*` bits, and the object that was registered; empty when the time is over
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno
@usage
local p = csock.poll()
p:register(a, csock.POLLIN)
b:send "hello"
for _, ready in ipairs(assert(p:poll(1000))) do
  if ready.event & csock.POLLIN ~= 0 then print(ready.object:recv(1024)) end --> hello
end
*/
static int poller_poll(lua_State *L) {
  cs_op op;
  poller *p = check_poller(L);
  int64_t timeout = check_milliseconds(L, 2);
  if (p->closed) return cs_fail(L, "poll", EBADF);
  lua_settop(L, 2);
  cs_op_init(&op, "poll", poll_attempt, NULL, timeout);
  op.fail = poll_fail;
  op.fds = take_array(L, p);
  op.slot = op.owner = lua_gettop(L);
  op.nfds = p->n;
  if (p->n > 0) memcpy(op.fds, p->fds, p->n * sizeof *op.fds); /* all revents are 0 there */
  if ((p->holders || p->state->transports > 0) && add_input(L, op.fds, op.nfds)) {
    op.timeout = 0;
    op.flags = 1; /* to be added again, after poll(2) has said what else there is */
    for (unsigned i = 0; i < op.nfds; i++) op.fds[i].revents = 0;
  }
  return cs_drive(L, &op);
}

/***
Forgets all registrations; later calls give `EBADF`. There is nothing that must be closed: the
collector does as well.
@function poll:close
@treturn boolean true
@usage csock.poll():close()
*/
static int poller_close(lua_State *L) {
  poller *p = check_poller(L);
  p->closed = true;
  p->n = 0;
  for (int i = ARRAY; i <= SPARE; i++) {
    lua_pushnil(L);
    lua_setiuservalue(L, 1, i);
  }
  return cs_result(L, "close", 0);
}

static int poller_tostring(lua_State *L) {
  const poller *p = check_poller(L);
  if (p->closed)
    lua_pushliteral(L, "<csock.poll [closed]>");
  else
    lua_pushfstring(L, "<csock.poll registered=%d>", (int)p->n);
  return 1;
}

static const luaL_Reg poller_methods[] = {
    {"close", poller_close},       {"modify", poller_modify},         {"poll", poller_poll},
    {"register", poller_register}, {"unregister", poller_unregister}, {NULL, NULL},
};

static const luaL_Reg poller_meta[] = {
    {"__close", poller_close},
    {"__tostring", poller_tostring},
    {NULL, NULL},
};

static const luaL_Reg poll_functions[] = {{"poll", new_poller}, {NULL, NULL}};

void cs_open_poll(lua_State *L) {
  cs_class_make(L, &poller_class, poller_methods, poller_meta);
  cs_setfuncs(L, poll_functions);
}
