/* peercred.h: who is at the other end of a Unix socket. */
#ifndef CS_PEERCRED_H
#define CS_PEERCRED_H

#include "port.h"

typedef struct cs_peercred {
  pid_t pid; /* -1 where the system does not tell */
  uid_t uid;
  gid_t gid;
} cs_peercred;

/* The peer of the connected AF_UNIX socket `fd`, as it was when the connection was made. 0, or an
   errno value: ENOTCONN; EOPNOTSUPP for sockets of other families. */
int cs_peercred_get(int fd, cs_peercred *cred);

#endif
