/* load.c: the client side of the benches, the same for every contender.
   load echo PORT CONNECTIONS SIZE IN_FLIGHT MESSAGES: messages of SIZE bytes, IN_FLIGHT at a time
   on each connection; load accept PORT CONNECTIONS _ _ TOTAL: connects, sends and reads one byte;
   load udp PORT _ SIZE OUTSTANDING MESSAGES; load idle PORT CONNECTIONS: connects and waits for
     standard input to end.
   Prints the number of messages and the seconds they took. */
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

static char buf[1 << 20], out[1 << 20];
static struct sockaddr_in peer;
static int ep;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int dial(int type) {
  int fd = socket(AF_INET, type, 0), on = 1;
  if (connect(fd, (struct sockaddr *)&peer, sizeof peer) != 0) {
    perror("connect");
    exit(1);
  }
  if (type == SOCK_STREAM) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct linger now_ = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now_, sizeof now_); /* leaves no TIME_WAIT */
  }
  return fd;
}

static void watch(int fd) {
  struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
  epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
}

static void send_all(int fd, size_t n) {
  for (size_t sent = 0; sent < n;) {
    ssize_t k = send(fd, out, n - sent < sizeof out ? n - sent : sizeof out, MSG_NOSIGNAL);
    if (k < 0) {
      perror("send");
      exit(1);
    }
    sent += (size_t)k;
  }
}

int main(int argc, char **argv) {
  if (argc < 7) return 2;
  const char *mode = argv[1];
  int conns = atoi(argv[3]);
  size_t size = (size_t)atol(argv[4]);
  long flight = atol(argv[5]), total = atol(argv[6]), done = 0;
  peer = (struct sockaddr_in){.sin_family = AF_INET,
                              .sin_port = htons((uint16_t)atoi(argv[2])),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  ep = epoll_create1(0);
  memset(out, 'x', sizeof out);
  static struct epoll_event ev[1024];
  static size_t pending[70000];
  if (strcmp(mode, "udp") == 0) {
    int fd = dial(SOCK_DGRAM);
    double t = now();
    for (long i = 0; i < flight; i++) send(fd, out, size, 0);
    struct timeval patience = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    while (done < total) {
      if (recv(fd, buf, sizeof buf, 0) < 0) break;
      done++;
      send(fd, out, size, 0);
    }
    printf("%ld %.6f\n", done, now() - t);
    return 0;
  }
  if (strcmp(mode, "accept") == 0) {
    double t = now();
    for (int i = 0; i < conns; i++) {
      int fd = dial(SOCK_STREAM);
      send(fd, out, 1, 0);
      watch(fd);
    }
    while (done < total) {
      int n = epoll_wait(ep, ev, 1024, 5000);
      if (n <= 0) break;
      for (int i = 0; i < n; i++) {
        recv(ev[i].data.fd, buf, 16, 0);
        close(ev[i].data.fd);
        if (++done + conns <= total) {
          int fd = dial(SOCK_STREAM);
          send(fd, out, 1, 0);
          watch(fd);
        }
      }
    }
    printf("%ld %.6f\n", done, now() - t);
    return 0;
  }
  static int fds[70000];
  for (int i = 0; i < conns; i++) watch(fds[i] = dial(SOCK_STREAM));
  if (strcmp(mode, "idle") == 0) {
    printf("ready\n");
    fflush(stdout);
    while (read(0, buf, sizeof buf) > 0) continue;
    return 0;
  }
  double t = now();
  for (int i = 0; i < conns; i++) send_all(fds[i], size * (size_t)flight);
  while (done < total) {
    int n = epoll_wait(ep, ev, 1024, 5000);
    if (n <= 0) break;
    for (int i = 0; i < n; i++) {
      int fd = ev[i].data.fd;
      ssize_t k = recv(fd, buf, sizeof buf, 0);
      if (k <= 0) {
        fprintf(stderr, "load: the server closed a connection\n");
        return 1;
      }
      pending[fd] += (size_t)k;
      size_t whole = pending[fd] / size;
      pending[fd] -= whole * size;
      done += (long)whole;
      if (whole > 0) send_all(fd, whole * size);
    }
  }
  printf("%ld %.6f\n", done, now() - t);
  return 0;
}
