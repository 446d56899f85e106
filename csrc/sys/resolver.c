/* resolver.c: the threads that wait for name servers. A pool's lock guards all that its threads
   and its owner share: the queue, the slots, every count of holders, and whether a look-up has
   been answered. The query of a look-up never changes, its answer is written by who runs it and
   read by others only after `answered` has been seen under the lock.

   After a fork the child has none of the threads, and the lock may be held for ever: there, a pool
   of the parent is never locked, only taken apart (`foreign`). */
#include "resolver.h"
#include "fd.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#if CS_HAVE_EVENTFD
#include <sys/eventfd.h>
#endif

/* libc holds a thread for as long as it pleases, 5 to 30 seconds for a name whose server is dead,
   also when its asker has given up. So there may be many, of which one name has few. */
#define MAX_THREADS  32
#define MAX_FOR_NAME 4
#define IDLE_SECONDS 5         /* how long a thread waits for more work before it ends */
#define MAX_HOSTENT  (1 << 20) /* bytes that one host's names and addresses may take */

struct cs_lookup {
  cs_lookup *next;   /* in the queue */
  cs_resolver *pool; /* NULL until submitted; held by the look-up's maker through `pool->holders` */
  unsigned holders;  /* its maker, and the thread at work on it */
  bool answered;
  int notify_fd; /* the end to write to, -1 without one */
  bool own_notify_fd;
  cs_query query;
  cs_answer answer;
  struct sockaddr_storage addr;
  char text[]; /* host and service */
};

/* --- asking libc -------------------------------------------------------------------------- */

/* Names to addresses into answer->list, with `flags` beside the query's own. */
static void ask_addrinfo(const cs_query *query, int flags, cs_answer *answer) {
  struct addrinfo hints = {.ai_flags = query->flags | flags,
                           .ai_family = query->family,
                           .ai_socktype = query->type,
                           .ai_protocol = query->proto};
  answer->code = getaddrinfo(query->host, query->service, &hints, &answer->list);
  answer->err = errno;
  if (answer->code != 0) answer->list = NULL;
  /* (musl names every entry, asked or not.) */
  if (answer->list != NULL && (hints.ai_flags & AI_CANONNAME) != 0)
    answer->canonname = answer->list->ai_canonname;
}

static void ask_nameinfo(const cs_query *query, cs_answer *answer) {
  char *text = (char *)malloc(NI_MAXHOST + NI_MAXSERV);
  if (text == NULL) {
    answer->code = EAI_MEMORY;
    return;
  }
  answer->memory = text;
  answer->host = text;
  answer->service = text + NI_MAXHOST;
  answer->code = getnameinfo(query->addr, query->len, text, NI_MAXHOST, text + NI_MAXHOST,
                             NI_MAXSERV, query->flags);
  answer->err = errno;
}

