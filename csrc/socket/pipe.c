/* pipe.c: pipes and terminals as sockets: a transport that reads and writes what is no socket. It
   is what csock.reactor talks to processes through.

   The end that is written to has one thing to read: its end, when nobody is left who reads. */
#include "transport.h"
#include "../base/parts.h"
#include "../sys/fd.h"
#include "../sys/rw.h"
#include "../sys/spawn.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>

typedef struct pipe_end {
  cs_transport transport;
  bool writes; /* ... and does not read */
} pipe_end;

/* --- bytes --- */

static int pipe_recv(cs_transport *t, char *bytes, size_t n, bool peek, size_t *got) {
  cs_sock *s = t->sock;
  struct pollfd p = {.fd = s->w.fd};
  if (peek) return EOPNOTSUPP;
  if (((const pipe_end *)(const void *)t)->writes)
    return poll(&p, 1, 0) > 0 ? 0 : cs_transport_refused(s, EAGAIN, CS_READABLE);
  int err = cs_rw_read(s->w.fd, CS_RW_FILE, bytes, n, got);
  if (err == EIO) return 0; /* a terminal that no program has open */
  return err == 0 ? 0 : cs_transport_refused(s, err, CS_READABLE);
}

static int pipe_send(cs_transport *t, const char *bytes, size_t n, size_t *sent) {
  int err = cs_rw_write(t->sock->w.fd, CS_RW_FILE, bytes, n, sent);
  return err == 0 ? 0 : cs_transport_refused(t->sock, err, CS_WRITABLE);
}

static bool pipe_pending(const cs_transport *t) {
  (void)t;
  return false;
}

static int pipe_shutdown(cs_transport *t) {
  (void)t;
  return 0;
}

static void pipe_free(cs_transport *t) {
  free(t);
}

static const cs_transport_ops pipe_ops = {.name = "pipe",
                                          .recv = pipe_recv,
                                          .send = pipe_send,
                                          .pending = pipe_pending,
                                          .shutdown = pipe_shutdown,
                                          .free = pipe_free};

/* --- making them --- */

/* Takes the descriptor in any case. */
static int adopt_end(cs_sock *s, int fd, bool writes) {
  cs_watched_hold(&s->w, fd);
  s->type = SOCK_STREAM;
  pipe_end *end = (pipe_end *)calloc(1, sizeof *end);
  if (end == NULL) return ENOMEM;
  end->transport.ops = &pipe_ops;
  end->writes = writes;
  return cs_transport_attach(s, &end->transport);
}

/* pipe([terminal]): what is read from, and what is written to; or both ends of a terminal, the
   user's and the programs'. */
static int make_pipe(lua_State *L) {
  bool terminal = lua_toboolean(L, 1), tried = false;
  const char *call = terminal ? "openpty" : "pipe";
  int fds[2];
  cs_sock *a = cs_sock_new(L), *b = cs_sock_new(L);
  cs_state *state = a->w.state;
  int err = cs_policy_process(L, state, call);
  if (err != 0) return cs_fail(L, call, err);
  do err = cs_state_room(state, 2) ? EMFILE : terminal ? cs_spawn_terminal(fds) : cs_fd_pipe(fds);
  while (err != 0 && cs_may_retry(L, err, &tried));
  if (err != 0) return cs_fail(L, call, err);
  err = adopt_end(a, fds[0], false);
  int other = adopt_end(b, fds[1], !terminal);
  if (err == 0) err = other;
  if (err == 0) return 2;
  cs_watched_close(&a->w);
  cs_watched_close(&b->w);
  return cs_fail(L, call, err);
}

void cs_open_pipe(lua_State *L) {
  static const luaL_Reg functions[] = {{"pipe", make_pipe}, {NULL, NULL}};
  luaL_getsubtable(L, -1, "program"); /* for csock's own modules alone */
  cs_setfuncs(L, functions);
  cs_set_int(L, "TIOCSWINSZ", (lua_Integer)TIOCSWINSZ);
  lua_pop(L, 1);
}
