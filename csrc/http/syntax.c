/* syntax.c: the characters of HTTP, and the small forms that are made of them. */
#include "syntax.h"

/* By character: the sum of its classes. Specs go through all of them. */
/* clang-format off */
const uint8_t cs_http_syntax_classes[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    2, 15, 6, 3, 15, 15, 15, 15, 14, 14, 15, 15, 14, 15, 15, 6,
    63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 6, 14, 6, 14, 6, 6,
    6, 47, 47, 47, 47, 47, 47, 15, 15, 15, 15, 15, 15, 15, 15, 15,
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 6, 6, 6, 7, 15,
    7, 47, 47, 47, 47, 47, 47, 15, 15, 15, 15, 15, 15, 15, 15, 15,
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 6, 7, 6, 15, 0,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
};
/* clang-format on */

bool cs_http_syntax_equal(const char *p, size_t n, const char *lower, size_t len) {
  if (n != len) return false;
  for (size_t i = 0; i < n; i++)
    if (cs_http_lower(p[i]) != lower[i]) return false;
  return true;
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Whether none of the eight bytes is below 0x20 or 0x7f. (Of a few that are not it says so as well,
   behind one that is.) */
static inline bool all_printing(const char *p) {
  uint64_t x;
  memcpy(&x, p, sizeof x);
  uint64_t control = (x - EACH(0x20)) & ~x;
  uint64_t y = x ^ EACH(0x7f);
  uint64_t deletes = (y - EACH(0x01)) & ~y;
  return ((control | deletes) & EACH(0x80)) == 0;
}

bool cs_http_syntax_text(const char *p, size_t n) {
  size_t i = 0;
  while (i < n) {
    if (n - i >= 8 && all_printing(p + i))
      i += 8;
    else if (cs_http_is(p[i], CS_HTTP_TEXT_CHAR))
      i++;
    else
      return false;
  }
  return true;
}

/* How long the address in brackets is with which the bytes begin; 0: there is none. What is in it
   is looked at only so far that it cannot be taken for something else. */
static size_t bracketed(const char *p, size_t n) {
  size_t i = 1;
  while (i < n && (cs_http_is(p[i], CS_HTTP_HOST_CHAR) || p[i] == ':')) i++;
  return i > 1 && i < n && p[i] == ']' ? i + 1 : 0;
}

bool cs_http_syntax_line(const char *p, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (p[i] == '\r' || p[i] == '\n' || p[i] == '\0') return false;
  return true;
}

bool cs_http_syntax_authority(const char *p, size_t n, bool port) {
  size_t i = n > 0 && p[0] == '[' ? bracketed(p, n) : cs_http_span_of(p, n, CS_HTTP_HOST_CHAR);
  if (i == 0) return false;
  if (i == n) return !port;
  if (p[i++] != ':') return false;
  size_t digits = cs_http_span_of(p + i, n - i, CS_HTTP_DIGIT_CHAR);
  return i + digits == n && digits <= 5 && (digits > 0 || !port);
}

bool cs_http_syntax_element(const char **p, const char *end, const char **element, size_t *n) {
  const char *from = *p;
  if (from > end) return false;
  const char *comma = (const char *)memchr(from, ',', (size_t)(end - from));
  const char *to = comma != NULL ? comma : end;
  *p = to + 1;
  while (from < to && cs_http_is_blank(*from)) from++;
  while (to > from && cs_http_is_blank(to[-1])) to--;
  *element = from;
  *n = (size_t)(to - from);
  return true;
}
