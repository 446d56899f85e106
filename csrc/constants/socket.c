/* socket.c: the numbers of sockets in general: families, types, options and flags of
   every socket, poll and epoll. A name that some supported system lacks stands behind #ifdef. */
#include "../base/rows.h"

#include <limits.h>

#if CS_HAVE_EPOLL
#include <sys/epoll.h>
#endif

/* Address families. */
static const cs_constant families[] = {
    K(AF_UNSPEC),     K(PF_UNSPEC),     K(AF_UNIX),    K(PF_UNIX),      K(AF_INET),
    K(PF_INET),       K(AF_INET6),      K(PF_INET6),
#ifdef AF_LOCAL
    K(AF_LOCAL),      K(PF_LOCAL),
#endif
#ifdef AF_ATMPVC
    K(AF_ASH),        K(PF_ASH),        K(AF_ATMPVC),  K(PF_ATMPVC),    K(AF_ATMSVC),
    K(PF_ATMSVC),     K(AF_AX25),       K(PF_AX25),    K(AF_BLUETOOTH), K(PF_BLUETOOTH),
    K(AF_BRIDGE),     K(PF_BRIDGE),     K(AF_ECONET),  K(PF_ECONET),    K(AF_FILE),
    K(PF_FILE),       K(AF_IRDA),       K(PF_IRDA),    K(AF_KEY),       K(PF_KEY),
    K(AF_LLC),        K(PF_LLC),        K(AF_NETBEUI), K(PF_NETBEUI),   K(AF_NETLINK),
    K(PF_NETLINK),    K(AF_NETROM),     K(PF_NETROM),  K(AF_PACKET),    K(PF_PACKET),
    K(AF_PPPOX),      K(PF_PPPOX),      K(AF_ROSE),    K(PF_ROSE),      K(AF_SECURITY),
    K(PF_SECURITY),   K(AF_WANPIPE),    K(PF_WANPIPE), K(AF_X25),       K(PF_X25),
#endif
#ifdef AF_ALG
    K(AF_ALG),        K(PF_ALG),
#endif
#ifdef AF_APPLETALK
    K(AF_APPLETALK),  K(PF_APPLETALK),
#endif
#ifdef AF_CAIF
    K(AF_CAIF),       K(PF_CAIF),
#endif
#ifdef AF_CAN
    K(AF_CAN),        K(PF_CAN),
#endif
#ifdef AF_DECnet
    K(AF_DECnet),     K(PF_DECnet),
#endif
#ifdef AF_IB
    K(AF_IB),         K(PF_IB),
#endif
#ifdef AF_IEEE802154
    K(AF_IEEE802154), K(PF_IEEE802154),
#endif
#ifdef AF_IPX
    K(AF_IPX),        K(PF_IPX),
#endif
#ifdef AF_ISDN
    K(AF_ISDN),       K(PF_ISDN),
#endif
#ifdef AF_IUCV
    K(AF_IUCV),       K(PF_IUCV),
#endif
#ifdef AF_KCM
    K(AF_KCM),        K(PF_KCM),
#endif
#ifdef AF_MCTP
    K(AF_MCTP),       K(PF_MCTP),
#endif
#ifdef AF_MPLS
    K(AF_MPLS),       K(PF_MPLS),
#endif
#ifdef AF_NFC
    K(AF_NFC),        K(PF_NFC),
#endif
#ifdef AF_PHONET
    K(AF_PHONET),     K(PF_PHONET),
#endif
#ifdef AF_QIPCRTR
    K(AF_QIPCRTR),    K(PF_QIPCRTR),
#endif
#ifdef AF_RDS
    K(AF_RDS),        K(PF_RDS),
#endif
#ifdef AF_ROUTE
    K(AF_ROUTE),      K(PF_ROUTE),
#endif
#ifdef AF_RXRPC
    K(AF_RXRPC),      K(PF_RXRPC),
#endif
#ifdef AF_SMC
    K(AF_SMC),        K(PF_SMC),
#endif
#ifdef AF_SNA
    K(AF_SNA),        K(PF_SNA),
#endif
#ifdef AF_TIPC
    K(AF_TIPC),       K(PF_TIPC),
#endif
#ifdef AF_VSOCK
    K(AF_VSOCK),      K(PF_VSOCK),
#endif
#ifdef AF_XDP
    K(AF_XDP),        K(PF_XDP),
#endif
#ifdef AF_MAX
    K(AF_MAX),        K(PF_MAX),
#endif
#ifdef AF_ARP
    K(AF_ARP),
#endif
#ifdef AF_CCITT
    K(AF_CCITT),
#endif
#ifdef AF_CHAOS
    K(AF_CHAOS),
#endif
#ifdef AF_CNT
    K(AF_CNT),
#endif
#ifdef AF_COIP
    K(AF_COIP),
#endif
#ifdef AF_DATAKIT
    K(AF_DATAKIT),
#endif
#ifdef AF_DLI
    K(AF_DLI),
#endif
#ifdef AF_ECMA
    K(AF_ECMA),
#endif
#ifdef AF_HYLINK
    K(AF_HYLINK),
#endif
#ifdef AF_HYPERV
    K(AF_HYPERV),
#endif
#ifdef AF_IMPLINK
    K(AF_IMPLINK),
#endif
#ifdef AF_INET_SDP
    K(AF_INET_SDP),
#endif
#ifdef AF_INET6_SDP
    K(AF_INET6_SDP),
#endif
#ifdef AF_ISO
    K(AF_ISO),
#endif
#ifdef AF_LAT
    K(AF_LAT),
#endif
#ifdef AF_LINK
    K(AF_LINK),
#endif
#ifdef AF_NATM
    K(AF_NATM),
#endif
#ifdef AF_NDRV
    K(AF_NDRV),
#endif
#ifdef AF_NETGRAPH
    K(AF_NETGRAPH),
#endif
#ifdef AF_NETBIOS
    K(AF_NETBIOS),
#endif
#ifdef AF_NS
    K(AF_NS),
#endif
#ifdef AF_OSI
    K(AF_OSI),
#endif
#ifdef AF_PUP
    K(AF_PUP),
#endif
#ifdef AF_SLOW
    K(AF_SLOW),
#endif
#ifdef AF_SYSTEM
    K(AF_SYSTEM),
#endif
#ifdef AF_UTUN
    K(AF_UTUN),
#endif
#ifdef PF_SYSTEM
    K(PF_SYSTEM),
#endif
};