/* The bytes of an IP address, as gethostbyaddr wants them. */
static const void *ip_bytes(const struct sockaddr *addr, socklen_t *len) {
  if (addr->sa_family == AF_INET6) {
    *len = sizeof(struct in6_addr);
    return &((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr;
  }
  *len = sizeof(struct in_addr);
  return &((const struct sockaddr_in *)(const void *)addr)->sin_addr;
}

#if CS_HAVE_GETHOSTBY_R

#define ENTRY_FLAGS 0 /* what ask_hostent needs of getaddrinfo */

/* A hostent into answer->entry. The functions ask for a larger buffer with ERANGE. */
static void ask_hostent(const cs_query *query, cs_answer *answer) {
  for (size_t size = 2048;; size *= 2) {
    char *buffer = (char *)realloc(answer->memory, size);
    struct hostent *found = NULL;
    int rc;
    if (buffer == NULL) {
      answer->code = EAI_MEMORY;
      return;
    }
    answer->memory = buffer;
    if (query->kind == CS_QUERY_BYNAME) {
      rc = gethostbyname_r(query->host, &answer->entry, buffer, size, &found, &answer->host_code);
    } else {
      socklen_t len;
      const void *ip = ip_bytes(answer->list->ai_addr, &len);
      rc = gethostbyaddr_r(ip, len, answer->list->ai_family, &answer->entry, buffer, size, &found,
                           &answer->host_code);
    }
    if (rc == ERANGE && size < MAX_HOSTENT) continue;
    if (found != NULL)
      answer->host_code = 0;
    else if (answer->host_code == 0)
      answer->host_code = HOST_NOT_FOUND;
    answer->err = rc;
    return;
  }
}

#else

#define ENTRY_FLAGS AI_CANONNAME

/* Without them the old functions are not safe in threads, so the newer ones give what they can:
   all but the aliases. */
static void ask_hostent(const cs_query *query, cs_answer *answer) {
  struct parts {
    char *no_aliases[1];
    char name[NI_MAXHOST];
    char *addresses[];
  } * parts;
  const struct addrinfo *first = answer->list;
  size_t count = 0;
  for (const struct addrinfo *a = first; a != NULL; a = a->ai_next) count++;
  parts = (struct parts *)calloc(1, sizeof *parts + (count + 1) * sizeof parts->addresses[0]);
  if (parts == NULL) {
    answer->code = EAI_MEMORY;
    return;
  }
  answer->memory = parts;
  answer->entry.h_addrtype = first->ai_family;
  answer->entry.h_name = parts->name;
  answer->entry.h_aliases = parts->no_aliases;
  answer->entry.h_addr_list = parts->addresses;
  count = 0;
  for (const struct addrinfo *a = first; a != NULL; a = a->ai_next) {
    socklen_t len;
    if (a->ai_family != first->ai_family) continue;
    parts->addresses[count++] = (char *)(uintptr_t)ip_bytes(a->ai_addr, &len);
    answer->entry.h_length = (int)len;
    if (query->kind == CS_QUERY_BYADDR) break;
  }
  if (query->kind == CS_QUERY_BYADDR) {
    int code = getnameinfo(first->ai_addr, first->ai_addrlen, parts->name, NI_MAXHOST, NULL, 0,
                           NI_NAMEREQD);
    if (code == EAI_AGAIN)
      answer->host_code = TRY_AGAIN;
    else if (code != 0)
      answer->host_code = HOST_NOT_FOUND;
  } else {
    const char *name = answer->canonname != NULL ? answer->canonname : query->host;
    strncpy(parts->name, name, NI_MAXHOST - 1);
  }
}

#endif

/* Both gethostby* functions ask getaddrinfo first, as Python does: it says better what is wrong
   with a name, and turns what gethostbyaddr is given into bytes. */
static void ask_libc(const cs_query *query, cs_answer *answer) {
  switch (query->kind) {
  case CS_QUERY_ADDRINFO:
    ask_addrinfo(query, 0, answer);
    break;
  case CS_QUERY_NAMEINFO:
    ask_nameinfo(query, answer);
    break;
  case CS_QUERY_BYNAME:
  case CS_QUERY_BYADDR:
    ask_addrinfo(query, ENTRY_FLAGS, answer);
    if (answer->code == 0) ask_hostent(query, answer);
    break;
  }
}

/* --- look-ups ----------------------------------------------------------------------------- */

static char *copy_text(char **to, const char *text) {
  if (text == NULL) return NULL;
  size_t size = strlen(text) + 1;
  char *copy = (char *)memcpy(*to, text, size);
  *to += size;
  return copy;
}

cs_lookup *cs_lookup_new(const cs_query *query) {
  size_t size = sizeof(cs_lookup);
  if (query->host != NULL) size += strlen(query->host) + 1;
  if (query->service != NULL) size += strlen(query->service) + 1;
  cs_lookup *lookup = (cs_lookup *)calloc(1, size);
  if (lookup == NULL) return NULL;
  char *text = lookup->text;
  lookup->holders = 1;
  lookup->notify_fd = -1;
  lookup->query = *query;
  lookup->query.host = copy_text(&text, query->host);
  lookup->query.service = copy_text(&text, query->service);
  if (query->addr != NULL) {
    size_t len = query->len < sizeof lookup->addr ? query->len : sizeof lookup->addr;
    memcpy(&lookup->addr, query->addr, len);
    lookup->query.addr = (struct sockaddr *)&lookup->addr;
    lookup->query.len = (socklen_t)len;
  }
  return lookup;
}

static void lookup_free(cs_lookup *lookup) {
  if (lookup->answer.list != NULL) freeaddrinfo(lookup->answer.list);
  free(lookup->answer.memory);
  free(lookup);
}

void cs_lookup_run(cs_lookup *lookup) {
  ask_libc(&lookup->query, &lookup->answer);
  lookup->answered = true;
}

bool cs_lookup_run_numeric(cs_lookup *lookup) {
  const cs_query *query = &lookup->query;
  cs_answer answer = {0};
  switch (query->kind) {
  case CS_QUERY_ADDRINFO:
    ask_addrinfo(query, AI_NUMERICHOST, &answer);
    lookup->answered =
        answer.code != EAI_NONAME || query->host == NULL || (query->flags & AI_NUMERICHOST) != 0;
    if (lookup->answered) lookup->answer = answer;
    break;
  case CS_QUERY_NAMEINFO:
    if ((query->flags & NI_NUMERICHOST) != 0) cs_lookup_run(lookup);
    break;
  case CS_QUERY_BYNAME:
    ask_addrinfo(query, AI_NUMERICHOST, &answer);
    if (answer.list != NULL) freeaddrinfo(answer.list);
    if (answer.code == 0) cs_lookup_run(lookup);
    break;
  case CS_QUERY_BYADDR:
    break;
  }
  return lookup->answered;
}

#ifdef CSOCK_OMIT_RESOLVER_THREADS

/* Who submits a look-up answers it. */

struct cs_resolver {
  bool unused;
};

cs_resolver *cs_resolver_new(void) {
  return (cs_resolver *)calloc(1, sizeof(cs_resolver));
}

void cs_resolver_drop(cs_resolver *pool) {
  free(pool);
}

int cs_lookup_submit(cs_resolver **pool_at, cs_lookup *lookup, int *fd) {
  (void)pool_at;
  *fd = -1;
  cs_lookup_run(lookup);
  return 0;
}

const cs_answer *cs_lookup_answer(cs_lookup *lookup) {
  return lookup->answered ? &lookup->answer : NULL;
}

void cs_lookup_drop(cs_lookup *lookup) {
  lookup_free(lookup);
}

#else

/* --- the pool's records ------------------------------------------------------------------- */

typedef enum slot_state { SLOT_FREE, SLOT_IDLE, SLOT_BUSY } slot_state;

typedef struct worker {
  slot_state state; /* a thread that is just starting is idle */
  pthread_t thread;
  cs_resolver *pool;
  cs_lookup *lookup; /* what it is busy with */
} worker;

struct cs_resolver {
  pthread_mutex_t lock;
  pthread_cond_t work;
  pid_t pid;        /* whose the threads are */
  unsigned holders; /* the owner, each thread, the maker of each submitted look-up */
  bool closed;
  cs_lookup *first, **last; /* the queue */
  unsigned queued;
  worker workers[MAX_THREADS];
};

static int notifier_make(cs_lookup *lookup, int *fd) {
#if CS_HAVE_EVENTFD
  *fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (*fd < 0) return errno;
  lookup->notify_fd = *fd;
#else
  int fds[2];
  int err = cs_fd_pipe(fds);
  if (err != 0) return err;
  *fd = fds[0];
  lookup->notify_fd = fds[1];
  lookup->own_notify_fd = true;
#endif
  return 0;
}

/* Lets the worker's notification have nowhere to go any more. Under the lock. */
static void notifier_drop(cs_lookup *lookup) {
  if (lookup->own_notify_fd) cs_fd_close(lookup->notify_fd);
  lookup->own_notify_fd = false;
  lookup->notify_fd = -1;
}

/* --- threads ------------------------------------------------------------------------------ */

static bool foreign(const cs_resolver *pool) {
  return pool->pid != getpid();
}

static void pool_free(cs_resolver *pool) {
  if (!foreign(pool)) { /* else the parent's waiting threads would be waited for */
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
  }
  free(pool);
}

/* Gives up one hold on the pool and its lock. */
static void pool_leave(cs_resolver *pool) {
  bool last = --pool->holders == 0;
  pthread_mutex_unlock(&pool->lock);
  if (last) pool_free(pool);
}

static void queue_push(cs_resolver *pool, cs_lookup *lookup) {
  *pool->last = lookup;
  pool->last = &lookup->next;
  pool->queued++;
}

/* Takes a look-up out of the queue; false if it is not in it. */
static bool queue_remove(cs_resolver *pool, cs_lookup *lookup) {
  cs_lookup **at = &pool->first;
  while (*at != NULL && *at != lookup) at = &(*at)->next;
  if (*at == NULL) return false;
  *at = lookup->next;
  if (pool->last == &lookup->next) pool->last = at;
  lookup->next = NULL;
  pool->queued--;
  return true;
}

/* Whether there may be one more thread for the look-up's name. */
static bool may_run(const cs_resolver *pool, const cs_lookup *lookup) {
  const char *host = lookup->query.host;
  unsigned busy = 0;
  if (host == NULL) return true;
  for (size_t i = 0; i < MAX_THREADS; i++) {
    const worker *w = &pool->workers[i];
    if (w->state != SLOT_BUSY || w->lookup->query.host == NULL) continue;
    if (strcmp(w->lookup->query.host, host) == 0) busy++;
  }
  return busy < MAX_FOR_NAME;
}

/* The next look-up for a thread, or NULL. */
static cs_lookup *queue_next(const cs_resolver *pool) {
  cs_lookup *lookup = pool->first;
  while (lookup != NULL && !may_run(pool, lookup)) lookup = lookup->next;
  return lookup;
}

/* Answers one look-up from the queue. With the lock held before and after, not in between. */
static void work_on(cs_resolver *pool, cs_lookup *lookup) {
  cs_answer answer = {0};
  lookup->holders++;
  pthread_mutex_unlock(&pool->lock);
  ask_libc(&lookup->query, &answer);
  pthread_mutex_lock(&pool->lock);
  lookup->answer = answer;
  lookup->answered = true;
  if (lookup->notify_fd >= 0) {
    uint64_t one = 1;
    ssize_t written = write(lookup->notify_fd, &one, sizeof one);
    (void)written; /* the descriptor is new, so there is room in it */
  }
  if (--lookup->holders == 0) lookup_free(lookup);
}

/* Waits until there is work, and takes it; NULL when the thread is to end. */
static cs_lookup *await_work(cs_resolver *pool) {
  cs_lookup *lookup;
  struct timespec until;
  int rc = 0;
  clock_gettime(CS_COND_CLOCK, &until);
  until.tv_sec += IDLE_SECONDS;
  while ((lookup = queue_next(pool)) == NULL && !pool->closed && rc == 0)
    rc = pthread_cond_timedwait(&pool->work, &pool->lock, &until);
  if (lookup == NULL || pool->closed) return NULL;
  queue_remove(pool, lookup);
  return lookup;
}

static void *worker_main(void *arg) {
  worker *self = (worker *)arg;
  cs_resolver *pool = self->pool;
  pthread_mutex_lock(&pool->lock);
  while ((self->lookup = await_work(pool)) != NULL) {
    self->state = SLOT_BUSY;
    work_on(pool, self->lookup);
    if (pool->closed) break;
    self->state = SLOT_IDLE;
  }
  /* A closed pool joins its idle threads and has detached the busy ones. */
  if (!pool->closed) pthread_detach(self->thread);
  self->state = SLOT_FREE;
  pool_leave(pool);
  return NULL;
}

/* A thread may outlive the last user of this library (a state closed during a slow look-up), so
   the library must stay in memory. */
static void pin_library(void) {
#if defined(RTLD_NOLOAD) && defined(RTLD_NODELETE)
  Dl_info info;
  if (dladdr((const void *)(uintptr_t)pin_library, &info) != 0 && info.dli_fname != NULL)
    (void)dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
#endif
}

/* Starts a thread that has all signals blocked, so that they reach the threads of the program. */
static int worker_start(cs_resolver *pool, worker *w) {
  sigset_t all, before;
  pin_library();
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  w->pool = pool;
  int err = pthread_create(&w->thread, NULL, worker_main, w);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (err != 0) return err;
  w->state = SLOT_IDLE;
  pool->holders++;
  return 0;
}

/* Sees to it that some thread takes what has just been queued; false if there is none at all. */
static bool summon_worker(cs_resolver *pool) {
  worker *vacant = NULL;
  unsigned idle = 0, threads = 0;
  for (size_t i = 0; i < MAX_THREADS; i++) {
    worker *w = &pool->workers[i];
    if (w->state == SLOT_FREE)
      vacant = w;
    else
      threads++;
    if (w->state == SLOT_IDLE) idle++;
  }
  pthread_cond_signal(&pool->work);
  bool wanted = pool->queued > idle && queue_next(pool) != NULL;
  if (wanted && vacant != NULL && worker_start(pool, vacant) == 0) threads++;
  return threads > 0;
}

/* --- the pool ----------------------------------------------------------------------------- */

cs_resolver *cs_resolver_new(void) {
  cs_resolver *pool = (cs_resolver *)calloc(1, sizeof *pool);
  pthread_condattr_t attr;
  if (pool == NULL) return NULL;
  pool->pid = getpid();
  pool->holders = 1;
  pool->last = &pool->first;
  pthread_mutex_init(&pool->lock, NULL);
  pthread_condattr_init(&attr);
  cs_condattr_setclock(&attr, CS_COND_CLOCK);
  pthread_cond_init(&pool->work, &attr);
  pthread_condattr_destroy(&attr);
  return pool;
}

/* In a child after a fork: what was held by threads that are not there is nobody's. */
static void resolver_drop_foreign(cs_resolver *pool) {
  for (size_t i = 0; i < MAX_THREADS; i++)
    if (pool->workers[i].state != SLOT_FREE) pool->holders--;
  if (--pool->holders == 0) pool_free(pool);
}

void cs_resolver_drop(cs_resolver *pool) {
  pthread_t idle[MAX_THREADS];
  size_t count = 0;
  if (pool == NULL) return;
  if (foreign(pool)) {
    resolver_drop_foreign(pool);
    return;
  }
  pthread_mutex_lock(&pool->lock);
  pool->closed = true;
  for (size_t i = 0; i < MAX_THREADS; i++) {
    worker *w = &pool->workers[i];
    if (w->state == SLOT_IDLE)
      idle[count++] = w->thread;
    else if (w->state == SLOT_BUSY)
      pthread_detach(w->thread);
  }
  pthread_cond_broadcast(&pool->work);
  pthread_mutex_unlock(&pool->lock);
  while (count > 0) pthread_join(idle[--count], NULL);
  pthread_mutex_lock(&pool->lock);
  pool_leave(pool);
}

int cs_lookup_submit(cs_resolver **pool_at, cs_lookup *lookup, int *fd) {
  cs_resolver *pool = *pool_at;
  *fd = -1;
  if (foreign(pool)) {
    cs_resolver *fresh = cs_resolver_new();
    if (fresh == NULL) return ENOMEM;
    cs_resolver_drop(pool);
    *pool_at = pool = fresh;
  }
  int err = notifier_make(lookup, fd);
  if (err != 0) return err;
  pthread_mutex_lock(&pool->lock);
  pool->holders++;
  lookup->pool = pool;
  queue_push(pool, lookup);
  bool helped = summon_worker(pool);
  if (!helped) queue_remove(pool, lookup);
  pthread_mutex_unlock(&pool->lock);
  if (helped) return 0;
  cs_lookup_run(lookup);
  cs_fd_close(*fd);
  *fd = -1;
  return 0;
}

const cs_answer *cs_lookup_answer(cs_lookup *lookup) {
  cs_resolver *pool = lookup->pool;
  bool answered;
  if (pool == NULL || foreign(pool)) {
    if (pool != NULL && !lookup->answered) cs_lookup_run(lookup); /* its thread is not here */
    answered = lookup->answered;
  } else {
    pthread_mutex_lock(&pool->lock);
    answered = lookup->answered;
    pthread_mutex_unlock(&pool->lock);
  }
  return answered ? &lookup->answer : NULL;
}

void cs_lookup_drop(cs_lookup *lookup) {
  cs_resolver *pool = lookup->pool;
  if (pool == NULL) {
    lookup_free(lookup);
    return;
  }
  if (foreign(pool)) { /* of all holders only this one is left */
    notifier_drop(lookup);
    lookup_free(lookup);
    if (--pool->holders == 0) pool_free(pool);
    return;
  }
  pthread_mutex_lock(&pool->lock);
  queue_remove(pool, lookup);
  notifier_drop(lookup);
  if (--lookup->holders == 0) lookup_free(lookup);
  pool_leave(pool);
}

#endif
