/* utf8.h: whether bytes are UTF-8 (RFC 3629), also when they come in pieces. */
#ifndef CS_WEBSOCKET_UTF8_H
#define CS_WEBSOCKET_UTF8_H

#include "../sys/port.h"

/* Between two pieces. At first all 0. */
typedef struct cs_utf8 {
  uint8_t missing;   /* bytes of the character that has begun */
  uint8_t low, high; /* what the next one of them may be */
} cs_utf8;

/* False as soon as what has come cannot be the beginning of UTF-8. */
bool cs_websocket_utf8_feed(cs_utf8 *u, const char *bytes, size_t len);

/* Whether the last character is complete. */
static inline bool cs_utf8_complete(const cs_utf8 *u) {
  return u->missing == 0;
}

#endif
