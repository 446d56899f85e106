/* load.c: the client side of TLS's benches, the same for every contender. TLS 1.3 with
   TLS_AES_128_GCM_SHA256 and keys exchanged on P-256, whatever else the server can.

   load PID PORT MODE CONNECTIONS SIZE ACTIVE FLIGHT COUNT

   PID is the server's; what it has cost is read from /proc while it is idle, before and after COUNT
   messages and after a warm-up of a tenth as many. Prints COUNT, the seconds and the nanoseconds of
   the server's CPU that they took.

   - echo: a message of SIZE bytes at a time on each of CONNECTIONS
   - send: the server answers one byte by FLIGHT times SIZE bytes; COUNT counts SIZE bytes
   - receive: the server answers FLIGHT records of SIZE bytes by one byte; COUNT counts records
   - accept: connects, sends a byte, reads a byte and the end; ACTIVE connections at a time
   - resume: the same, all but the first ACTIVE ones by the ticket of an earlier one
   - idle: sends one message of SIZE bytes on each connection, then waits for standard input to
     end, and prints the connections' number and, twice, the server's private memory: before, after
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include "../load.h"

#define MOST 4096 /* connections */

static char in[1 << 20], out[1 << 20];
static struct sockaddr_in peer;
static int ep;
static SSL_CTX *ctx;
static const char *server;
static struct epoll_event events[MOST];
static struct {
  SSL *ssl;
  int fd;
  size_t got;           /* bytes of an answer that is not yet complete */
  int begun;            /* accept: the byte is on its way */
  SSL_SESSION *session; /* resume: the latest ticket */
} conn[MOST];

static long conns, active, flight, count;
static size_t size;
static size_t asked, answered; /* bytes of a request and of its answer */
static int resuming;

/* --- connections --- */

static int keep_session(SSL *ssl, SSL_SESSION *session) {
  long i = (long)(intptr_t)SSL_get_app_data(ssl);
  if (!resuming) return 0;
  SSL_SESSION_free(conn[i].session);
  conn[i].session = session;
  return 1;
}

static void prepare(void) {
  ctx = SSL_CTX_new(TLS_client_method());
  if (SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256") != 1 ||
      SSL_CTX_set1_groups_list(ctx, "P-256") != 1)
    die("no such cipher");
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(ctx, keep_session);
  SSL_CTX_set_read_ahead(ctx, 1);
  ep = epoll_create1(0);
}

