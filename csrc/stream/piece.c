/* piece.c: where a piece of input ends. */
#include "piece.h"

#include <locale.h>

static size_t add_limit(size_t at, size_t limit) {
  return limit < SIZE_MAX - at ? at + limit : SIZE_MAX;
}

#define NUMERAL_MAX 200 /* Lua's own limit */

static bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool one_of(const char *p, size_t n, size_t *i, const char *set) {
  if (*i >= n || p[*i] == '\0' || strchr(set, p[*i]) == NULL) return false;
  (*i)++;
  return true;
}

static size_t digits(const char *p, size_t n, size_t *i, const char *set) {
  size_t first = *i;
  while (one_of(p, n, i, set)) continue;
  return *i - first;
}

/* How many of the bytes belong to a numeral, or to what began as one. */
static size_t numeral_length(const char *p, size_t n) {
  static const char decimal[] = "0123456789", hexadecimal[] = "0123456789abcdefABCDEF";
  const char point[] = {'.', localeconv()->decimal_point[0], '\0'};
  const char *set = decimal;
  size_t i = 0, count = 0;
  one_of(p, n, &i, "+-");
  if (one_of(p, n, &i, "0")) {
    if (one_of(p, n, &i, "xX"))
      set = hexadecimal;
    else
      count = 1;
  }
  count += digits(p, n, &i, set);
  if (one_of(p, n, &i, point)) count += digits(p, n, &i, set);
  if (count > 0 && one_of(p, n, &i, set == decimal ? "eE" : "pP")) {
    one_of(p, n, &i, "+-");
    digits(p, n, &i, decimal);
  }
  return i;
}

/* Pushes the number that the bytes spell: whether they spell one. */
static bool push_number(lua_State *L, const char *p, size_t n) {
  char text[NUMERAL_MAX + 1];
  memcpy(text, p, n);
  text[n] = '\0';
  return lua_stringtonumber(L, text) == n + 1;
}

/* *scan ends where the numeral begins: white space is looked at once. */
static bool measure_numeral(lua_State *L, const cs_bytes *in, bool at_end, size_t *scan,
                            cs_piece *p) {
  size_t len = in->len;
  while (*scan < len && is_space(*cs_bytes_at(in, *scan))) (*scan)++;
  size_t there = len - *scan;
  size_t n = numeral_length(cs_bytes_at(in, *scan), there > NUMERAL_MAX ? NUMERAL_MAX + 1 : there);
  if (n == there && n <= NUMERAL_MAX && !at_end) return false; /* the next byte may belong to it */
  bool too_many = n > NUMERAL_MAX;
  if (too_many) n = NUMERAL_MAX;
  p->end = *scan + n;
  p->absent = too_many || !push_number(L, cs_bytes_at(in, *scan), n);
  if (!p->absent) lua_pop(L, 1);
  return true;
}

static bool measure_record(const cs_bytes *in, size_t at, bool at_end, size_t *scan, cs_piece *p) {
  size_t to = add_limit(add_limit(at, p->limit), p->delimiter_len);
  if (cs_bytes_find(in, *scan, to, p->delimiter, p->delimiter_len, scan)) {
    p->end = *scan + p->delimiter_len;
    return true;
  }
  p->too_long = in->len >= to || (at_end && in->len - at > p->limit);
  p->absent = at_end && in->len == at;
  p->end = in->len;
  return p->too_long || at_end;
}

static bool measure_line(const cs_bytes *in, size_t at, bool at_end, size_t *scan, cs_piece *p) {
  size_t to = add_limit(at, p->limit);
  if (cs_bytes_find(in, *scan, to, p->delimiter, p->delimiter_len, scan)) {
    p->end = *scan + 1;
    return true;
  }
  p->end = in->len < to ? in->len : to;
  p->absent = at_end && p->end == at;
  return at_end || p->end == to;
}

static bool measure(lua_State *L, const cs_bytes *in, size_t at, bool at_end, size_t *scan,
                    cs_piece *p) {
  size_t len = in->len;
  p->absent = p->too_long = false;
  p->end = at;
  switch (p->kind) {
  case CS_PIECE_LINE:
  case CS_PIECE_WHOLE_LINE:
    return measure_line(in, at, at_end, scan, p);
  case CS_PIECE_NUMERAL:
    return measure_numeral(L, in, at_end, scan, p);
  case CS_PIECE_RECORD:
    return measure_record(in, at, at_end, scan, p);
  case CS_PIECE_ALL:
    p->end = len;
    return at_end;
  case CS_PIECE_COUNT:
    break;
  }
  p->end = len - at > p->limit ? at + p->limit : len;
  p->absent = at_end && len == at;
  return at_end || (len - at >= p->limit && len > at);
}

/* How many of the piece's bytes count: its delimiter does not, nor what may be the beginning of
 * one.
 */
static size_t counted(const cs_bytes *in, size_t at, bool known, const cs_piece *p) {
  size_t n = (known ? p->end : in->len) - at, d = p->delimiter_len;
  if (d == 0 || n < d) return d > 0 && !known ? 0 : n;
  if (!known) return n - (d - 1);
  return memcmp(cs_bytes_at(in, p->end - d), p->delimiter, d) == 0 ? n - d : n;
}

bool cs_piece_measure(lua_State *L, const cs_bytes *in, size_t at, bool at_end, size_t *scan,
                      cs_piece *p) {
  bool known = measure(L, in, at, at_end, scan, p);
  if (p->most == CS_NO_LIMIT) return known;
  if (counted(in, at, known, p) > p->most) p->too_long = true;
  return known || p->too_long;
}

void cs_piece_push(lua_State *L, const cs_bytes *in, size_t at, const cs_piece *p) {
  const char *bytes = cs_bytes_at(in, at);
  size_t n = p->end - at;
  if (p->kind == CS_PIECE_NUMERAL) {
    for (; n > 0 && is_space(*bytes); n--) bytes++;
    if (p->absent || !push_number(L, bytes, n)) lua_pushnil(L);
  } else if (p->absent) {
    lua_pushnil(L);
  } else {
    if (p->kind == CS_PIECE_LINE && n > 0 && bytes[n - 1] == '\n') {
      n--;
      if (n > 0 && bytes[n - 1] == '\r') n--;
    }
    lua_pushlstring(L, bytes, n);
  }
}
