/* sockaddr_part.c: one part of a socket address, to and from a number or bytes. Which parts there
   are: sockaddr.c. */
#include "sockaddr.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>

#if __has_include(<linux/tipc.h>)
#include <linux/tipc.h>
#endif

#define BROADCAST_NAME "<broadcast>"

static bool equals_text(const cs_value *value, const char *text) {
  return value->len == strlen(text) && memcmp(value->bytes, text, value->len) == 0;
}

/* --- numbers ------------------------------------------------------------------------------ */

static uint64_t load(const unsigned char *at, size_t size) {
  uint8_t byte;
  uint16_t half;
  uint32_t word;
  uint64_t wide;
  switch (size) {
  case sizeof byte:
    return *at;
  case sizeof half:
    memcpy(&half, at, size);
    return half;
  case sizeof word:
    memcpy(&word, at, size);
    return word;
  default:
    memcpy(&wide, at, sizeof wide);
    return wide;
  }
}

static void store(unsigned char *at, size_t size, uint64_t number) {
  uint8_t byte = (uint8_t)number;
  uint16_t half = (uint16_t)number;
  uint32_t word = (uint32_t)number;
  switch (size) {
  case sizeof byte:
    *at = byte;
    break;
  case sizeof half:
    memcpy(at, &half, size);
    break;
  case sizeof word:
    memcpy(at, &word, size);
    break;
  default:
    memcpy(at, &number, sizeof number);
    break;
  }
}

static uint64_t load_network(const unsigned char *at, size_t size) {
  uint64_t number = 0;
  for (size_t i = 0; i < size; i++) number = number << 8 | at[i];
  return number;
}

static void store_network(unsigned char *at, size_t size, uint64_t number) {
  for (size_t i = size; i-- > 0; number >>= 8) at[i] = (unsigned char)number;
}

/* Where TIPC's v1, v2 and v3 are in an address of each type, 0 = nowhere. A name has no v3, and
   reads its v2 there; an identity is (node, ref). */
static size_t tipc_offset(const cs_part *part, const unsigned char *base, bool writing) {
#ifdef TIPC_ADDR_ID
#define TIPC_AT(member) offsetof(struct sockaddr_tipc, addr.member)
  static const unsigned char name[] = {TIPC_AT(name.name.type), TIPC_AT(name.name.instance), 0};
  static const unsigned char id[] = {TIPC_AT(id.node), TIPC_AT(id.ref), 0};
  size_t n = (part->offset - TIPC_AT(nameseq.type)) / sizeof(uint32_t);
  switch (base[offsetof(struct sockaddr_tipc, addrtype)]) {
  case TIPC_ADDR_NAME:
    return name[n == 2 && !writing ? 1 : n];
  case TIPC_ADDR_ID:
    return id[n];
  }
#endif
  (void)base, (void)writing;
  return part->offset;
}

/* --- hosts -------------------------------------------------------------------------------- */

/* An interface's name, or its number in decimal. */
static int parse_zone(const char *zone, uint32_t *scope) {
  uint64_t number = 0;
  const char *p = zone;
  while (*p >= '0' && *p <= '9' && number <= UINT32_MAX)
    number = number * 10 + (uint64_t)(*p++ - '0');
  if (*zone != '\0' && *p == '\0' && number <= UINT32_MAX) {
    *scope = (uint32_t)number;
    return 0;
  }
  *scope = if_nametoindex(zone);
  return *scope == 0 ? ENODEV : 0;
}

static int put_host4(struct in_addr *at, const cs_value *value) {
  char text[INET_ADDRSTRLEN];
  if (value->len == 0) {
    at->s_addr = htonl(INADDR_ANY);
    return 0;
  }
  if (equals_text(value, BROADCAST_NAME)) {
    at->s_addr = htonl(INADDR_BROADCAST);
    return 0;
  }
  if (value->len >= sizeof text) return CS_PART_NAME;
  memcpy(text, value->bytes, value->len);
  text[value->len] = '\0';
  return inet_pton(AF_INET, text, at) == 1 ? 0 : CS_PART_NAME;
}

static int put_host6(struct sockaddr_in6 *addr, const cs_value *value) {
  char text[INET6_ADDRSTRLEN + IF_NAMESIZE];
  if (value->len == 0) {
    addr->sin6_addr = in6addr_any;
    return 0;
  }
  if (equals_text(value, BROADCAST_NAME)) return EAFNOSUPPORT; /* IPv6 has no broadcast */
  if (value->len >= sizeof text) return CS_PART_NAME;
  memcpy(text, value->bytes, value->len);
  text[value->len] = '\0';
  char *zone = strchr(text, '%');
  if (zone != NULL) *zone++ = '\0';
  if (inet_pton(AF_INET6, text, &addr->sin6_addr) != 1) return CS_PART_NAME;
  if (zone == NULL) return 0;
  uint32_t scope;
  int err = parse_zone(zone, &scope);
  if (err == 0) addr->sin6_scope_id = scope;
  return err;
}

