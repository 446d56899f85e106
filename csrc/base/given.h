/* given.h: the descriptors that the program has as plain numbers: copies, and those that came in a
   message. They count among those that a state holds, until they are closed by csock.close or an
   object takes them over. */
#ifndef CS_GIVEN_H
#define CS_GIVEN_H

#include "state.h"

/* The program has it from now on, for whom there was room (cs_state_room). 0; ENOMEM: it is not
   counted. */
int cs_given_add(cs_state *state, int fd);

void cs_given_forget(cs_state *state, int fd);

static inline bool cs_given_has(const cs_state *state, int fd) {
  size_t byte = (size_t)fd / 8;
  return fd >= 0 && byte < state->given_size && (state->given[byte] >> (fd % 8) & 1) != 0;
}

/* Has it no more, if it had it. */
static inline void cs_given_remove(cs_state *state, int fd) {
  if (state->given != NULL) cs_given_forget(state, fd);
}

#endif
