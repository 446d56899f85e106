/* framing.c: where a message ends (RFC 9112, 6 and 9). What two readers of a message could take
   differently is refused, not guessed. */
#include "framing.h"

/* What the headers say, before anything is made of it. */
typedef struct said {
  const cs_http_field *length, *coding; /* the last of each */
  unsigned lengths, codings;
  bool close, keep_alive, upgrade; /* options of Connection */
  bool upgrade_to;                 /* there is an Upgrade */
  bool expect_continue;
} said;

static void read_connection(const char *p, size_t n, said *s) {
  const char *end = p + n, *option;
  size_t len;
  while (cs_http_syntax_element(&p, end, &option, &len)) {
    s->close |= CS_HTTP_EQUAL(option, len, "close");
    s->keep_alive |= CS_HTTP_EQUAL(option, len, "keep-alive");
    s->upgrade |= CS_HTTP_EQUAL(option, len, "upgrade");
  }
}

static said read_fields(const cs_http_head *h, const char *bytes) {
  said s = {0};
  for (unsigned i = 0; i < h->place.count; i++) {
    const cs_http_field *f = &h->list[i];
    const char *name = bytes + f->name.at, *value = bytes + f->value.at;
    size_t n = f->name.len;
    if (CS_HTTP_EQUAL(name, n, "content-length")) {
      s.length = f;
      s.lengths++;
    } else if (CS_HTTP_EQUAL(name, n, "transfer-encoding")) {
      s.coding = f;
      s.codings++;
    } else if (CS_HTTP_EQUAL(name, n, "connection")) {
      read_connection(value, f->value.len, &s);
    } else if (CS_HTTP_EQUAL(name, n, "upgrade")) {
      s.upgrade_to = f->value.len > 0;
    } else if (CS_HTTP_EQUAL(name, n, "expect")) {
      s.expect_continue = CS_HTTP_EQUAL(value, f->value.len, "100-continue");
    }
  }
  return s;
}

/* Digits and nothing else. */
static bool read_length(const char *p, size_t n, uint64_t *length) {
  uint64_t value = 0;
  if (n == 0 || cs_http_span_of(p, n, CS_HTTP_DIGIT_CHAR) != n) return false;
  for (size_t i = 0; i < n; i++) {
    if (value > (INT64_MAX - 9) / 10) return false; /* Lua's integers are signed */
    value = value * 10 + (uint64_t)(p[i] - '0');
  }
  *length = value;
  return true;
}

/* The codings of the one Transfer-Encoding: DONE when that is `chunked` alone. */
static cs_http_verdict read_codings(const char *p, size_t n) {
  const char *end = p + n, *coding;
  unsigned count = 0, chunked = 0;
  bool last = false;
  for (size_t len; cs_http_syntax_element(&p, end, &coding, &len); count++) {
    if (len == 0 || cs_http_span_of(coding, len, CS_HTTP_TOKEN_CHAR) != len) return CS_HTTP_CODING;
    last = CS_HTTP_EQUAL(coding, len, "chunked");
    chunked += last;
  }
  if (!last || chunked != 1) return CS_HTTP_CODING_NOT_CHUNKED;
  return count == 1 ? CS_HTTP_DONE : CS_HTTP_CODING_UNKNOWN;
}

/* What Content-Length and Transfer-Encoding promise, whoever sends them: NONE when there is
   neither. */
static cs_http_verdict read_promise(const cs_http_head *h, const char *bytes, const said *s,
                                    cs_http_framing *f) {
  if (s->codings > 0) {
    if (h->version == 10) return CS_HTTP_CODING_IN_1_0;
    if (s->lengths > 0) return CS_HTTP_LENGTH_AND_CODING;
    if (s->codings > 1) return CS_HTTP_CODING_NOT_CHUNKED;
    f->body = CS_HTTP_BODY_CHUNKED;
    return read_codings(bytes + s->coding->value.at, s->coding->value.len);
  }
  if (s->lengths == 0) return CS_HTTP_DONE;
  if (s->lengths > 1) return CS_HTTP_LENGTHS;
  if (!read_length(bytes + s->length->value.at, s->length->value.len, &f->length))
    return CS_HTTP_LENGTH;
  f->body = CS_HTTP_BODY_LENGTH;
  return CS_HTTP_DONE;
}

static bool is_method(const char *method, size_t n, const char *name) {
  return n == strlen(name) && memcmp(method, name, n) == 0;
}

cs_http_verdict cs_http_framing_decide(const cs_http_head *h, const char *bytes, const char *method,
                                       size_t method_len, const cs_http_limits *limits,
                                       cs_http_framing *f) {
  memset(f, 0, sizeof *f);
  said s = read_fields(h, bytes);
  cs_http_verdict v = read_promise(h, bytes, &s, f);
  if (v != CS_HTTP_DONE) return v;
  bool promised = f->body == CS_HTTP_BODY_CHUNKED || f->length > 0;
  bool switches = s.upgrade && s.upgrade_to && h->version == 11;
  f->keep_alive = !s.close && (h->version == 11 || s.keep_alive);
  if (!h->response) {
    f->upgrade = switches;
    f->expect_continue = s.expect_continue && promised && h->version == 11;
    if (is_method(bytes + h->method.at, h->method.len, "CONNECT")) {
      if (promised) return CS_HTTP_CONNECT_BODY;
      f->body = CS_HTTP_BODY_TUNNEL;
    }
  } else if (h->status == 101 ||
             (h->status / 100 == 2 && is_method(method, method_len, "CONNECT"))) {
    f->body = CS_HTTP_BODY_TUNNEL;
    f->upgrade = h->status == 101;
  } else if (h->status < 200 || h->status == 204) {
    f->body = CS_HTTP_BODY_NONE;
    if (promised) f->keep_alive = false; /* it may send one nevertheless */
  } else if (h->status == 304 || is_method(method, method_len, "HEAD")) {
    f->body = CS_HTTP_BODY_NONE; /* the promise is about another answer */
  } else if (f->body == CS_HTTP_BODY_NONE) {
    f->body = CS_HTTP_BODY_CLOSE;
  }
  if (f->body == CS_HTTP_BODY_CLOSE || f->body == CS_HTTP_BODY_TUNNEL) f->keep_alive = false;
  if (f->body == CS_HTTP_BODY_LENGTH && f->length == 0) f->body = CS_HTTP_BODY_NONE;
  if (f->body == CS_HTTP_BODY_LENGTH && f->length > limits->body) return CS_HTTP_BODY_TOO_LONG;
  return CS_HTTP_DONE;
}