static void dial(long i) {
  int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  const struct linger no_time_wait = {1, 0};
  struct epoll_event e = {.events = EPOLLIN, .data.u64 = (uint64_t)i};
  if (fd < 0 || connect(fd, (struct sockaddr *)&peer, sizeof peer) != 0) die("cannot connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &no_time_wait, sizeof no_time_wait);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) != 0) die("cannot watch");
  SSL *ssl = SSL_new(ctx);
  if (ssl == NULL || SSL_set_fd(ssl, fd) != 1) die("no memory");
  SSL_set_app_data(ssl, (void *)(intptr_t)i);
  SSL_set_connect_state(ssl);
  if (conn[i].session != NULL) { /* not every server sends another ticket: a used one stays good */
    SSL_SESSION *copy = SSL_SESSION_dup(conn[i].session);
    if (copy == NULL || SSL_set_session(ssl, copy) != 1) die("no such session");
    SSL_SESSION_free(copy);
  }
  conn[i].ssl = ssl;
  conn[i].fd = fd;
  conn[i].got = 0;
  conn[i].begun = 0;
}

static void hang_up(long i) {
  SSL_shutdown(conn[i].ssl);
  ERR_clear_error();
  SSL_free(conn[i].ssl);
  close(conn[i].fd);
}

/* Waits until the descriptor is ready for what OpenSSL has asked for with `result`. */
static void wait_for(long i, int result) {
  int why = SSL_get_error(conn[i].ssl, result);
  struct pollfd fd = {.fd = conn[i].fd};
  if (why == SSL_ERROR_WANT_READ)
    fd.events = POLLIN;
  else if (why == SSL_ERROR_WANT_WRITE)
    fd.events = POLLOUT;
  else
    die("the server closed a connection");
  if (poll(&fd, 1, 10000) <= 0) die("the server does not answer");
}

/* Sends a request, as records of at most `size` bytes; the first one makes the handshake. */
static void ask(long i) {
  for (size_t sent = 0; sent < asked; sent += size < asked ? size : asked)
    for (int k; (k = SSL_write(conn[i].ssl, out, (int)(size < asked ? size : asked))) <= 0;)
      wait_for(i, k);
}

static int wait_events(void) {
  int n = epoll_wait(ep, events, MOST, 10000);
  if (n <= 0) die("the server does not answer");
  return n;
}

/* Whether connection `i` waits for more; else it is at its end. */
static int waits(long i, int result) {
  int why = SSL_get_error(conn[i].ssl, result);
  return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

/* Receives what has come on connection `i`; returns whether an answer has become complete. */
static int receive(long i) {
  int k;
  while ((k = SSL_read(conn[i].ssl, in, sizeof in)) > 0) conn[i].got += (size_t)k;
  if (!waits(i, k)) die("the server closed a connection");
  if (conn[i].got < answered) return 0;
  conn[i].got = 0;
  return 1;
}

/* --- the modes: each moves `total` messages --- */

/* A request on each connection, and the next one after its answer. */
static void exchange(long total) {
  long sent = 0, done = 0;
  for (; sent < conns && sent < total; sent++) ask(sent);
  while (done < sent) {
    for (int n = wait_events(); n-- > 0;) {
      long i = (long)events[n].data.u64;
      if (!receive(i)) continue;
      done++;
      if (sent >= total) continue;
      sent++;
      ask(i);
    }
  }
}

static void bulk(long total) {
  exchange(total / flight);
}

/* A step of a short-lived connection; returns whether it is at its end. */
static int step(long i) {
  int k;
  if (!conn[i].begun) {
    if ((k = SSL_write(conn[i].ssl, out, 1)) != 1) {
      if (!waits(i, k)) die("the handshake failed");
      return 0;
    }
    conn[i].begun = 1;
  }
  while ((k = SSL_read(conn[i].ssl, in, sizeof in)) > 0) conn[i].got += (size_t)k;
  if (waits(i, k)) return 0;
  if (conn[i].got != 1) die("nothing came");
  return 1;
}

static void short_lived(long total) {
  long begun = 0, done = 0, resumed = 0, resumable = 0;
  for (; begun < active && begun < total; begun++) {
    resumable += conn[begun].session != NULL;
    dial(begun);
    step(begun);
  }
  while (done < begun) {
    for (int n = wait_events(); n-- > 0;) {
      long i = (long)events[n].data.u64;
      if (!step(i)) continue;
      resumed += SSL_session_reused(conn[i].ssl);
      hang_up(i);
      done++;
      if (begun >= total) continue;
      begun++;
      resumable += conn[i].session != NULL;
      dial(i);
      step(i);
    }
  }
  if (resumed != resumable || (resuming && done - resumable > active))
    die("a session was not resumed");
}

static void hold(void) {
  long before = server_memory(server);
  for (long i = 0; i < conns; i++) dial(i);
  exchange(conns);
  printf("%ld %ld %ld\n", conns, before, server_memory(server));
  fflush(stdout);
  while (read(0, in, sizeof in) > 0) continue;
}

int main(int argc, char **argv) {
  if (argc != 9) return 2;
  const char *mode = argv[3];
  void (*run)(long total) = NULL;
  server = argv[1];
  peer = (struct sockaddr_in){.sin_family = AF_INET,
                              .sin_port = htons((uint16_t)atoi(argv[2])),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  conns = atol(argv[4]);
  asked = answered = size = (size_t)atol(argv[5]);
  active = atol(argv[6]);
  flight = atol(argv[7]);
  count = atol(argv[8]);
  if (conns > MOST || active > MOST || size == 0 || size > sizeof out) return 2;
  signal(SIGPIPE, SIG_IGN);
  prepare();
  if (strcmp(mode, "idle") == 0) {
    hold();
    return 0;
  }
  if (strcmp(mode, "echo") == 0) {
    run = exchange;
  } else if (strcmp(mode, "send") == 0) {
    run = bulk;
    asked = 1;
    answered = size * (size_t)flight;
  } else if (strcmp(mode, "receive") == 0) {
    run = bulk;
    asked = size * (size_t)flight;
    answered = 1;
  } else if (strcmp(mode, "accept") == 0 || strcmp(mode, "resume") == 0) {
    run = short_lived;
    resuming = mode[0] == 'r';
  } else {
    return 2;
  }
  if (run != short_lived)
    for (long i = 0; i < conns; i++) dial(i);
  run(count / 10 + active);
  double cpu = server_cpu(server), t = now();
  run(count);
  t = now() - t;
  printf("%ld %.9f %.0f\n", count, t, server_cpu(server) - cpu);
  return 0;
}
