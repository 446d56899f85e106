/* out.c: what the hub sends. What is written to a connection while its own protocol is
 * told something leaves when that returns, in one system call; what is written to it otherwise, at
 * the end of the loop's turn. What the socket does not take follows when there is room.
 */
#include "out.h"
#include "../name/address.h"
#include "../socket/transport.h"

#include <stdlib.h>

/* So many bytes are sent at once: they gain nothing by waiting for more. */
#define MUCH 16384

#define SPARES 256 /* at the most: 1 MiB */

/* --- what is to be sent --- */

/* An idle connection has none, and a busy one no new one for each message. */
cs_out *cs_out_make(cs_hub *hub, cs_watched *w) {
  cs_out *out = hub->spares;
  if (out != NULL) {
    hub->spares = out->spare;
    hub->nspares--;
  } else {
    out = (cs_out *)calloc(1, sizeof *out);
  }
  if (out != NULL) out->w = w;
  w->out = out;
  return out;
}

void cs_out_drop(cs_hub *hub, cs_watched *w) {
  cs_out *out = w->out;
  if (out == NULL) return;
  w->out = NULL;
  cs_turn_end_leave(w->state, &out->end);
  out->failed = 0;
  out->sent = 0;
  out->held = out->parted = out->stopped = out->last = false;
  out->bytes.len = out->bytes.head = 0;
  if (out->bytes.capacity > CS_BYTES_IDLE) cs_bytes_free(&out->bytes);
  if (hub->nspares < SPARES) {
    out->spare = hub->spares;
    hub->spares = out;
    hub->nspares++;
  } else {
    cs_bytes_free(&out->bytes);
    free(out);
  }
}

void cs_out_free_spares(cs_hub *hub) {
  while (hub->spares != NULL) {
    cs_out *out = hub->spares;
    hub->spares = out->spare;
    cs_bytes_free(&out->bytes);
    free(out);
  }
  hub->nspares = SPARES; /* the sockets that are closed after this keep none */
}

/* --- sending --- */

/* Something to tell, in the hub's next turn or when what it serves is done. */
static void notice(cs_loop *loop, cs_watched *w, unsigned flag) {
  w->flags |= flag;
  cs_due_notice(loop, w);
}

/* The socket takes no more for now; what lies over it may, at the next try. */
static void block(cs_loop *loop, cs_watched *w) {
  w->flags |= CS_W_HUB_WRITE;
  if (cs_sock_of(w)->transport == NULL) w->flags &= ~CS_W_WRITE;
  cs_due_notice(loop, w);
  if (cs_is_watched(loop, w)) cs_watched_tell(loop, w);
}

/* Whether to receive nothing until all is sent. */
static void hold(cs_loop *loop, cs_watched *w, bool held) {
  if (w->out == NULL || w->out->failed != 0 || w->out->held == held) return;
  w->out->held = held;
  cs_due_notice(loop, w);
  if (cs_is_watched(loop, w)) cs_watched_tell(loop, w);
}

/* One try: *sent bytes went; 0 when there is no room. 0 or errno. */
static int put_out(cs_watched *w, const char *data, size_t len, size_t *sent) {
  int err = cs_sock_write(cs_sock_of(w), data, len, 0, sent);
  return err < 0 ? 0 : err;
}

/* One try to say to the peer that nothing more will come: whether it has to be made again. What
   fails cannot be said to anybody. */
static bool goodbye(cs_watched *w) {
  cs_sock *s = cs_sock_of(w);
  cs_transport *t = s->transport;
  return t != NULL && cs_transport_tried(s, CS_WRITABLE, t->ops->shutdown(t)) < 0;
}

