/* pidfd.c: processes as descriptors: pidfd_open(2), which not every libc has a function for. */
#include "pidfd.h"

#if CS_HAVE_SYSCALL
#include <sys/syscall.h>
#endif

int cs_pidfd_open(pid_t pid, int *fd) {
#ifdef SYS_pidfd_open
  long n = syscall(SYS_pidfd_open, pid, 0u);
  if (n < 0) return errno;
  *fd = (int)n;
  return 0;
#else
  (void)pid;
  (void)fd;
  return ENOSYS;
#endif
}
