/* transport.c: sockets whose bytes go through a transport (see api.h): each use of it, what that
 * changes for others, its end.
 *
 * A connection that two processes share after a fork must not be ended by either of them alone: the
 * goodbye is said only by a process that has used the transport since it last forked. So the parent
 * that closes its copy of a connection leaves it to the child that serves it. */
#include "transport.h"

#ifndef MSG_MORE
#define MSG_MORE 0
#endif

/* Flags that make sense for bytes that are not the kernel's yet, or do no harm. */
#define READ_FLAGS \
  (MSG_DONTWAIT | MSG_PEEK | MSG_WAITALL | MSG_TRUNC | CS_MSG_NOSIGNAL | CS_MSG_CMSG_CLOEXEC)
#define WRITE_FLAGS (MSG_DONTWAIT | MSG_MORE | MSG_EOR | CS_MSG_NOSIGNAL)

#define TRANSPORT_FLAGS (CS_W_PENDING | CS_W_READ_OUT | CS_W_WRITE_IN)

/* --- what others may do now --- */

/* What came may be what the other line waits for, and the poller will not tell of it again. */
static void tell_of_input(cs_watched *w, bool reading) {
  if (reading && (w->flags & CS_W_WRITE_IN)) {
    w->flags &= ~CS_W_WRITE_IN;
    cs_watched_pass(w, CS_WRITABLE);
  }
  if (!(w->flags & CS_W_PENDING)) return;
  if (!reading) cs_watched_pass(w, CS_READABLE);
  cs_watched_held(w);
}

int cs_transport_tried(cs_sock *s, int line, int result) {
  cs_transport *t = s->transport;
  cs_watched *w = &s->w;
  if (t == NULL) return result; /* the step has taken it off */
  unsigned before = w->flags;
  bool moved = t->moved, reading = line == CS_READABLE;
  t->moved = false;
  t->forks = w->state->forks;
  w->flags &= ~(CS_W_PENDING | (reading ? CS_W_READ_OUT : CS_W_WRITE_IN));
  if (t->ops->pending(t)) w->flags |= CS_W_PENDING;
  if (reading && result == CS_WRITABLE) w->flags |= CS_W_READ_OUT;
  if (!reading && result == CS_READABLE) w->flags |= CS_W_WRITE_IN;
  if (moved) tell_of_input(w, reading);
  if ((before ^ w->flags) & TRANSPORT_FLAGS) cs_watched_changed(w);
  return result;
}

/* --- bytes --- */

static bool is_of_datagrams(const cs_sock *s) {
  return s->type != SOCK_STREAM;
}

static int read_datagram(cs_sock *s, struct msghdr *m, int flags, size_t *got) {
  int err = s->transport->ops->recvmsg(s->transport, m, flags, got);
  return cs_transport_tried(s, CS_READABLE, err);
}

static int write_datagram(cs_sock *s, const struct msghdr *m, int flags, size_t *sent) {
  int err = s->transport->ops->sendmsg(s->transport, m, flags, sent);
  return cs_transport_tried(s, CS_WRITABLE, err);
}

int cs_transport_read(cs_sock *s, char *bytes, size_t n, int flags, cs_sender *from, size_t *got) {
  cs_transport *t = s->transport;
  *got = 0;
  if (from != NULL) from->len = 0;
  if (flags & ~READ_FLAGS) return EOPNOTSUPP;
  if (is_of_datagrams(s)) {
    struct iovec piece = {bytes, n};
    struct msghdr m;
    memset(&m, 0, sizeof m);
    m.msg_iov = &piece;
    m.msg_iovlen = 1;
    m.msg_name = from != NULL ? &from->addr : NULL;
    m.msg_namelen = from != NULL ? sizeof from->addr : 0;
    int err = read_datagram(s, &m, flags, got);
    if (from != NULL) from->len = m.msg_namelen;
    return err;
  }
  if (n == 0) return 0;
  return cs_transport_tried(s, CS_READABLE, t->ops->recv(t, bytes, n, flags & MSG_PEEK, got));
}

int cs_transport_write(cs_sock *s, const char *bytes, size_t n, int flags, const cs_address *to,
                       size_t *sent) {
  cs_transport *t = s->transport;
  *sent = 0;
  if (flags & ~WRITE_FLAGS) return EOPNOTSUPP;
  if (is_of_datagrams(s)) {
    struct iovec piece = {(char *)(uintptr_t)bytes, n};
    struct msghdr m;
    memset(&m, 0, sizeof m);
    m.msg_iov = &piece;
    m.msg_iovlen = 1;
    m.msg_name = to != NULL ? (void *)(uintptr_t)&to->sa : NULL;
    m.msg_namelen = to != NULL ? to->len : 0;
    return write_datagram(s, &m, flags, sent);
  }
  if (to != NULL) return EISCONN;
  if (n == 0) return 0;
  return cs_transport_tried(s, CS_WRITABLE, t->ops->send(t, bytes, n, sent));
}

