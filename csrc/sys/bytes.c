/* bytes.c: the byte queue. */
#include "bytes.h"

#include <stdlib.h>

static void compact(cs_bytes *q) {
  memmove(q->block, q->block + q->head, q->len);
  q->head = 0;
}

/* The smallest power of two that holds `size`; 0 when there is none. Doubling keeps the cost of
   growing in proportion to the bytes that come in. */
static size_t round_up(size_t size) {
  size_t capacity = CS_BYTES_IDLE;
  while (capacity != 0 && capacity < size) capacity *= 2;
  return capacity;
}

static int resize(cs_bytes *q, size_t capacity) {
  if (q->head > 0) compact(q);
  char *block = (char *)realloc(q->block, capacity);
  if (block == NULL) return ENOMEM;
  q->block = block;
  q->capacity = capacity;
  return 0;
}

int cs_bytes_reserve(cs_bytes *q, size_t n, char **space, size_t *room) {
  if (n > SIZE_MAX - q->len) return ENOMEM;
  if (n > q->capacity - q->head - q->len) {
    bool fits = n <= q->capacity - q->len;
    if (fits && q->len <= q->head) {
      compact(q); /* no more bytes move than were taken since the last move */
    } else {
      size_t capacity = round_up(fits ? q->capacity + 1 : q->len + n);
      int err = capacity == 0 ? ENOMEM : resize(q, capacity);
      if (err != 0) return err;
    }
  }
  *space = q->block + q->head + q->len;
  *room = q->capacity - q->head - q->len;
  return 0;
}

void cs_bytes_commit(cs_bytes *q, size_t n) {
  q->len += n;
}

int cs_bytes_append(cs_bytes *q, const char *data, size_t n) {
  char *space;
  size_t room;
  int err = n == 0 ? 0 : cs_bytes_reserve(q, n, &space, &room);
  if (err != 0 || n == 0) return err;
  memcpy(space, data, n);
  cs_bytes_commit(q, n);
  return 0;
}

void cs_bytes_retract(cs_bytes *q, size_t n) {
  q->len -= n;
}

void cs_bytes_emptied(cs_bytes *q) {
  q->head = 0;
  if (q->capacity > CS_BYTES_KEEP) cs_bytes_free(q);
}

void cs_bytes_idle(cs_bytes *q) {
  if (q->len == 0)
    cs_bytes_free(q);
  else if (q->len <= CS_BYTES_IDLE && q->capacity > CS_BYTES_IDLE)
    resize(q, CS_BYTES_IDLE); /* when it fails, the larger block simply stays */
}

void cs_bytes_free(cs_bytes *q) {
  free(q->block);
  *q = (cs_bytes){0};
}

const char *cs_find(const char *bytes, size_t len, const char *delimiter, size_t n) {
  if (n > len) return NULL;
  return (const char *)(n == 1 ? memchr(bytes, delimiter[0], len)
                               : memmem(bytes, len, delimiter, n));
}

bool cs_bytes_find(const cs_bytes *q, size_t from, size_t to, const char *delimiter, size_t n,
                   size_t *at) {
  if (to > q->len) to = q->len;
  *at = from;
  if (from >= to || n > to - from) return false;
  const char *start = cs_bytes_at(q, from);
  const char *found = cs_find(start, to - from, delimiter, n);
  *at = found != NULL ? from + (size_t)(found - start) : to - n + 1;
  return found != NULL;
}
