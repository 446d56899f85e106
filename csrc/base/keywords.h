/* keywords.h: tables of options, the last argument of many functions: what Python's keyword
   arguments are. */
#ifndef CS_KEYWORDS_H
#define CS_KEYWORDS_H

#include "args.h"

/* What an option may be, and what its row's `to` points at. `false` turns an option off: a time is
   without limit then, and what is neither that nor a flag is as if it were not given. */
typedef enum cs_keyword_kind {
  CS_KEYWORD_FLAG,    /* bool: any value */
  CS_KEYWORD_INT,     /* int: least .. most */
  CS_KEYWORD_COUNT,   /* uint64_t */
  CS_KEYWORD_FD,      /* int: a descriptor */
  CS_KEYWORD_TIMEOUT, /* int64_t: seconds, as ns */
  CS_KEYWORD_BYTES    /* cs_keyword_bytes: a string or buffer */
} cs_keyword_kind;

typedef struct cs_keyword_bytes {
  const char *data;
  size_t len;
} cs_keyword_bytes;

/* One option. What is not given is left as it was. */
typedef struct cs_keyword {
  const char *name;
  cs_keyword_kind kind;
  void *to;
  int least, most; /* of a CS_KEYWORD_INT */
} cs_keyword;

/* A row for any integer that is a C int. */
#define CS_KEYWORD_CINT(name, to) \
  { name, CS_KEYWORD_INT, to, INT_MIN, INT_MAX }

/* Reads the table at `idx` (which may be nil or none) by its rows. Raises for an option that has no
   row, and for a value of another kind. Bytes are left on the stack, which keeps them alive. */
void cs_keywords_read(lua_State *L, int idx, const cs_keyword *rows, size_t count);

#endif
