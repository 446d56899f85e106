/* peercred.c: by SO_PEERCRED, or by getpeereid(3). */
#include "peercred.h"

#if __has_include(<sys/un.h>)
#include <sys/un.h>
#endif

static int require_unix(int fd) {
  struct sockaddr_storage addr;
  socklen_t len = sizeof addr;
  if (getsockname(fd, (struct sockaddr *)&addr, &len) != 0) return errno;
  return addr.ss_family == AF_UNIX ? 0 : EOPNOTSUPP;
}

#if CS_HAVE_UCRED
static int read_cred(int fd, cs_peercred *cred) {
  struct ucred found;
  socklen_t len = sizeof found;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &found, &len) != 0) return errno;
  if (found.uid == (uid_t)-1) return ENOTCONN; /* what Linux says of a socket without a peer */
  *cred = (cs_peercred){.pid = found.pid, .uid = found.uid, .gid = found.gid};
  return 0;
}
#else
static int read_cred(int fd, cs_peercred *cred) {
  *cred = (cs_peercred){.pid = -1};
  if (getpeereid(fd, &cred->uid, &cred->gid) != 0) return errno;
#ifdef LOCAL_PEERPID
  socklen_t len = sizeof cred->pid;
  if (getsockopt(fd, SOL_LOCAL, LOCAL_PEERPID, &cred->pid, &len) != 0) cred->pid = -1;
#endif
  return 0;
}
#endif

int cs_peercred_get(int fd, cs_peercred *cred) {
  int err = require_unix(fd);
  return err != 0 ? err : read_cred(fd, cred);
}
