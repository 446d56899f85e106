/* lockfile.c: by flock(2), which a child's copy of the descriptor keeps as well, and which other
   descriptors of the same file do not end. */
#include "lockfile.h"
#include "fd.h"

#include <sys/file.h>
#include <sys/stat.h>

/* Whether the path still names the file that is locked: who had it last may have removed it. */
static int is_there(const char *path, int fd, bool *there) {
  struct stat locked, named;
  if (fstat(fd, &locked) != 0) return errno;
  if (!S_ISREG(locked.st_mode)) return EINVAL;
  if (lstat(path, &named) != 0) {
    *there = false;
    return errno == ENOENT ? 0 : errno;
  }
  *there = locked.st_dev == named.st_dev && locked.st_ino == named.st_ino;
  return 0;
}

static int write_all(int fd, const char *text, size_t len) {
  if (ftruncate(fd, 0) != 0) return errno;
  for (size_t done = 0; done < len;) {
    ssize_t n = pwrite(fd, text + done, len - done, (off_t)done);
    if (n < 0 && errno != EINTR) return errno;
    if (n > 0) done += (size_t)n;
  }
  return 0;
}

static int lock(int fd) {
  while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

int cs_lockfile_open(const char *path, const char *text, size_t len, int *fd) {
  for (;;) {
    /* Not by a link that a stranger has put there; and no wait for a pipe's other end. */
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
    if (*fd < 0) return errno;
    bool there = true;
    int err = lock(*fd);
    if (err == 0) err = is_there(path, *fd, &there);
    if (err == 0 && there) err = write_all(*fd, text, len);
    if (err == 0 && there) return 0;
    cs_fd_close(*fd);
    *fd = -1;
    if (err != 0) return err;
  }
}
