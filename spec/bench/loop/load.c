/* load.c: the client side of the loop's benches, the same for every contender.

   load PID PORT MODE CONNECTIONS SIZE ACTIVE FLIGHT COUNT

   PID is the server's; what it has cost is read from /proc while it is idle, before and after COUNT
   messages and after a warm-up of a tenth as many. Prints COUNT, the seconds and the nanoseconds of
   the server's CPU that they took.

   echo    FLIGHT messages of SIZE bytes at a time on ACTIVE of the connections; after each reply
   the next message goes to the connection that is ACTIVE places further on accept  connects, sends
   a byte, reads a byte; ACTIVE connections at a time udp     FLIGHT datagrams of SIZE bytes
   outstanding lines   sends COUNT lines of SIZE bytes, the LF with them; the server answers with
   their number fanout  ACTIVE of the clients send a message of SIZE bytes each, which the server
   sends to all CONNECTIONS; COUNT counts deliveries idle    sends one message of SIZE bytes on each
   connection, then waits for standard input to end, and prints the connections' number and, twice,
   the server's private memory: before, after talk, visit  as echo and accept, with messages that
   are lines
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

#define MOST 65536 /* connections */

static char in[1 << 20], out[1 << 20];
static struct sockaddr_in peer;
static int ep;
static const char *server;
static struct epoll_event events[1024];
static int fds[MOST];
static size_t pending[MOST]; /* bytes received of a message that is not yet complete */

static long conns, active, flight, count;
static size_t size;

/* --- sockets --- */

static int dial(int type) {
  int fd = socket(AF_INET, type, 0), on = 1;
  const struct linger no_time_wait = {1, 0};
  if (fd < 0 || connect(fd, (struct sockaddr *)&peer, sizeof peer) != 0) die("cannot connect");
  if (type == SOCK_STREAM) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &no_time_wait, sizeof no_time_wait);
  }
  return fd;
}

static void watch(int fd, long i) {
  struct epoll_event e = {.events = EPOLLIN, .data.u64 = (uint64_t)i};
  if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) != 0) die("cannot watch");
}

static void dial_all(void) {
  for (long i = 0; i < conns; i++) watch(fds[i] = dial(SOCK_STREAM), i);
}

static void send_all(int fd, size_t n) {
  for (size_t sent = 0; sent < n;) {
    ssize_t k = send(fd, out, n - sent < sizeof out ? n - sent : sizeof out, MSG_NOSIGNAL);
    if (k < 0) die("cannot send");
    sent += (size_t)k;
  }
}

static int wait_events(void) {
  int n = epoll_wait(ep, events, 1024, 10000);
  if (n <= 0) die("the server does not answer");
  return n;
}

/* Receives on connection `i`; returns how many messages have become complete. */
static long receive(long i) {
  ssize_t k = recv(fds[i], in, sizeof in, 0);
  if (k <= 0) die("the server closed a connection");
  pending[i] += (size_t)k;
  long whole = (long)(pending[i] / size);
  pending[i] -= (size_t)whole * size;
  return whole;
}

/* --- the modes: each moves `total` messages --- */

static void echo(long total) {
  long sent = 0, done = 0;
  for (long i = 0; i < active && sent < total; i++, sent += flight)
    send_all(fds[i], size * (size_t)flight);
  while (done < sent) {
    for (int n = wait_events(); n-- > 0;) {
      long i = (long)events[n].data.u64, whole = receive(i);
      done += whole;
      if (whole == 0 || sent >= total) continue;
      sent += whole;
      send_all(fds[(i + active) % conns], size * (size_t)whole);
    }
  }
}

static void paced(long total) {
  static long next;
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  for (long sent = 0, done = 0; done < total;) {
    for (long i = 0; i < flight && sent < total; i++, sent++) send_all(fds[next++ % conns], size);
    t.tv_nsec += 1000000;
    if (t.tv_nsec >= 1000000000) {
      t.tv_sec++;
      t.tv_nsec -= 1000000000;
    }
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
    for (int n = wait_events(); n-- > 0;) done += receive((long)events[n].data.u64);
  }
}

static void open_short(long i) {
  fds[i] = dial(SOCK_STREAM);
  send_all(fds[i], 1);
  watch(fds[i], i);
}