/* --- other texts -------------------------------------------------------------------------- */

static int put_interface(unsigned char *at, const cs_value *value) {
  unsigned index = (unsigned)value->number;
  if (!value->is_number) {
    char name[IF_NAMESIZE];
    if (value->len >= sizeof name) return ENODEV;
    memcpy(name, value->bytes, value->len);
    name[value->len] = '\0';
    index = value->len == 0 ? 0 : if_nametoindex(name); /* "" is every interface */
    if (index == 0 && value->len > 0) return ENODEV;
  }
  store(at, sizeof(int), index);
  return 0;
}

static void get_interface(const unsigned char *at, cs_value *value) {
  unsigned index = (unsigned)load(at, sizeof(int));
  char name[IF_NAMESIZE] = "";
  if (index != 0 && if_indextoname(index, name) == NULL) {
    value->is_number = true;
    value->number = index;
    return;
  }
  value->len = strlen(name);
  memcpy(value->room, name, value->len);
}

#define BLUETOOTH_BYTES 6

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

static int put_bluetooth(unsigned char *at, const cs_value *value) {
  unsigned char bytes[BLUETOOTH_BYTES];
  if (value->len != 3 * BLUETOOTH_BYTES - 1) return EINVAL;
  for (size_t i = 0; i < BLUETOOTH_BYTES; i++) {
    const char *p = value->bytes + 3 * i;
    int high = hex_digit(p[0]), low = hex_digit(p[1]);
    if (high < 0 || low < 0) return EINVAL;
    if (i + 1 < BLUETOOTH_BYTES && p[2] != ':') return EINVAL;
    bytes[BLUETOOTH_BYTES - 1 - i] = (unsigned char)(high * 16 + low);
  }
  memcpy(at, bytes, sizeof bytes);
  return 0;
}

/* --- any part ----------------------------------------------------------------------------- */

void cs_part_get(const cs_part *part, const struct sockaddr *addr, socklen_t len, cs_value *value) {
  const unsigned char *base = (const unsigned char *)addr;
  const unsigned char *at = base + part->offset;
  *value = (cs_value){.bytes = value->room};
  switch (part->kind) {
  case CS_PART_NUMBER:
  case CS_PART_SCOPE:
    value->is_number = true;
    value->number = load(at, part->size);
    break;
  case CS_PART_NETWORK:
    value->is_number = true;
    value->number = load_network(at, part->size);
    break;
  case CS_PART_TIPC: {
    size_t offset = tipc_offset(part, base, false);
    value->is_number = true;
    value->number = offset == 0 ? 0 : load(base + offset, part->size);
    break;
  }
  case CS_PART_HOST:
    inet_ntop(part->size == sizeof(struct in_addr) ? AF_INET : AF_INET6, at, value->room,
              sizeof value->room);
    value->len = strlen(value->room);
    break;
  case CS_PART_INTERFACE:
    get_interface(at, value);
    break;
  case CS_PART_TEXT:
    value->bytes = (const char *)at;
    value->len = strnlen(value->bytes, part->size);
    break;
  case CS_PART_BYTES: {
    size_t room = len > part->offset ? len - part->offset : 0;
    value->bytes = (const char *)at;
    value->len = at[-1] < room ? at[-1] : room;
    break;
  }
  case CS_PART_BLUETOOTH:
    value->len = (size_t)snprintf(value->room, sizeof value->room, "%02X:%02X:%02X:%02X:%02X:%02X",
                                  at[5], at[4], at[3], at[2], at[1], at[0]);
    break;
  }
}

int cs_part_put(const cs_part *part, cs_sockaddr *addr, const cs_value *value) {
  unsigned char *base = (unsigned char *)addr;
  unsigned char *at = base + part->offset;
  switch (part->kind) {
  case CS_PART_SCOPE:
    if (value->number == 0) return 0;
    /* fall through */
  case CS_PART_NUMBER:
    store(at, part->size, value->number);
    return 0;
  case CS_PART_NETWORK:
    store_network(at, part->size, value->number);
    return 0;
  case CS_PART_TIPC: {
    size_t offset = tipc_offset(part, base, true);
    if (offset != 0) store(base + offset, part->size, value->number);
    return 0;
  }
  case CS_PART_HOST:
    if (part->size == sizeof(struct in_addr)) return put_host4((struct in_addr *)at, value);
    return put_host6((struct sockaddr_in6 *)addr, value);
  case CS_PART_INTERFACE:
    return put_interface(at, value);
  case CS_PART_TEXT:
    if (value->len >= part->size) return ENAMETOOLONG;
    memset(at, 0, part->size);
    memcpy(at, value->bytes, value->len);
    return 0;
  case CS_PART_BYTES:
    if (value->len > part->size) return EINVAL;
    memcpy(at, value->bytes, value->len);
    at[-1] = (unsigned char)value->len;
    return 0;
  case CS_PART_BLUETOOTH:
    return put_bluetooth(at, value);
  }
  return EINVAL;
}
