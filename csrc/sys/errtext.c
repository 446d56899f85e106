/* errtext.c: strerror_r(3) in both of its forms. */
#include "errtext.h"

/* GNU's returns the text, POSIX's an error number: the type that it returns tells which it is. */
static inline const char *from_gnu(const char *text, const char *buf) {
  (void)buf;
  return text;
}

static inline const char *from_posix(int err, const char *buf) {
  return err == 0 ? buf : "Unknown error";
}

const char *cs_strerror(int err, char *buf, size_t size) {
  return _Generic(strerror_r(err, buf, size), int
                  : from_posix, default
                  : from_gnu)(strerror_r(err, buf, size), buf);
}
