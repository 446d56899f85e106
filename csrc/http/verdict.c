/* verdict.c: what each verdict means, and the usual limits. */
#include "verdict.h"

#define ROW(name, err, status, text) {err, #status, text},
static const struct {
  int err;
  const char *status, *text;
} rows[] = {CS_HTTP_VERDICTS(ROW)};
#undef ROW

int cs_http_verdict_errno(cs_http_verdict v) {
  return rows[v].err;
}

const char *cs_http_verdict_status(cs_http_verdict v) {
  return rows[v].status;
}

const char *cs_http_verdict_text(cs_http_verdict v) {
  return rows[v].text;
}

const cs_http_limits cs_http_verdict_limits = {.line = 8192,
                                               .field = 16384,
                                               .fields = 100,
                                               .head = 65536,
                                               .extension = 4096,
                                               .trailer = 8192,
                                               .body = UINT64_MAX};
