/* sha1.c: the digest of bytes that are there at once. */
#include "sha1.h"

#define SHA1_BLOCK 64

static uint32_t rotate(uint32_t x, unsigned n) {
  return x << n | x >> (32 - n);
}

/* RFC 3174, 6.1. */
static void add_block(uint32_t h[5], const uint8_t *block) {
  uint32_t w[80];
  for (unsigned i = 0; i < 16; i++, block += 4)
    w[i] = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 | (uint32_t)block[2] << 8 | block[3];
  for (unsigned i = 16; i < 80; i++) w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
  uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
  for (unsigned i = 0; i < 80; i++) {
    static const uint32_t k[] = {0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xCA62C1D6};
    uint32_t f = i < 20   ? (b & c) | (~b & d)
                 : i < 40 ? b ^ c ^ d
                 : i < 60 ? (b & c) | (b & d) | (c & d)
                          : b ^ c ^ d;
    uint32_t next = rotate(a, 5) + f + e + w[i] + k[i / 20];
    e = d;
    d = c;
    c = rotate(b, 30);
    b = a;
    a = next;
  }
  h[0] += a;
  h[1] += b;
  h[2] += c;
  h[3] += d;
  h[4] += e;
}

void cs_websocket_sha1_of(const char *bytes, size_t len, uint8_t digest[CS_SHA1_SIZE]) {
  uint32_t h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
  uint8_t last[2 * SHA1_BLOCK] = {0};
  size_t rest = len % SHA1_BLOCK, padded = rest < SHA1_BLOCK - 8 ? SHA1_BLOCK : 2 * SHA1_BLOCK;
  for (size_t at = 0; at + SHA1_BLOCK <= len; at += SHA1_BLOCK)
    add_block(h, (const uint8_t *)bytes + at);
  if (rest > 0) memcpy(last, bytes + len - rest, rest);
  last[rest] = 0x80;
  for (unsigned i = 0; i < 8; i++) last[padded - 1 - i] = (uint8_t)((uint64_t)len * 8 >> 8 * i);
  for (size_t at = 0; at < padded; at += SHA1_BLOCK) add_block(h, last + at);
  for (unsigned i = 0; i < CS_SHA1_SIZE; i++) digest[i] = (uint8_t)(h[i / 4] >> 8 * (3 - i % 4));
}
