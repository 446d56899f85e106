/* quoted.c: byte by byte, except for runs of what stands for itself. */
#include "quoted.h"

/* --- encoding --- */

/* A byte is at most "=XX" behind a soft line break; and there is what is held. */
size_t cs_coding_quoted_encoded(size_t n) {
  return (n + 1) * 6;
}

static inline bool stands_for_itself(char c) {
  return c > ' ' && c <= '~' && c != '=';
}

static size_t end_quoted_line(cs_quoted_encoder *e, char *to) {
  size_t n = e->bare ? 1 : 2;
  memcpy(to, e->bare ? "\n" : "\r\n", n);
  e->column = 0;
  return n;
}

/* Room for so many characters in this line, or in the next one. */
static size_t make_quoted_room(cs_quoted_encoder *e, char *to, unsigned n) {
  if (e->column + n < CS_QUOTED_COLUMNS) return 0;
  to[0] = '=';
  return 1 + end_quoted_line(e, to + 1);
}

static size_t put_literal(cs_quoted_encoder *e, char *to, char c) {
  size_t n = make_quoted_room(e, to, 1);
  to[n] = c;
  e->column++;
  return n + 1;
}

static size_t put_quoted(cs_quoted_encoder *e, char *to, char c) {
  static const char hex[] = "0123456789ABCDEF";
  size_t n = make_quoted_room(e, to, 3);
  to[n] = '=';
  to[n + 1] = hex[(uint8_t)c >> 4];
  to[n + 2] = hex[(uint8_t)c & 15];
  e->column = (uint8_t)(e->column + 3);
  return n + 3;
}

/* What was held, now that `next` is known: a blank stands for itself, but at a line's end. */
static size_t release_held(cs_quoted_encoder *e, char *to, char next) {
  char held = e->held;
  bool ends = !e->binary && (next == '\r' || next == '\n');
  e->held = 0;
  if (held == 0 || (held == '\r' && next == '\n')) return 0;
  return held == '\r' || ends ? put_quoted(e, to, held) : put_literal(e, to, held);
}

size_t cs_coding_quoted_encode(cs_quoted_encoder *e, char *to, const char *from, size_t n) {
  char *start = to;
  for (const char *end = from + n; from < end; from++) {
    char c = *from;
    to += release_held(e, to, c);
    if (stands_for_itself(c))
      to += put_literal(e, to, c);
    else if (c == ' ' || c == '\t' || (c == '\r' && !e->binary))
      e->held = c;
    else if (c == '\n' && !e->binary)
      to += end_quoted_line(e, to);
    else
      to += put_quoted(e, to, c);
  }
  return (size_t)(to - start);
}

size_t cs_coding_quoted_encode_end(cs_quoted_encoder *e, char *to) {
  size_t n = e->held != 0 ? put_quoted(e, to, e->held) : 0;
  e->held = 0;
  e->column = 0;
  return n;
}

/* --- decoding --- */

enum {
  QUOTED_TEXT,
  QUOTED_SIGN,  /* "=" was there */
  QUOTED_DIGIT, /* and `digit` behind it */
  QUOTED_BREAK, /* and blanks behind it */
  QUOTED_CR     /* and a CR, which is the end of the line */
};

size_t cs_coding_quoted_decoded(const cs_quoted_decoder *d, size_t n) {
  return n + d->blanks + 2;
}

static inline int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static size_t put_blanks(cs_quoted_decoder *d, char *to) {
  size_t n = d->blanks;
  memcpy(to, d->held, n);
  d->blanks = 0;
  return n;
}

static inline bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

/* A character that is not behind an "=". */
static size_t decode_text(cs_quoted_decoder *d, char *to, char c) {
  size_t n = 0;
  if (is_blank(c)) {
    if (d->blanks == CS_QUOTED_BLANKS) n = put_blanks(d, to);
    d->held[d->blanks++] = c;
    return n;
  }
  if (c == '\r' || c == '\n')
    d->blanks = 0;
  else
    n = put_blanks(d, to);
  if (c == '=')
    d->phase = QUOTED_SIGN;
  else
    to[n++] = c;
  return n;
}

/* The blanks behind an "=" were no end of a line: all of it stays. */
static size_t undo_break(cs_quoted_decoder *d, char *to) {
  to[0] = '=';
  return 1 + put_blanks(d, to + 1);
}

static size_t decode_sign(cs_quoted_decoder *d, char *to, char c) {
  d->phase = QUOTED_TEXT;
  if (c == '\n' || c == '=') {
    to[0] = c;
    return c == '='; /* "==": from broken programs, as Python has it */
  }
  if (c == '\r') {
    d->phase = QUOTED_CR;
  } else if (is_blank(c)) {
    d->phase = QUOTED_BREAK;
    d->held[d->blanks++] = c;
  } else if (hex_value(c) >= 0) {
    d->phase = QUOTED_DIGIT;
    d->digit = c;
  } else {
    to[0] = '=';
    to[1] = c;
    return 2;
  }
  return 0;
}

static size_t decode_digit(cs_quoted_decoder *d, char *to, char c) {
  d->phase = QUOTED_TEXT;
  if (hex_value(c) >= 0) {
    to[0] = (char)(hex_value(d->digit) << 4 | hex_value(c));
    return 1;
  }
  to[0] = '=';
  to[1] = d->digit;
  return 2 + decode_text(d, to + 2, c);
}

static size_t decode_break(cs_quoted_decoder *d, char *to, char c) {
  if (is_blank(c) && d->blanks < CS_QUOTED_BLANKS) {
    d->held[d->blanks++] = c;
    return 0;
  }
  d->phase = QUOTED_TEXT;
  if (c == '\r' || c == '\n') {
    d->blanks = 0;
    if (c == '\r') d->phase = QUOTED_CR;
    return 0;
  }
  size_t n = undo_break(d, to);
  return n + decode_text(d, to + n, c);
}

size_t cs_coding_quoted_decode(cs_quoted_decoder *d, char *to, const char *from, size_t n) {
  char *start = to;
  for (const char *end = from + n; from < end; from++) {
    switch (d->phase) {
    case QUOTED_TEXT:
      to += decode_text(d, to, *from);
      break;
    case QUOTED_SIGN:
      to += decode_sign(d, to, *from);
      break;
    case QUOTED_DIGIT:
      to += decode_digit(d, to, *from);
      break;
    case QUOTED_BREAK:
      to += decode_break(d, to, *from);
      break;
    default: /* QUOTED_CR */
      d->phase = QUOTED_TEXT;
      if (*from != '\n') to += decode_text(d, to, *from);
    }
  }
  return (size_t)(to - start);
}

size_t cs_coding_quoted_decode_end(cs_quoted_decoder *d, char *to) {
  size_t n = 0;
  if (d->phase == QUOTED_DIGIT) {
    to[0] = '=';
    to[1] = d->digit;
    n = 2;
  }
  d->phase = QUOTED_TEXT;
  d->blanks = 0;
  return n;
}
