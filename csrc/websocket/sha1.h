/* sha1.h: SHA-1 (RFC 3174): the handshake of RFC 6455 asks for it. It is broken as a signature, and
   is none there. */
#ifndef CS_WEBSOCKET_SHA1_H
#define CS_WEBSOCKET_SHA1_H

#include "../sys/port.h"

#define CS_SHA1_SIZE 20

void cs_websocket_sha1_of(const char *bytes, size_t len, uint8_t digest[CS_SHA1_SIZE]);

#endif
