/* slow_resolver.c: a name server that does not answer. Preloaded into a program, it makes
   getaddrinfo print "looking up NAME" on standard output and block for every name that ends in
   ".slow". When the program exits, having done all that it does at its end, the blocked threads are
   let go and are waited for: whatever they still touch must still be there. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

__attribute__((visibility("default"))) int getaddrinfo(const char *host, const char *service,
                                                       const struct addrinfo *hints,
                                                       struct addrinfo **list);

typedef int (*real_getaddrinfo)(const char *, const char *, const struct addrinfo *,
                                struct addrinfo **);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned blocked, threads_before;
static bool let_go;

static unsigned count_threads(void) {
  unsigned n = 0;
  DIR *dir = opendir("/proc/self/task");
  if (dir == NULL) return 0;
  for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) n += e->d_name[0] != '.';
  closedir(dir);
  return n;
}

static void release(void) {
  const struct timespec moment = {.tv_nsec = 1000000};
  pthread_mutex_lock(&lock);
  let_go = true;
  pthread_cond_broadcast(&changed);
  while (blocked > 0) pthread_cond_wait(&changed, &lock);
  pthread_mutex_unlock(&lock);
  for (int i = 0; i < 5000 && count_threads() > threads_before; i++) nanosleep(&moment, NULL);
}

__attribute__((constructor)) static void prepare(void) {
  threads_before = count_threads();
  atexit(release);
}

static void block(const char *host) {
  char line[300];
  int len = snprintf(line, sizeof line, "looking up %s\n", host);
  pthread_mutex_lock(&lock);
  blocked++;
  if (write(STDOUT_FILENO, line, (size_t)len) != len) abort();
  while (!let_go) pthread_cond_wait(&changed, &lock);
  blocked--;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **list) {
  static const char ending[] = ".slow";
  union {
    void *object;
    real_getaddrinfo function;
  } real = {.object = dlsym(RTLD_NEXT, "getaddrinfo")};
  size_t len = host != NULL ? strlen(host) : 0;
  bool numeric = hints != NULL && (hints->ai_flags & AI_NUMERICHOST) != 0;
  if (!numeric && len >= sizeof ending && strcmp(host + len - (sizeof ending - 1), ending) == 0) {
    block(host);
    host = "127.0.0.1";
  }
  return real.function(host, service, hints, list);
}
