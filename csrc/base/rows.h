/* rows.h: rows of names and numbers; constants.c makes fields of tables of most. */
#ifndef CS_ROWS_H
#define CS_ROWS_H

#include "../sys/port.h"

/* The name itself, not a pointer, which the loader would have to set in each process. A name that
   is too long does not compile. All numbers are int or unsigned. */
typedef struct cs_constant {
  char name[39];
  bool is_unsigned;
  uint32_t bits;
} cs_constant;

static inline int64_t cs_constant_value(const cs_constant *row) {
  return row->is_unsigned ? (int64_t)row->bits : (int32_t)row->bits;
}

#define CS_ROW(text, value) \
  { text, (int64_t)(value) > INT32_MAX, (uint32_t)(value) }

/* A row for a name that the headers define, and one for a number that they may lack. */
#define CS_K(name)        CS_ROW(#name, name)
#define CS_N(name, value) CS_ROW(#name, value)

/* Each file has an array of rows, cs_constants_<file>, which ends with an empty name. These are the
   files with rows for csock's own table. */
#ifdef CSOCK_OMIT_CONSTANTS
#define CS_CONSTANTS(ROWS) ROWS(socket) ROWS(option)
#else
#define CS_CONSTANTS(ROWS) \
  ROWS(socket) ROWS(option) ROWS(ip) ROWS(transport) ROWS(ioctl) ROWS(linux) ROWS(can) ROWS(kqueue)
#endif

#define CS_CONSTANTS_OF(file) extern const cs_constant cs_constants_##file[];
CS_CONSTANTS(CS_CONSTANTS_OF)
CS_CONSTANTS_OF(errno) /* for csock.errno */

#endif
