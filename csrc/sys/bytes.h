/* bytes.h: a growable queue of bytes, in one piece of memory: room is made at its end, bytes are
   taken from its front. Whoever holds a queue frees it. A zeroed struct is an empty queue. */
#ifndef CS_BYTES_H
#define CS_BYTES_H

#include "port.h"

typedef struct cs_bytes {
  char *block;
  size_t capacity; /* of the block */
  size_t head;     /* offset of the first byte in it */
  size_t len;      /* bytes queued */
} cs_bytes;

/* What an idle queue with a little in it may keep, and what an emptied one may. */
#define CS_BYTES_IDLE 4096
#define CS_BYTES_KEEP 65536

/* Makes room for `n` bytes at least: *space is where they go, *room how many fit there. 0 or ENOMEM
   (the queue is unchanged then). */
int cs_bytes_reserve(cs_bytes *q, size_t n, char **space, size_t *room);

/* The first `n` bytes of the room have been filled. */
void cs_bytes_commit(cs_bytes *q, size_t n);

/* 0 or ENOMEM. */
int cs_bytes_append(cs_bytes *q, const char *data, size_t n);

/* Takes the last `n` bytes back. */
void cs_bytes_retract(cs_bytes *q, size_t n);

/* Called when the last byte has been taken: gives a large block back. */
void cs_bytes_emptied(cs_bytes *q);

/* Drops the first `n` bytes; nothing is moved. (Inline: done for every line that is read.) */
static inline void cs_bytes_consume(cs_bytes *q, size_t n) {
  q->head += n;
  q->len -= n;
  if (q->len == 0) cs_bytes_emptied(q);
}

/* To be called before a long wait: a queue with little in it keeps little memory, an empty one
 * none.
 */
void cs_bytes_idle(cs_bytes *q);

void cs_bytes_free(cs_bytes *q);

static inline const char *cs_bytes_at(const cs_bytes *q, size_t offset) {
  return q->block != NULL ? q->block + q->head + offset : "";
}

/* Where the first `n` >= 1 bytes `delimiter` begin, or NULL. */
const char *cs_find(const char *bytes, size_t len, const char *delimiter, size_t n);

/* Looks for `n` >= 1 bytes `delimiter` that lie between the offsets `from` and `to`; *at is where
   they begin. When they are not there, *at is from where to look once more bytes have come. */
bool cs_bytes_find(const cs_bytes *q, size_t from, size_t to, const char *delimiter, size_t n,
                   size_t *at);

#endif
