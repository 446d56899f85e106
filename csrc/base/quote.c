/* quote.c: bytes as text to be read by people. */
#include "quote.h"

#include <stdio.h>

void cs_quote_add(luaL_Buffer *b, const char *bytes, size_t len) {
  luaL_addchar(b, '\'');
  for (size_t i = 0; i < len; i++) {
    unsigned char c = (unsigned char)bytes[i];
    char escape[8];
    if (c >= ' ' && c <= '~') {
      if (c == '\'' || c == '\\') luaL_addchar(b, '\\');
      luaL_addchar(b, (char)c);
    } else {
      snprintf(escape, sizeof escape, "\\x%02x", c);
      luaL_addstring(b, escape);
    }
  }
  luaL_addchar(b, '\'');
}
