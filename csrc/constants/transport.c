/* transport.c: the numbers of TCP and UDP, of ports and of the look-ups of names. A name
   that some supported system lacks stands behind #ifdef; names of one age share one. */
#include "../base/rows.h"

#include <netdb.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>

/* TCP. */
static const cs_constant tcp[] = {
    K(TCP_MAXSEG),
    K(TCP_NODELAY),
#ifdef TCP_CORK
    K(TCP_CORK),
    K(TCP_DEFER_ACCEPT),
    K(TCP_LINGER2),
    K(TCP_QUICKACK),
    K(TCP_SYNCNT),
    K(TCP_WINDOW_CLAMP),
#endif
#ifdef TCP_CONGESTION
    K(TCP_CONGESTION),
#endif
#ifdef TCP_FASTOPEN
    K(TCP_FASTOPEN),
#endif
#ifdef TCP_INFO
    K(TCP_INFO),
#endif
#ifdef TCP_KEEPCNT
    K(TCP_KEEPCNT),
#endif
#ifdef TCP_KEEPIDLE
    K(TCP_KEEPIDLE),
#endif
#ifdef TCP_KEEPINTVL
    K(TCP_KEEPINTVL),
#endif
#ifdef TCP_NOTSENT_LOWAT
    K(TCP_NOTSENT_LOWAT),
#endif
#ifdef TCP_CC_INFO
    K(TCP_CC_INFO),
#endif
#ifdef TCP_CM_INQ
    K(TCP_CM_INQ),
#endif
#ifdef TCP_FASTOPEN_CONNECT
    K(TCP_FASTOPEN_CONNECT),
#endif
#ifdef TCP_FASTOPEN_KEY
    K(TCP_FASTOPEN_KEY),
#endif
#ifdef TCP_FASTOPEN_NO_COOKIE
    K(TCP_FASTOPEN_NO_COOKIE),
#endif
#ifdef TCP_INQ
    K(TCP_INQ),
#endif
#ifdef TCP_MAXWIN
    K(TCP_MAXWIN),
#endif
#ifdef TCP_MAX_WINSHIFT
    K(TCP_MAX_WINSHIFT),
#endif
#ifdef TCP_MD5SIG
    K(TCP_MD5SIG),
#endif
#ifdef TCP_MD5SIG_EXT
    K(TCP_MD5SIG_EXT),
#endif
#ifdef TCP_MD5SIG_FLAG_IFINDEX
    K(TCP_MD5SIG_FLAG_IFINDEX),
#endif
#ifdef TCP_MD5SIG_FLAG_PREFIX
    K(TCP_MD5SIG_FLAG_PREFIX),
#endif
#ifdef TCP_MD5SIG_MAXKEYLEN
    K(TCP_MD5SIG_MAXKEYLEN),
#endif
#ifdef TCP_MSS
    K(TCP_MSS),
#endif
#ifdef TCP_MSS_DEFAULT
    K(TCP_MSS_DEFAULT),
#endif
#ifdef TCP_MSS_DESIRED
    K(TCP_MSS_DESIRED),
#endif
#ifdef TCP_QUEUE_SEQ
    K(TCP_QUEUE_SEQ),
#endif
#ifdef TCP_REPAIR
    K(TCP_REPAIR),
#endif
#ifdef TCP_REPAIR_OFF
    K(TCP_REPAIR_OFF),
#endif
#ifdef TCP_REPAIR_OFF_NO_WP
    K(TCP_REPAIR_OFF_NO_WP),
#endif
#ifdef TCP_REPAIR_ON
    K(TCP_REPAIR_ON),
#endif
#ifdef TCP_REPAIR_OPTIONS
    K(TCP_REPAIR_OPTIONS),
#endif
#ifdef TCP_REPAIR_QUEUE
    K(TCP_REPAIR_QUEUE),
#endif
#ifdef TCP_REPAIR_WINDOW
    K(TCP_REPAIR_WINDOW),
#endif
#ifdef TCP_SAVED_SYN
    K(TCP_SAVED_SYN),
#endif
#ifdef TCP_SAVE_SYN
    K(TCP_SAVE_SYN),
#endif
#ifdef TCP_THIN_DUPACK
    K(TCP_THIN_DUPACK),
#endif
#ifdef TCP_THIN_LINEAR_TIMEOUTS
    K(TCP_THIN_LINEAR_TIMEOUTS),
#endif
#ifdef TCP_TIMESTAMP
    K(TCP_TIMESTAMP),
#endif
#ifdef TCP_TX_DELAY
    K(TCP_TX_DELAY),
#endif
#ifdef TCP_ULP
    K(TCP_ULP),
#endif
#ifdef TCP_USER_TIMEOUT
    K(TCP_USER_TIMEOUT),
#endif
#ifdef TCP_ZEROCOPY_RECEIVE
    K(TCP_ZEROCOPY_RECEIVE),
#endif
#ifdef TCP_COOKIE_TRANSACTIONS
    K(TCP_COOKIE_IN_ALWAYS),
    K(TCP_COOKIE_MAX),
    K(TCP_COOKIE_MIN),
    K(TCP_COOKIE_OUT_NEVER),
    K(TCP_COOKIE_PAIR_SIZE),
    K(TCP_COOKIE_TRANSACTIONS),
    K(TCP_S_DATA_IN),
    K(TCP_S_DATA_OUT),
#endif
#ifdef TCP_CONNECTIONTIMEOUT
    K(TCP_CONNECTIONTIMEOUT),
#endif
#ifdef TCP_CONNECTION_INFO
    K(TCP_CONNECTION_INFO),
#endif
#ifdef TCP_ENABLE_ECN
    K(TCP_ENABLE_ECN),
#endif
#ifdef TCP_FUNCTION_BLK
    K(TCP_FUNCTION_BLK),
#endif
#ifdef TCP_KEEPALIVE
    K(TCP_KEEPALIVE),
#endif
#ifdef TCP_KEEPINIT
    K(TCP_KEEPINIT),
#endif
#ifdef TCP_NOOPT
    K(TCP_NOOPT),
#endif
#ifdef TCP_NOPUSH
    K(TCP_NOPUSH),
#endif
#ifdef TCP_RXT_CONNDROPTIME
    K(TCP_RXT_CONNDROPTIME),
#endif
#ifdef TCP_RXT_FINDROP
    K(TCP_RXT_FINDROP),
#endif
#ifdef TCP_SACK_ENABLE
    K(TCP_SACK_ENABLE),
#endif
#ifdef TCP_SENDMOREACKS
    K(TCP_SENDMOREACKS),
#endif
};

