/* reader.c: one frame after the other. A whole message that is there is given where it lies; of any
   other, each piece is unmasked, looked at and kept as it comes. */
#include "reader.h"

static size_t least(uint64_t a, size_t b) {
  return a < b ? (size_t)a : b;
}

static unsigned opcode_of(const cs_frame *f) {
  return f->first & CS_FRAME_OPCODE;
}

/* What may be wrong with a frame, here and now. */
static cs_websocket_verdict judge(const cs_websocket_reader *r, const cs_frame *f) {
  unsigned opcode = opcode_of(f), reserved = f->first & 0x70u;
  bool first = opcode == CS_FRAME_TEXT || opcode == CS_FRAME_BINARY;
  if (r->deflate && first) reserved &= ~CS_FRAME_PACKED;
  if (reserved != 0) return CS_WEBSOCKET_RESERVED;
  if (r->server != f->masked) return r->server ? CS_WEBSOCKET_UNMASKED : CS_WEBSOCKET_MASKED;
  if (cs_frame_is_control(opcode)) return CS_WEBSOCKET_MORE;
  if (first && r->opcode != 0) return CS_WEBSOCKET_NOT_CONTINUED;
  if (!first && r->opcode == 0) return CS_WEBSOCKET_NOTHING_TO_CONTINUE;
  if (f->len > r->max_message - r->message.len) return CS_WEBSOCKET_TOO_LONG;
  return r->fragments >= r->max_fragments ? CS_WEBSOCKET_TOO_MANY : CS_WEBSOCKET_MORE;
}

static void unmask(const cs_websocket_reader *r, char *to, const char *from, size_t n, size_t at) {
  if (r->frame.masked)
    cs_websocket_frame_mask(to, from, n, r->frame.key, at);
  else if (to != from)
    memcpy(to, from, n);
}

/* --- control frames --- */

static cs_websocket_verdict control_frame(const cs_frame *f, cs_websocket_event *event) {
  if (opcode_of(f) == CS_FRAME_PING) return CS_WEBSOCKET_PING;
  if (opcode_of(f) == CS_FRAME_PONG) return CS_WEBSOCKET_PONG;
  event->code = 1005;
  if (event->len == 0) return CS_WEBSOCKET_CLOSE;
  if (event->len == 1) return CS_WEBSOCKET_CLOSE_LENGTH;
  event->code = (unsigned)(uint8_t)event->data[0] << 8 | (uint8_t)event->data[1];
  event->data += 2;
  event->len -= 2;
  if (!cs_websocket_frame_may_say(event->code)) return CS_WEBSOCKET_CLOSE_CODE;
  cs_utf8 utf8 = {0};
  if (!cs_websocket_utf8_feed(&utf8, event->data, event->len) || !cs_utf8_complete(&utf8))
    return CS_WEBSOCKET_CLOSE_REASON;
  return CS_WEBSOCKET_CLOSE;
}

/* --- messages --- */

static bool in_text(const cs_websocket_reader *r) {
  return r->opcode == CS_FRAME_TEXT && !r->packed;
}

static cs_websocket_verdict complete(cs_websocket_reader *r, const char *data, size_t len,
                                     cs_websocket_event *event) {
  if (in_text(r) && !cs_utf8_complete(&r->utf8)) return CS_WEBSOCKET_NOT_UTF8;
  cs_websocket_verdict v = r->opcode == CS_FRAME_TEXT ? CS_WEBSOCKET_TEXT : CS_WEBSOCKET_BINARY;
  *event = (cs_websocket_event){.data = data, .len = len, .packed = r->packed};
  r->opcode = 0;
  return v;
}

/* Takes so many bytes of the frame. */
static cs_websocket_verdict keep_payload(cs_websocket_reader *r, const char *bytes, size_t n) {
  char *space;
  size_t room;
  if (n == 0) return CS_WEBSOCKET_MORE;
  if (cs_bytes_reserve(&r->message, n, &space, &room) != 0) return CS_WEBSOCKET_NO_MEMORY;
  unmask(r, space, bytes, n, (size_t)(r->done % CS_FRAME_KEY));
  cs_bytes_commit(&r->message, n);
  r->done += n;
  if (in_text(r) && !cs_websocket_utf8_feed(&r->utf8, space, n)) return CS_WEBSOCKET_NOT_UTF8;
  return CS_WEBSOCKET_MORE;
}

static void begin_frame(cs_websocket_reader *r) {
  const cs_frame *f = &r->frame;
  r->done = 0;
  if (opcode_of(f) != CS_FRAME_NEXT) {
    r->opcode = (uint8_t)opcode_of(f);
    r->packed = (f->first & CS_FRAME_PACKED) != 0;
    r->fragments = 0;
    r->utf8 = (cs_utf8){0};
  }
  r->fragments++;
}

/* The whole message lies there. */
static cs_websocket_verdict take_whole(cs_websocket_reader *r, char *data,
                                       cs_websocket_event *event) {
  size_t len = (size_t)r->frame.len;
  unmask(r, data, data, len, 0);
  if (in_text(r) && !cs_websocket_utf8_feed(&r->utf8, data, len)) return CS_WEBSOCKET_NOT_UTF8;
  return complete(r, data, len, event);
}

cs_websocket_verdict cs_websocket_reader_read(cs_websocket_reader *r, char *bytes, size_t len,
                                              size_t *used, cs_websocket_event *event) {
  cs_frame *f = &r->frame;
  cs_websocket_verdict v = CS_WEBSOCKET_MORE;
  for (size_t at = *used = 0;;) {
    if (!r->inside) {
      size_t head = cs_websocket_frame_read(f, bytes + at, len - at, &v);
      if (v == CS_WEBSOCKET_MORE && head > 0) v = judge(r, f);
      if (v != CS_WEBSOCKET_MORE || head == 0) return v;
      bool there = f->len <= len - at - head;
      if (cs_frame_is_control(opcode_of(f))) {
        if (!there) return v;
        char *data = bytes + at + head;
        *used = at + head + (size_t)f->len;
        unmask(r, data, data, (size_t)f->len, 0);
        *event = (cs_websocket_event){.data = data, .len = (size_t)f->len};
        return control_frame(f, event);
      }
      begin_frame(r);
      at += head;
      if (there && (f->first & CS_FRAME_FIN) && r->fragments == 1) {
        *used = at + (size_t)f->len;
        return take_whole(r, bytes + at, event);
      }
      r->inside = true;
    }
    size_t n = least(f->len - r->done, len - at);
    v = keep_payload(r, bytes + at, n);
    *used = at += n;
    if (v != CS_WEBSOCKET_MORE || r->done < f->len) return v;
    r->inside = false;
    if (f->first & CS_FRAME_FIN)
      return complete(r, cs_bytes_at(&r->message, 0), r->message.len, event);
  }
}

void cs_websocket_reader_go_on(cs_websocket_reader *r) {
  if (r->opcode == 0 && r->message.len > 0) cs_bytes_consume(&r->message, r->message.len);
}
