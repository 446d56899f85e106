/* hub.c: one task that serves many sockets, for csock.reactor.
 *
 * A task for each connection costs its coroutine. The hub costs 32 bytes in the watched
 * descriptor and a place in a table: those that the poller reported are put in a list, and the one
 * task that waits for the hub is woken, which serves them in order. It works like an epoll object
 * in the loop's own: what is still ready after that is listed again, and so has its turn when the
 * others have had theirs.
 *
 * Most messages are served here and in out.c alone: what has come is given to the
 * object's protocol, and what that has written is sent. All else the task is told of (`serve`).
 *
 * A closed descriptor leaves the list by itself; its object stays until `remove`.
 */
#include "out.h"
#include "../loop/loop.h"
#include "../name/address.h"
#include "../wait/driver.h"
#include "../base/parts.h"
#include "../socket/transport.h"
#include "../wait/unpark.h"

/* The functions' upvalues: the table of objects, by the descriptors' `object`; names; the state's
 * record. */
#define HUB_OBJECTS       lua_upvalueindex(1)
#define PROTOCOL          lua_upvalueindex(2)
#define DATA_RECEIVED     lua_upvalueindex(3)
#define DATAGRAM_RECEIVED lua_upvalueindex(4)

#define STATE lua_upvalueindex(5)

#define MOST 64 /* datagrams that one socket may receive before the others have a turn */

static cs_loop *hub_loop(lua_State *L) {
  cs_loop *loop = ((const cs_state *)lua_touserdata(L, STATE))->loop;
  return loop != NULL && *loop->here != 0 ? loop : cs_loop_get(L);
}

/* --- for the loop --- */

static void event(cs_loop *loop, cs_watched *w) {
  cs_due_notice(loop, w);
}

static void renewed(cs_loop *loop, cs_watched *w) {
  cs_due_leave(loop->hub, w);
}

/* Out of the list; nothing is sent any more. */
static void hub_forget(cs_loop *loop, cs_watched *w) {
  if (loop->hub->served == w) loop->hub->served = NULL;
  cs_due_leave(loop->hub, w);
  cs_out_drop(loop->hub, w);
}

static void forked(cs_loop *loop) {
  cs_hub *hub = loop->hub;
  while (hub->due.last != NULL) cs_due_take(hub);
  *hub = (cs_hub){.spares = hub->spares, .nspares = hub->nspares};
}

static void closed(cs_loop *loop) {
  while (loop->hub->due.last != NULL) cs_due_take(loop->hub);
  loop->hub->turn = 0;
  loop->hub->served = NULL;
  cs_out_free_spares(loop->hub);
}

static const cs_listener listener = {.event = event,
                                     .wants = cs_due_wants,
                                     .renewed = renewed,
                                     .forget = hub_forget,
                                     .forked = forked,
                                     .closed = closed};

/* --- what is served --- */

/* The flags in `which` become those in `wanted`. A new connection's first bytes have often come
   with it, and be it that they are answered and all is over: so there is one try to receive before
   the poller is told of it. */
static int hub_watch(lua_State *L, unsigned which, unsigned wanted) {
  cs_loop *loop = hub_loop(L);
  cs_sock *s = cs_sock_check(L, 1);
  cs_watched *w = &s->w;
  if (lua_isnoneornil(L, 2)) return luaL_argerror(L, 2, "object expected");
  if (w->fd < 0 || cs_sock_closed(s)) return cs_fail(L, "watch", EBADF);
  bool first = w->object == 0, tried = false;
  if (!cs_is_watched(loop, w)) {
    tried = first && (wanted & CS_W_HUB_READ) && (which & CS_W_HUB_BYTES);
    bool under_way = w->due.next != NULL || w == loop->hub->served;
    int err = tried || under_way ? 0 : cs_watched_add(loop, w);
    if (err != 0) return cs_fail(L, "watch", err);
  }
  lua_pushvalue(L, 2);
  if (first) {
    w->object = luaL_ref(L, HUB_OBJECTS);
    loop->asking++;
    if (which & CS_W_HUB_BYTES) w->flags |= CS_W_HUB_SEND;
  } else {
    lua_rawseti(L, HUB_OBJECTS, w->object);
  }
  w->flags = (w->flags & ~which) | wanted;
  if (tried) w->flags |= CS_W_READ;
  if (cs_is_watched(loop, w)) cs_watched_tell(loop, w);
  cs_due_notice(loop, w);
  if (tried && loop->hub->served != NULL) loop->hub->turn++; /* the same turn */
  return cs_result(L, "watch", 0);
}

