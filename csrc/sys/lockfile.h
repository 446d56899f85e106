/* lockfile.h: a small file that is locked for as long as somebody has it. */
#ifndef CS_LOCKFILE_H
#define CS_LOCKFILE_H

#include "port.h"

/* Makes the file at `path`, or takes one over that nobody has, locks it and writes `text` as all of
   it. *fd is its descriptor, with which the lock ends. EWOULDBLOCK: somebody else has it. 0 or an
   errno value. */
int cs_lockfile_open(const char *path, const char *text, size_t len, int *fd);

#endif
