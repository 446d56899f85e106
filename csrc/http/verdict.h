/* verdict.h: what the parser of HTTP/1.1 says of the bytes that it was shown, and the limits that
   it keeps. Pure C, like the rest of the parser: syntax, fields, head, framing, chunks. */
#ifndef CS_HTTP_VERDICT_H
#define CS_HTTP_VERDICT_H

#include "../sys/port.h"

/* Each with what an error of it says: the errno value, the status of the answer to a request that
   is refused for it (a client has no use for that), and the text. */
/* clang-format off */
#define CS_HTTP_VERDICTS(V) \
  V(MORE, 0, 0, "")  /* it depends on bytes that have not come yet */ \
  V(DONE, 0, 0, "") \
  V(RUN, 0, 0, "")  /* of chunks: bytes of the body follow */ \
  V(LINE_TOO_LONG, EMSGSIZE, 414, "the request line is longer than the limit") \
  V(STATUS_LINE_TOO_LONG, EMSGSIZE, 431, "the status line is longer than the limit") \
  V(FIELD_TOO_LONG, EMSGSIZE, 431, "a header line is longer than the limit") \
  V(TOO_MANY_FIELDS, EMSGSIZE, 431, "more header lines than the limit") \
  V(HEAD_TOO_LONG, EMSGSIZE, 431, "the head is longer than the limit") \
  V(TRAILER_TOO_LONG, EMSGSIZE, 431, "the trailers are longer than the limit") \
  V(BODY_TOO_LONG, EMSGSIZE, 413, "the body is longer than the limit") \
  V(EXTENSION_TOO_LONG, EMSGSIZE, 400, "the extensions of a chunk are longer than the limit") \
  V(BARE_LF, EBADMSG, 400, "a line ends without CR") \
  V(REQUEST_LINE, EBADMSG, 400, "the request line is malformed") \
  V(METHOD, EBADMSG, 400, "the method is no token") \
  V(TARGET, EBADMSG, 400, "the target is malformed") \
  V(VERSION, EBADMSG, 400, "the protocol is no HTTP") \
  V(OTHER_VERSION, EBADMSG, 505, "the version of HTTP is neither 1.0 nor 1.1") \
  V(STATUS_LINE, EBADMSG, 400, "the status line is malformed") \
  V(NAME, EBADMSG, 400, "a header's name is no token") \
  V(NAME_BLANK, EBADMSG, 400, "a blank before the colon of a header") \
  V(FOLDED, EBADMSG, 400, "a header line begins with a blank") \
  V(VALUE, EBADMSG, 400, "a header's value has a control character") \
  V(NO_HOST, EBADMSG, 400, "no Host") \
  V(HOSTS, EBADMSG, 400, "more than one Host") \
  V(HOST, EBADMSG, 400, "the Host is malformed") \
  V(LENGTH, EBADMSG, 400, "the Content-Length is no number of bytes") \
  V(LENGTHS, EBADMSG, 400, "more than one Content-Length") \
  V(LENGTH_AND_CODING, EBADMSG, 400, "both Content-Length and Transfer-Encoding") \
  V(CODING, EBADMSG, 400, "the Transfer-Encoding is malformed") \
  V(CODING_NOT_CHUNKED, EBADMSG, 400, "the Transfer-Encoding does not end with one chunked") \
  V(CODING_UNKNOWN, EBADMSG, 501, "a Transfer-Encoding besides chunked") \
  V(CODING_IN_1_0, EBADMSG, 400, "a Transfer-Encoding in HTTP/1.0") \
  V(CONNECT_BODY, EBADMSG, 400, "a CONNECT with a body") \
  V(CHUNK_SIZE, EBADMSG, 400, "the size of a chunk is malformed") \
  V(CHUNK_EXTENSION, EBADMSG, 400, "the extensions of a chunk are malformed") \
  V(CHUNK_END, EBADMSG, 400, "a chunk does not end with CRLF") \
  V(TRAILER, EBADMSG, 400, "a Content-Length or a Transfer-Encoding among the trailers") \
  V(CUT, EBADMSG, 400, "the connection ended in the middle of a message") \
  V(NO_MEMORY, ENOMEM, 500, "out of memory") /* clang-format on */
/* clang-format on */

#define CS_HTTP_VERDICT(name, err, status, text) CS_HTTP_##name,
typedef enum cs_http_verdict { CS_HTTP_VERDICTS(CS_HTTP_VERDICT) } cs_http_verdict;
#undef CS_HTTP_VERDICT

/* Whether the message is refused, that is, anything else than one of the first three. */
static inline bool cs_http_refused(cs_http_verdict v) {
  return v > CS_HTTP_RUN;
}

int cs_http_verdict_errno(cs_http_verdict v);
const char *cs_http_verdict_status(cs_http_verdict v); /* three digits */
const char *cs_http_verdict_text(cs_http_verdict v);

/* In bytes, but for `fields`, their number. No line end counts, but in `head` and `trailer`. */
typedef struct cs_http_limits {
  uint32_t line;      /* of the request or status line */
  uint32_t field;     /* of a header line */
  uint32_t fields;    /* of a head, or of the trailers: CS_HTTP_FIELDS at most */
  uint32_t head;      /* of all lines of a head */
  uint32_t extension; /* of one chunk */
  uint32_t trailer;   /* of all trailers */
  uint64_t body;
} cs_http_limits;

#define CS_HTTP_FIELDS 256

extern const cs_http_limits cs_http_verdict_limits; /* the usual ones */

#endif