/* Types of sockets, and flags that may be added to one. */
static const cs_constant types[] = {
    K(SOCK_STREAM),   K(SOCK_DGRAM), K(SOCK_RAW), K(SOCK_SEQPACKET),
#ifdef SOCK_RDM
    K(SOCK_RDM),
#endif
#ifdef SOCK_CLOEXEC
    K(SOCK_CLOEXEC),
#endif
#ifdef SOCK_NONBLOCK
    K(SOCK_NONBLOCK),
#endif
#ifdef SOCK_CLOFORK
    K(SOCK_CLOFORK),
#endif
#ifdef SOCK_DCCP
    K(SOCK_DCCP),
#endif
#ifdef SOCK_PACKET
    K(SOCK_PACKET),
#endif
};

/* How to shut down, how long a queue. */
static const cs_constant verbs[] = {
    K(SHUT_RD),
    K(SHUT_WR),
    K(SHUT_RDWR),
    K(SOMAXCONN),
};

/* Flags of send and recv, types of ancillary data. */
static const cs_constant messages[] = {
    K(MSG_CTRUNC),
    K(MSG_DONTROUTE),
    K(MSG_DONTWAIT),
    K(MSG_EOR),
    K(MSG_OOB),
    K(MSG_PEEK),
    K(MSG_TRUNC),
    K(MSG_WAITALL),
#ifdef MSG_NOSIGNAL
    K(MSG_NOSIGNAL),
#endif
#ifdef MSG_CMSG_CLOEXEC
    K(MSG_CMSG_CLOEXEC),
#endif
#ifdef MSG_ERRQUEUE
    K(MSG_CONFIRM),
    K(MSG_ERRQUEUE),
    K(MSG_FIN),
    K(MSG_MORE),
    K(MSG_PROXY),
    K(MSG_RST),
    K(MSG_SYN),
#endif
#ifdef MSG_TRYHARD
    K(MSG_TRYHARD),
#endif
#ifdef MSG_BATCH
    K(MSG_BATCH),
#endif
#ifdef MSG_FASTOPEN
    K(MSG_FASTOPEN),
#endif
#ifdef MSG_WAITFORONE
    K(MSG_WAITFORONE),
#endif
#ifdef MSG_ZEROCOPY
    K(MSG_ZEROCOPY),
#endif
#ifdef MSG_SOCK_DEVMEM
    K(MSG_SOCK_DEVMEM),
#endif
#ifdef MSG_BCAST
    K(MSG_BCAST),
#endif
#ifdef MSG_BTAG
    K(MSG_BTAG),
#endif
#ifdef MSG_CMSG_CLOFORK
    K(MSG_CMSG_CLOFORK),
#endif
#ifdef MSG_COMPAT
    K(MSG_COMPAT),
#endif
#ifdef MSG_EOF
    K(MSG_EOF),
#endif
#ifdef MSG_ETAG
    K(MSG_ETAG),
#endif
#ifdef MSG_FLUSH
    K(MSG_FLUSH),
#endif
#ifdef MSG_HAVEMORE
    K(MSG_HAVEMORE),
#endif
#ifdef MSG_HOLD
    K(MSG_HOLD),
#endif
#ifdef MSG_MCAST
    K(MSG_MCAST),
#endif
#ifdef MSG_NBIO
    K(MSG_NBIO),
#endif
#ifdef MSG_NEEDSA
    K(MSG_NEEDSA),
#endif
#ifdef MSG_NOTIFICATION
    K(MSG_NOTIFICATION),
#endif
#ifdef MSG_RCVMORE
    K(MSG_RCVMORE),
#endif
#ifdef MSG_SEND
    K(MSG_SEND),
#endif
    K(SCM_RIGHTS),
#ifdef SCM_CREDENTIALS
    K(SCM_CREDENTIALS),
#endif
#ifdef SCM_CREDS
    K(SCM_CREDS),
#endif
#ifdef SCM_CREDS2
    K(SCM_CREDS2),
#endif
#ifdef SCM_BINTIME
    K(SCM_BINTIME),
#endif
#ifdef SCM_MONOTONIC
    K(SCM_MONOTONIC),
#endif
#ifdef SCM_PIDFD
    K(SCM_PIDFD),
#endif
#ifdef SCM_REALTIME
    K(SCM_REALTIME),
#endif
#ifdef SCM_SECURITY
    K(SCM_SECURITY),
#endif
#ifdef SCM_TIMESTAMP
    K(SCM_TIMESTAMP),
#endif
#ifdef SCM_TIMESTAMPING
    K(SCM_TIMESTAMPING),
#endif
#ifdef SCM_TIMESTAMPING_OPT_STATS
    K(SCM_TIMESTAMPING_OPT_STATS),
#endif
#ifdef SCM_TIMESTAMPING_PKTINFO
    K(SCM_TIMESTAMPING_PKTINFO),
#endif
#ifdef SCM_TIMESTAMPNS
    K(SCM_TIMESTAMPNS),
#endif
#ifdef SCM_TIMESTAMP_MONOTONIC
    K(SCM_TIMESTAMP_MONOTONIC),
#endif
#ifdef SCM_TS_OPT_ID
    K(SCM_TS_OPT_ID),
#endif
#ifdef SCM_TXTIME
    K(SCM_TXTIME),
#endif
#ifdef SCM_WIFI_STATUS
    K(SCM_WIFI_STATUS),
#endif
};

