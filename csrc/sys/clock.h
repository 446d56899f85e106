/* clock.h: monotonic time in nanoseconds, and deadlines. */
#ifndef CS_CLOCK_H
#define CS_CLOCK_H

#include "port.h"

#define CS_FOREVER INT64_MAX /* a timeout or a deadline that never passes */

/* Nanoseconds of CLOCK_MONOTONIC. */
int64_t cs_clock_now(void);

/* Seconds to nanoseconds, rounded up so that no wait ends early; a time beyond 292 years is
   CS_FOREVER. 0, or EINVAL for a negative number or NaN. */
int cs_clock_from_seconds(double seconds, int64_t *ns);

double cs_clock_to_seconds(int64_t ns);

/* The instant `timeout_ns` from now; CS_FOREVER stays CS_FOREVER. */
int64_t cs_clock_deadline(int64_t timeout_ns);

/* What is left until the deadline: >= 0, or CS_FOREVER. */
int64_t cs_clock_left(int64_t deadline_ns);

/* The same for system calls. */
struct timespec cs_clock_timespec(int64_t ns);

#endif
