/* simulated.c: a transport that makes one end of a socketpair a socket of a simulated network: it
   has the addresses of that, and its manners. The network itself is csock.testing's.

   Reads and writes may be short, and the connection is reset when so many bytes have passed in one
   direction: each end counts what passes it. Datagrams have a head on their way through the pair,
   the address that they come from or go to. */
#include "ledger.h"
#include "transport.h"
#include "../base/keywords.h"
#include "../base/parts.h"

#include <stdlib.h>
#include <sys/ioctl.h>

#define ANY (-1) /* instead of a limit: another one each time */

#define HEAD 32 /* bytes before a datagram: the address's length, and its bytes */

typedef struct simulated {
  cs_transport transport;
  cs_sockaddr own, peer;
  socklen_t own_len, peer_len; /* 0: none */
  int most_read, most_written; /* bytes at a time; 0: no limit */
  uint64_t chance;             /* the state of its random numbers */
  uint64_t reset_after;        /* bytes; UINT64_MAX: it is not */
  uint64_t came, went;
  bool cut; /* the last read took less than it was asked for */
} simulated;

static simulated *simulated_of(cs_transport *t) {
  return (simulated *)(void *)t;
}

static const simulated *simulated_of_const(const cs_transport *t) {
  return (const simulated *)(const void *)t;
}

/* --- manners --- */

/* Marsaglia's xorshift. */
static uint64_t draw_chance(simulated *sim) {
  sim->chance ^= sim->chance << 13;
  sim->chance ^= sim->chance >> 7;
  sim->chance ^= sim->chance << 17;
  return sim->chance;
}

/* How many of `n` >= 1 bytes go at once. Any number is of any magnitude, as likely. */
static size_t shorten(simulated *sim, size_t n, int most) {
  if (most == 0) return n;
  if (most != ANY) return n < (size_t)most ? n : (size_t)most;
  unsigned magnitudes = 0;
  while (n >> magnitudes > 1) magnitudes++;
  size_t size = (size_t)1 << draw_chance(sim) % (magnitudes + 1);
  size += (size_t)(draw_chance(sim) % size);
  return n < size ? n : size;
}

static size_t within(size_t n, uint64_t left) {
  return n < left ? n : (size_t)left;
}

/* Nothing passes any more, which the other end notices by the end of what comes. */
static int cut_off(simulated *sim) {
  shutdown(sim->transport.sock->w.fd, SHUT_RDWR);
  return ECONNRESET;
}

/* --- streams --- */

static int simulated_recv(cs_transport *t, char *bytes, size_t n, bool peek, size_t *got) {
  simulated *sim = simulated_of(t);
  if (sim->came >= sim->reset_after) return cut_off(sim);
  size_t most = within(shorten(sim, n, sim->most_read), sim->reset_after - sim->came);
  int err = cs_plain_read(t->sock, bytes, most, peek ? MSG_PEEK : 0, NULL, got);
  if (err == 0 && *got == 0 && sim->went >= sim->reset_after) return ECONNRESET;
  if (err != 0 || peek) return err;
  sim->came += *got;
  sim->cut = *got == most && most < n;
  if (sim->came >= sim->reset_after) cut_off(sim);
  t->moved = true;
  return 0;
}

static int simulated_send(cs_transport *t, const char *bytes, size_t n, size_t *sent) {
  simulated *sim = simulated_of(t);
  if (sim->went >= sim->reset_after || sim->came >= sim->reset_after) return ECONNRESET;
  n = within(shorten(sim, n, sim->most_written), sim->reset_after - sim->went);
  int err = cs_plain_write(t->sock, bytes, n, 0, NULL, sent);
  if (err == 0) sim->went += *sent;
  return err;
}

/* The kernel has told of what a short read has left. */
static bool simulated_pending(const cs_transport *t) {
  const simulated *sim = simulated_of_const(t);
  int waiting = 0;
  if (sim->came >= sim->reset_after) return true;
  return sim->cut && ioctl(t->sock->w.fd, FIONREAD, &waiting) == 0 && waiting > 0;
}

static int simulated_shutdown(cs_transport *t) {
  return shutdown(t->sock->w.fd, SHUT_WR) != 0 ? errno : 0;
}

