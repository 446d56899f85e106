/* framing.h: where a message ends, and what comes after it on the connection. */
#ifndef CS_HTTP_FRAMING_H
#define CS_HTTP_FRAMING_H

#include "head.h"

typedef enum cs_http_body {
  CS_HTTP_BODY_NONE,
  CS_HTTP_BODY_LENGTH,
  CS_HTTP_BODY_CHUNKED,
  CS_HTTP_BODY_CLOSE, /* it ends with the connection */
  CS_HTTP_BODY_TUNNEL /* there is none: the connection speaks another protocol from here on */
} cs_http_body;

typedef struct cs_http_framing {
  cs_http_body body;
  uint64_t length;      /* of CS_HTTP_BODY_LENGTH: 1 or more */
  bool keep_alive;      /* another message may follow on the connection */
  bool upgrade;         /* of a request: another protocol is asked for; of a response: it begins */
  bool expect_continue; /* the client waits for a 100 before it sends the body */
} cs_http_framing;

/* Decides it for a head that has been read in full: DONE, or why the message is refused. `method`
   and `method_len` are those of the request that a response belongs to. The one place for this. */
cs_http_verdict cs_http_framing_decide(const cs_http_head *h, const char *bytes, const char *method,
                                       size_t method_len, const cs_http_limits *limits,
                                       cs_http_framing *f);

#endif
