/* sockinfo.h: what the system knows of a socket. */
#ifndef CS_SOCKINFO_H
#define CS_SOCKINFO_H

#include "port.h"

typedef struct cs_sockinfo {
  const char *state;     /* "listening", "connecting", "connected", "closing", "ended", "open" */
  long readable, unsent; /* bytes; of a listener: connections that wait, and how many may; or -1 */
} cs_sockinfo;

void cs_sockinfo_read(int fd, cs_sockinfo *info);

/* Whether two sockets of one type cannot have these addresses at the same time. (AF_UNIX: no.) */
bool cs_sockinfo_clash(const struct sockaddr *a, const struct sockaddr *b);

#endif