static void short_lived(long total) {
  long begun = 0, done = 0;
  for (; begun < active && begun < total; begun++) open_short(begun);
  while (done < begun) {
    for (int n = wait_events(); n-- > 0;) {
      long i = (long)events[n].data.u64;
      if (recv(fds[i], in, 16, 0) != 1) die("nothing came");
      close(fds[i]);
      done++;
      if (begun >= total) continue;
      begun++;
      open_short(i);
    }
  }
}

static void datagrams(long total) {
  const struct timeval patience = {10, 0};
  long sent = 0;
  if (fds[0] == 0) fds[0] = dial(SOCK_DGRAM);
  setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  for (; sent < flight && sent < total; sent++) send(fds[0], out, size, 0);
  for (long done = 0; done < sent; done++) {
    if (recv(fds[0], in, sizeof in, 0) < 0) die("nothing came");
    if (sent >= total) continue;
    sent++;
    send(fds[0], out, size, 0);
  }
}

/* Messages that are lines. */
static void end_lines(void) {
  for (size_t i = size - 1; i < sizeof out; i += size) out[i] = '\n';
}

static void talk(long total) {
  end_lines();
  echo(total);
}

static void visit(long total) {
  end_lines();
  short_lived(total);
}

static void lines(long total) {
  long answer;
  size_t left = (size_t)total * size, whole = sizeof out / size * size;
  int fd = dial(SOCK_STREAM);
  end_lines();
  for (; left > 0; left -= left < whole ? left : whole) send_all(fd, left < whole ? left : whole);
  shutdown(fd, SHUT_WR);
  ssize_t n = recv(fd, in, sizeof in - 1, MSG_WAITALL);
  in[n > 0 ? n : 0] = '\0';
  if (sscanf(in, "%ld", &answer) != 1 || answer != total) die("the server miscounted the lines");
  close(fd);
}

static void fan_out(long total) {
  static long first, greeted;
  for (; greeted < conns; greeted++)
    if (recv(fds[greeted], in, 1, 0) != 1) die("no greeting");
  long rounds = total / (conns * active) + 1;
  for (; rounds > 0; rounds--) {
    for (long i = 0; i < active; i++) send_all(fds[(first + i) % conns], size);
    first = (first + active) % conns;
    for (long done = 0; done < conns * active;)
      for (int n = wait_events(); n-- > 0;) done += receive((long)events[n].data.u64);
  }
}

static void hold(void) {
  long before = server_memory(server);
  dial_all();
  active = conns;
  echo(conns);
  printf("%ld %ld %ld\n", conns, before, server_memory(server));
  fflush(stdout);
  while (read(0, in, sizeof in) > 0) continue;
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    void (*run)(long total);
    int dials;
  } modes[] = {{"echo", echo, 1},     {"rate", paced, 1},  {"accept", short_lived, 0},
               {"udp", datagrams, 0}, {"lines", lines, 0}, {"fanout", fan_out, 1},
               {"talk", talk, 1},     {"visit", visit, 0}, {"idle", NULL, 0}};
  if (argc != 9) return 2;
  server = argv[1];
  peer = (struct sockaddr_in){.sin_family = AF_INET,
                              .sin_port = htons((uint16_t)atoi(argv[2])),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  conns = atol(argv[4]);
  size = (size_t)atol(argv[5]);
  active = atol(argv[6]);
  flight = atol(argv[7]);
  count = atol(argv[8]);
  if (conns > MOST || active > MOST || size == 0 || size > sizeof out) return 2;
  ep = epoll_create1(0);
  memset(out, 'x', sizeof out);
  for (size_t m = 0; m < sizeof modes / sizeof *modes; m++) {
    if (strcmp(modes[m].name, argv[3]) != 0) continue;
    if (modes[m].run == NULL) {
      hold();
      return 0;
    }
    if (modes[m].dials) dial_all();
    modes[m].run(count / 10 + 1);
    double cpu = server_cpu(server), t = now();
    modes[m].run(count);
    t = now() - t;
    printf("%ld %.9f %.0f\n", count, t, server_cpu(server) - cpu);
    return 0;
  }
  return 2;
}
