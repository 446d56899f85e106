/* piece.h: the pieces in which a stream's input is taken: a line, a numeral, so many bytes
   ... Nothing here receives or takes anything. */
#ifndef CS_PIECE_H
#define CS_PIECE_H

#include "../base/args.h"
#include "../sys/bytes.h"

typedef enum cs_piece_kind {
  CS_PIECE_LINE,
  CS_PIECE_WHOLE_LINE, /* with its line end */
  CS_PIECE_NUMERAL,
  CS_PIECE_ALL,
  CS_PIECE_COUNT,
  CS_PIECE_RECORD
} cs_piece_kind;

typedef struct cs_piece {
  cs_piece_kind kind;
  size_t limit;          /* the most bytes to take; of a record, without its delimiter */
  size_t most;           /* a longer line, record or whole (without the delimiter) is too long */
  const char *delimiter; /* of lines and records */
  size_t delimiter_len;
  /* Filled in by cs_piece_measure: */
  size_t end;  /* the offset after the piece */
  bool absent; /* nothing is there: the end, or no numeral */
  bool too_long;
} cs_piece;

#define CS_NO_LIMIT SIZE_MAX

/* Finds how far the piece goes that begins at `at`. `at_end`: no more bytes will come; *scan: how
   far earlier calls have looked, at first `at`. False: that depends on bytes which have not come
   yet. */
bool cs_piece_measure(lua_State *L, const cs_bytes *in, size_t at, bool at_end, size_t *scan,
                      cs_piece *p);

/* Pushes the piece from `at` to p->end: a string, a number, or nil when it is absent. */
void cs_piece_push(lua_State *L, const cs_bytes *in, size_t at, const cs_piece *p);

#endif
