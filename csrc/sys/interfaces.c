/* interfaces.c: finding a network interface. */
#include "interfaces.h"

#include <arpa/inet.h>
#include <ifaddrs.h>

static const void *address_in(const struct ifaddrs *entry, int family) {
  if (entry->ifa_addr == NULL || entry->ifa_addr->sa_family != family) return NULL;
  if (family == AF_INET)
    return &((const struct sockaddr_in *)(const void *)entry->ifa_addr)->sin_addr;
  return &((const struct sockaddr_in6 *)(const void *)entry->ifa_addr)->sin6_addr;
}

int cs_interface_find(int family, const char *what, cs_interface *found) {
  struct ifaddrs *all;
  struct in6_addr wanted;
  size_t size = family == AF_INET ? sizeof found->addr.v4 : sizeof found->addr.v6;
  bool by_address = inet_pton(family, what, &wanted) == 1;
  int err = ENODEV;
  if (getifaddrs(&all) != 0) return errno;
  for (const struct ifaddrs *entry = all; entry != NULL && err != 0; entry = entry->ifa_next) {
    const void *addr = address_in(entry, family);
    if (addr == NULL || strlen(entry->ifa_name) >= sizeof found->name) continue;
    if (by_address ? memcmp(addr, &wanted, size) != 0 : strcmp(entry->ifa_name, what) != 0)
      continue;
    strcpy(found->name, entry->ifa_name);
    memcpy(&found->addr, addr, size);
    err = 0;
  }
  freeifaddrs(all);
  return err;
}
