/* api.c: the table of functions for other .so files: see api.h. */
#include "base/parts.h"
#include "socket/transport.h"

static cs_sock *check_sock(lua_State *L, int arg) {
  return cs_sock_check(L, arg);
}

static cs_transport *transport_of(const cs_sock *s, const cs_transport_ops *ops) {
  return s->transport != NULL && s->transport->ops == ops ? s->transport : NULL;
}

static int step_attempt(lua_State *L, cs_op *op) {
  cs_step *step = (cs_step *)op->ptr;
  int n = cs_transport_tried(cs_sock_of(op->w), op->flags, step->run(L, step));
  if (n < 0) op->line = (int8_t)op->flags; /* not before: the first try is never in vain */
  return n;
}

static int drive(lua_State *L, int arg, const char *call, int line, cs_step *step) {
  cs_op op;
  cs_sock_op(&op, cs_sock_check(L, arg), call, step_attempt);
  op.flags = line;
  op.ptr = step;
  return cs_drive(L, &op);
}

static int descriptor(const cs_sock *s) {
  return cs_sock_fd(s);
}

static bool nonblocking(const cs_sock *s) {
  return s->timeout == 0;
}

static int ask(lua_State *L, const char *call, const char *path) {
  cs_state *state = cs_state_get(L);
  return path != NULL ? cs_policy_file(L, state, call, path) : cs_policy_insecure(L, state, call);
}

static const cs_api api = {
    .size = sizeof(cs_api),
    .version = CS_API_VERSION,
    .check_sock = check_sock,
    .attach = cs_transport_attach,
    .transport = transport_of,
    .detach = cs_transport_detach,
    .receive = cs_transport_receive,
    .transmit = cs_transport_transmit,
    .drive = drive,
    .fail = cs_transport_fail,
    .fail_words = cs_fail_words,
    .methods = cs_sock_methods,
    .descriptor = descriptor,
    .nonblocking = nonblocking,
    .ask = ask,
};

void cs_open_api(lua_State *L) {
  lua_pushlightuserdata(L, (void *)(uintptr_t)&api);
  lua_setfield(L, LUA_REGISTRYINDEX, CS_API_KEY);
}