/* --- addresses --- */

/* A stream that sends to an address connects to it (MSG_FASTOPEN). */
static int ask_for_destination(lua_State *L, cs_sock *s, const char *call,
                               const struct sockaddr *address, socklen_t len) {
  int what =
      s->type == SOCK_STREAM || s->type == SOCK_SEQPACKET ? CSOCK_ASK_CONNECT : CSOCK_ASK_SEND;
  const cs_policy_place place = {what, s->family, s->type, s->proto, address, len};
  return cs_policy_address(L, s->w.state, call, &place);
}

int cs_sock_sendto(lua_State *L, cs_sock *s, const char *call, const char *bytes, size_t n,
                   int flags, const cs_address *to, size_t *sent) {
  int err = s->transport == NULL ? ask_for_destination(L, s, call, &to->sa, to->len) : 0;
  if (err == 0)
    err = s->transport == NULL ? cs_plain_write(s, bytes, n, flags, to, sent)
                               : cs_transport_write(s, bytes, n, flags, to, sent);
  if (err != 0) return err;
  cs_sock_sent(s, *sent);
  if (s->tapped) cs_traffic_bytes(s, '>', false, bytes, *sent);
  return 0;
}

/* --- messages --- */

int cs_plain_recvmsg(cs_sock *s, struct msghdr *m, int flags, size_t *got) {
  ssize_t r;
  do r = recvmsg(s->w.fd, m, (flags & ~CS_MSG_NOSIGNAL) | MSG_DONTWAIT);
  while (r < 0 && errno == EINTR);
  if (r < 0) return cs_transport_refused(s, errno, CS_READABLE);
  *got = (size_t)r;
  return 0;
}

int cs_plain_sendmsg(cs_sock *s, const struct msghdr *m, int flags, size_t *sent) {
  ssize_t r;
  do r = sendmsg(s->w.fd, m, flags | MSG_DONTWAIT | CS_MSG_NOSIGNAL);
  while (r < 0 && errno == EINTR);
  if (r < 0) return cs_transport_refused(s, errno, CS_WRITABLE);
  *sent = (size_t)r;
  return 0;
}

/* Fills the pieces as far as it can at once. */
static int read_pieces(cs_sock *s, struct msghdr *m, int flags, size_t *got) {
  if (m->msg_controllen > 0) return EOPNOTSUPP;
  if (is_of_datagrams(s)) return read_datagram(s, m, flags, got);
  m->msg_namelen = 0;
  m->msg_flags = 0;
  for (size_t i = 0; i < (size_t)m->msg_iovlen; i++) {
    size_t n = 0, len = m->msg_iov[i].iov_len;
    int err = cs_transport_read(s, (char *)m->msg_iov[i].iov_base, len, flags, NULL, &n);
    if (err != 0) return *got > 0 ? 0 : err; /* what is wrong will be so at the next try */
    *got += n;
    if (n < len || !(s->w.flags & CS_W_PENDING) || (flags & MSG_PEEK)) break;
  }
  return 0;
}

static int write_pieces(cs_sock *s, const struct msghdr *m, int flags, size_t *sent) {
  if (m->msg_controllen > 0) return EOPNOTSUPP;
  if (is_of_datagrams(s)) return write_datagram(s, m, flags, sent);
  if (m->msg_name != NULL) return EISCONN;
  for (size_t i = 0; i < (size_t)m->msg_iovlen; i++) {
    size_t n = 0, len = m->msg_iov[i].iov_len;
    int err = cs_transport_write(s, (const char *)m->msg_iov[i].iov_base, len, flags, NULL, &n);
    if (err != 0) return *sent > 0 ? 0 : err;
    *sent += n;
    if (n < len) break;
  }
  return 0;
}

int cs_sock_recvmsg(cs_sock *s, struct msghdr *m, int flags, size_t *got) {
  *got = 0;
  int err = (s->transport == NULL ? cs_plain_recvmsg : read_pieces)(s, m, flags, got);
  if (!(flags & MSG_PEEK)) cs_sock_received(s, *got);
  if (s->tapped && err == 0 && !(flags & MSG_PEEK))
    cs_traffic_pieces(s, '<', false, m->msg_iov, (size_t)m->msg_iovlen, *got);
  return err;
}

