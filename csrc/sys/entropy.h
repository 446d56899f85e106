/* entropy.h: random bytes from the system. */
#ifndef CS_ENTROPY_H
#define CS_ENTROPY_H

#include "port.h"

/* Fills `buf` with bytes that nobody can foretell. Returns 0 or an errno value. It waits only while
   the system has just started and has gathered nothing yet. */
int cs_entropy_fill(char *buf, size_t size);

#endif
