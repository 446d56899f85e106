/* pidfd.h: processes as descriptors. */
#ifndef CS_PIDFD_H
#define CS_PIDFD_H

#include "port.h"

/* A descriptor, close-on-exec, that becomes readable when the process ends. 0 or errno: ENOSYS
   where there is no such thing. */
int cs_pidfd_open(pid_t pid, int *fd);

#endif