/* UDP. */
static const cs_constant udp[] = {
#ifdef UDP_CORK
    K(UDP_CORK),
#endif
#ifdef UDP_ENCAP
    K(UDP_ENCAP),
#endif
#ifdef UDP_ENCAP_ESPINUDP
    K(UDP_ENCAP_ESPINUDP),
#endif
#ifdef UDP_ENCAP_ESPINUDP_NON_IKE
    K(UDP_ENCAP_ESPINUDP_NON_IKE),
#endif
#ifdef UDP_ENCAP_GTP0
    K(UDP_ENCAP_GTP0),
#endif
#ifdef UDP_ENCAP_GTP1U
    K(UDP_ENCAP_GTP1U),
#endif
#ifdef UDP_ENCAP_L2TPINUDP
    K(UDP_ENCAP_L2TPINUDP),
#endif
#ifdef UDP_ENCAP_RXRPC
    K(UDP_ENCAP_RXRPC),
#endif
#ifdef UDP_GRO
    K(UDP_GRO),
#endif
#ifdef UDP_NO_CHECK6_RX
    K(UDP_NO_CHECK6_RX),
#endif
#ifdef UDP_NO_CHECK6_TX
    K(UDP_NO_CHECK6_TX),
#endif
#ifdef UDP_SEGMENT
    K(UDP_SEGMENT),
#endif
};

