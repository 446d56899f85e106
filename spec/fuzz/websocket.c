/* websocket.c: for libFuzzer (make fuzz): the reader of frames finds the same in bytes that come at
   once and in the same bytes cut anywhere, looks at none beyond them, and takes a text for UTF-8
   just when a plain reading of RFC 3629 does. */
#include "../../csrc/websocket/reader.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool fine) {
  if (!fine) abort();
}

/* RFC 3629, section 4, one character after the other. */
static bool is_utf8(const uint8_t *at, size_t n) {
  const uint8_t *end = at + n;
  while (at < end) {
    uint32_t code = *at;
    size_t more = code < 0x80 ? 0 : code < 0xC0 ? 9 : code < 0xE0 ? 1 : code < 0xF0 ? 2 : 3;
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    if (more > 3 || code > 0xF7 || (size_t)(end - at) <= more) return false;
    if (more > 0) code &= 0x3Fu >> more;
    for (size_t i = 1; i <= more; i++) {
      if ((at[i] & 0xC0) != 0x80) return false;
      code = code << 6 | (at[i] & 0x3Fu);
    }
    if (code < least[more] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return false;
    at += more + 1;
  }
  return true;
}

/* What was read: how often each verdict came, and a sum over all bytes of all events. */
typedef struct result {
  uint64_t sum;
  unsigned events;
  cs_websocket_verdict last;
} result;

static void note(result *r, cs_websocket_verdict v, const cs_websocket_event *e) {
  r->events++;
  r->sum = r->sum * 31 + (uint64_t)v;
  for (size_t i = 0; i < e->len; i++) r->sum = r->sum * 31 + (uint8_t)e->data[i];
  if (v == CS_WEBSOCKET_CLOSE) r->sum = r->sum * 31 + e->code;
  if ((v == CS_WEBSOCKET_TEXT && !e->packed) || v == CS_WEBSOCKET_CLOSE)
    check(is_utf8((const uint8_t *)e->data, e->len));
}

static result read_all(const char *bytes, size_t size, size_t step, const cs_websocket_reader *as) {
  cs_websocket_reader reader = *as;
  cs_bytes in = {0};
  result r = {0};
  for (size_t fed = 0; !cs_websocket_refused(r.last);) {
    size_t used, len = in.len;
    cs_websocket_event e = {0};
    char *own = malloc(len > 0 ? len : 1); /* so that a look beyond them is seen */
    check(own != NULL);
    memcpy(own, cs_bytes_at(&in, 0), len);
    r.last = cs_websocket_reader_read(&reader, own, len, &used, &e);
    check(used <= len && reader.message.len <= reader.max_message);
    if (r.last != CS_WEBSOCKET_MORE && !cs_websocket_refused(r.last)) note(&r, r.last, &e);
    cs_websocket_reader_go_on(&reader);
    free(own);
    if (used > 0) cs_bytes_consume(&in, used);
    if (r.last != CS_WEBSOCKET_MORE) continue;
    if (fed == size) break;
    size_t n = size - fed < step ? size - fed : step;
    check(cs_bytes_append(&in, bytes + fed, n) == 0);
    fed += n;
  }
  cs_bytes_free(&in);
  cs_bytes_free(&reader.message);
  return r;
}

/* The first byte says how the others come: how many at a time, to which side, with which limits. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  const char *bytes = (const char *)data + 1;
  cs_websocket_reader reader = {.server = (data[0] & 16) != 0,
                                .deflate = (data[0] & 32) != 0,
                                .max_fragments = data[0] & 64 ? 3 : 1000,
                                .max_message = data[0] & 64 ? 20 : 1 << 20};
  result a = read_all(bytes, size - 1, size, &reader);
  result b = read_all(bytes, size - 1, (data[0] & 15u) + 1, &reader);
  check(a.last == b.last && a.events == b.events && a.sum == b.sum);
  return 0;
}
