/* turn.c: streams that send at the end of the loop's turn what was written in it: what many
   writes leave for one peer goes in one system call. */
#include "stream.h"
#include "../wait/interrupt.h"

static const char streams_key = 't'; /* registry: the stream's address -> the stream, weak */

static cs_stream *stream_of(cs_turn_end *end) {
  return (cs_stream *)((char *)end - offsetof(cs_stream, end));
}

/* --- what does not go at once --- */

/* The next call that writes reports it. A stream that does not wait has nothing to report. */
static int note_failure(lua_State *L, cs_op *op, int err) {
  (void)L;
  cs_stream *st = (cs_stream *)op->ptr;
  st->waiting = false;
  if (err != EAGAIN) st->failed = err;
  return 0;
}

static int turn_attempt(lua_State *L, cs_op *op) {
  cs_stream *st = (cs_stream *)op->ptr;
  int n = cs_stream_send(L, op);
  if (n == 0) st->waiting = false;
  return n;
}

/* The task that sends it, waiting as for `flush`. */
static int send_waiting(lua_State *L) {
  cs_op op;
  cs_stream_op(&op, cs_stream_check(L, 1), true, "flush", turn_attempt);
  op.fail = note_failure;
  return cs_drive(L, &op);
}

/* Starts that task, unless there is one; the argument is the stream's address. */
static int send_in_task(lua_State *L) {
  const cs_stream *st = (const cs_stream *)lua_touserdata(L, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &streams_key);
  if (lua_rawgetp(L, 2, st) == LUA_TNIL) return 0; /* it is about to be collected */
  lua_getiuservalue(L, 3, 2);
  if (cs_turn_end_spawned(L, st->w->state, -1)) return 0;
  lua_pushcfunction(L, send_waiting);
  lua_pushvalue(L, 3);
  cs_turn_end_spawn(L, st->w->state, 1);
  lua_setiuservalue(L, 3, 2);
  return 0;
}

/* --- the end of a turn --- */

/* Raises nothing: the other tasks have nothing to do with it. */
static void stream_turn_over(lua_State *L, cs_turn_end *end) {
  cs_stream *st = stream_of(end);
  int err = st->foreign || st->waiting ? CS_WRITABLE : 0; /* whose descriptor has to be asked for */
  while (err == 0 && st->out.len > 0 && st->w->fd >= 0) {
    size_t sent = 0;
    err = cs_stream_transmit(st, &sent);
    if (err == 0) cs_bytes_consume(&st->out, sent);
  }
  if (st->out.len == 0) cs_bytes_idle(&st->out); /* it may be long until something is written */
  st->waiting = err < 0;
  if (err < 0 && lua_checkstack(L, 3)) {
    lua_pushcfunction(L, send_in_task);
    lua_pushlightuserdata(L, st);
    err = cs_call_apart(L, 1, 0) == LUA_OK ? 0 : ENOMEM;
    if (err != 0) lua_pop(L, 1);
  }
  if (err != 0) {
    st->waiting = false;
    st->failed = err < 0 ? ENOMEM : err;
  }
}

bool cs_stream_send_later(cs_stream *st) {
  return st->by_turn && st->failed == 0 && cs_turn_end_enter(st->w->state, &st->end);
}

void cs_stream_by_turn(lua_State *L, int idx, cs_stream *st) {
  idx = lua_absindex(L, idx);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &streams_key) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_newtable(L);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &streams_key);
  }
  lua_pushvalue(L, idx);
  lua_rawsetp(L, -2, st);
  lua_pop(L, 1);
  st->end.run = stream_turn_over;
  st->by_turn = true;
}
