/* floor.c: lines of 40 bytes over loopback TCP, for the bench of reading them.
   floor send same|new LINES: prints a port and sends so many lines to the first who connects, one
   line again and again or each another one. floor read PORT: reads them with fgets, what the others
   are measured against; prints the number of lines and the seconds of CPU. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LINE  40
#define BLOCK 1000 /* lines sent at once */

static double cpu_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The line of that number: its digits, and then always the same. */
static void write_line(char *at, long number) {
  memset(at, 'x', LINE - 1);
  for (int i = 8; i >= 0; i--, number /= 10) at[i] = (char)('0' + number % 10);
  at[LINE - 1] = '\n';
}

static int serve(int same, long lines) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof a;
  static char block[BLOCK * LINE];
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (struct sockaddr *)&a, len) != 0 || listen(listener, 1) != 0) return 1;
  getsockname(listener, (struct sockaddr *)&a, &len);
  printf("%d\n", ntohs(a.sin_port));
  fflush(stdout);
  int fd = accept(listener, NULL, NULL);
  for (long i = 0; i < lines; i += BLOCK) {
    for (long k = 0; k < BLOCK; k++) write_line(block + k * LINE, same ? 7 : i + k);
    for (size_t sent = 0; sent < sizeof block;) {
      ssize_t n = send(fd, block + sent, sizeof block - sent, MSG_NOSIGNAL);
      if (n < 0) return 1;
      sent += (size_t)n;
    }
  }
  return 0;
}

static int receive(int port) {
  struct sockaddr_in a = {.sin_family = AF_INET,
                          .sin_port = htons((uint16_t)port),
                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  static char room[65536], line[128];
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr *)&a, sizeof a) != 0) return 1;
  FILE *f = fdopen(fd, "r");
  setvbuf(f, room, _IOFBF, sizeof room);
  long n = 0;
  double start = cpu_seconds();
  while (fgets(line, sizeof line, f) != NULL) n++;
  printf("%ld %.9f\n", n, cpu_seconds() - start);
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 4) return serve(strcmp(argv[2], "same") == 0, atol(argv[3]));
  return argc == 3 ? receive(atoi(argv[2])) : 2;
}
