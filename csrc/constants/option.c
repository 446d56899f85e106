/* option.c: options of every socket. A name that some supported system lacks stands
   behind #ifdef; names of one age share one. */
#include "../base/rows.h"

#include <sys/un.h>

/* Options of every socket. */
static const cs_constant options[] = {
    K(SOL_SOCKET),
    K(SO_ACCEPTCONN),
    K(SO_BROADCAST),
    K(SO_DEBUG),
    K(SO_DONTROUTE),
    K(SO_ERROR),
    K(SO_KEEPALIVE),
    K(SO_LINGER),
    K(SO_OOBINLINE),
    K(SO_RCVBUF),
    K(SO_RCVLOWAT),
    K(SO_RCVTIMEO),
    K(SO_REUSEADDR),
    K(SO_SNDBUF),
    K(SO_SNDLOWAT),
    K(SO_SNDTIMEO),
    K(SO_TYPE),
#ifdef SO_REUSEPORT
    K(SO_REUSEPORT),
#endif
#ifdef SO_DOMAIN
    K(SO_DOMAIN),
#endif
#ifdef SO_PROTOCOL
    K(SO_PROTOCOL),
#endif
#ifdef SO_TIMESTAMP
    K(SO_TIMESTAMP),
#endif
#ifdef SO_PASSCRED
    K(SO_ATTACH_FILTER),
    K(SO_BINDTODEVICE),
    K(SO_BSDCOMPAT),
    K(SO_DETACH_FILTER),
    K(SO_MARK),
    K(SO_NO_CHECK),
    K(SO_PASSCRED),
    K(SO_PASSSEC),
    K(SO_PEERCRED),
    K(SO_PEERNAME),
    K(SO_PEERSEC),
    K(SO_PRIORITY),
    K(SO_RCVBUFFORCE),
    K(SO_RXQ_OVFL),
    K(SO_SECURITY_AUTHENTICATION),
    K(SO_SECURITY_ENCRYPTION_NETWORK),
    K(SO_SECURITY_ENCRYPTION_TRANSPORT),
    K(SO_SNDBUFFORCE),
    K(SO_TIMESTAMPING),
    K(SO_TIMESTAMPNS),
#endif
#ifdef SO_ATTACH_BPF
    K(SO_ATTACH_BPF),
#endif
#ifdef SO_ATTACH_REUSEPORT_CBPF
    K(SO_ATTACH_REUSEPORT_CBPF),
#endif
#ifdef SO_ATTACH_REUSEPORT_EBPF
    K(SO_ATTACH_REUSEPORT_EBPF),
#endif
#ifdef SO_BINDTOIFINDEX
    K(SO_BINDTOIFINDEX),
#endif
#ifdef SO_BPF_EXTENSIONS
    K(SO_BPF_EXTENSIONS),
#endif
#ifdef SO_BUF_LOCK
    K(SO_BUF_LOCK),
#endif
#ifdef SO_BUSY_POLL
    K(SO_BUSY_POLL),
#endif
#ifdef SO_BUSY_POLL_BUDGET
    K(SO_BUSY_POLL_BUDGET),
#endif
#ifdef SO_CNX_ADVICE
    K(SO_CNX_ADVICE),
#endif
#ifdef SO_COOKIE
    K(SO_COOKIE),
#endif
#ifdef SO_DETACH_BPF
    K(SO_DETACH_BPF),
#endif
#ifdef SO_DETACH_REUSEPORT_BPF
    K(SO_DETACH_REUSEPORT_BPF),
#endif
#ifdef SO_DEVMEM_DONTNEED
    K(SO_DEVMEM_DONTNEED),
#endif
#ifdef SO_GET_FILTER
    K(SO_GET_FILTER),
#endif
#ifdef SO_INCOMING_CPU
    K(SO_INCOMING_CPU),
#endif
#ifdef SO_INCOMING_NAPI_ID
    K(SO_INCOMING_NAPI_ID),
#endif
#ifdef SO_INQ
    K(SO_INQ),
#endif
#ifdef SO_LOCK_FILTER
    K(SO_LOCK_FILTER),
#endif
#ifdef SO_MAX_PACING_RATE
    K(SO_MAX_PACING_RATE),
#endif
#ifdef SO_MEMINFO
    K(SO_MEMINFO),
#endif
#ifdef SO_NETNS_COOKIE
    K(SO_NETNS_COOKIE),
#endif
#ifdef SO_NOFCS
    K(SO_NOFCS),
#endif
#ifdef SO_PASSPIDFD
    K(SO_PASSPIDFD),
#endif
#ifdef SO_PASSRIGHTS
    K(SO_PASSRIGHTS),
#endif
#ifdef SO_PEEK_OFF
    K(SO_PEEK_OFF),
#endif
#ifdef SO_PEERGROUPS
    K(SO_PEERGROUPS),
#endif
#ifdef SO_PEERPIDFD
    K(SO_PEERPIDFD),
#endif
#ifdef SO_PREFER_BUSY_POLL
    K(SO_PREFER_BUSY_POLL),
#endif
#ifdef SO_RCVMARK
    K(SO_RCVMARK),
#endif
#ifdef SO_RCVPRIORITY
    K(SO_RCVPRIORITY),
#endif
#ifdef SO_RESERVE_MEM
    K(SO_RESERVE_MEM),
#endif
#ifdef SO_SELECT_ERR_QUEUE
    K(SO_SELECT_ERR_QUEUE),
#endif
#ifdef SO_TXREHASH
    K(SO_TXREHASH),
#endif
#ifdef SO_TXTIME
    K(SO_TXTIME),
#endif
#ifdef SO_WIFI_STATUS
    K(SO_WIFI_STATUS),
#endif
#ifdef SO_ZEROCOPY
    K(SO_ZEROCOPY),
#endif
#ifdef SO_TIMESTAMP_NEW
    K(SO_RCVTIMEO_NEW),
    K(SO_RCVTIMEO_OLD),
    K(SO_SNDTIMEO_NEW),
    K(SO_SNDTIMEO_OLD),
    K(SO_TIMESTAMPING_NEW),
    K(SO_TIMESTAMPING_OLD),
    K(SO_TIMESTAMPNS_NEW),
    K(SO_TIMESTAMPNS_OLD),
    K(SO_TIMESTAMP_NEW),
    K(SO_TIMESTAMP_OLD),
#endif
#ifdef SO_ACCEPTFILTER
    K(SO_ACCEPTFILTER),
#endif
#ifdef SO_BINTIME
    K(SO_BINTIME),
#endif
#ifdef SO_LABEL
    K(SO_LABEL),
#endif
#ifdef SO_LINGER_SEC
    K(SO_LINGER_SEC),
#endif
#ifdef SO_LISTENINCQLEN
    K(SO_LISTENINCQLEN),
#endif
#ifdef SO_LISTENQLEN
    K(SO_LISTENQLEN),
#endif
#ifdef SO_LISTENQLIMIT
    K(SO_LISTENQLIMIT),
#endif
#ifdef SO_NKE
    K(SO_NKE),
#endif
#ifdef SO_NOSIGPIPE
    K(SO_NOSIGPIPE),
#endif
#ifdef SO_NREAD
    K(SO_NREAD),
#endif
#ifdef SO_NWRITE
    K(SO_NWRITE),
#endif
#ifdef SO_PEERLABEL
    K(SO_PEERLABEL),
#endif
#ifdef SO_REUSEPORT_LB
    K(SO_REUSEPORT_LB),
#endif
#ifdef SO_REUSESHAREUID
    K(SO_REUSESHAREUID),
#endif
#ifdef SO_RTABLE
    K(SO_RTABLE),
#endif
#ifdef SO_SETFIB
    K(SO_SETFIB),
#endif
#ifdef SO_TIMESTAMP_MONOTONIC
    K(SO_TIMESTAMP_MONOTONIC),
#endif
#ifdef SO_TS_CLOCK
    K(SO_TS_CLOCK),
#endif
#ifdef SO_USELOOPBACK
    K(SO_USELOOPBACK),
#endif
#ifdef SO_USER_COOKIE
    K(SO_USER_COOKIE),
#endif
#ifdef LOCAL_CREDS
    K(LOCAL_CREDS),
#endif
#ifdef LOCAL_CREDS_PERSISTENT
    K(LOCAL_CREDS_PERSISTENT),
#endif
#ifdef LOCAL_PEERCRED
    K(LOCAL_PEERCRED),
#endif
#ifdef LOCAL_PEEREPID
    K(LOCAL_PEEREPID),
#endif
#ifdef LOCAL_PEERPID
    K(LOCAL_PEERPID),
#endif
#ifdef SOL_LOCAL
    K(SOL_LOCAL),
#endif
};

const cs_family cs_constants_option[] = {
    FAMILY(options),
    {NULL, 0},
};
