/* control.c: control messages: writing them, reading them, and the descriptors in them. The calls
   that send and receive them: message.c. */
#include "control.h"
#include "../base/given.h"
#include "../sys/fd.h"

#include <lauxlib.h>

/* --- sending --- */

void cs_control_put(char **at, int level, int type, const void *data, size_t len) {
  struct cmsghdr c = {.cmsg_len = (unsigned)CMSG_LEN(len), .cmsg_level = level, .cmsg_type = type};
  memcpy(*at, &c, sizeof c);
  if (data != NULL) memcpy(*at + CMSG_LEN(0), data, len);
  *at += CMSG_SPACE(len);
}

void cs_control_room(lua_State *L, int arg, size_t *room, size_t len) {
  if (len <= CS_CONTROL_MAX) *room += CMSG_SPACE(len);
  if (len > CS_CONTROL_MAX || *room > CS_CONTROL_MAX)
    luaL_argerror(L, arg, "too much ancillary data");
}

int cs_control_ask(lua_State *L, const cs_sock *s, const char *call, struct msghdr *h) {
  size_t len;
  int err = 0;
  if (!s->w.state->policed) return 0;
  for (struct cmsghdr *c = NULL; err == 0 && (c = cs_control_next(h, c, &len)) != NULL;) {
    size_t fds = cs_control_fds(c, len);
    for (size_t i = 0; i < fds && err == 0; i++)
      err = cs_policy_pass(L, s->w.state, call, cs_control_fd(c, i));
    if (fds == 0)
      err = cs_policy_option(L, s->w.state, call, s->family, s->type, c->cmsg_level, c->cmsg_type);
  }
  return err;
}

/* --- receiving --- */

#if defined(__GNUC__) /* musl's CMSG_NXTHDR mixes signed and unsigned numbers */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
#endif

struct cmsghdr *cs_control_next(struct msghdr *h, struct cmsghdr *last, size_t *len) {
  struct cmsghdr *c = last == NULL ? CMSG_FIRSTHDR(h) : CMSG_NXTHDR(h, last);
  if (c == NULL || c->cmsg_len < CMSG_LEN(0)) return NULL;
  char *data = (char *)CMSG_DATA(c), *end = (char *)h->msg_control + h->msg_controllen;
  size_t there = data < end ? (size_t)(end - data) : 0;
  *len = c->cmsg_len - CMSG_LEN(0);
  if (*len > there) *len = there;
  return c;
}

#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

size_t cs_control_fds(const struct cmsghdr *c, size_t len) {
  if (c->cmsg_level != SOL_SOCKET) return 0;
  if (c->cmsg_type == SCM_RIGHTS) return len / sizeof(int);
#ifdef SCM_PIDFD
  if (c->cmsg_type == SCM_PIDFD && len >= sizeof(int)) return 1;
#endif
  return 0;
}

int cs_control_fd(struct cmsghdr *c, size_t i) {
  int fd;
  memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
  return fd;
}

static void close_received(cs_state *state, int fd) {
  cs_given_remove(state, fd);
  if (fd >= 0) cs_fd_close(fd);
}

void cs_control_close(cs_state *state, char *control, size_t size, size_t skip) {
  struct msghdr h;
  size_t len;
  memset(&h, 0, sizeof h);
  h.msg_control = control;
  h.msg_controllen = (unsigned)size;
  for (struct cmsghdr *c = NULL; (c = cs_control_next(&h, c, &len)) != NULL;) {
    size_t n = cs_control_fds(c, len), i = 0;
    if (c->cmsg_type == SCM_RIGHTS) {
      i = n < skip ? n : skip;
      skip -= i;
    }
    for (; i < n; i++) close_received(state, cs_control_fd(c, i));
  }
}

/* Makes a control message that brings `n` descriptors of those that it has. */
static void cut_control(struct msghdr *h, struct cmsghdr *c, size_t n) {
  char *next = (char *)c + CMSG_SPACE(c->cmsg_len - CMSG_LEN(0));
  char *end = (char *)h->msg_control + h->msg_controllen;
  char *moved = (char *)c + CMSG_SPACE(n * sizeof(int));
  size_t rest = next < end ? (size_t)(end - next) : 0;
  memmove(moved, next, rest);
  c->cmsg_len = (unsigned)CMSG_LEN(n * sizeof(int));
  h->msg_controllen = (unsigned)(moved + rest - (char *)h->msg_control);
}

void cs_control_own(cs_state *state, struct msghdr *h, bool cloexec) {
  size_t len;
  for (struct cmsghdr *c = NULL; (c = cs_control_next(h, c, &len)) != NULL;) {
    size_t n = cs_control_fds(c, len), kept = 0;
    for (; kept < n; kept++) {
      int fd = cs_control_fd(c, kept);
      if (cs_state_room(state, 1) != 0 || cs_given_add(state, fd) != 0) break;
      if (!cloexec) cs_fd_set_inheritable(fd, false);
    }
    for (size_t i = kept; i < n; i++) close_received(state, cs_control_fd(c, i));
    if (kept == n) continue;
    cut_control(h, c, kept);
    h->msg_flags |= MSG_CTRUNC;
  }
}
