/* load.h: what the clients of the benches share: the clock, and what a server has cost. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static _Noreturn inline void die(const char *what) {
  fprintf(stderr, "load: %s\n", what);
  exit(1);
}

static inline double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The nanoseconds that the server's threads have run. `server`: its process id. */
static inline double server_cpu(const char *server) {
  char path[300];
  double total = 0;
  snprintf(path, sizeof path, "/proc/%s/task", server);
  DIR *dir = opendir(path);
  if (dir == NULL) die("no such server");
  for (struct dirent *e; (e = readdir(dir)) != NULL;) {
    unsigned long long ran;
    snprintf(path, sizeof path, "/proc/%s/task/%.20s/schedstat", server, e->d_name);
    FILE *f = e->d_name[0] == '.' ? NULL : fopen(path, "r");
    if (f == NULL) continue;
    if (fscanf(f, "%llu", &ran) == 1) total += (double)ran;
    fclose(f);
  }
  closedir(dir);
  return total;
}

/* The bytes that no other process shares. */
static inline long server_memory(const char *server) {
  char path[64], line[256];
  long kib = -1;
  snprintf(path, sizeof path, "/proc/%s/smaps_rollup", server);
  FILE *f = fopen(path, "r");
  if (f == NULL) die("no such server");
  while (fgets(line, sizeof line, f) != NULL)
    if (sscanf(line, "Private_Dirty: %ld", &kib) == 1) break;
  fclose(f);
  return kib * 1024;
}

#endif
