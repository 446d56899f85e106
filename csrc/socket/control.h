/* control.h: control messages: writing them, reading them, and the descriptors in them. */
#ifndef CS_CONTROL_H
#define CS_CONTROL_H

#include "socket.h"

#define CS_CONTROL_MAX (1 << 20) /* bytes of ancillary data: far beyond any kernel's limit */

/* --- sending --- */

/* Adds the room that a control message with `len` bytes of data takes to `room`. */
void cs_control_room(lua_State *L, int arg, size_t *room, size_t len);

/* Writes a control message at `*at`, which moves on; `data` NULL leaves zeros. */
void cs_control_put(char **at, int level, int type, const void *data, size_t len);

/* Asks the policy for all that is to be sent: 0 or an errno value. */
int cs_control_ask(lua_State *L, const cs_sock *s, const char *call, struct msghdr *h);

/* --- receiving --- */

/* The control message after `last` (NULL: the first), or NULL. `len` is how much of its data is
   there: a message at the end may have been cut. */
struct cmsghdr *cs_control_next(struct msghdr *h, struct cmsghdr *last, size_t *len);

/* How many descriptors a control message with `len` bytes of data brings, and the i-th of them. */
size_t cs_control_fds(const struct cmsghdr *c, size_t len);
int cs_control_fd(struct cmsghdr *c, size_t i);

/* The descriptors in a message that was received are the program's, as many as it may have. The
   others are lost, as the kernel does it for who has too many: MSG_CTRUNC. `cloexec`: the kernel
   has made them close-on-exec. */
void cs_control_own(cs_state *state, struct msghdr *h, bool cloexec);

/* Closes them, but for the first `skip` of SCM_RIGHTS, which somebody has taken. */
void cs_control_close(cs_state *state, char *control, size_t size, size_t skip);

#endif