void cs_out_send(cs_loop *loop, cs_watched *w) {
  cs_out *out = w->out;
  size_t sent = 0;
  cs_turn_end_leave(w->state, &out->end);
  out->stopped = false;
  out->last = out->last && goodbye(w);
  if (!out->last) out->failed = put_out(w, cs_bytes_at(&out->bytes, 0), out->bytes.len, &sent);
  cs_bytes_consume(&out->bytes, sent);
  out->sent += sent;
  if (out->failed != 0) {
    w->flags &= ~CS_W_HUB_WRITE;
    out->held = false;
    notice(loop, w, 0);
  } else if (out->bytes.len > 0 || out->last) {
    block(loop, w);
  } else {
    w->flags &= ~CS_W_HUB_WRITE;
    hold(loop, w, false);
    cs_out_drop(loop->hub, w);
    if (w->flags & CS_W_HUB_TELL) notice(loop, w, CS_W_HUB_SENT);
  }
}

static void hub_turn_over(lua_State *L, cs_turn_end *end) {
  cs_out *out = (cs_out *)((char *)end - offsetof(cs_out, end));
  (void)L;
  cs_out_send(out->w->state->loop, out->w);
}

/* --- writing --- */

/* Keeps what is to be sent. False: no memory. */
static bool keep_unsent(cs_loop *loop, cs_watched *w, const char *data, size_t len) {
  if (w->out == NULL && cs_out_make(loop->hub, w) == NULL) return false;
  w->out->end.run = hub_turn_over;
  return cs_bytes_append(&w->out->bytes, data, len) == 0;
}

/* What is written while nothing else waits. False: no memory. */
static bool write_first(cs_loop *loop, cs_watched *w, const char *data, size_t len) {
  size_t sent = 0;
  if (len < MUCH) {
    if (!keep_unsent(loop, w, data, len)) return false;
    if (w != loop->hub->served && !cs_turn_end_enter(w->state, &w->out->end)) cs_out_send(loop, w);
    return true;
  }
  int err = put_out(w, data, len, &sent);
  if (err == 0 && sent == len) {
    if (w->flags & CS_W_HUB_TELL) notice(loop, w, CS_W_HUB_SENT);
    return true;
  }
  if (!keep_unsent(loop, w, data + sent, err == 0 ? len - sent : 0)) return false;
  w->out->failed = err;
  if (err == 0)
    block(loop, w);
  else
    notice(loop, w, 0);
  return true;
}

/* What was stopped goes on with what else goes at the turn's end. */
static void resume(cs_loop *loop, cs_watched *w) {
  w->out->stopped = false;
  w->out->end.run = hub_turn_over;
  if (w != loop->hub->served && !cs_turn_end_enter(w->state, &w->out->end)) cs_out_send(loop, w);
}

static bool write_more(cs_loop *loop, cs_watched *w, const char *data, size_t len) {
  if (w->out->failed != 0) return true; /* the object will be told */
  if (!keep_unsent(loop, w, data, len)) return false;
  if (w->out->stopped) resume(loop, w);
  if (w->out == NULL) return true;
  if (w->out->bytes.len >= MUCH && !(w->flags & CS_W_HUB_WRITE)) cs_out_send(loop, w);
  return true;
}

static int told(lua_State *L, int status, lua_KContext context) {
  (void)L, (void)status, (void)context;
  return 0;
}

/* Pushes the `socket` of the object at 1. */
static cs_sock *socket_of(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_rawget(L, 1);
  return cs_sock_check(L, -1);
}

/* write(object, data): sends to the object's `socket`. Where the socket takes no more, and where
   the object is told of what is sent, it is told of what waits, too: object:waits(bytes). */
