/* option.c: options of every socket. A name that some supported system lacks stands
   behind #ifdef; names of one age share one. */
#include "../base/rows.h"

#include <sys/un.h>

const cs_constant cs_constants_option[] = {
    /* Options of every socket. */
    CS_K(SOL_SOCKET),
    CS_K(SO_ACCEPTCONN),
    CS_K(SO_BROADCAST),
    CS_K(SO_DEBUG),
    CS_K(SO_DONTROUTE),
    CS_K(SO_ERROR),
    CS_K(SO_KEEPALIVE),
    CS_K(SO_LINGER),
    CS_K(SO_OOBINLINE),
    CS_K(SO_RCVBUF),
    CS_K(SO_RCVLOWAT),
    CS_K(SO_RCVTIMEO),
    CS_K(SO_REUSEADDR),
    CS_K(SO_SNDBUF),
    CS_K(SO_SNDLOWAT),
    CS_K(SO_SNDTIMEO),
    CS_K(SO_TYPE),
#ifdef SO_REUSEPORT
    CS_K(SO_REUSEPORT),
#endif
#ifdef SO_DOMAIN
    CS_K(SO_DOMAIN),
#endif
#ifdef SO_PROTOCOL
    CS_K(SO_PROTOCOL),
#endif
#ifdef SO_TIMESTAMP
    CS_K(SO_TIMESTAMP),
#endif
#ifdef SO_PASSCRED
    CS_K(SO_ATTACH_FILTER),
    CS_K(SO_BINDTODEVICE),
    CS_K(SO_BSDCOMPAT),
    CS_K(SO_DETACH_FILTER),
    CS_K(SO_MARK),
    CS_K(SO_NO_CHECK),
    CS_K(SO_PASSCRED),
    CS_K(SO_PASSSEC),
    CS_K(SO_PEERCRED),
    CS_K(SO_PEERNAME),
    CS_K(SO_PEERSEC),
    CS_K(SO_PRIORITY),
    CS_K(SO_RCVBUFFORCE),
    CS_K(SO_RXQ_OVFL),
    CS_K(SO_SECURITY_AUTHENTICATION),
    CS_K(SO_SECURITY_ENCRYPTION_NETWORK),
    CS_K(SO_SECURITY_ENCRYPTION_TRANSPORT),
    CS_K(SO_SNDBUFFORCE),
    CS_K(SO_TIMESTAMPING),
    CS_K(SO_TIMESTAMPNS),
#endif
#ifdef SO_ATTACH_BPF
    CS_K(SO_ATTACH_BPF),
#endif
#ifdef SO_ATTACH_REUSEPORT_CBPF
    CS_K(SO_ATTACH_REUSEPORT_CBPF),
#endif
#ifdef SO_ATTACH_REUSEPORT_EBPF
    CS_K(SO_ATTACH_REUSEPORT_EBPF),
#endif
#ifdef SO_BINDTOIFINDEX
    CS_K(SO_BINDTOIFINDEX),
#endif
#ifdef SO_BPF_EXTENSIONS
    CS_K(SO_BPF_EXTENSIONS),
#endif
#ifdef SO_BUF_LOCK
    CS_K(SO_BUF_LOCK),
#endif
#ifdef SO_BUSY_POLL
    CS_K(SO_BUSY_POLL),
#endif
#ifdef SO_BUSY_POLL_BUDGET
    CS_K(SO_BUSY_POLL_BUDGET),
#endif
#ifdef SO_CNX_ADVICE
    CS_K(SO_CNX_ADVICE),
#endif
#ifdef SO_COOKIE
    CS_K(SO_COOKIE),
#endif
#ifdef SO_DETACH_BPF
    CS_K(SO_DETACH_BPF),
#endif
#ifdef SO_DETACH_REUSEPORT_BPF
    CS_K(SO_DETACH_REUSEPORT_BPF),
#endif
#ifdef SO_DEVMEM_DONTNEED
    CS_K(SO_DEVMEM_DONTNEED),
#endif
#ifdef SO_GET_FILTER
    CS_K(SO_GET_FILTER),
#endif
#ifdef SO_INCOMING_CPU
    CS_K(SO_INCOMING_CPU),
#endif
#ifdef SO_INCOMING_NAPI_ID
    CS_K(SO_INCOMING_NAPI_ID),
#endif
#ifdef SO_INQ
    CS_K(SO_INQ),
#endif
#ifdef SO_LOCK_FILTER
    CS_K(SO_LOCK_FILTER),
#endif
#ifdef SO_MAX_PACING_RATE
    CS_K(SO_MAX_PACING_RATE),
#endif
#ifdef SO_MEMINFO
    CS_K(SO_MEMINFO),
#endif
#ifdef SO_NETNS_COOKIE
    CS_K(SO_NETNS_COOKIE),
#endif
#ifdef SO_NOFCS
    CS_K(SO_NOFCS),
#endif
#ifdef SO_PASSPIDFD
    CS_K(SO_PASSPIDFD),
#endif
#ifdef SO_PASSRIGHTS
    CS_K(SO_PASSRIGHTS),
#endif
#ifdef SO_PEEK_OFF
    CS_K(SO_PEEK_OFF),
#endif
#ifdef SO_PEERGROUPS
    CS_K(SO_PEERGROUPS),
#endif
#ifdef SO_PEERPIDFD
    CS_K(SO_PEERPIDFD),
#endif
#ifdef SO_PREFER_BUSY_POLL
    CS_K(SO_PREFER_BUSY_POLL),
#endif
#ifdef SO_RCVMARK
    CS_K(SO_RCVMARK),
#endif
#ifdef SO_RCVPRIORITY
    CS_K(SO_RCVPRIORITY),
#endif
#ifdef SO_RESERVE_MEM
    CS_K(SO_RESERVE_MEM),
#endif
#ifdef SO_SELECT_ERR_QUEUE
    CS_K(SO_SELECT_ERR_QUEUE),
#endif
#ifdef SO_TXREHASH
    CS_K(SO_TXREHASH),
#endif
#ifdef SO_TXTIME
    CS_K(SO_TXTIME),
#endif
#ifdef SO_WIFI_STATUS
    CS_K(SO_WIFI_STATUS),
#endif
#ifdef SO_ZEROCOPY
    CS_K(SO_ZEROCOPY),
#endif
#ifdef SO_TIMESTAMP_NEW
    CS_K(SO_RCVTIMEO_NEW),
    CS_K(SO_RCVTIMEO_OLD),
    CS_K(SO_SNDTIMEO_NEW),
    CS_K(SO_SNDTIMEO_OLD),
    CS_K(SO_TIMESTAMPING_NEW),
    CS_K(SO_TIMESTAMPING_OLD),
    CS_K(SO_TIMESTAMPNS_NEW),
    CS_K(SO_TIMESTAMPNS_OLD),
    CS_K(SO_TIMESTAMP_NEW),
    CS_K(SO_TIMESTAMP_OLD),
#endif
#ifdef SO_ACCEPTFILTER
    CS_K(SO_ACCEPTFILTER),
#endif
#ifdef SO_BINTIME
    CS_K(SO_BINTIME),
#endif
#ifdef SO_LABEL
    CS_K(SO_LABEL),
#endif
#ifdef SO_LINGER_SEC
    CS_K(SO_LINGER_SEC),
#endif
#ifdef SO_LISTENINCQLEN
    CS_K(SO_LISTENINCQLEN),
#endif
#ifdef SO_LISTENQLEN
    CS_K(SO_LISTENQLEN),
#endif
#ifdef SO_LISTENQLIMIT
    CS_K(SO_LISTENQLIMIT),
#endif
#ifdef SO_NKE
    CS_K(SO_NKE),
#endif
#ifdef SO_NOSIGPIPE
    CS_K(SO_NOSIGPIPE),
#endif
#ifdef SO_NREAD
    CS_K(SO_NREAD),
#endif
#ifdef SO_NWRITE
    CS_K(SO_NWRITE),
#endif
#ifdef SO_PEERLABEL
    CS_K(SO_PEERLABEL),
#endif
#ifdef SO_REUSEPORT_LB
    CS_K(SO_REUSEPORT_LB),
#endif
#ifdef SO_REUSESHAREUID
    CS_K(SO_REUSESHAREUID),
#endif
#ifdef SO_RTABLE
    CS_K(SO_RTABLE),
#endif
#ifdef SO_SETFIB
    CS_K(SO_SETFIB),
#endif
#ifdef SO_TIMESTAMP_MONOTONIC
    CS_K(SO_TIMESTAMP_MONOTONIC),
#endif
#ifdef SO_TS_CLOCK
    CS_K(SO_TS_CLOCK),
#endif
#ifdef SO_USELOOPBACK
    CS_K(SO_USELOOPBACK),
#endif
#ifdef SO_USER_COOKIE
    CS_K(SO_USER_COOKIE),
#endif
#ifdef LOCAL_CREDS
    CS_K(LOCAL_CREDS),
#endif
#ifdef LOCAL_CREDS_PERSISTENT
    CS_K(LOCAL_CREDS_PERSISTENT),
#endif
#ifdef LOCAL_PEERCRED
    CS_K(LOCAL_PEERCRED),
#endif
#ifdef LOCAL_PEEREPID
    CS_K(LOCAL_PEEREPID),
#endif
#ifdef LOCAL_PEERPID
    CS_K(LOCAL_PEERPID),
#endif
#ifdef SOL_LOCAL
    CS_K(SOL_LOCAL),
#endif
    {"", false, 0},
};
