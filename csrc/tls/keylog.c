/* keylog.c: the secrets of connections in a file, for Wireshark and its like: what SSLKEYLOGFILE
 * names. Each line is written with one write(2): several processes may share the file. */
#include "tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static void write_line(const SSL *ssl, const char *line) {
  const tls_context *t = tls_context_of(SSL_get_SSL_CTX(ssl));
  char end[] = "\n";
  struct iovec pieces[2] = {{(void *)(uintptr_t)line, strlen(line)}, {end, 1}};
  int saved = errno;
  if (t->keylog >= 0 && writev(t->keylog, pieces, 2) < 0) {
    /* A full disk is no reason to end a connection. */
  }
  errno = saved;
}

void tls_keylog_close(tls_context *t) {
  if (t->keylog >= 0) close(t->keylog);
  free(t->keylog_name);
  t->keylog = -1;
  t->keylog_name = NULL;
  SSL_CTX_set_keylog_callback(t->ctx, NULL);
}

int tls_keylog_open(tls_context *t, const char *name) {
  char *copy = strdup(name);
  if (copy == NULL) return ENOMEM;
  int fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
  if (fd < 0) {
    int err = errno;
    free(copy);
    return err;
  }
  tls_keylog_close(t);
  t->keylog = fd;
  t->keylog_name = copy;
  SSL_CTX_set_keylog_callback(t->ctx, write_line);
  return 0;
}
