/* transport.h: the one way to read a socket's bytes, and the one to write them.
 *
 * Whoever moves bytes on a socket does it here: recv* and send*, messages, streams, the hub, the
 * copying of files. A plain socket's go to the kernel; another's, to the transport that lies
 * between (see api.h). Each call tries once, never blocks and raises nothing: it gives 0, an errno
 * value
 * (> 0), or what must come to pass before another try is worth it: CS_READABLE or CS_WRITABLE (<
 * 0). What the poller has reported (CS_W_READ, CS_W_WRITE) is kept true here, too.
 */
#ifndef CS_TRANSPORT_H
#define CS_TRANSPORT_H

#include "traffic.h"
#include "../name/address.h"

/* Where a datagram comes from. */
typedef struct cs_sender {
  cs_sockaddr addr;
  socklen_t len; /* 0: of no address */
} cs_sender;

/* What a system call's failure means; `direction` is what it would have needed. */
static inline int cs_transport_refused(cs_sock *s, int err, int direction) {
  if (err != EAGAIN && err != EWOULDBLOCK) return err;
  s->w.flags &= direction == CS_READABLE ? ~CS_W_READ : ~CS_W_WRITE;
  return direction;
}

/* A stream that gave less than there was room for is drained: the loop need not ask again before
   the next event. */
static inline void cs_transport_short(cs_sock *s, size_t got, size_t n, int flags) {
  if (got < n && got > 0 && s->type == SOCK_STREAM && !(flags & (MSG_PEEK | MSG_OOB)))
    cs_watched_drained(&s->w);
}

/* A call for what is read or written at once costs little enough that another call is seen in it.
   In the amalgamation a compiler would not inline these by itself: the whole of csock is one file.
 */
#if defined(__GNUC__)
#define CS_TRANSPORT_INLINE static inline __attribute__((always_inline))
#else
#define CS_TRANSPORT_INLINE static inline
#endif

/* --- the kernel ----------------------------------------------------------------------------- */

/* recvfrom(2). AF_PACKET refuses MSG_NOSIGNAL there. `from` may be NULL. */
CS_TRANSPORT_INLINE int cs_plain_read(cs_sock *s, char *bytes, size_t n, int flags, cs_sender *from,
                                      size_t *got) {
  struct sockaddr *addr = from != NULL ? &from->addr.any : NULL;
  ssize_t r;
  flags = (flags & ~CS_MSG_NOSIGNAL) | MSG_DONTWAIT;
  do r = recvfrom(s->w.fd, bytes, n, flags, addr, from != NULL ? &from->len : NULL);
  while (r < 0 && errno == EINTR);
  if (r < 0) return cs_transport_refused(s, errno, CS_READABLE);
  *got = (size_t)r;
  cs_transport_short(s, (size_t)r, n, flags);
  return 0;
}

/* sendto(2), without SIGPIPE. `to` may be NULL; it has been asked for (policy.h). */
CS_TRANSPORT_INLINE int cs_plain_write(cs_sock *s, const char *bytes, size_t n, int flags,
                                       const cs_address *to, size_t *sent) {
  const struct sockaddr *addr = to != NULL ? &to->sa : NULL;
  ssize_t r;
  flags |= MSG_DONTWAIT | CS_MSG_NOSIGNAL;
  do r = sendto(s->w.fd, bytes, n, flags, addr, to != NULL ? to->len : 0);
  while (r < 0 && errno == EINTR);
  if (r < 0) return cs_transport_refused(s, errno, CS_WRITABLE);
  *sent = (size_t)r;
  return 0;
}

/* recvmsg(2) and sendmsg(2). */
int cs_plain_recvmsg(cs_sock *s, struct msghdr *m, int flags, size_t *got);
int cs_plain_sendmsg(cs_sock *s, const struct msghdr *m, int flags, size_t *sent);

/* --- a transport (transport.c) -------------------------------------------------------------- */

