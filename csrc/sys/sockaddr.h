/* sockaddr.h: the socket address of each family as a row of parts, in the order of Python's tuple.
   A new family is a new row in sockaddr.c; only a new kind of part needs code (sockaddr_part.c).
   Nothing here looks a host name up. */
#ifndef CS_SOCKADDR_H
#define CS_SOCKADDR_H

#include "port.h"

/* Room for an address of any family, aligned for each. */
typedef union cs_sockaddr {
  struct sockaddr any;
  struct sockaddr_storage storage;
} cs_sockaddr;

typedef enum cs_part_kind {
  CS_PART_NUMBER,    /* unsigned, in this machine's byte order */
  CS_PART_NETWORK,   /* unsigned, in network byte order */
  CS_PART_HOST,      /* text: an IPv4 (4 bytes) or an IPv6 (16 bytes) address */
  CS_PART_SCOPE,     /* IPv6's scope id: a 0 leaves the one that the host's %zone gave */
  CS_PART_INTERFACE, /* index inside; outside its name, or a number where it has none */
  CS_PART_TEXT,      /* ends with a zero byte */
  CS_PART_BYTES,     /* hardware address; the byte before it is its length */
  CS_PART_BLUETOOTH, /* text: six bytes in hexadecimal, the last one first */
  CS_PART_TIPC       /* a number whose place depends on the address type */
} cs_part_kind;

typedef struct cs_part {
  const char *name;
  cs_part_kind kind;
  unsigned short offset, size;
  uint64_t min, max; /* of a number, and of an interface given as one */
  uint64_t initial;  /* when an optional part is not given */
} cs_part;

typedef struct cs_layout {
  int family;
  int proto; /* CS_ANY_PROTO, or the socket's protocol, where the parts depend on it */
  socklen_t size;
  unsigned char count, required; /* parts; those that have to be given */
  const cs_part *parts;
} cs_layout;

#define CS_ANY_PROTO (-1)

/* A part's value outside: a number or bytes. `bytes` may point into `room`, or at what was given.
 */
typedef struct cs_value {
  bool is_number;
  uint64_t number;
  const char *bytes;
  size_t len;
  char room[64];
} cs_value;

/* The n-th layout (from 0) that serves this family, and this protocol unless `proto` is
   CS_ANY_PROTO; NULL when there are no more. Those with more required parts come first. */
const cs_layout *cs_layout_find(int family, int proto, unsigned n);

/* The layout of an address that the system gave, or NULL when it is foreign: an unknown family, or
   cut so that a part is missing. AF_UNIX has no layout. */
const cs_layout *cs_layout_of(const struct sockaddr *addr, socklen_t len, int proto);

/* Zeroes `addr` and sets the family, BSD's length and the parts' initial values. */
void cs_sockaddr_init(cs_sockaddr *addr, const cs_layout *layout);

/* Copies to `clean` in the form that is the same for equal addresses: of the layout's size, padding
   zeroed. (Foreign: the bytes as they are.) At most sizeof(cs_sockaddr) bytes are read. Returns the
   length. */
socklen_t cs_sockaddr_clean(cs_sockaddr *clean, const struct sockaddr *addr, socklen_t len,
                            const cs_layout *layout);

/* The address as it is meant: IPv4's as IPv6's (::ffff:a.b.c.d) as the IPv4 address; and as a
   `destination`, the unspecified address as the loopback one, which the system makes of it. It is
   `addr` itself, or in `room`; *len is its length. */
const struct sockaddr *cs_sockaddr_meant(const struct sockaddr *addr, socklen_t *len,
                                         bool destination, cs_sockaddr *room);

/* The family, also of an address that is cut to a single byte (AF_UNSPEC). */
int cs_sockaddr_family(const struct sockaddr *addr, socklen_t len);

/* Reads one part. The address must have this part's layout. */
void cs_part_get(const cs_part *part, const struct sockaddr *addr, socklen_t len, cs_value *value);

/* Writes one part; parts are written in their order. The number's range has been checked. 0, or an
   errno value: EINVAL, ENAMETOOLONG, ENODEV, EAFNOSUPPORT, or CS_PART_NAME when the host is no
   literal address and may be a name. */
int cs_part_put(const cs_part *part, cs_sockaddr *addr, const cs_value *value);

#define CS_PART_NAME (-1)

/* AF_UNIX: a path, a name that begins with a zero byte (where there are such), or nothing. */
int cs_unix_put(cs_sockaddr *addr, socklen_t *len, const char *path, size_t path_len);
const char *cs_unix_get(const struct sockaddr *addr, socklen_t len, size_t *path_len);

#endif
