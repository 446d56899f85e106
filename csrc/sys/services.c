/* services.c: thread-safe look-ups, by the _r functions where the C library has them. (Where it has
   not, as on macOS, what the plain ones return belongs to the thread.) */
#include "services.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>

/* What is asked for, and the answer. */
typedef struct query {
  const char *name, *proto;
  int port;
  char *answer; /* room for a name, or NULL */
  size_t size;
  int number;
} query;

static int take_service(query *q, const struct servent *found) {
  if (found == NULL) return ENOENT;
  q->number = ntohs((uint16_t)found->s_port);
  if (q->answer == NULL) return 0;
  size_t len = strlen(found->s_name);
  if (len >= q->size) return ENAMETOOLONG;
  memcpy(q->answer, found->s_name, len + 1);
  return 0;
}

static int take_protocol(query *q, const struct protoent *found) {
  if (found == NULL) return ENOENT;
  q->number = found->p_proto;
  return 0;
}

#if CS_HAVE_GETSERVBY_R
static int ask_service(query *q, char *room, size_t size) {
  struct servent entry, *found = NULL;
  int err = q->name != NULL ? getservbyname_r(q->name, q->proto, &entry, room, size, &found)
                            : getservbyport_r(q->port, q->proto, &entry, room, size, &found);
  if (err == EINVAL) return ENOENT; /* musl's word for a protocol that it does not know */
  return err != 0 ? err : take_service(q, found);
}
#else
static int ask_service(query *q, char *room, size_t size) {
  (void)room, (void)size;
  return take_service(q, q->name != NULL ? getservbyname(q->name, q->proto)
                                         : getservbyport(q->port, q->proto));
}
#endif

#if CS_HAVE_GETPROTOBY_R
static int ask_protocol(query *q, char *room, size_t size) {
  struct protoent entry, *found = NULL;
  int err = getprotobyname_r(q->name, &entry, room, size, &found);
  return err != 0 ? err : take_protocol(q, found);
}
#else
static int ask_protocol(query *q, char *room, size_t size) {
  (void)room, (void)size;
  return take_protocol(q, getprotobyname(q->name));
}
#endif

/* An entry may have any number of aliases: the room for them grows as long as there is too little.
 */
static int run(query *q, int (*ask)(query *, char *, size_t)) {
  for (size_t size = 1024; size <= 1 << 20; size *= 2) {
    char *room = (char *)malloc(size);
    if (room == NULL) return ENOMEM;
    int err = ask(q, room, size);
    free(room);
    if (err != ERANGE) return err;
  }
  return ERANGE;
}

int cs_service_port(const char *name, const char *proto, int *port) {
  query q = {.name = name, .proto = proto};
  int err = run(&q, ask_service);
  *port = q.number;
  return err;
}

int cs_service_name(int port, const char *proto, char *name, size_t size) {
  query q = {.proto = proto, .port = htons((uint16_t)port), .answer = name, .size = size};
  return run(&q, ask_service);
}

int cs_protocol_number(const char *name, int *number) {
  query q = {.name = name};
  int err = run(&q, ask_protocol);
  *number = q.number;
  return err;
}
