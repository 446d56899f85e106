/* syntax.h: what the characters of HTTP may be (RFC 9110, 5.6; RFC 3986 for targets and hosts), and
   places in the bytes of a message. */
#ifndef CS_HTTP_SYNTAX_H
#define CS_HTTP_SYNTAX_H

#include "../sys/port.h"

#define CS_HTTP_TOKEN_CHAR  1 /* of names, methods, codings */
#define CS_HTTP_TEXT_CHAR   2 /* of values: printing, blank, HTAB, and the bytes from 0x80 on */
#define CS_HTTP_TARGET_CHAR 4 /* printing ASCII but '#' */
#define CS_HTTP_HOST_CHAR   8 /* of a host's name, and of IPv4 addresses */
#define CS_HTTP_DIGIT_CHAR  16
#define CS_HTTP_HEX_CHAR    32

extern const uint8_t cs_http_syntax_classes[256];

static inline bool cs_http_is(char c, int kind) {
  return (cs_http_syntax_classes[(unsigned char)c] & kind) != 0;
}

static inline bool cs_http_is_blank(char c) {
  return c == ' ' || c == '\t';
}

static inline char cs_http_lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* How many of the first `n` bytes are of the kind. */
static inline size_t cs_http_span_of(const char *p, size_t n, int kind) {
  size_t i = 0;
  while (i < n && cs_http_is(p[i], kind)) i++;
  return i;
}

/* Some bytes of a message: where they begin in it. */
typedef struct cs_http_span {
  uint32_t at, len;
} cs_http_span;

/* Whether the `n` bytes are `lower`, a text in lower case, in any case. */
bool cs_http_syntax_equal(const char *p, size_t n, const char *lower, size_t len);

/* The same with a literal. */
#define CS_HTTP_EQUAL(p, n, lower) \
  ((n) == sizeof(lower) - 1 && cs_http_syntax_equal(p, n, lower, sizeof(lower) - 1))

/* Whether all `n` bytes may stand in a header's value. */
bool cs_http_syntax_text(const char *p, size_t n);

/* Whether none of the `n` bytes ends a line or a text. */
bool cs_http_syntax_line(const char *p, size_t n);

/* Whether the bytes are a host, with a port or without; `port`: it must have one. */
bool cs_http_syntax_authority(const char *p, size_t n, bool port);

/* Takes the next element of a comma-separated list from *p, up to `end`: false when there is none.
   It has no blanks around it, may be empty, and is no token yet. */
bool cs_http_syntax_element(const char **p, const char *end, const char **element, size_t *n);

#endif
