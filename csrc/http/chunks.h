/* chunks.h: a body that comes in chunks (RFC 9112, 7.1): what is between its bytes, and the
   trailers. */
#ifndef CS_HTTP_CHUNKS_H
#define CS_HTTP_CHUNKS_H

#include "fields.h"
#include "../sys/bytes.h"

/* At first all 0. Whoever holds it calls cs_http_chunks_free. */
typedef struct cs_http_chunks {
  uint8_t phase;
  uint8_t digits;      /* of the size */
  uint32_t extension;  /* bytes of the extensions of this chunk */
  uint64_t size;       /* of this chunk, as far as it has been read */
  uint64_t run;        /* bytes of the body that follow: who takes them counts them off */
  uint64_t total;      /* bytes of all chunks so far */
  cs_bytes trailer;    /* the trailers, as they were sent; empty when there are none */
  cs_http_place place; /* in `trailer` */
} cs_http_chunks;

/* Reads what is between the bytes of the body: *used bytes. RUN: c->run bytes follow, which are the
   caller's to take; call again once they are. MORE: all has been read. DONE: the body has ended. */
cs_http_verdict cs_http_chunks_read(cs_http_chunks *c, const char *bytes, size_t len, size_t *used,
                                    const cs_http_limits *limits);

/* Reads the trailers of a body that has ended, again, into `list`: how many. */
unsigned cs_http_chunks_trailers(const cs_http_chunks *c, const cs_http_limits *limits,
                                 cs_http_field *list);

void cs_http_chunks_free(cs_http_chunks *c);

#endif