int cs_sock_sendmsg(lua_State *L, cs_sock *s, const char *call, const struct msghdr *m, int flags,
                    size_t *sent) {
  *sent = 0;
  const struct sockaddr *to = (const struct sockaddr *)m->msg_name;
  int err = 0;
  if (to != NULL && s->transport == NULL) err = ask_for_destination(L, s, call, to, m->msg_namelen);
  if (err != 0) return err;
  err = (s->transport == NULL ? cs_plain_sendmsg : write_pieces)(s, m, flags, sent);
  cs_sock_sent(s, *sent);
  if (s->tapped && err == 0)
    cs_traffic_pieces(s, '>', false, m->msg_iov, (size_t)m->msg_iovlen, *sent);
  return err;
}

/* --- for the transport itself --- */

int cs_transport_receive(cs_transport *t, char *bytes, size_t n, size_t *got) {
  *got = 0;
  cs_transport *below = t->below;
  int err = below != NULL ? below->ops->recv(below, bytes, n, false, got)
                          : cs_plain_read(t->sock, bytes, n, 0, NULL, got);
  if (err != 0) return err;
  t->moved = true;
  if (t->sock->tapped) cs_traffic_bytes(t->sock, '<', true, bytes, *got);
  return 0;
}

int cs_transport_transmit(cs_transport *t, const char *bytes, size_t n, size_t *sent) {
  *sent = 0;
  cs_transport *below = t->below;
  int err = below != NULL ? below->ops->send(below, bytes, n, sent)
                          : cs_plain_write(t->sock, bytes, n, 0, NULL, sent);
  if (err == 0 && t->sock->tapped) cs_traffic_bytes(t->sock, '>', true, bytes, *sent);
  return err;
}

/* --- its life --- */

static void put_transport(cs_sock *s, cs_transport *t) {
  t->sock = s;
  t->below = s->transport;
  s->transport = t;
  s->w.state->transports++;
  s->w.flags |= CS_W_READ; /* nobody has tried to read yet */
  cs_transport_tried(s, CS_READABLE, 0);
}

int cs_transport_attach(cs_sock *s, cs_transport *t) {
  if (cs_sock_closed(s) || s->w.fd < 0) return EBADF;
  if (s->transport != NULL && !s->transport->ops->carries) return EISCONN;
  if (s->type != SOCK_STREAM && t->ops->recvmsg == NULL) return EOPNOTSUPP;
  if (s->streams > 0) return EBUSY;
  put_transport(s, t);
  return 0;
}

static cs_transport *take_off(cs_sock *s) {
  cs_transport *t = s->transport;
  s->transport = t->below;
  s->w.flags &= ~TRANSPORT_FLAGS;
  s->w.state->transports--;
  t->sock = NULL;
  return t;
}

cs_transport *cs_transport_detach(cs_sock *s, cs_transport *next) {
  if (s->transport == NULL) return NULL;
  cs_transport *t = take_off(s);
  if (next != NULL) put_transport(s, next);
  cs_watched_pass(&s->w, CS_READABLE); /* who has waited for what the transport needs, */
  cs_watched_pass(&s->w, CS_WRITABLE);
  cs_watched_changed(&s->w); /* and who stands behind them */
  return t;
}

void cs_transport_end(cs_sock *s, bool goodbye) {
  while (s->transport != NULL) {
    cs_transport *t = s->transport;
    if (goodbye && t->forks == s->w.state->forks) t->ops->shutdown(t);
    take_off(s);
    t->ops->free(t);
  }
}

/* --- addresses --- */

int cs_sock_name(const cs_sock *s, bool peer, cs_sockaddr *addr, socklen_t *len) {
  const cs_transport *t = s->transport;
  while (t != NULL && t->below != NULL) t = t->below;
  if (t != NULL && t->ops->address != NULL) return t->ops->address(t, peer, &addr->any, len);
  int rc = peer ? getpeername(s->w.fd, &addr->any, len) : getsockname(s->w.fd, &addr->any, len);
  return rc != 0 ? errno : 0;
}

int cs_transport_fail(lua_State *L, const cs_sock *s, const char *call, int err) {
  cs_transport *t = s != NULL ? s->transport : NULL;
  cs_words words = {0};
  if (t != NULL && t->ops->explain != NULL) t->ops->explain(t, err, &words);
  return words.text != NULL ? cs_fail_words(L, call, t->ops->name, err, &words)
                            : cs_fail(L, call, err);
}

int cs_transport_failed(lua_State *L, const cs_sock *s, cs_op *op, int err, int line) {
  if (err > 0)
    return op->fail != NULL ? op->fail(L, op, err) : cs_transport_fail(L, s, op->call, err);
  if (err != line && op->line == 0) op->line = (int8_t)line; /* or it would stand in the other */
  return err;
}