static void simulated_free(cs_transport *t) {
  free(t);
}

/* --- datagrams --- */

/* The message with a head before its pieces, which are `pieces`' from the second on. 0 or errno. */
static int with_head(const struct msghdr *m, char *head, struct msghdr *whole) {
  size_t count = (size_t)m->msg_iovlen;
  struct iovec *pieces = (struct iovec *)malloc((count + 1) * sizeof *pieces);
  if (pieces == NULL) return ENOMEM;
  pieces[0].iov_base = head;
  pieces[0].iov_len = HEAD;
  for (size_t i = 0; i < count; i++) pieces[i + 1] = m->msg_iov[i];
  memset(whole, 0, sizeof *whole);
  whole->msg_iov = pieces;
  whole->msg_iovlen = m->msg_iovlen + 1;
  return 0;
}

static int simulated_recvmsg(cs_transport *t, struct msghdr *m, int flags, size_t *got) {
  char head[HEAD];
  struct msghdr whole;
  size_t all = 0;
  int err = with_head(m, head, &whole);
  if (err != 0) return err;
  err = cs_plain_recvmsg(t->sock, &whole, flags, &all);
  free(whole.msg_iov);
  if (err != 0) return err;
  *got = all > HEAD ? all - HEAD : 0;
  m->msg_flags = whole.msg_flags;
  socklen_t len = all < HEAD ? 0 : (unsigned char)head[0];
  if (len > HEAD - 1) len = HEAD - 1; /* (who wrote that was no end of a simulated network) */
  if (m->msg_name != NULL)
    memcpy(m->msg_name, head + 1, len < m->msg_namelen ? len : m->msg_namelen);
  m->msg_namelen = len;
  return 0;
}

static int simulated_sendmsg(cs_transport *t, const struct msghdr *m, int flags, size_t *sent) {
  simulated *sim = simulated_of(t);
  char head[HEAD] = {0};
  struct msghdr whole;
  size_t all = 0;
  const void *to = m->msg_name != NULL ? m->msg_name : &sim->peer;
  size_t len = m->msg_name != NULL ? m->msg_namelen : sim->peer_len;
  if (len == 0) return EDESTADDRREQ;
  if (len > HEAD - 1) return EAFNOSUPPORT;
  head[0] = (char)len;
  memcpy(head + 1, to, len);
  int err = with_head(m, head, &whole);
  if (err != 0) return err;
  err = cs_plain_sendmsg(t->sock, &whole, flags, &all);
  free(whole.msg_iov);
  if (err == 0) *sent = all - HEAD;
  return err;
}

/* --- addresses --- */

static int simulated_address(const cs_transport *t, bool peer, struct sockaddr *addr,
                             socklen_t *len) {
  const simulated *sim = simulated_of_const(t);
  const cs_sockaddr *name = peer ? &sim->peer : &sim->own;
  socklen_t size = peer ? sim->peer_len : sim->own_len;
  if (size == 0) return peer ? ENOTCONN : EINVAL;
  memcpy(addr, &name->any, size < *len ? size : *len);
  *len = size;
  return 0;
}

static const cs_transport_ops simulated_ops = {
    .name = "simulated",
    .recv = simulated_recv,
    .send = simulated_send,
    .pending = simulated_pending,
    .shutdown = simulated_shutdown,
    .free = simulated_free,
    .carries = true,
    .recvmsg = simulated_recvmsg,
    .sendmsg = simulated_sendmsg,
    .address = simulated_address,
};

/* --- for csock.testing --- */

/* adopt(socket, options): makes the end of a socketpair, to which nothing has been done yet and
   which no list has, a socket of the network, and gives it back. Options: family, type, proto: what
   it is to be; most_read, most_written: 0, a number of bytes, or -1; reset_after: bytes, or -1;
   seed. */
