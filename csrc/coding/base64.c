/* base64.c: by tables: twelve bits become two characters at once, and four characters 24 bits. */
#include "base64.h"

/* clang-format off */
#define PAIRS(a) \
  {a,'A'},{a,'B'},{a,'C'},{a,'D'},{a,'E'},{a,'F'},{a,'G'},{a,'H'},{a,'I'},{a,'J'},{a,'K'},{a,'L'},{a,'M'}, \
  {a,'N'},{a,'O'},{a,'P'},{a,'Q'},{a,'R'},{a,'S'},{a,'T'},{a,'U'},{a,'V'},{a,'W'},{a,'X'},{a,'Y'},{a,'Z'}, \
  {a,'a'},{a,'b'},{a,'c'},{a,'d'},{a,'e'},{a,'f'},{a,'g'},{a,'h'},{a,'i'},{a,'j'},{a,'k'},{a,'l'},{a,'m'}, \
  {a,'n'},{a,'o'},{a,'p'},{a,'q'},{a,'r'},{a,'s'},{a,'t'},{a,'u'},{a,'v'},{a,'w'},{a,'x'},{a,'y'},{a,'z'}, \
  {a,'0'},{a,'1'},{a,'2'},{a,'3'},{a,'4'},{a,'5'},{a,'6'},{a,'7'},{a,'8'},{a,'9'},{a,'+'},{a,'/'},

static const char encoding[4096][2] = {
  PAIRS('A') PAIRS('B') PAIRS('C') PAIRS('D') PAIRS('E') PAIRS('F') PAIRS('G') PAIRS('H') PAIRS('I')
  PAIRS('J') PAIRS('K') PAIRS('L') PAIRS('M') PAIRS('N') PAIRS('O') PAIRS('P') PAIRS('Q') PAIRS('R')
  PAIRS('S') PAIRS('T') PAIRS('U') PAIRS('V') PAIRS('W') PAIRS('X') PAIRS('Y') PAIRS('Z')
  PAIRS('a') PAIRS('b') PAIRS('c') PAIRS('d') PAIRS('e') PAIRS('f') PAIRS('g') PAIRS('h') PAIRS('i')
  PAIRS('j') PAIRS('k') PAIRS('l') PAIRS('m') PAIRS('n') PAIRS('o') PAIRS('p') PAIRS('q') PAIRS('r')
  PAIRS('s') PAIRS('t') PAIRS('u') PAIRS('v') PAIRS('w') PAIRS('x') PAIRS('y') PAIRS('z')
  PAIRS('0') PAIRS('1') PAIRS('2') PAIRS('3') PAIRS('4') PAIRS('5') PAIRS('6') PAIRS('7') PAIRS('8')
  PAIRS('9') PAIRS('+') PAIRS('/')
};

#define NO_DIGIT UINT32_C(0x80000000)
#define DIGIT(c) \
  ((c) >= 'A' && (c) <= 'Z' ? (uint32_t)(c) - 'A' : \
   (c) >= 'a' && (c) <= 'z' ? (uint32_t)(c) - 'a' + 26 : \
   (c) >= '0' && (c) <= '9' ? (uint32_t)(c) - '0' + 52 : \
   (c) == '+' ? UINT32_C(62) : (c) == '/' ? UINT32_C(63) : NO_DIGIT)
#define SHIFTED(c, s) (DIGIT(c) == NO_DIGIT ? NO_DIGIT : DIGIT(c) << (s))
#define DIGITS4(c, s)  SHIFTED(c, s), SHIFTED(c + 1, s), SHIFTED(c + 2, s), SHIFTED(c + 3, s)
#define DIGITS16(c, s) DIGITS4(c, s), DIGITS4(c + 4, s), DIGITS4(c + 8, s), DIGITS4(c + 12, s)
#define DIGITS64(c, s) DIGITS16(c, s), DIGITS16(c + 16, s), DIGITS16(c + 32, s), DIGITS16(c + 48, s)
#define DIGITS256(s)      {DIGITS64(0, s), DIGITS64(64, s), DIGITS64(128, s), DIGITS64(192, s)}

/* By the character's place in its four: its six bits, where they go. */
static const uint32_t decoding[4][256] = {DIGITS256(18), DIGITS256(12), DIGITS256(6), DIGITS256(0)};
/* clang-format on */

/* --- encoding --- */

#define LINE_END(e) ((e)->bare ? 1u : 2u)

size_t cs_coding_base64_encoded(const cs_base64_encoder *e, size_t n) {
  size_t characters = (n + e->count) / 3 * 4 + 4;
  return e->columns == 0 ? characters : characters + (characters / e->columns + 2) * LINE_END(e);
}

static inline void encode_three(char *to, const uint8_t *from) {
  memcpy(to, encoding[from[0] << 4 | from[1] >> 4], 2);
  memcpy(to + 2, encoding[(from[1] & 15) << 8 | from[2]], 2);
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
    uint32_t bits =
        decoding[0][at[0]] | decoding[1][at[1]] | decoding[2][at[2]] | decoding[3][at[3]];
    if (bits & NO_DIGIT) break;
    put_three(to, bits);
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
  if (decoding[3][c] == NO_DIGIT) {
    d->refused = !pass_over(d, c);
    return 0;
  }
  if (d->pads > 0) {
    d->faults |= CS_BASE64_CHARACTERS;
    d->refused = !d->lenient;
    d->pads = 0;
  }
  d->bits = d->bits << 6 | decoding[3][c];
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
    if (d->lenient && is_padded(d)) break;
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
