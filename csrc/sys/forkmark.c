/* forkmark.c: a page that the kernel wipes in the child (Linux' madvise, the BSDs' minherit). Where
   there is no such thing the word stays 1, and a forked child must not run the parent's loop. */
#include "forkmark.h"

#include <sys/mman.h>

static size_t page_size(void) {
  return (size_t)sysconf(_SC_PAGESIZE);
}

const int *cs_forkmark_make(void) {
  int *mark =
      (int *)mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mark == MAP_FAILED) return NULL;
#ifdef MADV_WIPEONFORK
  madvise(mark, page_size(), MADV_WIPEONFORK); /* an old kernel refuses: as if there were none */
#elif defined(INHERIT_ZERO)
  minherit(mark, page_size(), INHERIT_ZERO);
#elif defined(MAP_INHERIT_ZERO)
  minherit(mark, page_size(), MAP_INHERIT_ZERO);
#endif
  *mark = 1;
  return mark;
}

void cs_forkmark_set(const int *mark, int value) {
  *(int *)(uintptr_t)mark = value;
}

void cs_forkmark_free(const int *mark) {
  if (mark != NULL) munmap((void *)(uintptr_t)mark, page_size());
}
