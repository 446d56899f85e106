/* load.c: the client side of the benches of HTTP, the same for every server.

   load PID PORT MODE CONNECTIONS FLIGHT COUNT

   PID is the server's; what it has cost is read from /proc while it is idle, before and after COUNT
   requests and after a warm-up of a tenth as many. Prints COUNT, the seconds and the nanoseconds of
   the server's CPU that they took, and the microseconds in which 99 of 100 answers had come.

   get, file  FLIGHT requests at once for / on each connection; when all their answers are there,
              the next ones
   ws         a WebSocket on each connection: FLIGHT messages of 64 bytes at once, which come back
   idle       one request on each connection, then waits for standard input to end, and prints the
              connections' number and, twice, the server's private memory: before, after
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "../load.h"

#define MOST      65536 /* connections */
#define HEAD_MOST 4096  /* bytes of an answer's head */
#define MESSAGE   64    /* bytes of a WebSocket message */
#define REQUEST   "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

typedef struct conn {
  int fd;
  long due;    /* answers that have not come in full */
  size_t body; /* bytes that are to come before the next head */
  size_t len;  /* of the part of a head that has come */
  double sent; /* when the requests went */
  char head[HEAD_MOST];
} conn;

static char in[1 << 20], out[1 << 16];
static size_t request_len;
static struct sockaddr_in peer;
static int ep;
static struct epoll_event events[1024];
static conn *conns;
static long nconns, flight, count;
static double *delays;
static long ndelays;

/* --- sockets --- */

/* The server may not be listening yet. */
static int dial(void) {
  const struct linger no_time_wait = {1, 0};
  for (int tries = 0; tries < 500; tries++) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    if (fd < 0) die("no socket");
    if (connect(fd, (struct sockaddr *)&peer, sizeof peer) == 0) {
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      setsockopt(fd, SOL_SOCKET, SO_LINGER, &no_time_wait, sizeof no_time_wait);
      return fd;
    }
    close(fd);
    usleep(10000);
  }
  die("cannot connect");
}

static void dial_all(void) {
  for (long i = 0; i < nconns; i++) {
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = &conns[i]};
    conns[i].fd = dial();
    if (epoll_ctl(ep, EPOLL_CTL_ADD, conns[i].fd, &e) != 0) die("cannot watch");
  }
}

static void send_all(int fd, const char *p, size_t n) {
  while (n > 0) {
    ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
    if (k < 0) die("cannot send");
    p += k;
    n -= (size_t)k;
  }
}

/* --- answers --- */

/* How many bytes of the head of `len` bytes are there, and what its body has: 0 when it is cut. */
static size_t http_head(const char *p, size_t len, size_t *body) {
  const char *end = memmem(p, len, "\r\n\r\n", 4);
  if (end == NULL) return 0;
  size_t n = (size_t)(end - p) + 4;
  if (n < 16 || memcmp(p, "HTTP/1.1 200", 12) != 0) die("no answer with 200");
  for (const char *line = p; (line = memchr(line, '\n', (size_t)(end - line))) != NULL;)
    if (strncasecmp(++line, "content-length:", 15) == 0) {
      *body = strtoul(line + 15, NULL, 10);
      return n;
    }
  die("an answer without Content-Length");
}

static size_t ws_head(const char *p, size_t len, size_t *body) {
  *body = MESSAGE;
  if (len < 2) return 0;
  if ((p[0] & 0x8f) != 0x81 || p[1] != MESSAGE) die("no message of 64 bytes");
  return 2;
}

static size_t (*read_head)(const char *p, size_t len, size_t *body);

/* Goes through `n` bytes that have come: how many answers are complete. */
static long digest(conn *c, const char *p, size_t n) {
  long whole = 0;
  for (;;) {
    if (c->body > 0) {
      size_t k = n < c->body ? n : c->body;
      c->body -= k;
      p += k;
      n -= k;
      if (c->body > 0) return whole;
      whole++;
    }
    if (n == 0) return whole;
    size_t had = c->len, room = HEAD_MOST - had, used;
    if (had > 0) {
      memcpy(c->head + had, p, n < room ? n : room);
      used = read_head(c->head, had + (n < room ? n : room), &c->body);
    } else {
      used = read_head(p, n, &c->body);
    }
    if (used == 0) {
      if (n >= room) die("a head without an end");
      if (had == 0) memcpy(c->head, p, n);
      c->len += n;
      return whole;
    }
    c->len = 0;
    p += used - had;
    n -= used - had;
    if (c->body == 0) die("an answer without a body");
  }
}

