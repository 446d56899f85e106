/* base64.c: by tables of single characters: larger ones are hardly faster. */
#include "base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* clang-format off */
#define NO_DIGIT 0x80
#define DIGIT(c) (uint8_t) \
  ((c) >= 'A' && (c) <= 'Z' ? (c) - 'A' : (c) >= 'a' && (c) <= 'z' ? (c) - 'a' + 26 : \
   (c) >= '0' && (c) <= '9' ? (c) - '0' + 52 : (c) == '+' ? 62 : (c) == '/' ? 63 : NO_DIGIT)
#define DIGITS4(c)  DIGIT(c), DIGIT(c + 1), DIGIT(c + 2), DIGIT(c + 3)
#define DIGITS16(c) DIGITS4(c), DIGITS4(c + 4), DIGITS4(c + 8), DIGITS4(c + 12)
#define DIGITS64(c) DIGITS16(c), DIGITS16(c + 16), DIGITS16(c + 32), DIGITS16(c + 48)

/* The six bits that a character is. */
static const uint8_t digit_of[256] = {DIGITS64(0), DIGITS64(64), DIGITS64(128), DIGITS64(192)};
/* clang-format on */

/* --- encoding --- */

#define LINE_END(e) ((e)->bare ? 1u : 2u)

size_t cs_coding_base64_encoded(const cs_base64_encoder *e, size_t n) {
  size_t characters = (n + e->count) / 3 * 4 + 4;
  return e->columns == 0 ? characters : characters + (characters / e->columns + 2) * LINE_END(e);
}

static inline void encode_three(char *to, const uint8_t *from) {
  to[0] = alphabet[from[0] >> 2];
  to[1] = alphabet[(from[0] & 3) << 4 | from[1] >> 4];
  to[2] = alphabet[(from[1] & 15) << 2 | from[2] >> 6];
  to[3] = alphabet[from[2] & 63];
}

static size_t end_encoded_line(cs_base64_encoder *e, char *to) {
  size_t n = LINE_END(e);
  memcpy(to, e->bare ? "\n" : "\r\n", n);
  e->column = 0;
  return n;
}

/* `n` is a multiple of three: how many characters. */
static size_t encode_groups(cs_base64_encoder *e, char *to, const uint8_t *from, size_t n) {
  char *start = to;
  while (n > 0) {
    size_t part = e->columns == 0 ? n : (e->columns - e->column) / 4 * 3;
    if (part > n) part = n;
    for (const uint8_t *end = from + part; from < end; from += 3, to += 4) encode_three(to, from);
    n -= part;
    if (e->columns == 0) continue;
    e->column += (uint32_t)(part / 3 * 4);
    if (e->column == e->columns) to += end_encoded_line(e, to);
  }
  return (size_t)(to - start);
}

size_t cs_coding_base64_encode(cs_base64_encoder *e, char *to, const char *from, size_t n) {
  const uint8_t *bytes = (const uint8_t *)from;
  size_t len = 0;
  if (e->count > 0) {
    for (; n > 0 && e->count < 3; n--) e->held[e->count++] = *bytes++;
    if (e->count < 3) return 0;
    len = encode_groups(e, to, e->held, 3);
  }
  size_t whole = n - n % 3;
  len += encode_groups(e, to + len, bytes, whole);
  e->count = (uint8_t)(n - whole);
  memcpy(e->held, bytes + whole, e->count);
  return len;
}

size_t cs_coding_base64_encode_end(cs_base64_encoder *e, char *to) {
  size_t len = 0;
  unsigned count = e->count;
  if (count > 0) {
    uint8_t last[3] = {e->held[0], count > 1 ? e->held[1] : (uint8_t)0, 0};
    encode_three(to, last);
    memset(to + 1 + count, '=', 3 - count);
    len = 4;
    e->count = 0;
  }
  if (e->columns > 0 && e->column + len > 0) len += end_encoded_line(e, to + len);
  return len;
}

/* --- decoding --- */

size_t cs_coding_base64_decoded(size_t n) {
  return n / 4 * 3 + 6;
}

static inline void put_three(char *to, uint32_t bits) {
  to[0] = (char)(bits >> 16);
  to[1] = (char)(bits >> 8 & 255);
  to[2] = (char)(bits & 255);
}

/* Whole groups of four, as long as there is nothing else: how many characters it took. */
static size_t decode_groups(char *to, const uint8_t *from, size_t n) {
  const uint8_t *at = from;
  for (const uint8_t *end = from + n - n % 4; at < end; at += 4, to += 3) {
    uint32_t a = digit_of[at[0]], b = digit_of[at[1]], c = digit_of[at[2]], d = digit_of[at[3]];
    if ((a | b | c | d) & NO_DIGIT) break;
    put_three(to, a << 18 | b << 12 | c << 6 | d);
  }
  return (size_t)(at - from);
}

/* The padding is complete: no more can come. */
static inline bool is_padded(const cs_base64_decoder *d) {
  return d->pads > 0 && d->count + d->pads == 4;
}

/* A character that is no digit. */
static bool pass_over(cs_base64_decoder *d, uint8_t c) {
  if (c == ' ' || c == '\t' || c == '\r' || c == '\n') return true;
  if (c == '=' && d->count >= 2 && !is_padded(d)) {
    d->pads++;
    return true;
  }
  d->faults |= CS_BASE64_CHARACTERS;
  return d->lenient;
}

/* One character: how many bytes it wrote, 0 or 3. */
static size_t decode_one(cs_base64_decoder *d, char *to, uint8_t c) {
  if (digit_of[c] == NO_DIGIT) {
    d->refused = !pass_over(d, c);
    return 0;
  }
  if (d->pads > 0) {
    d->faults |= CS_BASE64_CHARACTERS;
    d->refused = !d->lenient;
    d->pads = 0;
  }
  d->bits = d->bits << 6 | digit_of[c];
  if (++d->count < 4) return 0;
  put_three(to, d->bits);
  d->count = 0;
  d->bits = 0;
  return 3;
}

bool cs_coding_base64_decode(cs_base64_decoder *d, char *to, const char *from, size_t n,
                             size_t *len) {
  const uint8_t *at = (const uint8_t *)from, *end = at + n;
  char *start = to;
  while (at < end && !d->refused) {
    if (d->lenient && is_padded(d)) { /* nothing counts any more */
      pass_over(d, *at++);
      continue;
    }
    if (d->count == 0) {
      size_t taken = decode_groups(to, at, (size_t)(end - at));
      at += taken;
      to += taken / 4 * 3;
      if (at == end) break;
    }
    to += decode_one(d, to, *at++);
  }
  *len = (size_t)(to - start);
  return !d->refused;
}

bool cs_coding_base64_decode_end(cs_base64_decoder *d, char *to, size_t *len, unsigned *faults) {
  bool lenient = d->lenient, fine = !d->refused;
  unsigned wrong = d->faults, count = d->count;
  if (count == 1) wrong |= CS_BASE64_LENGTH;
  if (count > 1 && !is_padded(d) && (lenient || d->pads > 0)) wrong |= CS_BASE64_PADDING;
  *len = count > 1 ? count - 1 : 0;
  uint32_t bits = count > 0 ? d->bits << 6 * (4 - count) : 0;
  if (count > 1) to[0] = (char)(bits >> 16);
  if (count > 2) to[1] = (char)(bits >> 8 & 255);
  *faults = wrong;
  memset(d, 0, sizeof *d);
  d->lenient = lenient;
  return fine && (lenient || wrong == 0);
}
