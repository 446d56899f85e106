/* frame.c: heads and masks. */
#include "frame.h"

#define MASKED 0x80u

static unsigned byte_at(const char *bytes, size_t i) {
  return (uint8_t)bytes[i];
}

/* A number of `n` bytes, the first of which counts most. */
static uint64_t number(const char *bytes, size_t n) {
  uint64_t value = 0;
  for (size_t i = 0; i < n; i++) value = value << 8 | byte_at(bytes, i);
  return value;
}

static cs_websocket_verdict look_at_frame(unsigned first, unsigned second) {
  unsigned opcode = first & CS_FRAME_OPCODE, len = second & ~MASKED;
  if (opcode > CS_FRAME_PONG || (opcode > CS_FRAME_BINARY && !cs_frame_is_control(opcode)))
    return CS_WEBSOCKET_OPCODE;
  if (!cs_frame_is_control(opcode)) return CS_WEBSOCKET_MORE;
  if (!(first & CS_FRAME_FIN)) return CS_WEBSOCKET_CONTROL_FRAGMENT;
  return len > CS_FRAME_CONTROL ? CS_WEBSOCKET_CONTROL_LENGTH : CS_WEBSOCKET_MORE;
}

size_t cs_websocket_frame_read(cs_frame *f, const char *bytes, size_t len,
                               cs_websocket_verdict *v) {
  *v = CS_WEBSOCKET_MORE;
  if (len < 2) return 0;
  unsigned second = byte_at(bytes, 1), small = second & ~MASKED;
  f->first = (uint8_t)bytes[0];
  f->masked = (second & MASKED) != 0;
  *v = look_at_frame(f->first, second);
  if (*v != CS_WEBSOCKET_MORE) return 0;
  size_t extra = small == 126 ? 2 : small == 127 ? 8 : 0, at = 2 + extra;
  if (len < at) return 0;
  f->len = extra == 0 ? small : number(bytes + 2, extra);
  bool longer_than_needed = (extra == 2 && f->len < 126) || (extra == 8 && f->len <= UINT16_MAX);
  if (longer_than_needed || f->len > INT64_MAX) {
    *v = CS_WEBSOCKET_LENGTH;
    return 0;
  }
  if (!f->masked) return at;
  if (len < at + CS_FRAME_KEY) return 0;
  memcpy(f->key, bytes + at, CS_FRAME_KEY);
  return at + CS_FRAME_KEY;
}

size_t cs_websocket_frame_write(char head[CS_FRAME_HEAD], unsigned first, size_t len,
                                const uint8_t *key) {
  unsigned extra = len <= CS_FRAME_CONTROL ? 0 : len <= UINT16_MAX ? 2 : 8;
  unsigned small = extra == 0 ? (unsigned)len : extra == 2 ? 126 : 127;
  size_t at = 2;
  head[0] = (char)first;
  head[1] = (char)(small | (key != NULL ? MASKED : 0));
  while (extra > 0) head[at++] = (char)((uint64_t)len >> 8 * --extra);
  if (key == NULL) return at;
  memcpy(head + at, key, CS_FRAME_KEY);
  return at + CS_FRAME_KEY;
}

#define FRAME_WORD sizeof(uint64_t)

void cs_websocket_frame_mask(char *to, const char *from, size_t n, const uint8_t key[CS_FRAME_KEY],
                             size_t at) {
  uint8_t turned[FRAME_WORD];
  uint64_t mask, word;
  for (size_t i = 0; i < FRAME_WORD; i++) turned[i] = key[(at + i) % CS_FRAME_KEY];
  memcpy(&mask, turned, FRAME_WORD);
  size_t i = 0;
  for (; n - i >= FRAME_WORD; i += FRAME_WORD) {
    memcpy(&word, from + i, FRAME_WORD);
    word ^= mask;
    memcpy(to + i, &word, FRAME_WORD);
  }
  for (; i < n; i++) to[i] = (char)((uint8_t)from[i] ^ turned[i % CS_FRAME_KEY]);
}

bool cs_websocket_frame_may_say(unsigned code) {
  if (code >= 3000) return code <= 4999;
  return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}
