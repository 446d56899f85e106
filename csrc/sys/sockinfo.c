/* sockinfo.c: by getpeername(2), ioctl(2), and TCP_INFO where that is Linux's. */
#include "sockinfo.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

static long count(int fd, cs_ioctl_request request) {
  int n;
  return ioctl(fd, request, &n) == 0 ? n : -1;
}

#if defined(FIONWRITE)
#define UNSENT FIONWRITE
#else
#define UNSENT TIOCOUTQ /* Linux's SIOCOUTQ */
#endif

#if CS_HAVE_TCP_INFO
/* False: it is no socket of TCP, or one that was never connected. */
static bool ask_tcp(int fd, bool listening, cs_sockinfo *info) {
  struct tcp_info tcp;
  socklen_t len = sizeof tcp;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &tcp, &len) != 0) return false;
  if (listening) {
    info->readable = (long)tcp.tcpi_unacked;
    info->unsent = (long)tcp.tcpi_sacked;
    return true;
  }
  switch (tcp.tcpi_state) {
  case TCP_SYN_SENT:
  case TCP_SYN_RECV:
    info->state = "connecting";
    return true;
  case TCP_ESTABLISHED:
    info->state = "connected";
    return true;
  case TCP_CLOSE_WAIT:
    info->state = "ended";
    return true;
  case TCP_FIN_WAIT1:
  case TCP_FIN_WAIT2:
  case TCP_CLOSING:
  case TCP_LAST_ACK:
  case TCP_TIME_WAIT:
    info->state = "closing";
    return true;
  default:
    return false;
  }
}
#else
static bool ask_tcp(int fd, bool listening, cs_sockinfo *info) {
  (void)fd;
  (void)listening;
  (void)info;
  return false;
}
#endif

void cs_sockinfo_read(int fd, cs_sockinfo *info) {
  int listening = 0;
  socklen_t len = sizeof listening;
  struct sockaddr_storage peer;
  info->readable = info->unsent = -1;
#ifdef SO_ACCEPTCONN
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) != 0) listening = 0;
#endif
  info->state = listening ? "listening" : "open";
  bool asked = ask_tcp(fd, listening != 0, info);
  if (listening) return;
  info->readable = count(fd, FIONREAD);
  info->unsent = count(fd, UNSENT);
  len = sizeof peer;
  if (!asked && getpeername(fd, (struct sockaddr *)&peer, &len) == 0) info->state = "connected";
}

/* The host and port of an address of the internet; false: it is none. `any`: of every interface. */
static bool take_apart(const struct sockaddr *addr, struct in6_addr *host, in_port_t *port,
                       bool *any) {
  if (addr->sa_family == AF_INET) {
    struct sockaddr_in in;
    memcpy(&in, addr, sizeof in);
    memset(host, 0, sizeof *host); /* as an IPv6 address: ::ffff:a.b.c.d */
    memset(&host->s6_addr[10], 0xff, 2);
    memcpy(&host->s6_addr[12], &in.sin_addr, 4);
    *port = in.sin_port;
    *any = in.sin_addr.s_addr == htonl(INADDR_ANY);
    return true;
  }
  if (addr->sa_family != AF_INET6) return false;
  struct sockaddr_in6 in6;
  memcpy(&in6, addr, sizeof in6);
  *host = in6.sin6_addr;
  *port = in6.sin6_port;
  *any = IN6_IS_ADDR_UNSPECIFIED(&in6.sin6_addr);
  return true;
}

bool cs_sockinfo_clash(const struct sockaddr *a, const struct sockaddr *b) {
  struct in6_addr hosts[2];
  in_port_t ports[2];
  bool any[2];
  if (!take_apart(a, &hosts[0], &ports[0], &any[0])) return false;
  if (!take_apart(b, &hosts[1], &ports[1], &any[1])) return false;
  return ports[0] == ports[1] &&
         (any[0] || any[1] || memcmp(&hosts[0], &hosts[1], sizeof hosts[0]) == 0);
}
