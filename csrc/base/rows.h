/* rows.h: rows of names and numbers, for constants.c, which puts them into tables. */
#ifndef CS_ROWS_H
#define CS_ROWS_H

#include "../sys/port.h"

typedef struct cs_constant {
  const char *name;
  int64_t value;
} cs_constant;

/* A row for a name that the headers define, and one for a number that they may lack. */
#define K(name) \
  { #name, name }
#define N(name, value) \
  { #name, value }

typedef struct cs_family {
  const cs_constant *rows;
  size_t n;
} cs_family;

#define FAMILY(rows) \
  { rows, CS_COUNT(rows) }

/* Each list ends with a family whose rows are NULL. */
extern const cs_family cs_constants_socket[];
extern const cs_family cs_constants_option[];
extern const cs_family cs_constants_ip[];
extern const cs_family cs_constants_transport[];
extern const cs_family cs_constants_ioctl[];
extern const cs_family cs_constants_linux[];
extern const cs_family cs_constants_can[];
extern const cs_family cs_constants_kqueue[];
extern const cs_family cs_constants_errno[];

#endif
