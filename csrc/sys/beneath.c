/* beneath.c: the path is walked from directory to directory by openat(2), so that nothing that is
   renamed or replaced meanwhile leads out of the root. */
#include "beneath.h"
#include "fd.h"

#include <limits.h>

#ifndef NAME_MAX
#define NAME_MAX 255
#endif

/* O_NONBLOCK: a FIFO is not waited for. */
#define HOW (O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

static bool is_dots(const char *name) {
  return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int open_at(int dir, const char *name, int how, int *fd) {
  do *fd = openat(dir, name, how);
  while (*fd < 0 && errno == EINTR);
  if (*fd >= 0) return 0;
  switch (errno) {
  case ELOOP:
  case EMLINK: /* O_NOFOLLOW's on the BSDs */
    return ENOENT;
  case ENXIO:
  case ENODEV:
  case EOPNOTSUPP: /* a socket, a device without a driver: no file, like those that can be opened */
    return EACCES;
  default:
    return errno;
  }
}

/* Goes from the directory *fd to `name` in it. */
static int step_down(int *fd, const char *name, int how) {
  int next, err = open_at(*fd, name, how, &next);
  cs_fd_close(*fd);
  *fd = err == 0 ? next : -1;
  /* A link where a directory has to be: O_DIRECTORY may be looked at first. */
  return err == ENOTDIR ? ENOENT : err;
}

static int walk(int *fd, const char *path, bool links) {
  int follow = links ? 0 : O_NOFOLLOW;
  while (*path != '\0') {
    char name[NAME_MAX + 1];
    size_t len = strcspn(path, "/");
    if (len == 0) return ENOENT;
    if (len > NAME_MAX) return ENAMETOOLONG;
    memcpy(name, path, len);
    name[len] = '\0';
    if (is_dots(name)) return ENOENT;
    path += len;
    bool inner = *path == '/';
    if (inner) path++;
    int err = step_down(fd, name, HOW | follow | (inner ? O_DIRECTORY : 0));
    if (err != 0) return err;
  }
  return 0;
}

int cs_beneath_open(cs_beneath *b, const char *root, const char *path, bool links) {
  int err = open_at(AT_FDCWD, root, HOW | O_DIRECTORY, &b->fd);
  if (err == 0) err = walk(&b->fd, path, links);
  if (err == 0 && fstat(b->fd, &b->stat) != 0) err = errno;
  if (err == 0 && !S_ISREG(b->stat.st_mode) && !S_ISDIR(b->stat.st_mode)) err = EACCES;
  b->links = links;
  if (err != 0) cs_beneath_close(b);
  return err;
}

/* Whether a name in the directory would be opened. */
static bool is_open_to_all(const cs_beneath *b, const char *name, bool *directory) {
  struct stat st;
  if (fstatat(b->fd, name, &st, b->links ? 0 : AT_SYMLINK_NOFOLLOW) != 0) return false;
  *directory = S_ISDIR(st.st_mode);
  return *directory || S_ISREG(st.st_mode);
}

static int begin_list(cs_beneath *b) {
  int copy, err = cs_fd_dup(b->fd, &copy);
  if (err != 0) return err;
  b->list = fdopendir(copy);
  if (b->list != NULL) return 0;
  err = errno;
  cs_fd_close(copy);
  return err;
}

const char *cs_beneath_next(cs_beneath *b, bool *directory) {
  int err = b->list == NULL ? begin_list(b) : 0;
  while (err == 0) {
    errno = 0;
    const struct dirent *entry = readdir(b->list);
    err = errno;
    if (entry == NULL) rewinddir(b->list);
    if (entry == NULL || err != 0) break;
    if (!is_dots(entry->d_name) && is_open_to_all(b, entry->d_name, directory))
      return entry->d_name;
  }
  errno = err;
  return NULL;
}

void cs_beneath_close(cs_beneath *b) {
  int fd = b->fd;
  DIR *list = b->list;
  b->fd = -1;
  b->list = NULL;
  if (fd >= 0) cs_fd_close(fd);
  if (list != NULL) closedir(list);
}
