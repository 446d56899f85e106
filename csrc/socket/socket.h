/* socket.h: the socket object, for the files that hold its methods: socket.c (life cycle),
   transfer.c (bytes), message.c (messages, sendfile), options.c, stream.c (makefile). */
#ifndef CS_SOCKET_H
#define CS_SOCKET_H

#include "../wait/driver.h"
#include "../api.h"

struct cs_sock {
  const cs_class *cls;
  /* What every call touches stands together, up to the lines of `w`. */
  int64_t timeout;         /* ns; CS_FOREVER = blocking, 0 = non-blocking */
  cs_transport *transport; /* NULL: the kernel alone; its own: transport.h */
  uint64_t received, sent; /* bytes, as the program sees them */
  uint16_t family, type;
  unsigned id : 30;       /* its number among those that are listed, or 0: ledger.c */
  unsigned simulated : 1; /* its metatable is registry[&cs_sock_simulated]: simulated.c's */
  unsigned tapped : 1;    /* its traffic is noted: traffic.c */
  cs_watched w;
  int proto;
  unsigned
      streams; /* open makefile() streams, which keep the descriptor alive (Python's _io_refs) */
};

/* So many bytes have passed, as the program sees them. */
static inline void cs_sock_received(cs_sock *s, size_t n) {
  s->received += n;
  s->w.state->received += n;
}

static inline void cs_sock_sent(cs_sock *s, size_t n) {
  s->sent += n;
  s->w.state->sent += n;
}

/* Whether close() was called; the descriptor may live on for the streams. */
#define cs_sock_closed(s) (((s)->w.flags & CS_W_CLOSED) != 0)

extern const cs_class cs_sock_class;
extern const char cs_sock_simulated;

/* Pushes a socket without a descriptor; fill it with cs_sock_adopt. */
cs_sock *cs_sock_new(lua_State *L);

/* Makes `fd` the socket's own; its timeout is the default timeout. `nonblock`: O_NONBLOCK is on; a
   timeout turns it on, none leaves it as it is. 0 or an errno value: the descriptor is the socket's
   all the same, and closed with it. The socket must be on the top of the stack. */
int cs_sock_adopt(lua_State *L, cs_sock *s, int fd, bool nonblock, int family, int type, int proto);

/* A socket that could not be completed: closes it and fails. */
int cs_sock_abandon(lua_State *L, cs_sock *s, const char *call, int err);

/* Adds methods to every socket, with the upvalues on the top of the stack, which are popped. */
void cs_sock_methods(lua_State *L, const luaL_Reg *list, int upvalues);

/* Gives the socket at `idx` the metatable that goes with what it is. */
void cs_sock_use_metatable(lua_State *L, int idx, const cs_sock *s);

/* Changes the timeout, O_NONBLOCK with it. `idx` is where the socket is on the stack. */
int cs_sock_set_timeout(lua_State *L, int idx, cs_sock *s, int64_t timeout);

/* The socket at `arg`; raises for anything else. It may be closed: then s->w.fd or
   cs_sock_closed says so, and calls give EBADF (cs_drive sees to it for operations). */
static inline cs_sock *cs_sock_check(lua_State *L, int arg) {
  return (cs_sock *)cs_object_check(L, arg, &cs_sock_class);
}

/* The socket whose handle this is. */
#define cs_sock_of(watched) ((cs_sock *)((char *)(watched)-offsetof(cs_sock, w)))

/* The descriptor as the program may see it: -1 once close() was called. */
int cs_sock_fd(const cs_sock *s);

/* Called by a stream when it is closed or collected. */
int cs_sock_release_stream(cs_sock *s);

/* Starts an op on the socket, with its timeout; on a closed socket it ends with EBADF. */
static inline void cs_sock_op(cs_op *op, cs_sock *s, const char *call, cs_attempt attempt) {
  cs_op_init(op, call, attempt, &s->w, s->timeout);
  op->closed = cs_sock_closed(s);
}

#endif
