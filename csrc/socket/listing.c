/* listing.c: what a program can learn of its sockets: csock.debug, csock.sockets, csock.counters;
   and which of the open ones an error is about. */
#include "ledger.h"
#include "transport.h"
#include "../base/parts.h"
#include "../name/address.h"
#include "../sys/sockinfo.h"

static const char *kind_of(const cs_sock *s) {
  switch (s->family) {
  case AF_INET:
  case AF_INET6:
    return s->type == SOCK_STREAM ? "tcp" : s->type == SOCK_DGRAM ? "udp" : "raw";
  case AF_UNIX:
    return "unix";
#ifdef AF_NETLINK
  case AF_NETLINK:
    return "netlink";
  case AF_PACKET:
    return "packet";
#endif
#ifdef AF_VSOCK
  case AF_VSOCK:
    return "vsock";
#endif
  default:
    return "other";
  }
}

/* Sets the field of the row on the top to the address of the socket or its peer, unless that is
   none. */
static void set_address(lua_State *L, const cs_sock *s, const char *field, bool peer) {
  cs_sockaddr addr;
  socklen_t len = sizeof addr;
  memset(&addr, 0, sizeof addr);
  if (cs_sock_name(s, peer, &addr, &len) != 0) return;
  cs_address_push(L, &addr.any, len, s->proto);
  if (lua_type(L, -1) == LUA_TSTRING && lua_rawlen(L, -1) == 0) /* an unnamed Unix socket */
    lua_pop(L, 1);
  else
    lua_setfield(L, -2, field);
}

/* In the place of the socket on the top: the row that tells of it. */
static void describe_sock(lua_State *L) {
  const cs_sock *s = (const cs_sock *)lua_touserdata(L, -1);
  cs_sockinfo info;
  cs_sockinfo_read(s->w.fd, &info);
  lua_createtable(L, 0, 16);
  lua_insert(L, -2);
  lua_setfield(L, -2, "socket");
  cs_set_int(L, "id", s->id);
  cs_set_int(L, "fd", s->w.fd);
  cs_ledger_push_notes(L, s->id);
  lua_getfield(L, -1, "made");
  lua_setfield(L, -3, "made");
  lua_getfield(L, -1, "since");
  lua_setfield(L, -3, "since");
  lua_pop(L, 1);
  cs_set_string(L, "kind", kind_of(s));
  cs_set_string(L, "state", info.state);
  set_address(L, s, "laddr", false);
  set_address(L, s, "raddr", true);
  cs_set_int(L, "received", (lua_Integer)s->received);
  cs_set_int(L, "sent", (lua_Integer)s->sent);
  if (s->transport != NULL) cs_set_string(L, "transport", s->transport->ops->name);
  if (info.readable >= 0) cs_set_int(L, "readable", info.readable);
  if (info.unsent >= 0) cs_set_int(L, "unsent", info.unsent);
}

/* Whether the socket has the address at `idx`: one of the internet, or a Unix socket's name. */
static bool has_address(lua_State *L, const cs_sock *s, int idx) {
  cs_sockaddr addr;
  socklen_t len = sizeof addr;
  memset(&addr, 0, sizeof addr);
  if (cs_sock_name(s, false, &addr, &len) != 0) return false;
  const cs_address *wanted = cs_address_test(L, idx);
  if (wanted != NULL) return cs_sockinfo_clash(&wanted->sa, &addr.any);
  cs_address_push(L, &addr.any, len, s->proto);
  bool same = lua_rawequal(L, idx, -1);
  lua_pop(L, 1);
  return same;
}

/* Which sockets are to be listed; zero: all. */
typedef struct choice {
  int address;         /* a stack index: those that have it, are of the same type as `self`, */
  const cs_sock *self; /* ... and are not that one, which may be NULL */
  int wanted;          /* a stack index: those for which this function returns true */
} choice;

/* Whether the open socket on the top is to be listed. */
static bool is_chosen(lua_State *L, const choice *c) {
  const cs_sock *s = (const cs_sock *)lua_touserdata(L, -1);
  if (c->address != 0)
    return s != c->self && (c->self == NULL || s->type == c->self->type) &&
           has_address(L, s, c->address);
  if (c->wanted == 0) return true;
  lua_pushvalue(L, c->wanted);
  lua_pushinteger(L, s->id);
  lua_pushinteger(L, (lua_Integer)s->received);
  lua_pushinteger(L, (lua_Integer)s->sent);
  lua_call(L, 3, 1);
  bool chosen = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return chosen && s->w.fd >= 0; /* it may have closed it */
}

