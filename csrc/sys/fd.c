/* fd.c: descriptors, close-on-exec from birth. */
#include "fd.h"

/* What a new descriptor lacks where the system call could not give it: being close-on-exec, when it
   is `inheritable`. Closes it on failure, or when there was one already. */
static int finish_fd(int *fd, bool inheritable, int err) {
  if (err == 0 && inheritable) err = cs_fd_set_inheritable(*fd, false);
#ifdef SO_NOSIGPIPE
  int on = 1;
  if (err == 0) setsockopt(*fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
  if (err != 0) {
    cs_fd_close(*fd);
    *fd = -1;
  }
  return err;
}

int cs_fd_socket(int family, int type, int proto, int *fd) {
  *fd = socket(family, type | CS_SOCK_CLOEXEC, proto);
  return *fd < 0 ? errno : finish_fd(fd, CS_SOCK_CLOEXEC == 0, 0);
}

int cs_fd_pair(int family, int type, int proto, int fds[2]) {
  if (socketpair(family, type | CS_SOCK_CLOEXEC, proto, fds) != 0) return errno;
  int err = finish_fd(&fds[0], CS_SOCK_CLOEXEC == 0, 0);
  int err2 = finish_fd(&fds[1], CS_SOCK_CLOEXEC == 0, 0);
  if (err == 0 && err2 == 0) return 0;
  if (err == 0) cs_fd_close(fds[0]);
  if (err2 == 0) cs_fd_close(fds[1]);
  fds[0] = fds[1] = -1;
  return err != 0 ? err : err2;
}

int cs_fd_accept(int listener, bool nonblock, struct sockaddr *addr, socklen_t *len, int *fd) {
#if CS_HAVE_ACCEPT4
  *fd =
      accept4(listener, addr, len, nonblock ? CS_SOCK_CLOEXEC | CS_SOCK_NONBLOCK : CS_SOCK_CLOEXEC);
  return *fd < 0 ? errno : 0;
#else
  *fd = accept(listener, addr, len);
  if (*fd < 0) return errno;
  return finish_fd(fd, true, cs_fd_set_nonblock(*fd, nonblock)); /* BSD's has the listener's */
#endif
}

bool cs_fd_is_open(int fd) {
  return fcntl(fd, F_GETFD) >= 0;
}

int cs_fd_dup(int fd, int *copy) {
  *copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  return *copy < 0 ? errno : 0;
}

int cs_fd_pipe(int fds[2]) {
#if CS_HAVE_ACCEPT4
  return pipe2(fds, O_CLOEXEC) != 0 ? errno : 0;
#else
  if (pipe(fds) != 0) return errno;
  int err = cs_fd_set_inheritable(fds[0], false);
  if (err == 0) err = cs_fd_set_inheritable(fds[1], false);
  if (err != 0) {
    cs_fd_close(fds[0]);
    cs_fd_close(fds[1]);
  }
  return err;
#endif
}

int cs_fd_close(int fd) {
  return close(fd) != 0 && errno != EINTR ? errno : 0;
}

/* One bit of a descriptor's flags, read with `get` and written with `set`. */
static int change_flag(int fd, int get, int set, int bit, bool on) {
  int flags = fcntl(fd, get);
  if (flags < 0) return errno;
  int wanted = on ? flags | bit : flags & ~bit;
  if (wanted != flags && fcntl(fd, set, wanted) != 0) return errno;
  return 0;
}

static int read_flag(int fd, int get, int bit, bool *on) {
  int flags = fcntl(fd, get);
  if (flags < 0) return errno;
  *on = (flags & bit) != 0;
  return 0;
}

int cs_fd_set_nonblock(int fd, bool on) {
  return change_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

int cs_fd_get_nonblock(int fd, bool *on) {
  return read_flag(fd, F_GETFL, O_NONBLOCK, on);
}

int cs_fd_set_inheritable(int fd, bool on) {
  return change_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, !on);
}

int cs_fd_get_inheritable(int fd, bool *on) {
  int err = read_flag(fd, F_GETFD, FD_CLOEXEC, on);
  if (err == 0) *on = !*on;
  return err;
}