/* add(socket, object, reading, writing): from now on, `serve` gives the object when the socket can
   be read from, or written to. Again for the same socket: changes what is asked for. */
static int hub_add(lua_State *L) {
  unsigned wanted = 0;
  if (lua_toboolean(L, 3)) wanted |= CS_W_HUB_READ;
  if (lua_toboolean(L, 4)) wanted |= CS_W_HUB_WRITE;
  return hub_watch(L, CS_W_HUB_READ | CS_W_HUB_WRITE, wanted);
}

/* connect(socket, object, reading): from now on, what comes goes to the object's `protocol`: a
   stream's bytes to dataReceived(data), a datagram to datagramReceived(data, address), cut to the
   object's `size`; and what is written to a stream is sent. Again: changes `reading`. */
static int hub_connect(lua_State *L) {
  return hub_watch(L, CS_W_HUB_READ | CS_W_HUB_BYTES,
                   CS_W_HUB_BYTES | (lua_toboolean(L, 3) ? CS_W_HUB_READ : 0));
}

/* remove(socket): nothing is done any more, what is not sent yet is dropped, and the object is let
   go. */
static int hub_remove(lua_State *L) {
  cs_loop *loop = hub_loop(L);
  cs_watched *w = &cs_sock_check(L, 1)->w;
  hub_forget(loop, w);
  w->flags &= ~(CS_W_HUB_READ | CS_W_HUB_WRITE | CS_W_HUB_BYTES | CS_W_HUB_SEND | CS_W_HUB_TELL |
                CS_W_HUB_SENT);
  if (w->object != 0) {
    luaL_unref(L, HUB_OBJECTS, w->object);
    loop->asking--;
  }
  w->object = 0;
  if (cs_is_watched(loop, w)) cs_watched_tell(loop, w);
  return 0;
}

/* --- serving --- */

/* The object is at 1; these push what `serve` gives besides. */

static int tell_broken(lua_State *L, const cs_watched *w, const char *call, int err) {
  lua_settop(L, 1);
  lua_pushliteral(L, "broken");
  cs_transport_fail(L, cs_sock_of(w), call, err);
  lua_remove(L, -3); /* its nil */
  return 4;
}

static bool has_failed(const cs_watched *w) {
  return w->out != NULL && w->out->failed != 0;
}

static int tell_failed(lua_State *L, cs_loop *loop, cs_watched *w) {
  int err = w->out->failed;
  cs_out_drop(loop->hub, w);
  return tell_broken(L, w, "send", err);
}

static int tell(lua_State *L, const char *what) {
  lua_settop(L, 1);
  lua_pushstring(L, what);
  return 2;
}

/* Does what is to be done for a descriptor besides receiving. The number of results that it pushed,
   when the object is to be told. */
static int serve_events(lua_State *L, cs_loop *loop, cs_watched *w) {
  unsigned due = cs_due(w);
  if (due == 0) return 0; /* somebody has read it meanwhile */
  if (!(w->flags & CS_W_HUB_BYTES)) {
    tell(L, "ready");
    lua_pushboolean(L, (due & CS_READ) != 0);
    lua_pushboolean(L, (due & CS_WRITE) != 0);
    return 4;
  }
  bool parted = w->out != NULL && w->out->parted;
  if (due & CS_WRITE) cs_out_send(loop, w);
  if (has_failed(w)) {
    if (parted || !(w->flags & CS_W_HUB_READ) || cs_sock_of(w)->type != SOCK_STREAM)
      return tell_failed(L, loop, w);
    /* What the peer sent before it broke is still to be had. */
    w->flags = (w->flags | CS_W_READ) & ~CS_W_READ_OUT;
  }
  if (w->out == NULL && (w->flags & CS_W_HUB_SENT)) {
    w->flags &= ~CS_W_HUB_SENT;
    return tell(L, "sent");
  }
  return parted ? tell(L, "ready") : 0;
}

/* Where what comes goes, *room bytes of it: the scratch, unless the object's `size` is larger, as
   it may be for AF_UNIX alone; then a block of its own, which it pushes. */