static int hub_write(lua_State *L) {
  lua_settop(L, 2);
  cs_watched *w = &socket_of(L)->w;
  if (lua_type(L, 2) != LUA_TSTRING) return luaL_typeerror(L, 2, "string");
  if (!(w->flags & CS_W_HUB_SEND)) return 0;
  size_t len;
  const char *data = lua_tolstring(L, 2, &len);
  cs_loop *loop = w->state->loop;
  if (len == 0) return 0;
  if (!(w->out == NULL ? write_first : write_more)(loop, w, data, len))
    return luaL_error(L, "not enough memory");
  if (w->out == NULL || w->out->failed != 0) return 0;
  if (!(w->flags & (CS_W_HUB_TELL | CS_W_HUB_WRITE))) return 0;
  lua_getfield(L, 1, "waits");
  lua_pushvalue(L, 1);
  lua_pushinteger(L, (lua_Integer)w->out->bytes.len);
  lua_callk(L, 2, 0, 0, told);
  return 0;
}

/* Raises where the address at `arg` is one that has to be looked up first: nothing waits here. */
static void check_literal(lua_State *L, int arg, const cs_sock *s) {
  int top = lua_gettop(L);
  if (cs_address_read(L, arg, arg, s->family, s->proto) == CS_ADDRESS_NAME)
    luaL_argerror(L, arg, "an address expected, got a name");
  lua_settop(L, top);
}

/* sendto(object, data[, address]): sends a datagram at once: to an address value without the detour
   by socket:sendto, which does the rest. */
static int hub_sendto(lua_State *L) {
  lua_settop(L, 3);
  cs_sock *s = socket_of(L);
  const cs_address *to = cs_address_test(L, 3);
  if (to == NULL || to->sa.sa_family != s->family || s->w.fd < 0 || lua_type(L, 2) != LUA_TSTRING) {
    if (!lua_isnil(L, 3)) check_literal(L, 3, s);
    lua_getfield(L, 4, lua_isnil(L, 3) ? "send" : "sendto");
    lua_insert(L, 2);
    lua_insert(L, 3); /* the socket */
    lua_settop(L, lua_isnil(L, 5) ? 4 : 5);
    lua_call(L, lua_gettop(L) - 2, LUA_MULTRET);
    return lua_gettop(L) - 1;
  }
  size_t len;
  const char *data = lua_tolstring(L, 2, &len);
  size_t sent = 0;
  int err = cs_sock_sendto(L, s, "sendto", data, len, 0, to, &sent);
  if (err != 0) return cs_fail_address(L, "sendto", err < 0 ? EAGAIN : err, to);
  lua_pushinteger(L, (lua_Integer)sent);
  return 1;
}

/* tell(socket, wanted, now): from now on, object:sent() is called whenever all is sent that was
   written; with `now` that is tried at once, and told also if it is so already. Or no more. */
static int hub_tell(lua_State *L) {
  cs_watched *w = &cs_sock_check(L, 1)->w;
  w->flags &= ~(CS_W_HUB_TELL | CS_W_HUB_SENT);
  if (w->object == 0 || !lua_toboolean(L, 2)) return 0;
  w->flags |= CS_W_HUB_TELL;
  if (!lua_toboolean(L, 3)) return 0;
  cs_loop *loop = w->state->loop;
  if (w->out != NULL && w->out->failed == 0 && !(w->flags & CS_W_HUB_WRITE)) cs_out_send(loop, w);
  notice(loop, w, CS_W_HUB_SENT);
  return 0;
}

/* hold(socket, wanted): nothing is received until all is sent that waits to be. Or no more. */
static int hub_hold(lua_State *L) {
  cs_watched *w = &cs_sock_check(L, 1)->w;
  if (w->object != 0) hold(w->state->loop, w, lua_toboolean(L, 2));
  return 0;
}

/* shut(socket): what is not sent yet is dropped, and what is written from now on is ignored. */
static int hub_shut(lua_State *L) {
  cs_watched *w = &cs_sock_check(L, 1)->w;
  w->flags &= ~(CS_W_HUB_SEND | CS_W_HUB_WRITE);
  if (w->out != NULL) cs_out_drop(w->state->loop->hub, w);
  return 0;
}

/* goodbye(socket): all is sent, and what lies over the socket (TLS) is to say so to the peer; what
   is written from now on is ignored. Whether that is done: else object:sent() is called when it is,
   if it is to be told of what is sent. */
