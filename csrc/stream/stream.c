/* stream.c: what the streams' files share: the object, its ops, and sending what is in it. */
#include "stream.h"

const cs_class cs_stream_class = {"csock.stream"};

cs_stream *cs_stream_check(lua_State *L, int arg) {
  return (cs_stream *)cs_object_check(L, arg, &cs_stream_class);
}

int cs_stream_visible_fd(const cs_stream *st) {
  return st->closed ? -1 : st->w->fd;
}

int cs_stream_fd(lua_State *L, int idx, bool *buffered) {
  const cs_stream *st = (const cs_stream *)cs_object_test(L, idx, &cs_stream_class);
  if (st == NULL) return -2;
  *buffered = st->in.len > 0 || cs_transport_has_input(st->w) ||
              (st->source != NULL && st->source->ready(st->source));
  return cs_stream_visible_fd(st);
}

void cs_stream_op(cs_op *op, cs_stream *st, bool able, const char *call, cs_attempt attempt) {
  cs_op_init(op, call, attempt, st->w, st->sock != NULL ? st->sock->timeout : st->timeout);
  op->closed = st->closed || !able;
  op->outlives = true;
  op->ptr = st;
  if (st->source != NULL) op->over = st->source->over;
}

int cs_stream_usable(lua_State *L, cs_stream *st) {
  if (st->foreign && !st->closed) {
    lua_getiuservalue(L, 1, 1);
    if (cs_check_fd(L, -1) != st->own.fd) cs_watched_release(&st->own); /* it is gone */
    lua_pop(L, 1);
  }
  return cs_stream_visible_fd(st) < 0 ? EBADF : 0;
}

int cs_stream_send(lua_State *L, cs_op *op) {
  cs_stream *st = (cs_stream *)op->ptr;
  if (st->out.len == 0 && !st->closed) return 0;
  size_t sent = 0;
  int err = cs_stream_usable(L, st);
  if (err == 0 && st->failed != 0) {
    err = st->failed;
    st->failed = 0;
  }
  if (err == 0) err = cs_stream_transmit(st, &sent);
  if (err != 0) return cs_stream_failed(L, op, err, CS_WRITABLE);
  cs_bytes_consume(&st->out, sent);
  return st->out.len == 0 ? 0 : CS_AGAIN;
}
