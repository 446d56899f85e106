/* errtext.c: strerror_r(3) in both of its forms. */
#include "errtext.h"

#if CS_HAVE_GNU_STRERROR_R

const char *cs_strerror(int err, char *buf, size_t size) {
  return strerror_r(err, buf, size);
}

#else

const char *cs_strerror(int err, char *buf, size_t size) {
  return strerror_r(err, buf, size) == 0 ? buf : "Unknown error";
}

#endif
