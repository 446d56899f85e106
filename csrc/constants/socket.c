/* socket.c: the numbers of sockets in general: families, types, options and flags of
   every socket, poll and epoll. A name that some supported system lacks stands behind #ifdef. */
#include "../base/rows.h"

#include <limits.h>

#if CS_HAVE_EPOLL
#include <sys/epoll.h>
#endif

const cs_constant cs_constants_socket[] = {
    /* Address families. */
    CS_K(AF_UNSPEC),
    CS_K(PF_UNSPEC),
    CS_K(AF_UNIX),
    CS_K(PF_UNIX),
    CS_K(AF_INET),
    CS_K(PF_INET),
    CS_K(AF_INET6),
    CS_K(PF_INET6),
#ifdef AF_LOCAL
    CS_K(AF_LOCAL),
    CS_K(PF_LOCAL),
#endif
#ifdef AF_ATMPVC
    CS_K(AF_ASH),
    CS_K(PF_ASH),
    CS_K(AF_ATMPVC),
    CS_K(PF_ATMPVC),
    CS_K(AF_ATMSVC),
    CS_K(PF_ATMSVC),
    CS_K(AF_AX25),
    CS_K(PF_AX25),
    CS_K(AF_BLUETOOTH),
    CS_K(PF_BLUETOOTH),
    CS_K(AF_BRIDGE),
    CS_K(PF_BRIDGE),
    CS_K(AF_ECONET),
    CS_K(PF_ECONET),
    CS_K(AF_FILE),
    CS_K(PF_FILE),
    CS_K(AF_IRDA),
    CS_K(PF_IRDA),
    CS_K(AF_KEY),
    CS_K(PF_KEY),
    CS_K(AF_LLC),
    CS_K(PF_LLC),
    CS_K(AF_NETBEUI),
    CS_K(PF_NETBEUI),
    CS_K(AF_NETLINK),
    CS_K(PF_NETLINK),
    CS_K(AF_NETROM),
    CS_K(PF_NETROM),
    CS_K(AF_PACKET),
    CS_K(PF_PACKET),
    CS_K(AF_PPPOX),
    CS_K(PF_PPPOX),
    CS_K(AF_ROSE),
    CS_K(PF_ROSE),
    CS_K(AF_SECURITY),
    CS_K(PF_SECURITY),
    CS_K(AF_WANPIPE),
    CS_K(PF_WANPIPE),
    CS_K(AF_X25),
    CS_K(PF_X25),
#endif
#ifdef AF_ALG
    CS_K(AF_ALG),
    CS_K(PF_ALG),
#endif
#ifdef AF_APPLETALK
    CS_K(AF_APPLETALK),
    CS_K(PF_APPLETALK),
#endif
#ifdef AF_CAIF
    CS_K(AF_CAIF),
    CS_K(PF_CAIF),
#endif
#ifdef AF_CAN
    CS_K(AF_CAN),
    CS_K(PF_CAN),
#endif
#ifdef AF_DECnet
    CS_K(AF_DECnet),
    CS_K(PF_DECnet),
#endif
#ifdef AF_IB
    CS_K(AF_IB),
    CS_K(PF_IB),
#endif
#ifdef AF_IEEE802154
    CS_K(AF_IEEE802154),
    CS_K(PF_IEEE802154),
#endif
#ifdef AF_IPX
    CS_K(AF_IPX),
    CS_K(PF_IPX),
#endif
#ifdef AF_ISDN
    CS_K(AF_ISDN),
    CS_K(PF_ISDN),
#endif
#ifdef AF_IUCV
    CS_K(AF_IUCV),
    CS_K(PF_IUCV),
#endif
#ifdef AF_KCM
    CS_K(AF_KCM),
    CS_K(PF_KCM),
#endif
#ifdef AF_MCTP
    CS_K(AF_MCTP),
    CS_K(PF_MCTP),
#endif
#ifdef AF_MPLS
    CS_K(AF_MPLS),
    CS_K(PF_MPLS),
#endif
#ifdef AF_NFC
    CS_K(AF_NFC),
    CS_K(PF_NFC),
#endif
#ifdef AF_PHONET
    CS_K(AF_PHONET),
    CS_K(PF_PHONET),
#endif
#ifdef AF_QIPCRTR
    CS_K(AF_QIPCRTR),
    CS_K(PF_QIPCRTR),
#endif
#ifdef AF_RDS
    CS_K(AF_RDS),
    CS_K(PF_RDS),
#endif
#ifdef AF_ROUTE
    CS_K(AF_ROUTE),
    CS_K(PF_ROUTE),
#endif
#ifdef AF_RXRPC
    CS_K(AF_RXRPC),
    CS_K(PF_RXRPC),
#endif
#ifdef AF_SMC
    CS_K(AF_SMC),
    CS_K(PF_SMC),
#endif
#ifdef AF_SNA
    CS_K(AF_SNA),
    CS_K(PF_SNA),
#endif
#ifdef AF_TIPC
    CS_K(AF_TIPC),
    CS_K(PF_TIPC),
#endif
#ifdef AF_VSOCK
    CS_K(AF_VSOCK),
    CS_K(PF_VSOCK),
#endif
#ifdef AF_XDP
    CS_K(AF_XDP),
    CS_K(PF_XDP),
#endif
#ifdef AF_MAX
    CS_K(AF_MAX),
    CS_K(PF_MAX),
#endif
#ifdef AF_ARP
    CS_K(AF_ARP),
#endif
#ifdef AF_CCITT
    CS_K(AF_CCITT),
#endif
#ifdef AF_CHAOS
    CS_K(AF_CHAOS),
#endif
#ifdef AF_CNT
    CS_K(AF_CNT),
#endif
#ifdef AF_COIP
    CS_K(AF_COIP),
#endif
#ifdef AF_DATAKIT
    CS_K(AF_DATAKIT),
#endif
#ifdef AF_DLI
    CS_K(AF_DLI),
#endif
#ifdef AF_ECMA
    CS_K(AF_ECMA),
#endif
#ifdef AF_HYLINK
    CS_K(AF_HYLINK),
#endif
#ifdef AF_HYPERV
    CS_K(AF_HYPERV),
#endif
#ifdef AF_IMPLINK
    CS_K(AF_IMPLINK),
#endif
#ifdef AF_INET_SDP
    CS_K(AF_INET_SDP),
#endif
#ifdef AF_INET6_SDP
    CS_K(AF_INET6_SDP),
#endif
#ifdef AF_ISO
    CS_K(AF_ISO),
#endif
#ifdef AF_LAT
    CS_K(AF_LAT),
#endif
#ifdef AF_LINK
    CS_K(AF_LINK),
#endif
#ifdef AF_NATM
    CS_K(AF_NATM),
#endif
#ifdef AF_NDRV
    CS_K(AF_NDRV),
#endif
#ifdef AF_NETGRAPH
    CS_K(AF_NETGRAPH),
#endif
#ifdef AF_NETBIOS
    CS_K(AF_NETBIOS),
#endif
#ifdef AF_NS
    CS_K(AF_NS),
#endif
#ifdef AF_OSI
    CS_K(AF_OSI),
#endif
#ifdef AF_PUP
    CS_K(AF_PUP),
#endif
#ifdef AF_SLOW
    CS_K(AF_SLOW),
#endif
#ifdef AF_SYSTEM
    CS_K(AF_SYSTEM),
#endif
#ifdef AF_UTUN
    CS_K(AF_UTUN),
#endif
#ifdef PF_SYSTEM
    CS_K(PF_SYSTEM),
#endif

    /* Types of sockets, and flags that may be added to one. */
    CS_K(SOCK_STREAM),
    CS_K(SOCK_DGRAM),
    CS_K(SOCK_RAW),
    CS_K(SOCK_SEQPACKET),
#ifdef SOCK_RDM
    CS_K(SOCK_RDM),
#endif
#ifdef SOCK_CLOEXEC
    CS_K(SOCK_CLOEXEC),
#endif
#ifdef SOCK_NONBLOCK
    CS_K(SOCK_NONBLOCK),
#endif
#ifdef SOCK_CLOFORK
    CS_K(SOCK_CLOFORK),
#endif
#ifdef SOCK_DCCP
    CS_K(SOCK_DCCP),
#endif
#ifdef SOCK_PACKET
    CS_K(SOCK_PACKET),
#endif

    /* How to shut down, how long a queue. */
    CS_K(SHUT_RD),
    CS_K(SHUT_WR),
    CS_K(SHUT_RDWR),
    CS_K(SOMAXCONN),

    /* Flags of send and recv, types of ancillary data. */
    CS_K(MSG_CTRUNC),
    CS_K(MSG_DONTROUTE),
    CS_K(MSG_DONTWAIT),
    CS_K(MSG_EOR),
    CS_K(MSG_OOB),
    CS_K(MSG_PEEK),
    CS_K(MSG_TRUNC),
    CS_K(MSG_WAITALL),
#ifdef MSG_NOSIGNAL
    CS_K(MSG_NOSIGNAL),
#endif
#ifdef MSG_CMSG_CLOEXEC
    CS_K(MSG_CMSG_CLOEXEC),
#endif
#ifdef MSG_ERRQUEUE
    CS_K(MSG_CONFIRM),
    CS_K(MSG_ERRQUEUE),
    CS_K(MSG_FIN),
    CS_K(MSG_MORE),
    CS_K(MSG_PROXY),
    CS_K(MSG_RST),
    CS_K(MSG_SYN),
#endif
#ifdef MSG_TRYHARD
    CS_K(MSG_TRYHARD),
#endif
#ifdef MSG_BATCH
    CS_K(MSG_BATCH),
#endif
#ifdef MSG_FASTOPEN
    CS_K(MSG_FASTOPEN),
#endif
#ifdef MSG_WAITFORONE
    CS_K(MSG_WAITFORONE),
#endif
#ifdef MSG_ZEROCOPY
    CS_K(MSG_ZEROCOPY),
#endif
#ifdef MSG_SOCK_DEVMEM
    CS_K(MSG_SOCK_DEVMEM),
#endif
#ifdef MSG_BCAST
    CS_K(MSG_BCAST),
#endif
#ifdef MSG_BTAG
    CS_K(MSG_BTAG),
#endif
#ifdef MSG_CMSG_CLOFORK
    CS_K(MSG_CMSG_CLOFORK),
#endif
#ifdef MSG_COMPAT
    CS_K(MSG_COMPAT),
#endif
#ifdef MSG_EOF
    CS_K(MSG_EOF),
#endif
#ifdef MSG_ETAG
    CS_K(MSG_ETAG),
#endif
#ifdef MSG_FLUSH
    CS_K(MSG_FLUSH),
#endif
#ifdef MSG_HAVEMORE
    CS_K(MSG_HAVEMORE),
#endif
#ifdef MSG_HOLD
    CS_K(MSG_HOLD),
#endif
#ifdef MSG_MCAST
    CS_K(MSG_MCAST),
#endif
#ifdef MSG_NBIO
    CS_K(MSG_NBIO),
#endif
#ifdef MSG_NEEDSA
    CS_K(MSG_NEEDSA),
#endif
#ifdef MSG_NOTIFICATION
    CS_K(MSG_NOTIFICATION),
#endif
#ifdef MSG_RCVMORE
    CS_K(MSG_RCVMORE),
#endif
#ifdef MSG_SEND
    CS_K(MSG_SEND),
#endif
    CS_K(SCM_RIGHTS),
#ifdef SCM_CREDENTIALS
    CS_K(SCM_CREDENTIALS),
#endif
#ifdef SCM_CREDS
    CS_K(SCM_CREDS),
#endif
#ifdef SCM_CREDS2
    CS_K(SCM_CREDS2),
#endif
#ifdef SCM_BINTIME
    CS_K(SCM_BINTIME),
#endif
#ifdef SCM_MONOTONIC
    CS_K(SCM_MONOTONIC),
#endif
#ifdef SCM_PIDFD
    CS_K(SCM_PIDFD),
#endif
#ifdef SCM_REALTIME
    CS_K(SCM_REALTIME),
#endif
#ifdef SCM_SECURITY
    CS_K(SCM_SECURITY),
#endif
#ifdef SCM_TIMESTAMP
    CS_K(SCM_TIMESTAMP),
#endif
#ifdef SCM_TIMESTAMPING
    CS_K(SCM_TIMESTAMPING),
#endif
#ifdef SCM_TIMESTAMPING_OPT_STATS
    CS_K(SCM_TIMESTAMPING_OPT_STATS),
#endif
#ifdef SCM_TIMESTAMPING_PKTINFO
    CS_K(SCM_TIMESTAMPING_PKTINFO),
#endif
#ifdef SCM_TIMESTAMPNS
    CS_K(SCM_TIMESTAMPNS),
#endif
#ifdef SCM_TIMESTAMP_MONOTONIC
    CS_K(SCM_TIMESTAMP_MONOTONIC),
#endif
#ifdef SCM_TS_OPT_ID
    CS_K(SCM_TS_OPT_ID),
#endif
#ifdef SCM_TXTIME
    CS_K(SCM_TXTIME),
#endif
#ifdef SCM_WIFI_STATUS
    CS_K(SCM_WIFI_STATUS),
#endif

    /* Events of poll and epoll. */
    CS_K(POLLERR),
    CS_K(POLLHUP),
    CS_K(POLLIN),
    CS_K(POLLNVAL),
    CS_K(POLLOUT),
    CS_K(POLLPRI),
    CS_K(POLLRDBAND),
    CS_K(POLLRDNORM),
    CS_K(POLLWRBAND),
    CS_K(POLLWRNORM),
#ifdef POLLMSG
    CS_K(POLLMSG),
#endif
#ifdef POLLRDHUP
    CS_K(POLLRDHUP),
#endif
#ifdef POLLREMOVE
    CS_K(POLLREMOVE),
#endif
#ifdef POLLINIGNEOF
    CS_K(POLLINIGNEOF),
#endif
#if CS_HAVE_EPOLL
    CS_K(EPOLLERR),
    CS_K(EPOLLET),
    CS_K(EPOLLHUP),
    CS_K(EPOLLIN),
    CS_K(EPOLLMSG),
    CS_K(EPOLLONESHOT),
    CS_K(EPOLLOUT),
    CS_K(EPOLLPRI),
    CS_K(EPOLLRDBAND),
    CS_K(EPOLLRDHUP),
    CS_K(EPOLLRDNORM),
    CS_K(EPOLLWRBAND),
    CS_K(EPOLLWRNORM),
    CS_K(EPOLL_CLOEXEC),
    CS_K(EPOLL_CTL_ADD),
    CS_K(EPOLL_CTL_DEL),
    CS_K(EPOLL_CTL_MOD),
#endif
#ifdef EPOLLEXCLUSIVE
    CS_K(EPOLLEXCLUSIVE),
#endif
#ifdef EPOLLWAKEUP
    CS_K(EPOLLWAKEUP),
#endif
#ifdef PIPE_BUF
    CS_K(PIPE_BUF),
#endif

    /* errno values that Python keeps here too; all of them are in csock.errno. */
    CS_K(EAGAIN),
    CS_K(EBADF),
    CS_K(EWOULDBLOCK),
    {"", false, 0},
};
