/* floor.c: what a TLS server costs in C on OpenSSL and bare epoll: the yardstick of TLS's benches.
   floor MODE CERTIFICATE KEY: echo, send, receive, accept (see load.c). Prints the port, and serves
   until it is killed. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

enum { MESSAGE = 1 << 20 }; /* the size of a bulk message */

typedef struct Conn {
  SSL *ssl;
  int fd;
  int left;   /* send: the bytes of a message that are still to go */
  size_t got; /* receive: the bytes of a message that is not yet complete */
} Conn;

static char buf[65536], message[MESSAGE];
static int ep, ls;
static SSL_CTX *ctx;

static void prepare(const char *certificate, const char *key) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof a;
  ctx = SSL_CTX_new(TLS_server_method());
  if (SSL_CTX_use_certificate_chain_file(ctx, certificate) != 1 ||
      SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
    exit(1);
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE);
  SSL_CTX_set_read_ahead(ctx, 1); /* a record is one recv */
  ep = epoll_create1(EPOLL_CLOEXEC);
  ls = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (ls < 0 || bind(ls, (struct sockaddr *)&a, len) != 0 || listen(ls, 1024) != 0) exit(1);
  getsockname(ls, (struct sockaddr *)&a, &len);
  printf("%d\n", ntohs(a.sin_port));
  fflush(stdout);
}

static void watch(int fd, uint32_t events, void *what) {
  struct epoll_event e = {.events = events, .data.ptr = what};
  if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) != 0) exit(1);
}

static void end(Conn *c) {
  ERR_clear_error();
  SSL_free(c->ssl);
  close(c->fd);
  free(c);
}

/* OpenSSL has returned `result`: the connection waits for the next event, or is at its end. */
static void stopped(Conn *c, int result) {
  int why = SSL_get_error(c->ssl, result);
  if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return;
  if (why == SSL_ERROR_ZERO_RETURN) SSL_shutdown(c->ssl);
  end(c);
}

/* --- the modes: what to do when the descriptor has become readable or writable --- */

static void echo(Conn *c) {
  int k;
  while ((k = SSL_read(c->ssl, buf, sizeof buf)) > 0)
    if (SSL_write(c->ssl, buf, k) != k) {
      end(c); /* short messages: there is room */
      return;
    }
  stopped(c, k);
}

static void send_message(Conn *c) {
  for (int k;;) {
    for (; c->left > 0; c->left -= k)
      if ((k = SSL_write(c->ssl, message + MESSAGE - c->left, c->left)) <= 0) {
        stopped(c, k);
        return;
      }
    if ((k = SSL_read(c->ssl, buf, 1)) <= 0) {
      stopped(c, k);
      return;
    }
    c->left = MESSAGE;
  }
}

static void receive_message(Conn *c) {
  int k;
  while ((k = SSL_read(c->ssl, buf, sizeof buf)) > 0) {
    c->got += (size_t)k;
    if (c->got < MESSAGE) continue;
    c->got = 0;
    SSL_write(c->ssl, buf, 1);
  }
  stopped(c, k);
}

static void one_byte(Conn *c) {
  int k = SSL_read(c->ssl, buf, 1);
  if (k <= 0) {
    stopped(c, k);
    return;
  }
  SSL_write(c->ssl, buf, 1);
  SSL_shutdown(c->ssl);
  end(c);
}

static void accept_all(void) {
  int fd, on = 1;
  while ((fd = accept4(ls, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    Conn *c = calloc(1, sizeof *c);
    if (c == NULL || (c->ssl = SSL_new(ctx)) == NULL || SSL_set_fd(c->ssl, fd) != 1) exit(1);
    c->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    SSL_set_accept_state(c->ssl); /* the first SSL_read makes the handshake */
    watch(fd, EPOLLIN | EPOLLOUT | EPOLLET, c);
  }
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    void (*serve)(Conn *c);
  } modes[] = {
      {"echo", echo}, {"send", send_message}, {"receive", receive_message}, {"accept", one_byte}};
  static struct epoll_event ev[512];
  unsigned m = 0;
  if (argc != 4) return 2;
  while (strcmp(modes[m].name, argv[1]) != 0)
    if (++m == sizeof modes / sizeof *modes) return 2;
  signal(SIGPIPE, SIG_IGN);
  memset(message, 'x', sizeof message);
  prepare(argv[2], argv[3]);
  watch(ls, EPOLLIN, NULL);
  for (;;) {
    int n = epoll_wait(ep, ev, 512, -1);
    for (int i = 0; i < n; i++)
      if (ev[i].data.ptr == NULL)
        accept_all();
      else if (ev[i].events != EPOLLOUT || ((Conn *)ev[i].data.ptr)->left > 0)
        modes[m].serve(ev[i].data.ptr); /* not before there is something to do */
  }
}
