/* error.h: failure. Everything that the world can refuse comes back as nil, err, errno; `err` is
   an error value (tostring, .., errno, name, strerror, call, address, kind, is). */
#ifndef CS_ERROR_H
#define CS_ERROR_H

#include "args.h"
#include "../api.h"

/* The host's policy says no (policy.h): EPERM, in the words that it gave last. To be failed with at
   once. */
#define CS_DENIED 4095

/* Pushes nil, the error value and `err`; returns 3. The value for each (call, errno) is made once:
   a would-block or a time-out allocates nothing. `call` must be a string literal. */
int cs_fail(lua_State *L, const char *call, int err);

/* The same with the address at `address` (a value or a string; a new error value each time). */
int cs_fail_at(lua_State *L, const char *call, int err, int address);

/* getaddrinfo's EAI_* code, kind "gaierror". EAI_SYSTEM becomes an ordinary error of `saved_errno`.
   `address` is the index of what was looked up, or 0. */
int cs_fail_gai(lua_State *L, const char *call, int code, int saved_errno, int address);

/* gethostbyname's h_errno code, kind "herror". */
int cs_fail_host(lua_State *L, const char *call, int code, int address);

/* The same with words and a `kind` of the caller's own (a new error value each time). `words` may
   be NULL. */
int cs_fail_words(lua_State *L, const char *call, const char *kind, int err, const cs_words *words);

/* true when `err` is 0, else cs_fail. */
int cs_result(lua_State *L, const char *call, int err);

#endif
