/* bytes.c: bytes that wait for something. */
#include "readline.h"

#include <stdlib.h>
#include <string.h>

bool line_bytes_reserve(line_bytes *b, size_t more) {
  if (b->from > 0 && (b->len == 0 || b->from + b->len + more > b->room)) {
    memmove(b->at, b->at + b->from, b->len);
    b->from = 0;
  }
  if (b->len + more <= b->room) return true;
  size_t room = b->room < 256 ? 256 : b->room;
  while (room < b->len + more) room *= 2;
  char *at = realloc(b->at, room);
  if (at == NULL) return false;
  b->at = at;
  b->room = room;
  return true;
}

bool line_bytes_add(line_bytes *b, const char *bytes, size_t n) {
  if (!line_bytes_reserve(b, n)) return false;
  if (n > 0) memcpy(b->at + b->from + b->len, bytes, n);
  b->len += n;
  return true;
}

void line_bytes_take(line_bytes *b, size_t n) {
  b->from += n;
  b->len -= n;
  if (b->len == 0 && b->room > 1 << 16) line_bytes_free(b); /* it was much, once */
}

void line_bytes_free(line_bytes *b) {
  free(b->at);
  *b = (line_bytes){0};
}