static int hub_goodbye(lua_State *L) {
  cs_watched *w = &cs_sock_check(L, 1)->w;
  cs_loop *loop = w->state->loop;
  w->flags &= ~CS_W_HUB_SEND;
  bool waits = goodbye(w);
  if (waits && w->out == NULL) waits = cs_out_make(loop->hub, w) != NULL;
  if (waits) {
    w->out->last = true;
    block(loop, w);
  }
  lua_pushboolean(L, !waits);
  return 1;
}

/* cut(socket): what lies over the socket is gone, and the peer is told nothing by it: it shall not
   take what it has for the whole. */
static int hub_cut(lua_State *L) {
  cs_transport_end(cs_sock_check(L, 1), false);
  return 0;
}

/* part(socket, parted): from now on, nothing is sent or received, but object:ready() is called
   when the socket can be read from, or (where a try has shown that) written to: a handshake is to
   be made. What is written is kept. Or no more. */
static int hub_part(lua_State *L) {
  cs_watched *w = &cs_sock_check(L, 1)->w;
  cs_loop *loop = w->state->loop;
  bool wanted = lua_toboolean(L, 2);
  if (w->object == 0 || (w->out != NULL && w->out->parted) == wanted) return 0;
  if (wanted) {
    if (w->out == NULL && cs_out_make(loop->hub, w) == NULL)
      return luaL_error(L, "not enough memory");
    w->out->parted = true;
    w->flags |= CS_W_HUB_WRITE;
  } else {
    w->out->parted = false;
    cs_out_send(loop, w);
  }
  cs_due_notice(loop, w);
  if (cs_is_watched(loop, w)) cs_watched_tell(loop, w);
  return 0;
}

/* writing(socket, wanted): what waits to be sent is sent; or it is not, before something else is
   written, or `tell` has it tried. */
static int hub_writing(lua_State *L) {
  cs_watched *w = &cs_sock_check(L, 1)->w;
  cs_loop *loop = w->state->loop;
  cs_out *out = w->out;
  bool wanted = lua_toboolean(L, 2);
  if (out == NULL || out->failed != 0 || out->parted || out->stopped != wanted) return 0;
  if (wanted) {
    resume(loop, w);
    return 0;
  }
  out->stopped = true;
  cs_turn_end_leave(w->state, &out->end);
  w->flags &= ~CS_W_HUB_WRITE;
  if (cs_is_watched(loop, w)) cs_watched_tell(loop, w);
  return 0;
}

/* unsent(socket, now): how many bytes wait (the goodbye is one), and how many have gone since some
   do. With `now`, those that have not had their try yet have it first. */
static int hub_unsent(lua_State *L) {
  cs_watched *w = &cs_sock_check(L, 1)->w;
  if (lua_toboolean(L, 2) && w->out != NULL && w->out->failed == 0 && !(w->flags & CS_W_HUB_WRITE))
    cs_out_send(w->state->loop, w);
  lua_pushinteger(L, w->out != NULL ? (lua_Integer)w->out->bytes.len + w->out->last : 0);
  lua_pushinteger(L, w->out != NULL ? (lua_Integer)w->out->sent : 0);
  return 2;
}

/* flush(): what would be sent at the end of the turn is sent now. */
static int hub_flush(lua_State *L) {
  cs_turn_end_all(L, cs_state_get(L));
  return 0;
}

const luaL_Reg cs_out_functions[] = {
    {"write", hub_write},     {"sendto", hub_sendto}, {"tell", hub_tell},       {"shut", hub_shut},
    {"hold", hub_hold},       {"unsent", hub_unsent}, {"flush", hub_flush},     {"part", hub_part},
    {"goodbye", hub_goodbye}, {"cut", hub_cut},       {"writing", hub_writing}, {NULL, NULL},
};
