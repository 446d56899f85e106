/* fields.c: header lines. */
#include "fields.h"

cs_http_verdict cs_http_fields_line(const char *bytes, size_t len, cs_http_place *p, size_t limit,
                                    size_t most, cs_http_verdict too_long, cs_http_verdict too_much,
                                    size_t *n) {
  size_t window = len < most ? len : most;
  if (p->scanned < p->at) p->scanned = p->at;
  const char *lf = (const char *)memchr(bytes + p->scanned, '\n', window - p->scanned);
  size_t end = lf != NULL ? (size_t)(lf - bytes) : window; /* its last byte may be the CR */
  p->scanned = lf != NULL ? end + 1 : window;
  size_t whole = end - p->at;
  if (whole > limit + 1) return too_long;
  if (lf == NULL) return window == most ? too_much : CS_HTTP_MORE;
  if (whole == 0 || lf[-1] != '\r') return CS_HTTP_BARE_LF;
  *n = whole - 1;
  return CS_HTTP_DONE;
}

/* The line of `n` bytes at `at`, which is not empty. */
static cs_http_verdict read_field(const char *bytes, size_t at, size_t n, cs_http_field *field) {
  const char *line = bytes + at;
  size_t name = cs_http_span_of(line, n, CS_HTTP_TOKEN_CHAR);
  if (name == n || line[name] != ':' || name == 0) {
    if (cs_http_is_blank(line[0])) return CS_HTTP_FOLDED;
    return name > 0 && name < n && cs_http_is_blank(line[name]) ? CS_HTTP_NAME_BLANK : CS_HTTP_NAME;
  }
  size_t from = name + 1, to = n;
  while (from < to && cs_http_is_blank(line[from])) from++;
  if (!cs_http_syntax_text(line + from, to - from)) return CS_HTTP_VALUE;
  while (to > from && cs_http_is_blank(line[to - 1])) to--;
  if (field != NULL)
    *field = (cs_http_field){{(uint32_t)at, (uint32_t)name},
                             {(uint32_t)(at + from), (uint32_t)(to - from)}};
  return CS_HTTP_DONE;
}

cs_http_verdict cs_http_fields_read(const char *bytes, size_t len, cs_http_place *p,
                                    const cs_http_limits *limits, size_t most,
                                    cs_http_verdict too_much, cs_http_field *list) {
  for (;;) {
    size_t n;
    cs_http_verdict v = cs_http_fields_line(bytes, len, p, limits->field, most,
                                            CS_HTTP_FIELD_TOO_LONG, too_much, &n);
    if (v != CS_HTTP_DONE) return v;
    size_t at = p->at;
    p->at = p->scanned;
    if (n == 0) return CS_HTTP_DONE;
    if (p->count >= limits->fields) return CS_HTTP_TOO_MANY_FIELDS;
    v = read_field(bytes, at, n, list != NULL ? &list[p->count] : NULL);
    if (v != CS_HTTP_DONE) return v;
    p->count++;
  }
}
