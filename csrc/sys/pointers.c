/* pointers.c: a set of pointers, as a list: few are ever in it. */
#include "pointers.h"

#include <pthread.h>
#include <stdlib.h>

typedef struct pointer {
  const void *p;
  struct pointer *next;
} pointer;

static struct {
  pthread_mutex_t lock;
  pointer *first;
} pointers = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* What a program has kept from being removed, by taking its state's record away, goes with the
   library. */
__attribute__((destructor)) static void free_pointers(void) {
  while (pointers.first != NULL) {
    pointer *old = pointers.first;
    pointers.first = old->next;
    free(old);
  }
}

/* With the lock held: where the pointer to it is; to NULL if it is not in the list. */
static pointer **place_of_pointer(const void *p) {
  pointer **at = &pointers.first;
  while (*at != NULL && (*at)->p != p) at = &(*at)->next;
  return at;
}

bool cs_pointers_has(const void *p) {
  pthread_mutex_lock(&pointers.lock);
  bool has = *place_of_pointer(p) != NULL;
  pthread_mutex_unlock(&pointers.lock);
  return has;
}

int cs_pointers_add(const void *p) {
  pointer *added = (pointer *)malloc(sizeof *added);
  if (added == NULL) return ENOMEM;
  added->p = p;
  pthread_mutex_lock(&pointers.lock);
  added->next = pointers.first;
  pointers.first = added;
  pthread_mutex_unlock(&pointers.lock);
  return 0;
}

void cs_pointers_remove(const void *p) {
  pthread_mutex_lock(&pointers.lock);
  pointer **at = place_of_pointer(p), *old = *at;
  if (old != NULL) *at = old->next;
  pthread_mutex_unlock(&pointers.lock);
  free(old);
}
