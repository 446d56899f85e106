/* fields.h: lines of the form "name: value", up to an empty one: the headers of a message, and its
   trailers. */
#ifndef CS_HTTP_FIELDS_H
#define CS_HTTP_FIELDS_H

#include "syntax.h"
#include "verdict.h"

typedef struct cs_http_field {
  cs_http_span name, value; /* the value without the blanks around it */
} cs_http_field;

/* How far the lines of a message have been read: enough to go on with more bytes, at first all 0.
   What it has passed is not looked at again. */
typedef struct cs_http_place {
  size_t at;      /* here begins the first line whose end has not come */
  size_t scanned; /* and there is no LF before here */
  unsigned count; /* fields before `at` */
} cs_http_place;

/* Finds the end of the line at p->at: DONE, and its length without CRLF in *n; p->scanned is behind
   it then. `limit` is its own, `most` that of all lines together; `too_long` and `too_much` are
   what to say of them. The verdict does not depend on how many bytes come at a time. */
cs_http_verdict cs_http_fields_line(const char *bytes, size_t len, cs_http_place *p, size_t limit,
                                    size_t most, cs_http_verdict too_long, cs_http_verdict too_much,
                                    size_t *n);

/* Reads the lines from p->at on: DONE when the empty one has come: p->at is behind it. `list` may
   be NULL; else each field is put at its number (limits->fields of them). */
cs_http_verdict cs_http_fields_read(const char *bytes, size_t len, cs_http_place *p,
                                    const cs_http_limits *limits, size_t most,
                                    cs_http_verdict too_much, cs_http_field *list);

#endif
