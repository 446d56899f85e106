/* base64.h: Base64 (RFC 4648, section 4; RFC 2045, 6.8), of bytes that come in pieces. */
#ifndef CS_CODING_BASE64_H
#define CS_CODING_BASE64_H

#include "../sys/port.h"

/* How it begins: all 0, but for what it is to do. */
typedef struct cs_base64_encoder {
  uint32_t columns; /* of a line, a multiple of 4, each line with an end; 0: there are no lines */
  bool bare;        /* a line ends with LF alone */
  uint32_t column;
  uint8_t count; /* bytes of `held` that wait for the rest of their three */
  uint8_t held[3];
} cs_base64_encoder;

/* How many characters `n` more bytes become at most, with those of cs_coding_base64_encode_end. */
size_t cs_coding_base64_encoded(const cs_base64_encoder *e, size_t n);

/* Encodes `n` bytes: how many characters it wrote. */
size_t cs_coding_base64_encode(cs_base64_encoder *e, char *to, const char *from, size_t n);

/* Encodes what is held, and ends the line: how many characters. It is as it was in the beginning.
 */
size_t cs_coding_base64_encode_end(cs_base64_encoder *e, char *to);

#define CS_BASE64_CHARACTERS 1u /* there were others than those of the alphabet */
#define CS_BASE64_PADDING    2u /* at the end some is missing */
#define CS_BASE64_LENGTH     4u /* at the end is one character, which is no byte */

/* How it begins: all 0, but for what it is to do. */
typedef struct cs_base64_decoder {
  bool lenient; /* what is none is passed over, and all that comes behind the padding */
  bool refused;
  uint8_t count; /* characters of a group of four that have come; `bits` are theirs */
  uint8_t pads;
  uint8_t faults;
  uint32_t bits;
} cs_base64_decoder;

/* How many bytes `n` more characters become at most, with those of cs_coding_base64_decode_end. */
size_t cs_coding_base64_decoded(size_t n);

/* Decodes `n` characters; blanks and line ends are passed over. false: it is no Base64, and stays
   so. *len: how many bytes it wrote. */
bool cs_coding_base64_decode(cs_base64_decoder *d, char *to, const char *from, size_t n,
                             size_t *len);

/* Decodes the last group; the padding may be missing altogether. false: it is no Base64. A lenient
   one has the sum of what was wrong in *faults. It is as it was in the beginning. */
bool cs_coding_base64_decode_end(cs_base64_decoder *d, char *to, size_t *len, unsigned *faults);

#endif
