/* io.h: moving bytes through any descriptor, once and without blocking, whatever its O_NONBLOCK
   flag says: that flag belongs to all who share the open file and is not touched. */
#ifndef CS_IO_H
#define CS_IO_H

#include "port.h"

typedef enum cs_io_kind {
  CS_IO_SOCKET,
  CS_IO_FILE, /* regular file: never would block */
  CS_IO_OTHER /* pipe, terminal, device: poll(2) says whether it would block */
} cs_io_kind;

/* 0 or an errno value (EBADF). */
int cs_io_kind_of(int fd, cs_io_kind *kind);

/* At most `n` >= 1 bytes. *got is 0 at the end. 0, EAGAIN when it would block, or an errno value.
 */
int cs_io_read(int fd, cs_io_kind kind, char *bytes, size_t n, size_t *got);

/* At most `n` bytes; *put may be less. 0, EAGAIN, or an errno value. EPIPE never comes with
 * SIGPIPE. */
int cs_io_write(int fd, cs_io_kind kind, const char *bytes, size_t n, size_t *put);

#endif
