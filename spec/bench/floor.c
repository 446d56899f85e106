/* floor.c: what a server costs in C on bare epoll: the yardstick of the benches.
   floor MODE: echo, lines, accept, udp, fanout. Prints the port, serves until it is killed. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static char buf[65536];

static int listener(int type) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof a;
  int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (bind(fd, (struct sockaddr *)&a, len) != 0) exit(1);
  if (type == SOCK_STREAM && listen(fd, 1024) != 0) exit(1);
  getsockname(fd, (struct sockaddr *)&a, &len);
  printf("%d\n", ntohs(a.sin_port));
  fflush(stdout);
  return fd;
}

static void add(int ep, int fd) {
  struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
  epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
}

static int send_all(int fd, const char *p, ssize_t n) {
  while (n > 0) {
    ssize_t k = send(fd, p, (size_t)n, MSG_NOSIGNAL);
    if (k < 0) {
      if (errno != EAGAIN) return -1;
      struct epoll_event e;
      int ep = epoll_create1(0);
      struct epoll_event w = {.events = EPOLLOUT};
      epoll_ctl(ep, EPOLL_CTL_ADD, fd, &w);
      epoll_wait(ep, &e, 1, -1);
      close(ep);
      continue;
    }
    p += k;
    n -= k;
  }
  return 0;
}

int main(int argc, char **argv) {
  const char *mode = argc > 1 ? argv[1] : "echo";
  int udp = strcmp(mode, "udp") == 0, once = strcmp(mode, "accept") == 0;
  int ep = epoll_create1(EPOLL_CLOEXEC), ls = listener(udp ? SOCK_DGRAM : SOCK_STREAM);
  add(ep, ls);
  static struct epoll_event ev[512];
  for (;;) {
    int n = epoll_wait(ep, ev, 512, -1);
    for (int i = 0; i < n; i++) {
      int fd = ev[i].data.fd;
      if (fd == ls && udp) {
        struct sockaddr_in from;
        socklen_t len = sizeof from;
        ssize_t k;
        while ((k = recvfrom(fd, buf, sizeof buf, 0, (struct sockaddr *)&from, &len)) >= 0)
          sendto(fd, buf, (size_t)k, 0, (struct sockaddr *)&from, len);
      } else if (fd == ls) {
        int c;
        while ((c = accept4(ls, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) add(ep, c);
      } else {
        ssize_t k = recv(fd, buf, sizeof buf, 0);
        if (k < 0 && errno == EAGAIN) continue;
        if (k <= 0 || send_all(fd, buf, once ? 1 : k) != 0 || once) close(fd);
      }
    }
  }
}
