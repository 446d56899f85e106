/* floor.c: 16 bytes sent and received in one process, in C: what the others are measured against.
   floor tcp|unix ROUNDS: prints the seconds of CPU and of time that the loop took. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double seconds(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void tcp_pair(int fds[2]) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof a;
  int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  fds[0] = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (struct sockaddr *)&a, len) != 0 || listen(listener, 1) != 0 ||
      getsockname(listener, (struct sockaddr *)&a, &len) != 0 ||
      connect(fds[0], (struct sockaddr *)&a, len) != 0)
    exit(1);
  fds[1] = accept(listener, NULL, NULL);
  setsockopt(fds[0], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void run(int a, int b, long rounds) {
  char data[17] = "0123456789abcdef", got[16];
  for (long i = 0; i < rounds; i++) {
    if (send(a, data, 16, 0) != 16 || recv(b, got, 16, 0) != 16) exit(1);
  }
}

int main(int argc, char **argv) {
  int fds[2];
  if (argc < 3) return 2;
  long rounds = atol(argv[2]);
  if (strcmp(argv[1], "tcp") == 0) {
    tcp_pair(fds);
  } else if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0) {
    return 1;
  }
  run(fds[0], fds[1], rounds / 10);
  double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), wall = seconds(CLOCK_MONOTONIC);
  run(fds[0], fds[1], rounds);
  wall = seconds(CLOCK_MONOTONIC) - wall;
  cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  printf("%.9f %.9f\n", cpu, wall);
  return 0;
}
