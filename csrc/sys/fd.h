/* fd.h: making, marking and closing descriptors. Each function returns 0 or an errno value. Every
   descriptor made here is close-on-exec, atomically where the system can. */
#ifndef CS_FD_H
#define CS_FD_H

#include "port.h"

int cs_fd_socket(int family, int type, int proto, int *fd);
int cs_fd_pair(int family, int type, int proto, int fds[2]);

/* accept(2) without blocking on a non-blocking `listener`. `nonblock` is the new descriptor's. */
int cs_fd_accept(int listener, bool nonblock, struct sockaddr *addr, socklen_t *len, int *fd);

bool cs_fd_is_open(int fd);
int cs_fd_dup(int fd, int *copy);
int cs_fd_pipe(int fds[2]);

/* Never retried: after EINTR the descriptor is gone all the same (reported as success). */
int cs_fd_close(int fd);

int cs_fd_set_nonblock(int fd, bool on);
int cs_fd_get_nonblock(int fd, bool *on);
int cs_fd_set_inheritable(int fd, bool on);
int cs_fd_get_inheritable(int fd, bool *on);

#endif
