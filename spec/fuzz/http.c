/* http.c: for libFuzzer (make fuzz): the parser of HTTP finds the same in bytes that come at once
   and in the same bytes cut anywhere, and looks at none beyond them. */
#include "../../csrc/http/chunks.h"
#include "../../csrc/http/framing.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool fine) {
  if (!fine) abort();
}

/* The first `n` bytes in memory of their own, so that a look beyond them is seen. */
static char *copy(const char *bytes, size_t n) {
  char *own = malloc(n > 0 ? n : 1);
  check(own != NULL);
  memcpy(own, bytes, n);
  return own;
}

static void check_span(const cs_http_head *h, cs_http_span span) {
  check(span.at <= h->place.at && span.len <= h->place.at - span.at);
}

/* --- heads --- */

static cs_http_verdict read_head(cs_http_head *h, cs_http_field *list, bool response,
                                 const char *bytes, size_t n, const cs_http_limits *limits,
                                 cs_http_framing *f) {
  char *own = copy(bytes, n);
  *h = (cs_http_head){.response = response, .list = list};
  cs_http_verdict v = cs_http_head_read(h, own, n, limits);
  if (v == CS_HTTP_DONE) v = cs_http_head_check(h, own);
  if (v == CS_HTTP_DONE) v = cs_http_framing_decide(h, own, "GET", 3, limits, f);
  free(own);
  return v;
}

static void try_head(bool response, const char *bytes, size_t size, size_t step,
                     const cs_http_limits *limits) {
  cs_http_field list[CS_HTTP_FIELDS], other[CS_HTTP_FIELDS];
  cs_http_framing f;
  cs_http_head whole, last;
  cs_http_verdict v = read_head(&whole, list, response, bytes, size, limits, &f), w = CS_HTTP_MORE;
  cs_http_place place = {0};
  size_t n = 0;
  while (w == CS_HTTP_MORE && n < size) { /* as read.c does it: the place alone is kept */
    n = size - n < step ? size : n + step;
    char *own = copy(bytes, n);
    cs_http_head part = {.response = response, .list = other, .place = place};
    w = cs_http_head_read(&part, own, n, limits);
    place = part.place;
    free(own);
  }
  if (w == CS_HTTP_DONE) {
    w = read_head(&last, other, response, bytes, n, limits, &f);
    check(last.place.at == place.at && last.place.count == place.count);
  }
  check(w == v);
  if (v != CS_HTTP_DONE) return;
  check(whole.place.at <= size && whole.place.count <= limits->fields);
  check(f.body != CS_HTTP_BODY_LENGTH || (f.length > 0 && f.length <= limits->body));
  check_span(&whole, response ? whole.reason : whole.target);
  for (unsigned i = 0; i < whole.place.count; i++) {
    check_span(&whole, list[i].name);
    check_span(&whole, list[i].value);
    check(list[i].name.len > 0 && memcmp(&list[i], &other[i], sizeof list[i]) == 0);
  }
}

/* --- chunks --- */

/* Reads a body whose bytes come `step` at a time: how many were used, and a sum of the body's. */
static cs_http_verdict read_chunks(const char *bytes, size_t size, size_t step,
                                   const cs_http_limits *limits, size_t *at, uint64_t *sum) {
  cs_http_chunks c = {0};
  cs_http_verdict v = CS_HTTP_MORE;
  size_t end = 0, used;
  *at = 0;
  *sum = 0;
  while (!cs_http_refused(v) && v != CS_HTTP_DONE && end < size) {
    end = size - end < step ? size : end + step;
    do {
      char *own = copy(bytes + *at, end - *at);
      v = cs_http_chunks_read(&c, own, end - *at, &used, limits);
      free(own);
      check(used <= end - *at);
      *at += used;
      if (v != CS_HTTP_RUN) break;
      for (; c.run > 0 && *at < end; c.run--) *sum = *sum * 31 + (unsigned char)bytes[(*at)++];
    } while (*at < end);
  }
  cs_http_field list[CS_HTTP_FIELDS];
  if (v == CS_HTTP_DONE) check(cs_http_chunks_trailers(&c, limits, list) <= limits->fields);
  cs_http_chunks_free(&c);
  return v;
}

/* Without its last byte, a message that ends in the middle of a run wants more, as one does that
   ends before it. */
static cs_http_verdict unless_run(cs_http_verdict v) {
  return v == CS_HTTP_RUN ? CS_HTTP_MORE : v;
}

static void try_chunks(const char *bytes, size_t size, size_t step, const cs_http_limits *limits) {
  size_t at, other_at;
  uint64_t sum, other_sum;
  cs_http_verdict v = read_chunks(bytes, size, size, limits, &at, &sum);
  cs_http_verdict w = read_chunks(bytes, size, step, limits, &other_at, &other_sum);
  check(unless_run(v) == unless_run(w) && sum == other_sum);
  if (v == CS_HTTP_DONE) check(at == other_at);
}

/* The first byte says how the others come: how many at a time, and with which limits. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  const char *bytes = (const char *)data + 1;
  size_t step = (data[0] & 15) + 1;
  cs_http_limits limits = cs_http_verdict_limits;
  if (data[0] & 16)
    limits = (cs_http_limits){.line = 40,
                              .field = 30,
                              .fields = 3,
                              .head = 100,
                              .extension = 8,
                              .trailer = 20,
                              .body = 50};
  try_head(false, bytes, size - 1, step, &limits);
  try_head(true, bytes, size - 1, step, &limits);
  try_chunks(bytes, size - 1, step, &limits);
  return 0;
}
