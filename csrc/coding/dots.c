/* dots.c: dots at the beginnings of lines. */
#include "dots.h"

size_t cs_coding_dots_stuffed(size_t n) {
  return 2 * n + 5;
}

/* How many bytes stand for themselves. */
static size_t run_of(const char *from, const char *end) {
  const char *at = from;
  while (at < end && *at != '\r' && *at != '\n') at++;
  return (size_t)(at - from);
}

size_t cs_coding_dots_stuff(cs_dots_stuffer *s, char *to, const char *from, size_t n) {
  char *start = to;
  for (const char *end = from + n; from < end;) {
    if (*from == '\n' && s->cr) {
      s->cr = false;
      from++;
    } else if (*from == '\n' || *from == '\r') {
      memcpy(to, "\r\n", 2);
      to += 2;
      s->cr = *from++ == '\r';
      s->in_line = false;
    } else {
      size_t run = run_of(from, end);
      if (*from == '.' && !s->in_line) *to++ = '.';
      memcpy(to, from, run);
      to += run;
      from += run;
      s->in_line = true;
      s->cr = false;
    }
  }
  return (size_t)(to - start);
}

size_t cs_coding_dots_stuff_end(cs_dots_stuffer *s, char *to) {
  size_t n = s->in_line ? 2 : 0;
  memcpy(to, "\r\n", n);
  memcpy(to + n, ".\r\n", 3);
  memset(s, 0, sizeof *s);
  return n + 3;
}

enum { DOTS_BEGIN, DOTS_LINE, DOTS_CR, DOTS_DOT, DOTS_DOT_CR, DOTS_ENDED };

size_t cs_coding_dots_unstuffed(size_t n) {
  return n + 1;
}

bool cs_coding_dots_ended(const cs_dots_unstuffer *u) {
  return u->phase == DOTS_ENDED;
}

/* The phase behind a byte that is a line's own. */
static inline uint8_t behind(uint8_t phase, char c) {
  if (c == '\r') return DOTS_CR;
  return phase == DOTS_CR && c == '\n' ? DOTS_BEGIN : DOTS_LINE;
}

size_t cs_coding_dots_unstuff(cs_dots_unstuffer *u, char *to, const char *from, size_t n,
                              size_t *used) {
  char *start = to;
  const char *at = from, *end = from + n;
  uint8_t phase = u->phase;
  while (at < end && phase != DOTS_ENDED) {
    if (phase == DOTS_LINE) {
      const char *cr = (const char *)memchr(at, '\r', (size_t)(end - at));
      size_t run = (size_t)((cr != NULL ? cr : end) - at);
      memcpy(to, at, run);
      to += run;
      at += run;
      if (at == end) break;
    }
    char c = *at++;
    if (phase == DOTS_BEGIN && c == '.') {
      phase = DOTS_DOT;
    } else if (phase == DOTS_DOT && c == '\r') {
      phase = DOTS_DOT_CR;
    } else if (phase == DOTS_DOT_CR && c == '\n') {
      phase = DOTS_ENDED;
    } else {
      if (phase == DOTS_DOT_CR) *to++ = '\r';
      *to++ = c;
      phase = behind(phase, c);
    }
  }
  u->phase = phase;
  *used = (size_t)(at - from);
  return (size_t)(to - start);
}
