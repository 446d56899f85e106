/* transport.c: the numbers of TCP and UDP, of ports and of the look-ups of names. A name
   that some supported system lacks stands behind #ifdef; names of one age share one. */
#include "../base/rows.h"

#include <netdb.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>

const cs_constant cs_constants_transport[] = {
    /* TCP. */
    CS_K(TCP_MAXSEG),
    CS_K(TCP_NODELAY),
#ifdef TCP_CORK
    CS_K(TCP_CORK),
    CS_K(TCP_DEFER_ACCEPT),
    CS_K(TCP_LINGER2),
    CS_K(TCP_QUICKACK),
    CS_K(TCP_SYNCNT),
    CS_K(TCP_WINDOW_CLAMP),
#endif
#ifdef TCP_CONGESTION
    CS_K(TCP_CONGESTION),
#endif
#ifdef TCP_FASTOPEN
    CS_K(TCP_FASTOPEN),
#endif
#ifdef TCP_INFO
    CS_K(TCP_INFO),
#endif
#ifdef TCP_KEEPCNT
    CS_K(TCP_KEEPCNT),
#endif
#ifdef TCP_KEEPIDLE
    CS_K(TCP_KEEPIDLE),
#endif
#ifdef TCP_KEEPINTVL
    CS_K(TCP_KEEPINTVL),
#endif
#ifdef TCP_NOTSENT_LOWAT
    CS_K(TCP_NOTSENT_LOWAT),
#endif
#ifdef TCP_CC_INFO
    CS_K(TCP_CC_INFO),
#endif
#ifdef TCP_CM_INQ
    CS_K(TCP_CM_INQ),
#endif
#ifdef TCP_FASTOPEN_CONNECT
    CS_K(TCP_FASTOPEN_CONNECT),
#endif
#ifdef TCP_FASTOPEN_KEY
    CS_K(TCP_FASTOPEN_KEY),
#endif
#ifdef TCP_FASTOPEN_NO_COOKIE
    CS_K(TCP_FASTOPEN_NO_COOKIE),
#endif
#ifdef TCP_INQ
    CS_K(TCP_INQ),
#endif
#ifdef TCP_MAXWIN
    CS_K(TCP_MAXWIN),
#endif
#ifdef TCP_MAX_WINSHIFT
    CS_K(TCP_MAX_WINSHIFT),
#endif
#ifdef TCP_MD5SIG
    CS_K(TCP_MD5SIG),
#endif
#ifdef TCP_MD5SIG_EXT
    CS_K(TCP_MD5SIG_EXT),
#endif
#ifdef TCP_MD5SIG_FLAG_IFINDEX
    CS_K(TCP_MD5SIG_FLAG_IFINDEX),
#endif
#ifdef TCP_MD5SIG_FLAG_PREFIX
    CS_K(TCP_MD5SIG_FLAG_PREFIX),
#endif
#ifdef TCP_MD5SIG_MAXKEYLEN
    CS_K(TCP_MD5SIG_MAXKEYLEN),
#endif
#ifdef TCP_MSS
    CS_K(TCP_MSS),
#endif
#ifdef TCP_MSS_DEFAULT
    CS_K(TCP_MSS_DEFAULT),
#endif
#ifdef TCP_MSS_DESIRED
    CS_K(TCP_MSS_DESIRED),
#endif
#ifdef TCP_QUEUE_SEQ
    CS_K(TCP_QUEUE_SEQ),
#endif
#ifdef TCP_REPAIR
    CS_K(TCP_REPAIR),
#endif
#ifdef TCP_REPAIR_OFF
    CS_K(TCP_REPAIR_OFF),
#endif
#ifdef TCP_REPAIR_OFF_NO_WP
    CS_K(TCP_REPAIR_OFF_NO_WP),
#endif
#ifdef TCP_REPAIR_ON
    CS_K(TCP_REPAIR_ON),
#endif
#ifdef TCP_REPAIR_OPTIONS
    CS_K(TCP_REPAIR_OPTIONS),
#endif
#ifdef TCP_REPAIR_QUEUE
    CS_K(TCP_REPAIR_QUEUE),
#endif
#ifdef TCP_REPAIR_WINDOW
    CS_K(TCP_REPAIR_WINDOW),
#endif
#ifdef TCP_SAVED_SYN
    CS_K(TCP_SAVED_SYN),
#endif
#ifdef TCP_SAVE_SYN
    CS_K(TCP_SAVE_SYN),
#endif
#ifdef TCP_THIN_DUPACK
    CS_K(TCP_THIN_DUPACK),
#endif
#ifdef TCP_THIN_LINEAR_TIMEOUTS
    CS_K(TCP_THIN_LINEAR_TIMEOUTS),
#endif
#ifdef TCP_TIMESTAMP
    CS_K(TCP_TIMESTAMP),
#endif
#ifdef TCP_TX_DELAY
    CS_K(TCP_TX_DELAY),
#endif
#ifdef TCP_ULP
    CS_K(TCP_ULP),
#endif
#ifdef TCP_USER_TIMEOUT
    CS_K(TCP_USER_TIMEOUT),
#endif
#ifdef TCP_ZEROCOPY_RECEIVE
    CS_K(TCP_ZEROCOPY_RECEIVE),
#endif
#ifdef TCP_COOKIE_TRANSACTIONS
    CS_K(TCP_COOKIE_IN_ALWAYS),
    CS_K(TCP_COOKIE_MAX),
    CS_K(TCP_COOKIE_MIN),
    CS_K(TCP_COOKIE_OUT_NEVER),
    CS_K(TCP_COOKIE_PAIR_SIZE),
    CS_K(TCP_COOKIE_TRANSACTIONS),
    CS_K(TCP_S_DATA_IN),
    CS_K(TCP_S_DATA_OUT),
#endif
#ifdef TCP_CONNECTIONTIMEOUT
    CS_K(TCP_CONNECTIONTIMEOUT),
#endif
#ifdef TCP_CONNECTION_INFO
    CS_K(TCP_CONNECTION_INFO),
#endif
#ifdef TCP_ENABLE_ECN
    CS_K(TCP_ENABLE_ECN),
#endif
#ifdef TCP_FUNCTION_BLK
    CS_K(TCP_FUNCTION_BLK),
#endif
#ifdef TCP_KEEPALIVE
    CS_K(TCP_KEEPALIVE),
#endif
#ifdef TCP_KEEPINIT
    CS_K(TCP_KEEPINIT),
#endif
#ifdef TCP_NOOPT
    CS_K(TCP_NOOPT),
#endif
#ifdef TCP_NOPUSH
    CS_K(TCP_NOPUSH),
#endif
#ifdef TCP_RXT_CONNDROPTIME
    CS_K(TCP_RXT_CONNDROPTIME),
#endif
#ifdef TCP_RXT_FINDROP
    CS_K(TCP_RXT_FINDROP),
#endif
#ifdef TCP_SACK_ENABLE
    CS_K(TCP_SACK_ENABLE),
#endif
#ifdef TCP_SENDMOREACKS
    CS_K(TCP_SENDMOREACKS),
#endif

/* UDP. */
#ifdef UDP_CORK
    CS_K(UDP_CORK),
#endif
#ifdef UDP_ENCAP
    CS_K(UDP_ENCAP),
#endif
#ifdef UDP_ENCAP_ESPINUDP
    CS_K(UDP_ENCAP_ESPINUDP),
#endif
#ifdef UDP_ENCAP_ESPINUDP_NON_IKE
    CS_K(UDP_ENCAP_ESPINUDP_NON_IKE),
#endif
#ifdef UDP_ENCAP_GTP0
    CS_K(UDP_ENCAP_GTP0),
#endif
#ifdef UDP_ENCAP_GTP1U
    CS_K(UDP_ENCAP_GTP1U),
#endif
#ifdef UDP_ENCAP_L2TPINUDP
    CS_K(UDP_ENCAP_L2TPINUDP),
#endif
#ifdef UDP_ENCAP_RXRPC
    CS_K(UDP_ENCAP_RXRPC),
#endif
#ifdef UDP_GRO
    CS_K(UDP_GRO),
#endif
#ifdef UDP_NO_CHECK6_RX
    CS_K(UDP_NO_CHECK6_RX),
#endif
#ifdef UDP_NO_CHECK6_TX
    CS_K(UDP_NO_CHECK6_TX),
#endif
#ifdef UDP_SEGMENT
    CS_K(UDP_SEGMENT),
#endif

    /* Flags and failures of look-ups. */
    CS_K(AI_CANONNAME),
    CS_K(AI_NUMERICHOST),
    CS_K(AI_NUMERICSERV),
    CS_K(AI_PASSIVE),
#ifdef AI_ADDRCONFIG
    CS_K(AI_ADDRCONFIG),
#endif
#ifdef AI_ALL
    CS_K(AI_ALL),
#endif
#ifdef AI_V4MAPPED
    CS_K(AI_V4MAPPED),
#endif
#ifdef AI_CANONIDN
    CS_K(AI_CANONIDN),
#endif
#ifdef AI_IDN
    CS_K(AI_IDN),
#endif
#ifdef AI_DEFAULT
    CS_K(AI_DEFAULT),
#endif
#ifdef AI_MASK
    CS_K(AI_MASK),
#endif
#ifdef AI_V4MAPPED_CFG
    CS_K(AI_V4MAPPED_CFG),
#endif
    CS_K(EAI_AGAIN),
    CS_K(EAI_BADFLAGS),
    CS_K(EAI_FAIL),
    CS_K(EAI_FAMILY),
    CS_K(EAI_MEMORY),
    CS_K(EAI_NONAME),
    CS_K(EAI_OVERFLOW),
    CS_K(EAI_SERVICE),
    CS_K(EAI_SOCKTYPE),
    CS_K(EAI_SYSTEM),
#ifdef EAI_ADDRFAMILY
    CS_K(EAI_ADDRFAMILY),
#endif
#ifdef EAI_ALLDONE
    CS_K(EAI_ALLDONE),
#endif
#ifdef EAI_BADHINTS
    CS_K(EAI_BADHINTS),
#endif
#ifdef EAI_CANCELED
    CS_K(EAI_CANCELED),
#endif
#ifdef EAI_IDN_ENCODE
    CS_K(EAI_IDN_ENCODE),
#endif
#ifdef EAI_INPROGRESS
    CS_K(EAI_INPROGRESS),
#endif
#ifdef EAI_INTR
    CS_K(EAI_INTR),
#endif
#ifdef EAI_MAX
    CS_K(EAI_MAX),
#endif
#ifdef EAI_NODATA
    CS_K(EAI_NODATA),
#endif
#ifdef EAI_NOTCANCELED
    CS_K(EAI_NOTCANCELED),
#endif
#ifdef EAI_PROTOCOL
    CS_K(EAI_PROTOCOL),
#endif
    CS_K(NI_DGRAM),
    CS_K(NI_NAMEREQD),
    CS_K(NI_NOFQDN),
    CS_K(NI_NUMERICHOST),
    CS_K(NI_NUMERICSERV),
#ifdef NI_MAXHOST
    CS_K(NI_MAXHOST),
#endif
#ifdef NI_MAXSERV
    CS_K(NI_MAXSERV),
#endif
#ifdef NI_NUMERICSCOPE
    CS_K(NI_NUMERICSCOPE),
#endif
#ifdef NI_IDN
    CS_K(NI_IDN),
#endif
#ifdef AI_IDN
    CS_N(AI_IDN_ALLOW_UNASSIGNED, 256),
    CS_N(AI_IDN_USE_STD3_ASCII_RULES, 512),
    CS_N(NI_IDN_ALLOW_UNASSIGNED, 64),
    CS_N(NI_IDN_USE_STD3_ASCII_RULES, 128),
#endif
    CS_K(HOST_NOT_FOUND),
    CS_K(NO_DATA),
    CS_K(NO_RECOVERY),
    CS_K(TRY_AGAIN),
#ifdef NETDB_INTERNAL
    CS_K(NETDB_INTERNAL),
#endif
#ifdef NETDB_SUCCESS
    CS_K(NETDB_SUCCESS),
#endif
#ifdef NO_ADDRESS
    CS_K(NO_ADDRESS),
#endif

    /* Well-known ports: enumerators in some headers, nothing in others, the same everywhere. */
    CS_N(IPPORT_ECHO, 7),
    CS_N(IPPORT_DISCARD, 9),
    CS_N(IPPORT_SYSTAT, 11),
    CS_N(IPPORT_DAYTIME, 13),
    CS_N(IPPORT_NETSTAT, 15),
    CS_N(IPPORT_FTP, 21),
    CS_N(IPPORT_TELNET, 23),
    CS_N(IPPORT_SMTP, 25),
    CS_N(IPPORT_TIMESERVER, 37),
    CS_N(IPPORT_NAMESERVER, 42),
    CS_N(IPPORT_WHOIS, 43),
    CS_N(IPPORT_MTP, 57),
    CS_N(IPPORT_TFTP, 69),
    CS_N(IPPORT_RJE, 77),
    CS_N(IPPORT_FINGER, 79),
    CS_N(IPPORT_TTYLINK, 87),
    CS_N(IPPORT_SUPDUP, 95),
    CS_N(IPPORT_EXECSERVER, 512),
    CS_N(IPPORT_LOGINSERVER, 513),
    CS_N(IPPORT_CMDSERVER, 514),
    CS_N(IPPORT_EFSSERVER, 520),
    CS_N(IPPORT_BIFFUDP, 512),
    CS_N(IPPORT_WHOSERVER, 513),
    CS_N(IPPORT_ROUTESERVER, 520),
    CS_N(IPPORT_RESERVED, 1024),
    CS_N(IPPORT_USERRESERVED, 5000),
#ifdef IPPORT_EPHEMERALFIRST
    CS_K(IPPORT_EPHEMERALFIRST),
#endif
#ifdef IPPORT_EPHEMERALLAST
    CS_K(IPPORT_EPHEMERALLAST),
#endif
#ifdef IPPORT_HIFIRSTAUTO
    CS_K(IPPORT_HIFIRSTAUTO),
#endif
#ifdef IPPORT_HILASTAUTO
    CS_K(IPPORT_HILASTAUTO),
#endif
#ifdef IPPORT_RESERVEDSTART
    CS_K(IPPORT_RESERVEDSTART),
#endif
    {"", false, 0},
};
