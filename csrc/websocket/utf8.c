/* utf8.c: the table of RFC 3629, section 4, as ranges. */
#include "utf8.h"

#define UTF8_WORD sizeof(uint64_t)

/* How many bytes are ASCII at least: whole words of them. */
static size_t skip_ascii(const uint8_t *at, const uint8_t *end) {
  const uint8_t *start = at;
  for (uint64_t word; (size_t)(end - at) >= UTF8_WORD; at += UTF8_WORD) {
    memcpy(&word, at, UTF8_WORD);
    if (word & UINT64_C(0x8080808080808080)) break;
  }
  return (size_t)(at - start);
}

/* The first byte of a character that has more. No overlong forms, no surrogates, nothing beyond
   U+10FFFF. */
static bool begin_character(cs_utf8 *u, uint8_t byte) {
  if (byte < 0xC2 || byte > 0xF4) return false;
  u->missing = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
  u->low = byte == 0xE0 ? 0xA0 : byte == 0xF0 ? 0x90 : 0x80;
  u->high = byte == 0xED ? 0x9F : byte == 0xF4 ? 0x8F : 0xBF;
  return true;
}

bool cs_websocket_utf8_feed(cs_utf8 *u, const char *bytes, size_t len) {
  const uint8_t *at = (const uint8_t *)bytes, *end = at + len;
  while (at < end) {
    if (u->missing == 0) {
      at += skip_ascii(at, end);
      while (at < end && *at < 0x80) at++;
      if (at == end) break;
      if (!begin_character(u, *at++)) return false;
    } else {
      if (*at < u->low || *at > u->high) return false;
      u->low = 0x80;
      u->high = 0xBF;
      u->missing--;
      at++;
    }
  }
  return true;
}