static int simulated_adopt(lua_State *L) {
  cs_sock *s = cs_sock_check(L, 1);
  int family = AF_INET, type = SOCK_STREAM, proto = 0, most_read = 0, most_written = 0;
  int reset_after = -1, seed = 0;
  const cs_keyword rows[] = {
      {"family", CS_KEYWORD_INT, &family, 0, UINT16_MAX},
      {"type", CS_KEYWORD_INT, &type, 0, UINT16_MAX},
      {"proto", CS_KEYWORD_INT, &proto, 0, INT_MAX},
      {"most_read", CS_KEYWORD_INT, &most_read, ANY, INT_MAX},
      {"most_written", CS_KEYWORD_INT, &most_written, ANY, INT_MAX},
      {"reset_after", CS_KEYWORD_INT, &reset_after, -1, INT_MAX},
      {"seed", CS_KEYWORD_INT, &seed, 0, INT_MAX},
  };
  cs_keywords_read(L, 2, rows, CS_COUNT(rows));
  /* Without a metatable nobody would close it. */
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &cs_sock_simulated) != LUA_TTABLE)
    return luaL_error(L, "there are no methods for a simulated network yet");
  simulated *sim = (simulated *)calloc(1, sizeof *sim);
  if (sim == NULL) return cs_fail(L, "socket", ENOMEM);
  sim->transport.ops = &simulated_ops;
  sim->most_read = most_read;
  sim->most_written = most_written;
  sim->reset_after = reset_after < 0 ? UINT64_MAX : (uint64_t)reset_after;
  sim->chance = ((uint64_t)seed << 32 ^ UINT64_C(0x9e3779b97f4a7c15)) | 1;
  int err = s->family == AF_UNIX ? cs_transport_attach(s, &sim->transport) : EINVAL;
  if (err != 0) {
    free(sim);
    return cs_fail(L, "socket", err);
  }
  s->simulated = true;
  s->family = (uint16_t)family;
  s->type = (uint16_t)type;
  s->proto = proto;
  cs_sock_use_metatable(L, 1, s);
  lua_settop(L, 1);
  if (s->w.state->debug) cs_ledger_enter(L, s, NULL);
  return 1;
}

static void set_name(lua_State *L, int arg, cs_sockaddr *name, socklen_t *len) {
  const cs_address *address = cs_address_test(L, arg);
  if (address == NULL || address->len > sizeof *name) return;
  memcpy(&name->any, &address->sa, address->len);
  *len = address->len;
}

/* name(socket, own, peer): its addresses from now on; nil: as before. */
static int simulated_set_names(lua_State *L) {
  cs_transport *t = cs_sock_check(L, 1)->transport;
  while (t != NULL && t->below != NULL) t = t->below;
  if (t == NULL || t->ops != &simulated_ops) return 0;
  simulated *sim = simulated_of(t);
  set_name(L, 2, &sim->own, &sim->own_len);
  set_name(L, 3, &sim->peer, &sim->peer_len);
  return 0;
}

/* Copies what is in the table at `from` into the one on the top. */
static void copy_fields(lua_State *L, int from) {
  from = lua_absindex(L, from);
  for (lua_pushnil(L); lua_next(L, from) != 0;) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -4);
  }
}

/* methods(table): these take the place of the sockets' own, which it gives, in those of the
 * network.
 */
static int simulated_methods(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &cs_sock_class);
  lua_newtable(L); /* its metatable */
  copy_fields(L, 2);
  lua_getfield(L, 2, "methods");
  lua_newtable(L);
  copy_fields(L, 4);
  copy_fields(L, 1);
  lua_pushvalue(L, -1);
  lua_setfield(L, 3, "methods");
  lua_getfield(L, -1, "close");
  lua_setfield(L, 3, "__close");
  lua_getfield(L, 2, "__index");
  lua_CFunction index = lua_tocfunction(L, -1);
  lua_pop(L, 1);
  lua_pushcclosure(L, index, 1);
  lua_setfield(L, 3, "__index");
  lua_settop(L, 4);
  lua_pushvalue(L, 3);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &cs_sock_simulated);
  return 1;
}

static const luaL_Reg simulated_functions[] = {{"adopt", simulated_adopt},
                                               {"methods", simulated_methods},
                                               {"name", simulated_set_names},
                                               {NULL, NULL}};

void cs_open_simulated(lua_State *L) {
  luaL_getsubtable(L, -1, "testing"); /* for csock.testing alone */
  cs_setfuncs(L, simulated_functions);
  lua_pop(L, 1);
}
