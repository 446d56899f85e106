/* dots.h: texts that end with a line of one dot (RFC 5321, 4.5.2; RFC 1939, 3; RFC 3977, 3.1.1), in
   pieces. */
#ifndef CS_CODING_DOTS_H
#define CS_CODING_DOTS_H

#include "../sys/port.h"

/* How it begins: all 0. */
typedef struct cs_dots_stuffer {
  bool in_line; /* the line has begun */
  bool cr;      /* a CR was there, for which CRLF has been written */
} cs_dots_stuffer;

/* How many bytes `n` more become at most, with those of cs_coding_dots_stuff_end. */
size_t cs_coding_dots_stuffed(size_t n);

/* Doubles the dots with which lines begin, and ends lines with CRLF where there is a LF, or a CR
   alone: how many bytes it wrote. */
size_t cs_coding_dots_stuff(cs_dots_stuffer *s, char *to, const char *from, size_t n);

/* Ends the last line, and the text: how many bytes. It is as it was in the beginning. */
size_t cs_coding_dots_stuff_end(cs_dots_stuffer *s, char *to);

/* How it begins: all 0. */
typedef struct cs_dots_unstuffer {
  uint8_t phase;
} cs_dots_unstuffer;

/* How many bytes `n` more become at most. */
size_t cs_coding_dots_unstuffed(size_t n);

/* Takes the dots away with which lines begin: how many bytes it wrote. A line ends with CRLF and
   with nothing else. *used: how many it took of the `n`, less than all only behind the line of one
   dot, which is not written. */
size_t cs_coding_dots_unstuff(cs_dots_unstuffer *u, char *to, const char *from, size_t n,
                              size_t *used);

/* Whether the line of one dot has come. */
bool cs_coding_dots_ended(const cs_dots_unstuffer *u);

#endif
