/* given.c: the descriptors that the program has as plain numbers, a bit for each. */
#include "given.h"

#include <stdlib.h>

static int make_given_room(cs_state *state, size_t byte) {
  if (byte < state->given_size) return 0;
  size_t size = byte < 32 ? 32 : byte * 2;
  unsigned char *bits = (unsigned char *)realloc(state->given, size);
  if (bits == NULL) return ENOMEM;
  memset(bits + state->given_size, 0, size - state->given_size);
  state->given = bits;
  state->given_size = size;
  return 0;
}

int cs_given_add(cs_state *state, int fd) {
  if (fd < 0) return 0; /* the kernel had none to give */
  size_t byte = (size_t)fd / 8;
  unsigned char bit = (unsigned char)(1u << (fd % 8));
  int err = make_given_room(state, byte);
  if (err != 0) return err;
  if (!(state->given[byte] & bit)) state->held++; /* else somebody else had closed it */
  state->given[byte] |= bit;
  return 0;
}

void cs_given_forget(cs_state *state, int fd) {
  if (fd < 0) return;
  size_t byte = (size_t)fd / 8;
  unsigned char bit = (unsigned char)(1u << (fd % 8));
  if (byte >= state->given_size || !(state->given[byte] & bit)) return;
  state->given[byte] &= (unsigned char)~bit;
  state->held--;
}
