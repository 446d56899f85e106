/* floor.c: what a server costs in C on bare epoll: the yardstick of the loop's benches.
   floor MODE: echo, accept, udp, lines, fanout (see load.c). Prints the port, and serves until it
   is killed. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST 65536 /* descriptors */

static char buf[65536];
static int ep, ls;

static void listen_on(int type) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof a;
  ls = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (ls < 0 || bind(ls, (struct sockaddr *)&a, len) != 0) exit(1);
  if (type == SOCK_STREAM && listen(ls, 1024) != 0) exit(1);
  getsockname(ls, (struct sockaddr *)&a, &len);
  printf("%d\n", ntohs(a.sin_port));
  fflush(stdout);
}

static void add(int fd) {
  struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
  if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) != 0) exit(1);
}

static int send_all(int fd, const char *p, size_t n) {
  while (n > 0) {
    ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
    if (k < 0) {
      struct pollfd room = {.fd = fd, .events = POLLOUT};
      if (errno != EAGAIN) return -1;
      poll(&room, 1, -1);
      continue;
    }
    p += k;
    n -= (size_t)k;
  }
  return 0;
}

/* --- the modes: what to do when the descriptor is readable --- */

static void echo(int fd) {
  ssize_t k = recv(fd, buf, sizeof buf, 0);
  if (k < 0 && errno == EAGAIN) return;
  if (k <= 0 || send_all(fd, buf, (size_t)k) != 0) close(fd);
}

static void one_byte(int fd) {
  if (recv(fd, buf, 1, 0) == 1) send(fd, buf, 1, MSG_NOSIGNAL);
  close(fd);
}

static void datagram(int fd) {
  struct sockaddr_in from;
  socklen_t len = sizeof from;
  ssize_t k;
  while ((k = recvfrom(fd, buf, sizeof buf, 0, (struct sockaddr *)&from, &len)) >= 0)
    sendto(fd, buf, (size_t)k, 0, (struct sockaddr *)&from, len);
}

static void lines(int fd) {
  static long count[MOST];
  ssize_t k = recv(fd, buf, sizeof buf, 0);
  if (k > 0) {
    const char *p = buf, *end = buf + k, *lf;
    for (; (lf = memchr(p, '\n', (size_t)(end - p))) != NULL; p = lf + 1) count[fd]++;
  } else if (k == 0 || errno != EAGAIN) {
    send_all(fd, buf, (size_t)sprintf(buf, "%ld\n", count[fd]));
    count[fd] = 0;
    close(fd);
  }
}

/* Every message goes to every client; what one client is to get leaves at the turn's end. */
static int clients[MOST], nclients;
static struct {
  char bytes[65536];
  size_t len;
} waiting[512];

static void leave(void) {
  for (int i = 0; i < nclients; i++) {
    if (waiting[i].len > 0) send_all(clients[i], waiting[i].bytes, waiting[i].len);
    waiting[i].len = 0;
  }
}

static void fan_out(int fd) {
  ssize_t k = recv(fd, buf, 1024, 0);
  if (k < 0 && errno == EAGAIN) return;
  if (k <= 0) exit(0); /* the bench is over */
  if (waiting[0].len + (size_t)k > sizeof waiting[0].bytes) leave();
  for (int i = 0; i < nclients; i++) {
    memcpy(waiting[i].bytes + waiting[i].len, buf, (size_t)k);
    waiting[i].len += (size_t)k;
  }
}

static void accept_all(int greet) {
  int fd, on = 1;
  while ((fd = accept4(ls, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    add(fd);
    if (!greet) continue;
    clients[nclients++] = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    send_all(fd, "!", 1);
  }
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    void (*readable)(int fd);
    void (*turn_over)(void);
  } modes[] = {{"echo", echo, NULL},
               {"accept", one_byte, NULL},
               {"lines", lines, NULL},
               {"udp", datagram, NULL},
               {"fanout", fan_out, leave}};
  static struct epoll_event ev[512];
  const char *mode = argc > 1 ? argv[1] : "";
  unsigned m = 0;
  while (strcmp(modes[m].name, mode) != 0)
    if (++m == sizeof modes / sizeof *modes) return 2;
  int udp = strcmp(mode, "udp") == 0;
  ep = epoll_create1(EPOLL_CLOEXEC);
  listen_on(udp ? SOCK_DGRAM : SOCK_STREAM);
  add(ls);
  for (;;) {
    int n = epoll_wait(ep, ev, 512, -1);
    for (int i = 0; i < n; i++)
      if (ev[i].data.fd == ls && !udp)
        accept_all(modes[m].turn_over != NULL);
      else
        modes[m].readable(ev[i].data.fd);
    if (modes[m].turn_over != NULL) modes[m].turn_over();
  }
}
