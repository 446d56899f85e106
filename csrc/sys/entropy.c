/* entropy.c: random bytes: from the system call, else from its file. */
#include "entropy.h"
#include "fd.h"

#if CS_HAVE_ARC4RANDOM
#include <stdlib.h>

int cs_entropy_fill(char *buf, size_t size) {
  arc4random_buf(buf, size);
  return 0;
}

#else

#if CS_HAVE_GETRANDOM
#include <sys/random.h>
#else
static ssize_t getrandom(void *buf, size_t size, unsigned flags) {
  (void)buf, (void)size, (void)flags;
  errno = ENOSYS;
  return -1;
}
#endif

/* From the call when `fd` is -1. Both may give less than was asked for, also after a signal. */
static int fill_from(int fd, char *buf, size_t size) {
  while (size > 0) {
    ssize_t n = fd < 0 ? getrandom(buf, size, 0) : read(fd, buf, size);
    if (n == 0) return EIO;
    if (n < 0 && errno != EINTR) return errno;
    if (n > 0) buf += n, size -= (size_t)n;
  }
  return 0;
}

/* ENOSYS: the kernel is older than the headers. EPERM: a sandbox knows the file alone. */
int cs_entropy_fill(char *buf, size_t size) {
  int err = fill_from(-1, buf, size);
  if (err != ENOSYS && err != EPERM) return err;
  int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  err = fill_from(fd, buf, size);
  cs_fd_close(fd);
  return err;
}

#endif
