/* quote.h: bytes as text to be read by people. */
#ifndef CS_QUOTE_H
#define CS_QUOTE_H

#include "class.h"

/* Adds the bytes in quotes, as Python's repr of bytes has them: whatever is not plain ASCII text,
   and could be a command to a terminal, is \xNN. */
void cs_quote_add(luaL_Buffer *b, const char *bytes, size_t len);

#endif