/* Flags and failures of look-ups. */
static const cs_constant lookups[] = {
    K(AI_CANONNAME),
    K(AI_NUMERICHOST),
    K(AI_NUMERICSERV),
    K(AI_PASSIVE),
#ifdef AI_ADDRCONFIG
    K(AI_ADDRCONFIG),
#endif
#ifdef AI_ALL
    K(AI_ALL),
#endif
#ifdef AI_V4MAPPED
    K(AI_V4MAPPED),
#endif
#ifdef AI_CANONIDN
    K(AI_CANONIDN),
#endif
#ifdef AI_IDN
    K(AI_IDN),
#endif
#ifdef AI_DEFAULT
    K(AI_DEFAULT),
#endif
#ifdef AI_MASK
    K(AI_MASK),
#endif
#ifdef AI_V4MAPPED_CFG
    K(AI_V4MAPPED_CFG),
#endif
    K(EAI_AGAIN),
    K(EAI_BADFLAGS),
    K(EAI_FAIL),
    K(EAI_FAMILY),
    K(EAI_MEMORY),
    K(EAI_NONAME),
    K(EAI_OVERFLOW),
    K(EAI_SERVICE),
    K(EAI_SOCKTYPE),
    K(EAI_SYSTEM),
#ifdef EAI_ADDRFAMILY
    K(EAI_ADDRFAMILY),
#endif
#ifdef EAI_ALLDONE
    K(EAI_ALLDONE),
#endif
#ifdef EAI_BADHINTS
    K(EAI_BADHINTS),
#endif
#ifdef EAI_CANCELED
    K(EAI_CANCELED),
#endif
#ifdef EAI_IDN_ENCODE
    K(EAI_IDN_ENCODE),
#endif
#ifdef EAI_INPROGRESS
    K(EAI_INPROGRESS),
#endif
#ifdef EAI_INTR
    K(EAI_INTR),
#endif
#ifdef EAI_MAX
    K(EAI_MAX),
#endif
#ifdef EAI_NODATA
    K(EAI_NODATA),
#endif
#ifdef EAI_NOTCANCELED
    K(EAI_NOTCANCELED),
#endif
#ifdef EAI_PROTOCOL
    K(EAI_PROTOCOL),
#endif
    K(NI_DGRAM),
    K(NI_NAMEREQD),
    K(NI_NOFQDN),
    K(NI_NUMERICHOST),
    K(NI_NUMERICSERV),
#ifdef NI_MAXHOST
    K(NI_MAXHOST),
#endif
#ifdef NI_MAXSERV
    K(NI_MAXSERV),
#endif
#ifdef NI_NUMERICSCOPE
    K(NI_NUMERICSCOPE),
#endif
#ifdef NI_IDN
    K(NI_IDN),
#endif
#ifdef AI_IDN
    N(AI_IDN_ALLOW_UNASSIGNED, 256),
    N(AI_IDN_USE_STD3_ASCII_RULES, 512),
    N(NI_IDN_ALLOW_UNASSIGNED, 64),
    N(NI_IDN_USE_STD3_ASCII_RULES, 128),
#endif
    K(HOST_NOT_FOUND),
    K(NO_DATA),
    K(NO_RECOVERY),
    K(TRY_AGAIN),
#ifdef NETDB_INTERNAL
    K(NETDB_INTERNAL),
#endif
#ifdef NETDB_SUCCESS
    K(NETDB_SUCCESS),
#endif
#ifdef NO_ADDRESS
    K(NO_ADDRESS),
#endif
};

/* Well-known ports: enumerators in some headers, nothing in others, the same everywhere. */
static const cs_constant ports[] = {
    N(IPPORT_ECHO, 7),          N(IPPORT_DISCARD, 9),
    N(IPPORT_SYSTAT, 11),       N(IPPORT_DAYTIME, 13),
    N(IPPORT_NETSTAT, 15),      N(IPPORT_FTP, 21),
    N(IPPORT_TELNET, 23),       N(IPPORT_SMTP, 25),
    N(IPPORT_TIMESERVER, 37),   N(IPPORT_NAMESERVER, 42),
    N(IPPORT_WHOIS, 43),        N(IPPORT_MTP, 57),
    N(IPPORT_TFTP, 69),         N(IPPORT_RJE, 77),
    N(IPPORT_FINGER, 79),       N(IPPORT_TTYLINK, 87),
    N(IPPORT_SUPDUP, 95),       N(IPPORT_EXECSERVER, 512),
    N(IPPORT_LOGINSERVER, 513), N(IPPORT_CMDSERVER, 514),
    N(IPPORT_EFSSERVER, 520),   N(IPPORT_BIFFUDP, 512),
    N(IPPORT_WHOSERVER, 513),   N(IPPORT_ROUTESERVER, 520),
    N(IPPORT_RESERVED, 1024),   N(IPPORT_USERRESERVED, 5000),
#ifdef IPPORT_EPHEMERALFIRST
    K(IPPORT_EPHEMERALFIRST),
#endif
#ifdef IPPORT_EPHEMERALLAST
    K(IPPORT_EPHEMERALLAST),
#endif
#ifdef IPPORT_HIFIRSTAUTO
    K(IPPORT_HIFIRSTAUTO),
#endif
#ifdef IPPORT_HILASTAUTO
    K(IPPORT_HILASTAUTO),
#endif
#ifdef IPPORT_RESERVEDSTART
    K(IPPORT_RESERVEDSTART),
#endif
};

const cs_family cs_constants_transport[] = {
    FAMILY(tcp), FAMILY(udp), FAMILY(lookups), FAMILY(ports), {NULL, 0},
};
