/* quoted.h: quoted-printable (RFC 2045, 6.7), of bytes that come in pieces. */
#ifndef CS_CODING_QUOTED_H
#define CS_CODING_QUOTED_H

#include "../sys/port.h"

#define CS_QUOTED_COLUMNS 76 /* of a line, with the "=" of a soft line break */

/* How it begins: all 0, but for what it is to do. */
typedef struct cs_quoted_encoder {
  bool binary; /* CR and LF are bytes as others; else CRLF and LF are the ends of lines */
  bool bare;   /* a line ends with LF alone */
  uint8_t column;
  char held; /* a blank that may be the last of its line, or the CR that may be its end; 0: none */
} cs_quoted_encoder;

/* How many characters `n` more bytes become at most, with those of cs_coding_quoted_encode_end. */
size_t cs_coding_quoted_encoded(size_t n);

/* Encodes `n` bytes: how many characters it wrote. */
size_t cs_coding_quoted_encode(cs_quoted_encoder *e, char *to, const char *from, size_t n);

/* Encodes what is held: how many characters. It is as it was in the beginning. */
size_t cs_coding_quoted_encode_end(cs_quoted_encoder *e, char *to);

#define CS_QUOTED_BLANKS 1000 /* so many are taken away at a line's end: no line is longer */

/* How it begins: all 0. */
typedef struct cs_quoted_decoder {
  uint8_t phase;
  char digit;      /* the first one behind the "=" */
  uint32_t blanks; /* that may be a line's last */
  char held[CS_QUOTED_BLANKS];
} cs_quoted_decoder;

/* How many bytes `n` more characters become at most, with those of cs_coding_quoted_decode_end. */
size_t cs_coding_quoted_decoded(const cs_quoted_decoder *d, size_t n);

/* Decodes `n` characters: how many bytes it wrote. Blanks at the end of a line, which somebody on
   the way has added, are taken away. What is no quoted-printable stays as it is. */
size_t cs_coding_quoted_decode(cs_quoted_decoder *d, char *to, const char *from, size_t n);

/* Decodes what is held: how many bytes. It is as it was in the beginning. */
size_t cs_coding_quoted_decode_end(cs_quoted_decoder *d, char *to);

#endif