/* Events of poll and epoll. */
static const cs_constant events[] = {
    K(POLLERR),        K(POLLHUP),       K(POLLIN),      K(POLLNVAL),      K(POLLOUT),
    K(POLLPRI),        K(POLLRDBAND),    K(POLLRDNORM),  K(POLLWRBAND),    K(POLLWRNORM),
#ifdef POLLMSG
    K(POLLMSG),
#endif
#ifdef POLLRDHUP
    K(POLLRDHUP),
#endif
#ifdef POLLREMOVE
    K(POLLREMOVE),
#endif
#ifdef POLLINIGNEOF
    K(POLLINIGNEOF),
#endif
#if CS_HAVE_EPOLL
    K(EPOLLERR),       K(EPOLLET),       K(EPOLLHUP),    K(EPOLLIN),       K(EPOLLMSG),
    K(EPOLLONESHOT),   K(EPOLLOUT),      K(EPOLLPRI),    K(EPOLLRDBAND),   K(EPOLLRDHUP),
    K(EPOLLRDNORM),    K(EPOLLWRBAND),   K(EPOLLWRNORM), K(EPOLL_CLOEXEC), K(EPOLL_CTL_ADD),
    K(EPOLL_CTL_DEL),  K(EPOLL_CTL_MOD),
#endif
#ifdef EPOLLEXCLUSIVE
    K(EPOLLEXCLUSIVE),
#endif
#ifdef EPOLLWAKEUP
    K(EPOLLWAKEUP),
#endif
#ifdef PIPE_BUF
    K(PIPE_BUF),
#endif
};

/* errno values that Python keeps here too; all of them are in csock.errno. */
static const cs_constant errors[] = {
    K(EAGAIN),
    K(EBADF),
    K(EWOULDBLOCK),
};

const cs_family cs_constants_socket[] = {
    FAMILY(families), FAMILY(types),  FAMILY(verbs), FAMILY(messages),
    FAMILY(events),   FAMILY(errors), {NULL, 0},
};
