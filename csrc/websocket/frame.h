/* frame.h: the frames of RFC 6455, section 5: their heads, their masks, and what is wrong with
   them. Pure C, like reader, utf8 and sha1. */
#ifndef CS_WEBSOCKET_FRAME_H
#define CS_WEBSOCKET_FRAME_H

#include "../sys/port.h"

/* What has been read, or what is wrong with it: the errno value of the error, the code that the
   connection is closed with, and the text. */
/* clang-format off */
#define CS_WEBSOCKET_VERDICTS(V) \
  V(MORE, 0, 0, "")  /* it depends on bytes that have not come yet */ \
  V(TEXT, 0, 0, "")  /* whole messages */ \
  V(BINARY, 0, 0, "") \
  V(CLOSE, 0, 0, "") \
  V(PING, 0, 0, "") \
  V(PONG, 0, 0, "") \
  V(RESERVED, EBADMSG, 1002, "a reserved bit is set") \
  V(OPCODE, EBADMSG, 1002, "the opcode is reserved") \
  V(UNMASKED, EBADMSG, 1002, "a client's frame without a mask") \
  V(MASKED, EBADMSG, 1002, "a server's frame with a mask") \
  V(LENGTH, EBADMSG, 1002, "the length is not written in the shortest way") \
  V(CONTROL_LENGTH, EBADMSG, 1002, "a control frame of more than 125 bytes") \
  V(CONTROL_FRAGMENT, EBADMSG, 1002, "a control frame in fragments") \
  V(NOT_CONTINUED, EBADMSG, 1002, "a new message in the middle of another") \
  V(NOTHING_TO_CONTINUE, EBADMSG, 1002, "a continuation of nothing") \
  V(CLOSE_LENGTH, EBADMSG, 1002, "a close frame of one byte") \
  V(CLOSE_CODE, EBADMSG, 1002, "the code of a close frame is none") \
  V(CLOSE_REASON, EILSEQ, 1007, "the reason of a close frame is no UTF-8") \
  V(NOT_UTF8, EILSEQ, 1007, "the text is no UTF-8") \
  V(TOO_LONG, EMSGSIZE, 1009, "the message is longer than the limit") \
  V(TOO_MANY, EMSGSIZE, 1009, "the message has more fragments than the limit") \
  V(NO_MEMORY, ENOMEM, 1011, "out of memory")
/* clang-format on */

#define CS_WEBSOCKET_VERDICT(name, err, code, text) CS_WEBSOCKET_##name,
typedef enum cs_websocket_verdict {
  CS_WEBSOCKET_VERDICTS(CS_WEBSOCKET_VERDICT)
} cs_websocket_verdict;
#undef CS_WEBSOCKET_VERDICT

static inline bool cs_websocket_refused(cs_websocket_verdict v) {
  return v > CS_WEBSOCKET_PONG;
}

/* The first byte of a frame, and its opcodes. */
#define CS_FRAME_FIN    0x80u
#define CS_FRAME_PACKED 0x40u /* RFC 7692: the message is deflated */
#define CS_FRAME_OPCODE 0x0Fu
#define CS_FRAME_NEXT   0u
#define CS_FRAME_TEXT   1u
#define CS_FRAME_BINARY 2u
#define CS_FRAME_CLOSE  8u
#define CS_FRAME_PING   9u
#define CS_FRAME_PONG   10u

/* The opcodes of frames that stand between those of a message. */
static inline bool cs_frame_is_control(unsigned opcode) {
  return opcode >= CS_FRAME_CLOSE;
}

#define CS_FRAME_CONTROL 125 /* the most bytes of theirs */
#define CS_FRAME_HEAD    14  /* the most bytes of a head */
#define CS_FRAME_KEY     4

typedef struct cs_frame {
  uint64_t len; /* of the payload */
  uint8_t first;
  bool masked;
  uint8_t key[CS_FRAME_KEY];
} cs_frame;

/* Reads the head of a frame: how many bytes it has; 0: more are needed. `*v` is a refusal when its
   first bytes show that it is none. */
size_t cs_websocket_frame_read(cs_frame *f, const char *bytes, size_t len, cs_websocket_verdict *v);

/* Writes one: how many bytes. `key` is NULL where the payload is not masked. */
size_t cs_websocket_frame_write(char head[CS_FRAME_HEAD], unsigned first, size_t len,
                                const uint8_t *key);

/* Masks or unmasks `n` bytes, the first of which is the one `at` of its payload. `to` may be
   `from`; else they do not overlap. */
void cs_websocket_frame_mask(char *to, const char *from, size_t n, const uint8_t key[CS_FRAME_KEY],
                             size_t at);

/* Whether a close frame may have this code (RFC 6455, 7.4). */
bool cs_websocket_frame_may_say(unsigned code);

#endif
