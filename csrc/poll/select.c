/* select.c: select, built on poll(2): any descriptor number will do. Objects that remember what to
   wait on: poll.c, epoll.c. */
#include "select.h"
#include "../base/parts.h"
#include "../sys/fd.h"
#include "../stream/stream.h"

/* --- shared with poll.c --- */

int cs_select_own_fd(lua_State *L, int idx) {
  bool buffered;
  const cs_sock *s = (const cs_sock *)cs_object_test(L, idx, &cs_sock_class);
  return s != NULL ? cs_sock_fd(s) : cs_stream_fd(L, idx, &buffered);
}

bool cs_may_hold_input(lua_State *L, int idx) {
  switch (lua_type(L, idx)) {
  case LUA_TTABLE:
    return true;
  case LUA_TUSERDATA: {
    const cs_sock *s = (const cs_sock *)cs_object_test(L, idx, &cs_sock_class);
    return s != NULL ? s->transport != NULL : luaL_testudata(L, idx, LUA_FILEHANDLE) == NULL;
  }
  default:
    return false;
  }
}

bool cs_has_input(lua_State *L, int idx) {
  if (!cs_may_hold_input(L, idx)) return false;
  bool has = false;
  const cs_sock *s = (const cs_sock *)cs_object_test(L, idx, &cs_sock_class);
  if (s != NULL) return cs_transport_has_input(&s->w);
  if (cs_stream_fd(L, idx, &has) != -2) return has;
  int top = lua_gettop(L);
  idx = lua_absindex(L, idx);
  luaL_checkstack(L, 4, NULL);
  if (lua_getfield(L, idx, "dirty") == LUA_TFUNCTION) {
    lua_pushvalue(L, idx);
    lua_call(L, 1, 1);
    has = lua_toboolean(L, -1);
  }
  lua_settop(L, top);
  return has;
}

void cs_push_event(lua_State *L, int fd, unsigned event) {
  lua_createtable(L, 3, 3);
  lua_pushinteger(L, fd);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "fd");
  lua_rawseti(L, -2, 1);
  lua_pushinteger(L, event);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "event");
  lua_rawseti(L, -2, 2);
  lua_pushvalue(L, -2);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "object");
  lua_rawseti(L, -2, 3);
  lua_replace(L, -2);
}

static bool any_event(const struct pollfd *fds, unsigned nfds) {
  for (unsigned i = 0; i < nfds; i++)
    if (fds[i].revents != 0) return true;
  return false;
}

int cs_poll_now(struct pollfd *fds, unsigned nfds, bool *events) {
  *events = any_event(fds, nfds);
  if (*events) return 0;
  int n = poll(fds, (nfds_t)nfds, 0);
  *events = n > 0;
  return n < 0 ? errno : 0;
}

void cs_poll_hush(struct pollfd *fds, unsigned nfds) {
  for (unsigned i = 0; i < nfds; i++)
    if (fds[i].revents != 0) {
      fds[i].fd = ~fds[i].fd; /* poll(2) passes over negative ones */
      fds[i].revents = 0;
    }
}

/* --- select --- */

/* What each list asks for, and which events mean that it got it (Linux's select(2), and so
   Python's, has the same table). */
static const short wanted[] = {POLLIN, POLLOUT, POLLPRI};
static const short granted[] = {POLLIN | POLLHUP | POLLERR, POLLOUT | POLLERR, POLLPRI};

#define LISTS 3

typedef struct item {
  unsigned at; /* the descriptor's place in `fds` */
  bool ready;  /* whatever the kernel says: the object holds input */
} item;

/* A call in progress. The objects themselves are on the stack, from `base` on, in the lists'
   order. */
typedef struct selection {
  int base;
  unsigned count[LISTS];
  bool ready; /* one of the items is */
  item *items;
  unsigned nfds;
  struct pollfd fds[];
} selection;

/* Each descriptor stands in `fds` once, however often the lists have it: poll(2) refuses more
   entries than the process may have descriptors. `places` is a table hashed by the number, of size
   `mask` + 1; an entry is a place + 1. */
static unsigned select_place(selection *s, unsigned *places, unsigned mask, int fd) {
  unsigned i = (unsigned)fd & mask; /* neighbours in number are neighbours in the table */
  while (places[i] != 0 && s->fds[places[i] - 1].fd != fd) i = (i + 1) & mask;
  if (places[i] == 0) {
    s->fds[s->nfds].fd = fd;
    places[i] = ++s->nfds;
  }
  return places[i] - 1;
}

/* Pushes the results: for each list those of its objects that are ready. */
static int push_ready(lua_State *L, const selection *s) {
  unsigned i = 0;
  for (int list = 0; list < LISTS; list++) {
    lua_Integer n = 0;
    lua_newtable(L);
    for (unsigned end = i + s->count[list]; i < end; i++) {
      if (!s->items[i].ready && !(s->fds[s->items[i].at].revents & granted[list])) continue;
      lua_pushvalue(L, s->base + (int)i);
      lua_rawseti(L, -2, ++n);
    }
  }
  return LISTS;
}

static bool any_granted(const selection *s) {
  unsigned i = 0;
  for (int list = 0; list < LISTS; list++)
    for (unsigned end = i + s->count[list]; i < end; i++)
      if (s->fds[s->items[i].at].revents & granted[list]) return true;
  return false;
}