int cs_transport_read(cs_sock *s, char *bytes, size_t n, int flags, cs_sender *from, size_t *got);
int cs_transport_write(cs_sock *s, const char *bytes, size_t n, int flags, const cs_address *to,
                       size_t *sent);

/* What api.h says of them. */
int cs_transport_attach(cs_sock *s, cs_transport *t);
cs_transport *cs_transport_detach(cs_sock *s, cs_transport *next);
int cs_transport_receive(cs_transport *t, char *bytes, size_t n, size_t *got);
int cs_transport_transmit(cs_transport *t, const char *bytes, size_t n, size_t *sent);

/* To be called after each try to use the transport, by one that stands in `line` and got `result`,
   which it returns: what others may do now. */
int cs_transport_tried(cs_sock *s, int line, int result);

/* The socket's transport is at its end. `goodbye`: there is one try to say so to the peer. */
void cs_transport_end(cs_sock *s, bool goodbye);

/* Pushes nil, an error value and `err`, like cs_fail, in the transport's words where it has some.
 */
int cs_transport_fail(lua_State *L, const cs_sock *s, const char *call, int err);

/* What an attempt returns when a try to read or to write (`line`: CS_READABLE, CS_WRITABLE) gave
   something else than 0: the direction, or the op's failure, pushed. `s` may be NULL. */
int cs_transport_failed(lua_State *L, const cs_sock *s, cs_op *op, int err, int line);

/* getsockname(2), or getpeername(2). 0 or errno. */
int cs_sock_name(const cs_sock *s, bool peer, cs_sockaddr *addr, socklen_t *len);

/* Whether it holds input: a try to read gives something without the kernel. */
static inline bool cs_transport_has_input(const cs_watched *w) {
  return (w->flags & (CS_W_PENDING | CS_W_READ_OUT)) == CS_W_PENDING;
}

/* --- reading and writing -------------------------------------------------------------------- */

/* At most `n` bytes. *got is 0 at the end of a stream; where a datagram is longer than `n` and
   `flags` has MSG_TRUNC, it is its whole length. `from` may be NULL. */
CS_TRANSPORT_INLINE int cs_sock_read(cs_sock *s, char *bytes, size_t n, int flags, cs_sender *from,
                                     size_t *got) {
  int err;
  if (s->transport == NULL) {
    if (from != NULL) from->len = sizeof from->addr;
    err = cs_plain_read(s, bytes, n, flags, from, got);
  } else {
    err = cs_transport_read(s, bytes, n, flags, from, got);
  }
  if (err == 0 && !(flags & MSG_PEEK)) {
    cs_sock_received(s, *got);
    if (s->tapped && n > 0) cs_traffic_bytes(s, '<', false, bytes, *got < n ? *got : n);
  }
  return err;
}

/* At most `n` bytes. */
CS_TRANSPORT_INLINE int cs_sock_write(cs_sock *s, const char *bytes, size_t n, int flags,
                                      size_t *sent) {
  int err;
  if (s->transport == NULL)
    err = cs_plain_write(s, bytes, n, flags, NULL, sent);
  else
    err = cs_transport_write(s, bytes, n, flags, NULL, sent);
  if (err == 0) {
    cs_sock_sent(s, *sent);
    if (s->tapped) cs_traffic_bytes(s, '>', false, bytes, *sent);
  }
  return err;
}

/* The same to an address, for which the policy is asked: `call` is a literal. */
int cs_sock_sendto(lua_State *L, cs_sock *s, const char *call, const char *bytes, size_t n,
                   int flags, const cs_address *to, size_t *sent);

/* The same of messages: several pieces, ancillary data (of which message.c asks). */
int cs_sock_recvmsg(cs_sock *s, struct msghdr *m, int flags, size_t *got);
int cs_sock_sendmsg(lua_State *L, cs_sock *s, const char *call, const struct msghdr *m, int flags,
                    size_t *sent);

#endif
