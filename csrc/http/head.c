/* head.c: the first line, and what must be true of a head as a whole. */
#include "head.h"

static cs_http_verdict read_version(const char *p, uint8_t *version) {
  if (memcmp(p, "HTTP/", 5) != 0 || !cs_http_is(p[5], CS_HTTP_DIGIT_CHAR) || p[6] != '.' ||
      !cs_http_is(p[7], CS_HTTP_DIGIT_CHAR))
    return CS_HTTP_VERSION;
  if (p[5] != '1' || p[7] > '1') return CS_HTTP_OTHER_VERSION;
  *version = p[7] == '1' ? 11 : 10;
  return CS_HTTP_DONE;
}
#define VERSION_LEN 8

/* --- the target (RFC 9112, 3.2) --- */

static bool is_letter(char c) {
  c = cs_http_lower(c);
  return c >= 'a' && c <= 'z';
}

/* "scheme://authority" and more. */
static bool is_absolute(const char *p, size_t n) {
  size_t i = 0;
  while (i < n && (is_letter(p[i]) || cs_http_is(p[i], CS_HTTP_DIGIT_CHAR) || p[i] == '+' ||
                   p[i] == '-' || p[i] == '.'))
    i++;
  if (!is_letter(p[0]) || n - i < 4 || memcmp(p + i, "://", 3) != 0) return false;
  i += 3;
  size_t end = i;
  while (end < n && p[end] != '/' && p[end] != '?') end++;
  return cs_http_syntax_authority(p + i, end - i, false);
}

static bool is_target(const char *method, size_t method_len, const char *p, size_t n) {
  if (method_len == 7 && memcmp(method, "CONNECT", 7) == 0)
    return cs_http_syntax_authority(p, n, true);
  if (p[0] == '/') return true;
  if (n == 1 && p[0] == '*') return method_len == 7 && memcmp(method, "OPTIONS", 7) == 0;
  return is_absolute(p, n);
}

/* --- the first line --- */

static cs_http_verdict read_request_line(cs_http_head *h, const char *bytes, size_t at, size_t n) {
  const char *line = bytes + at;
  size_t method = cs_http_span_of(line, n, CS_HTTP_TOKEN_CHAR);
  if (method == n) return CS_HTTP_REQUEST_LINE;
  if (line[method] != ' ') return CS_HTTP_METHOD;
  const char *target = line + method + 1;
  size_t left = n - method - 1, len = cs_http_span_of(target, left, CS_HTTP_TARGET_CHAR);
  if (len == 0 || (len < left && target[len] != ' ')) return CS_HTTP_TARGET;
  if (left - len != 1 + VERSION_LEN) return CS_HTTP_REQUEST_LINE;
  cs_http_verdict v = read_version(target + len + 1, &h->version);
  if (v != CS_HTTP_DONE) return v;
  if (!is_target(line, method, target, len)) return CS_HTTP_TARGET;
  h->method = (cs_http_span){(uint32_t)at, (uint32_t)method};
  h->target = (cs_http_span){(uint32_t)(at + method + 1), (uint32_t)len};
  return CS_HTTP_DONE;
}

/* "HTTP/1.1 200 OK"; where there is no reason, the blank before it is left out by many. */
static cs_http_verdict read_status_line(cs_http_head *h, const char *bytes, size_t n) {
  const size_t status = VERSION_LEN + 1, reason = status + 4;
  if (n < VERSION_LEN) return CS_HTTP_STATUS_LINE;
  cs_http_verdict v = read_version(bytes, &h->version);
  if (v != CS_HTTP_DONE) return v;
  const char *digits = bytes + status;
  if (n < status + 3 || bytes[VERSION_LEN] != ' ' || digits[0] == '0' ||
      cs_http_span_of(digits, 3, CS_HTTP_DIGIT_CHAR) != 3 || (n > status + 3 && digits[3] != ' '))
    return CS_HTTP_STATUS_LINE;
  size_t len = n > reason ? n - reason : 0;
  if (!cs_http_syntax_text(bytes + reason, len)) return CS_HTTP_STATUS_LINE;
  h->status = (uint16_t)((digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0'));
  h->reason = (cs_http_span){(uint32_t)reason, (uint32_t)len};
  return CS_HTTP_DONE;
}

/* One empty line before a request is passed over (RFC 9112, 2.2): some clients send it after a
   body. It is part of what the head consumes. */
#define EMPTY_LEN 2

static cs_http_verdict pass_empty_line(const char *bytes, size_t len, cs_http_place *p) {
  if (bytes[0] != '\r') return CS_HTTP_DONE;
  if (len < EMPTY_LEN) return CS_HTTP_MORE;
  if (bytes[1] != '\n') return CS_HTTP_REQUEST_LINE;
  p->at = EMPTY_LEN;
  return len > EMPTY_LEN ? CS_HTTP_DONE : CS_HTTP_MORE;
}

/* The first byte is looked at before the line is there: what speaks another protocol (TLS) will
   not send an LF soon. */
static cs_http_verdict read_first_line(cs_http_head *h, const char *bytes, size_t len,
                                       const cs_http_limits *limits) {
  cs_http_place *p = &h->place;
  cs_http_verdict v = h->response ? CS_HTTP_DONE : pass_empty_line(bytes, len, p);
  if (v != CS_HTTP_DONE) return v;
  if (h->response && bytes[0] != 'H') return CS_HTTP_VERSION;
  if (!h->response && !cs_http_is(bytes[p->at], CS_HTTP_TOKEN_CHAR)) return CS_HTTP_METHOD;
  size_t at = p->at, n;
  v = cs_http_fields_line(bytes, len, p, limits->line, limits->head,
                          h->response ? CS_HTTP_STATUS_LINE_TOO_LONG : CS_HTTP_LINE_TOO_LONG,
                          CS_HTTP_HEAD_TOO_LONG, &n);
  if (v != CS_HTTP_DONE) return v;
  p->at = p->scanned;
  return h->response ? read_status_line(h, bytes, n) : read_request_line(h, bytes, at, n);
}

/* --- the whole --- */

cs_http_verdict cs_http_head_read(cs_http_head *h, const char *bytes, size_t len,
                                  const cs_http_limits *limits) {
  cs_http_verdict v = len > 0 ? CS_HTTP_DONE : CS_HTTP_MORE;
  if (len > 0 && h->place.at <= EMPTY_LEN) v = read_first_line(h, bytes, len, limits);
  if (v != CS_HTTP_DONE) return v;
  return cs_http_fields_read(bytes, len, &h->place, limits, limits->head, CS_HTTP_HEAD_TOO_LONG,
                             h->list);
}

cs_http_verdict cs_http_head_check(const cs_http_head *h, const char *bytes) {
  const cs_http_field *host = NULL;
  if (h->response) return CS_HTTP_DONE;
  for (unsigned i = 0; i < h->place.count; i++) {
    const cs_http_field *f = &h->list[i];
    if (!CS_HTTP_EQUAL(bytes + f->name.at, f->name.len, "host")) continue;
    if (host != NULL) return CS_HTTP_HOSTS;
    host = f;
  }
  if (host == NULL) return h->version == 11 ? CS_HTTP_NO_HOST : CS_HTTP_DONE;
  const char *value = bytes + host->value.at;
  bool fits = host->value.len == 0 /* the target has no authority */ ||
              cs_http_syntax_authority(value, host->value.len, false);
  return fits ? CS_HTTP_DONE : CS_HTTP_HOST;
}
