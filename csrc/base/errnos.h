/* errnos.h: the names of errno values. */
#ifndef CS_ERRNOS_H
#define CS_ERRNOS_H

/* "ECONNREFUSED", or NULL for a number that has no name here. */
const char *cs_errno_name(int err);

#endif
