/* What the system can do: sleeps until each multiple of an interval, and prints how often it did,
   how many multiples had passed meanwhile, and the CPU time: floor INTERVAL SECONDS. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int64_t nanoseconds(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  int64_t interval = (int64_t)(atof(argv[1]) * 1e9), duration = (int64_t)(atof(argv[2]) * 1e9);
  int64_t start = nanoseconds(CLOCK_MONOTONIC), cpu = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
  long calls = 1, missed = 0;
  for (int64_t n = 1; n * interval <= duration; n++) {
    int64_t due = start + n * interval;
    struct timespec t = {.tv_sec = due / 1000000000, .tv_nsec = (long)(due % 1000000000)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
    int64_t late = (nanoseconds(CLOCK_MONOTONIC) - due) / interval;
    calls++;
    missed += (long)late;
    n += late;
  }
  cpu = nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  printf("%ld %ld %f\n", calls, missed, (double)cpu / 1e9);
  return 0;
}
