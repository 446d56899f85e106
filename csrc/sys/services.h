/* services.h: the system's lists of services and protocols (/etc/services, /etc/protocols). Each
   function returns 0 or an errno value; ENOENT: not in the list. */
#ifndef CS_SERVICES_H
#define CS_SERVICES_H

#include "port.h"

/* `proto` is "tcp", "udp" ..., or NULL for any. Ports are in the host's order. */
int cs_service_port(const char *name, const char *proto, int *port);
int cs_service_name(int port, const char *proto, char *name, size_t size);

int cs_protocol_number(const char *name, int *number);

#endif