static char *room_for(lua_State *L, const cs_watched *w, size_t *room) {
  const cs_sock *s = cs_sock_of(w);
  *room = CS_SCRATCH;
  if (s->type == SOCK_STREAM) return w->state->scratch;
  lua_getfield(L, 1, "size");
  lua_Unsigned size = (lua_Unsigned)lua_tointeger(L, -1);
  lua_pop(L, 1);
  if (size < CS_SCRATCH || s->family == AF_UNIX) *room = (size_t)size;
  return *room <= CS_SCRATCH ? w->state->scratch : (char *)lua_newuserdatauv(L, *room, 0);
}

/* Pushes the protocol's method for what has come, and its arguments: *nargs of them. Or returns the
   number of results when the object is to be told; when nothing has come, *nargs is 0. */
static int hub_receive(lua_State *L, cs_loop *loop, cs_watched *w, int *nargs) {
  cs_sender from;
  cs_sock *s = cs_sock_of(w);
  bool stream = s->type == SOCK_STREAM;
  size_t got = 0, room;
  char *data = room_for(L, w, &room);
  *nargs = 0;
  int err = cs_sock_read(s, data, room, 0, stream ? NULL : &from, &got);
  if (stream && got == 0 && has_failed(w)) return tell_failed(L, loop, w);
  if (err > 0) return tell_broken(L, w, stream ? "recv" : "recvfrom", err);
  if (err < 0) return 0;
  if (stream && got == 0) return tell(L, "finished");
  lua_pushlstring(L, data, got);
  if (data != w->state->scratch) lua_remove(L, 2);
  lua_pushvalue(L, PROTOCOL);
  lua_rawget(L, 1);
  lua_insert(L, 2);
  lua_pushvalue(L, stream ? DATA_RECEIVED : DATAGRAM_RECEIVED);
  lua_gettable(L, 2);
  lua_insert(L, 2);
  *nargs = 2;
  if (!stream) {
    cs_address_push(L, &from.addr.any, from.len, s->proto);
    *nargs = 3;
  }
  return 0;
}

/* What a served one has written goes now, unless it is to go at the turn's end with what others
   have written. */
static void send_written(cs_loop *loop, cs_watched *w) {
  if (w->out != NULL && w->out->end.link.next == NULL && w->out->failed == 0 && !w->out->stopped &&
      !(w->flags & CS_W_HUB_WRITE))
    cs_out_send(loop, w);
}

/* In the poller from now on, if it was not. What fails is told as what is broken. */
static void keep_watched(cs_loop *loop, cs_watched *w) {
  if (cs_is_watched(loop, w)) return;
  int err = cs_watched_add(loop, w);
  if (err == 0) return;
  if (w->out == NULL) cs_out_make(loop->hub, w);
  if (w->out != NULL) w->out->failed = err;
}

static void end_service(cs_loop *loop) {
  cs_watched *w = loop->hub->served;
  if (w == NULL) return;
  send_written(loop, w);
  keep_watched(loop, w);
  loop->hub->served = NULL;
  if (cs_due(w) != 0)
    cs_due_enter(loop->hub, w);
  else
    cs_watched_tell(loop, w);
}

/* Whether the one whose protocol was told something is to be served on: it has something to see to
   at once, or another datagram. */
static bool goes_on(cs_loop *loop) {
  cs_watched *w = loop->hub->served;
  if (w == NULL) return false;
  send_written(loop, w);
  unsigned due = cs_due(w);
  if ((due & CS_READ) && has_failed(w)) return false; /* there may be much to receive */
  return (due & CS_HANGUP) ||
         ((due & CS_READ) && cs_sock_of(w)->type != SOCK_STREAM && --loop->hub->left > 0);
}

static int serve_on(lua_State *L, int status, lua_KContext context);

static int serve(lua_State *L, cs_loop *loop, bool told) {
  cs_hub *hub = loop->hub;
  for (;;) {
    if (!told || !goes_on(loop)) {
      bool late = hub->served != NULL && cs_loop_late(loop); /* but one is served in any case */
      end_service(loop);
      if (hub->turn == 0 || late) return 0;
      hub->turn--;
      hub->served = cs_due_take(hub);
      hub->left = MOST;
    }
    cs_watched *w = hub->served;
    int nargs = 0, n;
    told = false;
    loop->budget = cs_loop_budget(loop); /* each is served for so long as a task */
    lua_settop(L, 0);
    lua_rawgeti(L, HUB_OBJECTS, w->object);
    n = serve_events(L, loop, w);
    if (n == 0 && (w->flags & CS_W_HUB_BYTES) && (cs_due(w) & CS_READ))
      n = hub_receive(L, loop, w, &nargs);
    if (n > 0) return n;
    if (nargs == 0) continue;
    lua_callk(L, nargs, 0, (lua_KContext)loop, serve_on);
    told = true;
  }
}

