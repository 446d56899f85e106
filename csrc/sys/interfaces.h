/* interfaces.h: the network interfaces and their addresses. */
#ifndef CS_INTERFACES_H
#define CS_INTERFACES_H

#include "port.h"

#include <net/if.h>
#include <netinet/in.h>

typedef struct cs_interface {
  char name[IF_NAMESIZE];
  union {
    struct in_addr v4;
    struct in6_addr v6;
  } addr;
} cs_interface;

/* Finds the interface of that name, or that has that address (AF_INET or AF_INET6), in its usual
   text: its name, and its first address of this family. 0, or an errno value: ENODEV when there is
   none that has one. */
int cs_interface_find(int family, const char *what, cs_interface *found);

#endif