/* What is in the middle of a body need not be copied out of the kernel. */
static long receive(conn *c) {
  int skip = c->body > sizeof in;
  ssize_t k = recv(c->fd, skip ? NULL : in, skip ? c->body - 1 : sizeof in, skip ? MSG_TRUNC : 0);
  if (k < 0 && errno == EAGAIN) return 0;
  if (k <= 0) die("the server closed a connection");
  if (!skip) return digest(c, in, (size_t)k);
  c->body -= (size_t)k;
  return 0;
}

/* --- the modes --- */

static long begin(conn *c, long left) {
  c->due = flight < left ? flight : left;
  c->sent = now();
  send_all(c->fd, out, request_len * (size_t)c->due);
  return c->due;
}

static void run(long total) {
  long sent = 0, done = 0;
  ndelays = 0;
  for (long i = 0; i < nconns && sent < total; i++) sent += begin(&conns[i], total - sent);
  while (done < total) {
    int n = epoll_wait(ep, events, 1024, 20000);
    if (n <= 0) die("the server does not answer");
    while (n-- > 0) {
      conn *c = events[n].data.ptr;
      long whole = receive(c);
      done += whole;
      c->due -= whole;
      if (whole == 0 || c->due > 0) continue;
      delays[ndelays++] = now() - c->sent;
      if (sent < total) sent += begin(c, total - sent);
    }
  }
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static double p99(void) {
  qsort(delays, (size_t)ndelays, sizeof *delays, by_value);
  return delays[ndelays * 99 / 100] * 1e6;
}

static void repeat(const char *request, size_t len) {
  request_len = len;
  if (len * (size_t)flight > sizeof out) die("too much in flight");
  for (long i = 0; i < flight; i++) memcpy(out + (size_t)i * len, request, len);
}

static void upgrade(conn *c) {
  static const char request[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                                "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  size_t len = 0;
  send_all(c->fd, request, sizeof request - 1);
  while (len < 4 || memcmp(in + len - 4, "\r\n\r\n", 4) != 0)
    if (recv(c->fd, in + len++, 1, 0) != 1 || len == sizeof in) die("no upgrade");
  if (memcmp(in, "HTTP/1.1 101", 12) != 0) die("no upgrade");
}

static void open_websockets(void) {
  char frame[6 + MESSAGE] = {(char)0x81, (char)(0x80 | MESSAGE), 1, 2, 3, 4};
  for (int i = 0; i < MESSAGE; i++) frame[6 + i] = (char)('a' ^ frame[2 + i % 4]);
  read_head = ws_head;
  repeat(frame, sizeof frame);
  for (long i = 0; i < nconns; i++) upgrade(&conns[i]);
}

static void hold(const char *server) {
  long before = server_memory(server);
  dial_all();
  run(nconns);
  printf("%ld %ld %ld\n", nconns, before, server_memory(server));
  fflush(stdout);
  while (read(0, in, sizeof in) > 0) continue;
}

int main(int argc, char **argv) {
  if (argc != 7) return 2;
  const char *server = argv[1], *mode = argv[3];
  peer = (struct sockaddr_in){.sin_family = AF_INET,
                              .sin_port = htons((uint16_t)atoi(argv[2])),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  nconns = atol(argv[4]);
  flight = atol(argv[5]);
  count = atol(argv[6]);
  if (nconns < 1 || nconns > MOST || flight < 1 || count < 1) return 2;
  ep = epoll_create1(0);
  conns = calloc((size_t)nconns, sizeof *conns);
  delays = calloc((size_t)(count > nconns ? count : nconns) + 1, sizeof *delays);
  if (conns == NULL || delays == NULL) die("out of memory");
  read_head = http_head;
  repeat(REQUEST, sizeof REQUEST - 1);
  if (strcmp(mode, "idle") == 0) {
    hold(server);
    return 0;
  }
  dial_all();
  if (strcmp(mode, "ws") == 0) open_websockets();
  run(count / 10 + 1);
  double cpu = server_cpu(server), t = now();
  run(count);
  t = now() - t;
  printf("%ld %.9f %.0f %.1f\n", count, t, server_cpu(server) - cpu, p99());
  return 0;
}