static int select_attempt(lua_State *L, cs_op *op) {
  selection *s = (selection *)op->ptr;
  bool events;
  int err = cs_poll_now(s->fds, s->nfds, &events);
  if (err == EINTR) return CS_AGAIN;
  if (err != 0) return cs_fail(L, "select", err);
  unsigned total = s->count[0] + s->count[1] + s->count[2];
  bool closed = false;
  for (unsigned i = 0; events && i < total; i++) {
    const struct pollfd *p = &s->fds[s->items[i].at];
    if (!(p->revents & POLLNVAL)) continue;
    closed = true;
    /* It may be another one over the same descriptor that was closed: the socket, not this stream.
     */
    if (cs_select_own_fd(L, s->base + (int)i) != p->fd || !cs_fd_is_open(p->fd))
      return cs_fail_at(L, "select", EBADF, s->base + (int)i);
  }
  if (closed) {
    for (unsigned i = 0; i < s->nfds; i++) s->fds[i].revents = 0;
    return CS_AGAIN;
  }
  if (s->ready || (events && any_granted(s))) return push_ready(L, s);
  if (events) cs_poll_hush(s->fds, s->nfds);
  return CS_ANY;
}

static int select_fail(lua_State *L, cs_op *op, int err) {
  (void)op;
  if (err != ETIMEDOUT && err != EAGAIN) return cs_fail(L, "select", err);
  for (int list = 0; list < LISTS; list++) lua_newtable(L);
  return LISTS;
}

/***
Waits until one of the objects is ready. Each list is a sequence of sockets, streams, Lua files,
descriptor numbers, or objects with a `fileno` method; nil is an empty one. A descriptor may have
any number. A stream, or an object with a method `dirty` (LuaSocket's), that holds input already
counts as readable; what Lua's own files have in their buffers is not known. Source: Python's
`select.select`, over poll(2).
@function select
@tparam ?table rlist wait until readable: there is data, the end, an error, or a connection to
accept
@tparam ?table wlist wait until writable: there is room, or an error
@tparam ?table xlist wait for an exceptional condition (out-of-band data)
@tparam[opt] number timeout seconds, 0 or more; nil: for as long as it takes
@treturn[1] table those of `rlist` that are readable
@treturn[1] table those of `wlist` that are writable
@treturn[1] table those of `xlist` that are exceptional; all three are empty when the time is over
@treturn[2] nil
@treturn[2] error names the object (also as `address`) when it is closed
@treturn[2] int errno (`EBADF` ...)
@usage
b:send "hello"
local readable = assert(csock.select({a, s}, nil, nil, 5))
for _, object in ipairs(readable) do print(object:recv(100)) end --> hello
*/
static int socket_select(lua_State *L) {
  cs_op op;
  lua_Integer count[LISTS], total = 0;
  int64_t timeout = cs_check_timeout(L, LISTS + 1);
  lua_settop(L, LISTS + 1);
  for (int list = 0; list < LISTS; list++) {
    bool none = lua_isnil(L, list + 1);
    if (!none) luaL_checktype(L, list + 1, LUA_TTABLE);
    count[list] = none ? 0 : luaL_len(L, list + 1);
    luaL_argcheck(L, count[list] >= 0 && count[list] < INT_MAX / 16, list + 1, "too many objects");
    total += count[list];
  }
  luaL_checkstack(L, (int)total + LUA_MINSTACK, "too many objects");
  unsigned mask = 7;
  while (mask < 2 * total) mask = 2 * mask + 1;

  size_t fds_size = (size_t)total * sizeof(struct pollfd);
  size_t items_size = (size_t)total * sizeof(item);
  size_t size = sizeof(selection) + fds_size + items_size + (mask + 1) * sizeof(unsigned);
  selection *s = (selection *)lua_newuserdatauv(L, size, 0);
  memset(s, 0, size);
  s->items = (item *)((char *)s->fds + fds_size);
  unsigned *places = (unsigned *)((char *)s->items + items_size);
  s->base = lua_gettop(L) + 1;

  item *it = s->items;
  for (int list = 0; list < LISTS; list++) {
    s->count[list] = (unsigned)count[list];
    for (lua_Integer i = 1; i <= count[list]; i++, it++) {
      lua_geti(L, list + 1, i);
      int fd = cs_select_own_fd(L, -1);
      if (fd == -2) fd = cs_item_fd(L, list + 1, i);
      if (fd < 0) return cs_fail_at(L, "select", EBADF, -1);
      it->at = select_place(s, places, mask, fd);
      s->fds[it->at].events |= wanted[list];
      if (list == 0 && cs_has_input(L, -1)) s->ready = it->ready = true;
    }
  }
  cs_op_init(&op, "select", select_attempt, NULL, s->ready ? 0 : timeout);
  op.fail = select_fail;
  op.ptr = s;
  op.fds = s->fds;
  op.nfds = s->nfds;
  op.owner = s->base - 1;
  return cs_drive(L, &op);
}

static const luaL_Reg select_functions[] = {{"select", socket_select}, {NULL, NULL}};

void cs_open_select(lua_State *L) {
  cs_setfuncs(L, select_functions);
}
