/* head.h: the head of a request or a response: its first line and its headers. */
#ifndef CS_HTTP_HEAD_H
#define CS_HTTP_HEAD_H

#include "fields.h"

typedef struct cs_http_head {
  bool response;
  uint8_t version;     /* 10 or 11 */
  uint16_t status;     /* of a response */
  cs_http_span method; /* of a request */
  cs_http_span target; /* of a request; as it was sent */
  cs_http_span reason; /* of a response; may be empty */
  cs_http_place place; /* DONE: place.at bytes are the head, and place.count its fields */
  cs_http_field *list; /* of limits->fields */
} cs_http_head;

/* Reads a head that begins with the first byte. h->response and h->list are the caller's, and the
   rest is zero at first. MORE: call again with the same bytes and more behind them. All that has to
   be kept meanwhile is h->place: with that alone the end is found as well, and the head can then be
   read once more, from the beginning. */
cs_http_verdict cs_http_head_read(cs_http_head *h, const char *bytes, size_t len,
                                  const cs_http_limits *limits);

/* What must be true of a head that has been read in full, besides its framing: DONE, or why it is
   refused. */
cs_http_verdict cs_http_head_check(const cs_http_head *h, const char *bytes);

#endif
