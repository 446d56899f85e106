/* reader.h: messages out of the bytes of a connection. */
#ifndef CS_WEBSOCKET_READER_H
#define CS_WEBSOCKET_READER_H

#include "frame.h"
#include "utf8.h"
#include "../sys/bytes.h"

/* At first all 0 but for the first lines. Whoever holds it frees `message`. */
typedef struct cs_websocket_reader {
  bool server;  /* it is the server's: what it reads is masked */
  bool deflate; /* messages may be deflated */
  uint32_t max_fragments;
  uint64_t max_message; /* bytes; of a deflated one, as it comes */
  /* The frame that is under way: */
  bool inside;
  cs_frame frame;
  uint64_t done; /* bytes of it that have been taken */
  /* The message that is: */
  uint8_t opcode; /* 0: none */
  bool packed;
  uint32_t fragments;
  cs_utf8 utf8;
  cs_bytes message; /* what has come of it */
} cs_websocket_reader;

/* What has been read: */
typedef struct cs_websocket_event {
  const char *data; /* in the bytes that were read, or in `message`: until the next call */
  size_t len;
  bool packed;   /* of a message: it is deflated, and if a text, not looked at */
  unsigned code; /* of CLOSE; 1005: it has none */
} cs_websocket_event;

/* Reads *used bytes, which are changed: unmasked. Of anything else than MORE, `event` is set; after
   a refusal nothing more is to be read. */
cs_websocket_verdict cs_websocket_reader_read(cs_websocket_reader *r, char *bytes, size_t len,
                                              size_t *used, cs_websocket_event *event);

/* The event has been used. */
void cs_websocket_reader_go_on(cs_websocket_reader *r);

#endif
