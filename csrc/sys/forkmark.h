/* forkmark.h: telling a child of fork(2) from its parent, at the cost of reading a word. */
#ifndef CS_FORKMARK_H
#define CS_FORKMARK_H

#include "port.h"

/* A word that is 1 in this process and 0 in its children; NULL when memory runs out. */
const int *cs_forkmark_make(void);
void cs_forkmark_set(const int *mark, int value); /* in this process alone */
void cs_forkmark_free(const int *mark);

#endif