static int serve_on(lua_State *L, int status, lua_KContext context) {
  (void)status;
  return serve(L, (cs_loop *)context, true);
}

/* serve(): serves the sockets of this turn, until there is something to tell an object of, by one
   of its methods: object, its name, arguments. nil when all have been served. The methods are
   ready(readable, writable), after `add`; ready(), after `part`; finished(): the stream is at its
   end; broken(error, errno); sent(): see `tell`. */
static int hub_serve(lua_State *L) {
  return serve(L, hub_loop(L), false);
}

/* served(): the object that is being served: whose protocol, or method, has raised an error. */
static int hub_served(lua_State *L) {
  const cs_watched *w = hub_loop(L)->hub->served;
  if (w == NULL) return 0;
  lua_rawgeti(L, HUB_OBJECTS, w->object);
  return 1;
}

/* --- waiting --- */

static int hub_wait_attempt(lua_State *L, cs_op *op) {
  cs_hub *hub = (cs_hub *)((char *)op->ptr - offsetof(cs_hub, waiters));
  (void)L;
  if (op->done++ == 0) return op->mark == 0 || hub->count > 0 ? CS_YIELD : CS_AWAIT;
  hub->turn = hub->count;
  return 0;
}

static int wait_over(lua_State *L, cs_op *op, int err) {
  if (err != ETIMEDOUT) return cs_fail(L, op->call, err);
  return hub_wait_attempt(L, op);
}

/* wait([timeout]): until an object is ready, time is out, or `wake`; at least for a turn of the
   loop. Called by a task, and by one at a time. */
static int hub_wait(lua_State *L) {
  cs_op op;
  int64_t timeout = cs_check_timeout(L, 1);
  cs_loop *loop = hub_loop(L);
  if (loop->current == NULL) return luaL_error(L, "the hub is waited for outside a task");
  cs_op_init(&op, "wait", hub_wait_attempt, NULL, timeout == 0 ? CS_FOREVER : timeout);
  op.mark = timeout != 0;
  op.ptr = &loop->hub->waiters;
  op.fail = wait_over;
  return cs_drive(L, &op);
}

/* wake(): whoever waits goes on. */
static int hub_wake(lua_State *L) {
  cs_unpark_all(&hub_loop(L)->hub->waiters);
  return 0;
}

/* objects(): all that were added and not removed, in a new sequence. */
static int hub_objects(lua_State *L) {
  lua_Integer n = 0;
  lua_settop(L, 0);
  lua_newtable(L);
  for (lua_pushnil(L); lua_next(L, HUB_OBJECTS) != 0;) {
    if (lua_type(L, -1) == LUA_TNUMBER) { /* luaL_ref's own */
      lua_pop(L, 1);
    } else {
      lua_rawseti(L, 1, ++n);
    }
  }
  return 1;
}

static const luaL_Reg hub_functions[] = {
    {"add", hub_add},     {"connect", hub_connect}, {"remove", hub_remove},
    {"serve", hub_serve}, {"served", hub_served},   {"wait", hub_wait},
    {"wake", hub_wake},   {"objects", hub_objects}, {NULL, NULL},
};

void cs_open_hub(lua_State *L) {
  cs_state *state = cs_state_get(L);
  cs_loop *loop = cs_loop_record(L);
  loop->hub = (cs_hub *)lua_newuserdatauv(L, sizeof *loop->hub, 0);
  memset(loop->hub, 0, sizeof *loop->hub);
  cs_state_keep(L, CS_STATE_HUB);
  lua_pop(L, 1);
  loop->listener = &listener;
  lua_getfield(L, -1, "loop");
  lua_newtable(L);
  lua_newtable(L); /* the objects */
  lua_pushliteral(L, "protocol");
  lua_pushliteral(L, "dataReceived");
  lua_pushliteral(L, "datagramReceived");
  lua_pushlightuserdata(L, state);
  luaL_setfuncs(L, hub_functions, 5);
  lua_pushliteral(L, "socket");
  luaL_setfuncs(L, cs_out_functions, 1);
  luaL_setfuncs(L, cs_interface_functions, 0);
  lua_setfield(L, -2, "hub");
  lua_pop(L, 1);
}
