/* rw.h: moving bytes through any descriptor, once and without blocking, whatever its O_NONBLOCK
   flag says: that flag belongs to all who share the open file and is not touched. */
#ifndef CS_RW_H
#define CS_RW_H

#include "port.h"

typedef enum cs_rw_kind {
  CS_RW_SOCKET,
  CS_RW_FILE, /* regular file: never would block */
  CS_RW_OTHER /* pipe, terminal, device: poll(2) says whether it would block */
} cs_rw_kind;

/* 0 or an errno value (EBADF). */
int cs_rw_kind_of(int fd, cs_rw_kind *kind);

/* At most `n` >= 1 bytes. *got is 0 at the end. 0, EAGAIN when it would block, or an errno value.
 */
int cs_rw_read(int fd, cs_rw_kind kind, char *bytes, size_t n, size_t *got);

/* At most `n` bytes; *put may be less. 0, EAGAIN, or an errno value. EPIPE never comes with
 * SIGPIPE. */
int cs_rw_write(int fd, cs_rw_kind kind, const char *bytes, size_t n, size_t *put);

/* At most `n` bytes of the file `in`, from *offset on (which moves), to the socket `out`, which
   must be non-blocking, without bringing them to user space. *sent is 0 at the end of the file. 0,
   EAGAIN, an errno value; ENOSYS, EINVAL and others where the system cannot do it for such a file:
   nothing has been sent then, and it can be copied. EPIPE never comes with SIGPIPE. */
int cs_rw_sendfile(int out, int in, off_t *offset, size_t n, size_t *sent);

#endif
