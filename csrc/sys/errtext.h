/* errtext.h: the system's words for an errno value. */
#ifndef CS_ERRTEXT_H
#define CS_ERRTEXT_H

#include "port.h"

/* The text for `err`, which may be in `buf`. Thread-safe; never fails. */
const char *cs_strerror(int err, char *buf, size_t size);

#endif
