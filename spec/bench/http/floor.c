/* floor.c: what an HTTP server costs in C on bare epoll: the yardstick of the benches of HTTP. It
   answers what csock does, byte for byte: each line is looked for up to the empty one, requests
   that come together are answered together, what is not taken waits, and Date is made once a
   second. floor MODE [DIRECTORY]: all modes are alike; see load.c. Prints the port, and serves
   until it is killed. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BODY    1024
#define REQUEST 8192  /* bytes of a head */
#define ANSWERS 65536 /* bytes that are sent at once */

typedef struct conn {
  int fd;
  size_t in_len, out_len, out_at;
  char *in, *out; /* what is cut of a request, and what was not taken; NULL: nothing */
} conn;

static char in[REQUEST], out[ANSWERS], body[BODY];
static char date[64];
static time_t second;
static int ep, ls;

static void watch(conn *c, int op, unsigned wanted) {
  struct epoll_event e = {.events = wanted, .data.ptr = c};
  if (epoll_ctl(ep, op, c->fd, &e) != 0) exit(1);
}

static void end(conn *c) {
  close(c->fd);
  free(c->in);
  free(c->out);
  free(c);
}

static const char *today(void) {
  time_t t = time(NULL);
  struct tm parts;
  if (t == second) return date;
  second = t;
  strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&t, &parts));
  return date;
}

static char *answer(char *p) {
  p += sprintf(p,
               "HTTP/1.1 %d %s\r\nServer: csock/0.1\r\nDate: %s\r\n"
               "Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n",
               200, "OK", today(), BODY);
  return (char *)memcpy(p, body, BODY) + BODY;
}

/* Whether the connection is still there. */
static int flush(conn *c, const char *p, size_t n) {
  ssize_t k = n > 0 ? send(c->fd, p, n, MSG_NOSIGNAL) : 0;
  if (k < 0 && errno != EAGAIN) {
    end(c);
    return 0;
  }
  if (k < 0) k = 0;
  if ((size_t)k == n) return 1;
  c->out_len = n - (size_t)k;
  c->out_at = 0;
  c->out = malloc(c->out_len);
  if (c->out == NULL) exit(1);
  memcpy(c->out, p + k, c->out_len);
  watch(c, EPOLL_CTL_MOD, EPOLLOUT);
  return 1;
}

static void writable(conn *c) {
  ssize_t k = send(c->fd, c->out + c->out_at, c->out_len - c->out_at, MSG_NOSIGNAL);
  if (k < 0 && errno != EAGAIN) {
    end(c);
    return;
  }
  if (k > 0) c->out_at += (size_t)k;
  if (c->out_at < c->out_len) return;
  free(c->out);
  c->out = NULL;
  watch(c, EPOLL_CTL_MOD, EPOLLIN);
}

/* How many bytes the first request has; 0: it is cut. */
static size_t request(const char *p, size_t n) {
  const char *line = p, *lf;
  while ((lf = memchr(line, '\n', n - (size_t)(line - p))) != NULL) {
    if (lf - line <= 1) return (size_t)(lf + 1 - p);
    line = lf + 1;
  }
  return 0;
}

static void readable(conn *c) {
  size_t had = c->in_len, used = 0, n;
  char *p = out;
  if (had > 0) memcpy(in, c->in, had);
  ssize_t k = recv(c->fd, in + had, sizeof in - had, 0);
  if (k < 0 && errno == EAGAIN) return;
  if (k <= 0) {
    end(c);
    return;
  }
  size_t len = had + (size_t)k;
  while ((n = request(in + used, len - used)) > 0) {
    if ((size_t)(out + sizeof out - p) < BODY + 256) {
      if (!flush(c, out, (size_t)(p - out))) return;
      p = out;
    }
    p = answer(p);
    used += n;
  }
  free(c->in);
  c->in = NULL;
  c->in_len = len - used;
  if (c->in_len == sizeof in) {
    end(c);
    return;
  }
  if (c->in_len > 0) {
    c->in = malloc(c->in_len);
    if (c->in == NULL) exit(1);
    memcpy(c->in, in + used, c->in_len);
  }
  flush(c, out, (size_t)(p - out));
}

static void accept_all(void) {
  int fd, on = 1;
  while ((fd = accept4(ls, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    conn *c = calloc(1, sizeof *c);
    if (c == NULL) exit(1);
    c->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    watch(c, EPOLL_CTL_ADD, EPOLLIN);
  }
}

int main(void) {
  static struct epoll_event ev[512];
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof a;
  conn listener = {0};
  memset(body, 'x', sizeof body);
  ep = epoll_create1(EPOLL_CLOEXEC);
  ls = listener.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (ls < 0 || bind(ls, (struct sockaddr *)&a, len) != 0 || listen(ls, 1024) != 0) return 1;
  getsockname(ls, (struct sockaddr *)&a, &len);
  printf("%d\n", ntohs(a.sin_port));
  fflush(stdout);
  watch(&listener, EPOLL_CTL_ADD, EPOLLIN);
  for (;;) {
    int n = epoll_wait(ep, ev, 512, -1);
    for (int i = 0; i < n; i++)
      if (ev[i].data.ptr == &listener)
        accept_all();
      else if (ev[i].events & EPOLLOUT)
        writable(ev[i].data.ptr);
      else
        readable(ev[i].data.ptr);
  }
}