/* Pushes a sequence of the rows of those that are open and chosen. */
static lua_Integer push_rows(lua_State *L, const choice *c) {
  lua_Integer n = 0;
  luaL_checkstack(L, 14, NULL);
  size_t count;
  const unsigned *ids = cs_ledger_push_ids(L, &count);
  lua_newtable(L);
  lua_insert(L, -2);
  cs_ledger_push_sockets(L);
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, -1, ids[i]);
    const cs_sock *s = (const cs_sock *)lua_touserdata(L, -1);
    if (s == NULL || s->w.fd < 0 || !is_chosen(L, c)) {
      lua_pop(L, 1);
      continue;
    }
    describe_sock(L);
    lua_rawseti(L, -4, ++n);
  }
  lua_pop(L, 2);
  return n;
}

/* The state's `holders`: out of descriptors, whoever has some; the address in use, who has that. */
static bool find_holders(lua_State *L, int err, int address) {
  bool of_address = err == EADDRINUSE;
  if (of_address && address == 0) return false;
  if (address != 0) address = lua_absindex(L, address);
  choice c = {.address = of_address ? address : 0};
  c.self = (const cs_sock *)cs_object_test(L, 1, &cs_sock_class); /* whose method has failed */
  if (push_rows(L, &c) > 0) return true;
  lua_pop(L, 1);
  return false;
}

/***
Switches the list of sockets on or off (see `sockets`): while it is on, each socket that is made is
listed, and remembers where. What has been listed stays so until it is closed.

With it, errors tell who has taken what is missing. When descriptors run out (`EMFILE`, `ENFILE`),
and when an address is in use (`EADDRINUSE`) by a socket of this process, the error has the rows of
these sockets in its field `holders`, and a further line of its text says where they were made. And
what is still open when the state is closed, at the end of the program, is listed on standard error:
`csock: still open: <csock.socket ...>, made at server.lua:12`.
@function debug
@tparam ?boolean on without it nothing changes
@treturn boolean how it was before
@usage
csock.debug(true)
local s <close> = assert(csock.socket())
print(#csock.sockets()) --> 1
csock.debug(false)
*/
static int csock_debug(lua_State *L) {
  cs_state *state = cs_state_get(L);
  bool before = state->debug;
  if (!lua_isnoneornil(L, 1)) state->debug = lua_toboolean(L, 1);
  state->holders = state->debug ? find_holders : NULL;
  lua_pushboolean(L, before);
  return 1;
}

/***
The open sockets that were made while `debug` was on, in the order in which they were made. One that
is closed is among them as long as streams over it keep its descriptor.
Source: ss(8).
@function sockets
@tparam ?function wanted called for each with its id and the bytes that it has received and sent:
only those are listed for which it returns true. A row costs some calls to the system, this does not
@treturn {table,...} of each: `socket`; `id`, a small number of its own; `fd`; `made`, the line of
the program in which it was made (`"server.lua:12"`; of an accepted connection that csock itself has
accepted, its listener's), and `since` (a time as `now` gives it); `kind` ("tcp", "udp", "raw",
"unix", "netlink", "packet", "vsock", "other"); `state`: "listening", "connecting", "connected",
"ended" (the peer has), "closing" (this side has), or "open"; `laddr` and `raddr`, the addresses of
both ends (nil: none); `received` and `sent`, bytes, as `counters` gives them; `transport` ("tls";
nil: none); and as far as the system tells, `readable` and `unsent`: bytes that wait in its queues,
and of a listener, how many connections wait to be accepted, and how many may
@usage
csock.debug(true)
local s <close> = assert(csock.socket())
for _, row in ipairs(csock.sockets()) do print(row.kind, row.state) end --> tcp open
*/
static int csock_sockets(lua_State *L) {
  choice c = {0};
  lua_settop(L, 1);
  if (!lua_isnil(L, 1)) {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    c.wanted = 1;
  }
  push_rows(L, &c);
  return 1;
}

/***
What all sockets of this program together have done so far, also those that are closed, and whether
`debug` is on or not.
Source: csock's own.
@function counters
@treturn int bytes received
@treturn int bytes sent
@treturn int connections accepted
@usage
local _, sent = csock.counters()
a:send "hello"
print(select(2, csock.counters()) - sent) --> 5
*/
static int csock_counters(lua_State *L) {
  const cs_state *state = cs_state_get(L);
  lua_pushinteger(L, (lua_Integer)state->received);
  lua_pushinteger(L, (lua_Integer)state->sent);
  lua_pushinteger(L, (lua_Integer)state->accepted);
  return 3;
}

static const luaL_Reg listing_functions[] = {
    {"counters", csock_counters}, {"debug", csock_debug}, {"sockets", csock_sockets}, {NULL, NULL}};

void cs_open_sockets(lua_State *L) {
  cs_setfuncs(L, listing_functions);
}
