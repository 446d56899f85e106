/* resolver.h: name look-ups that do not block the caller: a small pool of threads around
   getaddrinfo and its kin. Nothing here is global: every pool is its owner's, and used by one
   thread at a time.

   A look-up has two holders, the one who made it and, once it is submitted, the thread that works
   on it; whoever lets go last frees it. So a look-up can be dropped at any time, answered or not,
   and a slow name server never holds up its owner. */
#ifndef CS_RESOLVER_H
#define CS_RESOLVER_H

#include "port.h"

#include <netdb.h>

#ifndef NETDB_INTERNAL /* musl has none: its look-ups never give it */
#define NETDB_INTERNAL (-1)
#endif

typedef struct cs_resolver cs_resolver;
typedef struct cs_lookup cs_lookup;

typedef enum cs_query_kind {
  CS_QUERY_ADDRINFO, /* getaddrinfo(host, service, family, type, proto, flags) */
  CS_QUERY_NAMEINFO, /* getnameinfo(addr, flags) */
  CS_QUERY_BYNAME,   /* gethostbyname(host), IPv4 */
  CS_QUERY_BYADDR,   /* gethostbyaddr of the address that `host` stands for */
} cs_query_kind;

typedef struct cs_query {
  cs_query_kind kind;
  const char *host, *service; /* each may be NULL for getaddrinfo */
  int family, type, proto, flags;
  const struct sockaddr *addr;
  socklen_t len;
} cs_query;

typedef struct cs_answer {
  int code;      /* getaddrinfo's or getnameinfo's: 0 or EAI_* */
  int host_code; /* gethostby*'s: 0 or h_errno's value; looked at when `code` is 0 */
  int err;       /* errno, for EAI_SYSTEM and NETDB_INTERNAL */
  struct addrinfo *list;
  struct hostent entry;
  const char *canonname;      /* getaddrinfo's, where it was asked for; else NULL */
  const char *host, *service; /* getnameinfo's text */
  void *memory;               /* what `entry` or the text lies in */
} cs_answer;

/* NULL when memory runs out. The query is copied. */
cs_lookup *cs_lookup_new(const cs_query *query);

/* Answers a look-up that was not submitted here and now, however long that takes. */
void cs_lookup_run(cs_lookup *lookup);

/* Answers a look-up here if no name server is needed for it: no host, a numeric one, or flags that
   ask for no more. */
bool cs_lookup_run_numeric(cs_lookup *lookup);

/* Hands a look-up to the pool's threads; *pool is replaced after a fork. *fd, which becomes
   readable when the answer is there, is the caller's to close after he has dropped the look-up;
   -1 if there is nothing to wait for, because no thread could be started and the look-up was
   answered here. 0 or an errno value. */
int cs_lookup_submit(cs_resolver **pool, cs_lookup *lookup, int *fd);

/* The answer, or NULL as long as there is none. It lives as long as the look-up. */
const cs_answer *cs_lookup_answer(cs_lookup *lookup);

void cs_lookup_drop(cs_lookup *lookup);

/* A pool without threads; they are started when they are needed. NULL when memory runs out. */
cs_resolver *cs_resolver_new(void);

/* Ends the idle threads and waits for their end; those at work end by themselves. */
void cs_resolver_drop(cs_resolver *pool);

#endif
