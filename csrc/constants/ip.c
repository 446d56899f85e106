/* ip.c: the numbers of IP. A name that some supported system lacks stands behind #ifdef;
   names of one RFC, or of one age, share one. */
#include "../base/rows.h"

#include <netinet/in.h>
#include <netinet/ip.h>

/* Protocols over IP. */
static const cs_constant protocols[] = {
    N(SOL_IP, IPPROTO_IP), N(SOL_TCP, IPPROTO_TCP), N(SOL_UDP, IPPROTO_UDP), K(IPPROTO_ICMP),
    K(IPPROTO_ICMPV6),     K(IPPROTO_IP),           K(IPPROTO_IPV6),         K(IPPROTO_RAW),
    K(IPPROTO_TCP),        K(IPPROTO_UDP),          K(IPPROTO_AH),           K(IPPROTO_DSTOPTS),
    K(IPPROTO_EGP),        K(IPPROTO_ESP),          K(IPPROTO_FRAGMENT),     K(IPPROTO_GRE),
    K(IPPROTO_HOPOPTS),    K(IPPROTO_IDP),          K(IPPROTO_IGMP),         K(IPPROTO_NONE),
    K(IPPROTO_PIM),        K(IPPROTO_PUP),          K(IPPROTO_ROUTING),      K(IPPROTO_RSVP),
    K(IPPROTO_TP),         K(IPPROTO_MAX),
#ifdef IPPROTO_IPIP
    K(IPPROTO_IPIP),
#endif
#ifdef IPPROTO_BEETPH
    K(IPPROTO_BEETPH),
#endif
#ifdef IPPROTO_COMP
    K(IPPROTO_COMP),
#endif
#ifdef IPPROTO_DCCP
    K(IPPROTO_DCCP),
#endif
#ifdef IPPROTO_ENCAP
    K(IPPROTO_ENCAP),
#endif
#ifdef IPPROTO_ETHERNET
    K(IPPROTO_ETHERNET),
#endif
#ifdef IPPROTO_L2TP
    K(IPPROTO_L2TP),
#endif
#ifdef IPPROTO_MH
    K(IPPROTO_MH),
#endif
#ifdef IPPROTO_MPLS
    K(IPPROTO_MPLS),
#endif
#ifdef IPPROTO_MTP
    K(IPPROTO_MTP),
#endif
#ifdef IPPROTO_SCTP
    K(IPPROTO_SCTP),
#endif
#ifdef IPPROTO_SMC
    K(IPPROTO_SMC),
#endif
#ifdef IPPROTO_CARP
    K(IPPROTO_CARP),
#endif
#ifdef IPPROTO_DIVERT
    K(IPPROTO_DIVERT),
#endif
#ifdef IPPROTO_EON
    K(IPPROTO_EON),
#endif
#ifdef IPPROTO_GGP
    K(IPPROTO_GGP),
#endif
#ifdef IPPROTO_HELLO
    K(IPPROTO_HELLO),
#endif
#ifdef IPPROTO_IPCOMP
    K(IPPROTO_IPCOMP),
#endif
#ifdef IPPROTO_IPV4
    K(IPPROTO_IPV4),
#endif
#ifdef IPPROTO_MOBILE
    K(IPPROTO_MOBILE),
#endif
#ifdef IPPROTO_ND
    K(IPPROTO_ND),
#endif
#ifdef IPPROTO_PFSYNC
    K(IPPROTO_PFSYNC),
#endif
#ifdef IPPROTO_VRRP
    K(IPPROTO_VRRP),
#endif
#ifdef IPPROTO_XTP
    K(IPPROTO_XTP),
#endif
};

/* IPv4 addresses, as integers. */
static const cs_constant addresses[] = {
    K(INADDR_ANY),
    K(INADDR_BROADCAST),
    K(INADDR_LOOPBACK),
    K(INADDR_NONE),
#ifdef INADDR_ALLHOSTS_GROUP
    K(INADDR_ALLHOSTS_GROUP),
#endif
#ifdef INADDR_ALLRTRS_GROUP
    K(INADDR_ALLRTRS_GROUP),
#endif
#ifdef INADDR_ALLSNOOPERS_GROUP
    K(INADDR_ALLSNOOPERS_GROUP),
#endif
#ifdef INADDR_DUMMY
    K(INADDR_DUMMY),
#endif
#ifdef INADDR_MAX_LOCAL_GROUP
    K(INADDR_MAX_LOCAL_GROUP),
#endif
#ifdef INADDR_UNSPEC_GROUP
    K(INADDR_UNSPEC_GROUP),
#endif
};

/* Options of IPv4. */
static const cs_constant options4[] = {
    K(IP_ADD_MEMBERSHIP),
    K(IP_DROP_MEMBERSHIP),
    K(IP_HDRINCL),
    K(IP_MULTICAST_IF),
    K(IP_MULTICAST_LOOP),
    K(IP_MULTICAST_TTL),
    K(IP_OPTIONS),
    K(IP_RECVOPTS),
    K(IP_RECVRETOPTS),
    K(IP_RETOPTS),
    K(IP_TOS),
    K(IP_TTL),
    K(IP_DEFAULT_MULTICAST_LOOP),
    K(IP_DEFAULT_MULTICAST_TTL),
#ifdef IP_ADD_SOURCE_MEMBERSHIP
    K(IP_ADD_SOURCE_MEMBERSHIP),
    K(IP_BLOCK_SOURCE),
    K(IP_DROP_SOURCE_MEMBERSHIP),
    K(IP_UNBLOCK_SOURCE),
#endif
#ifdef IP_PMTUDISC_DO
    K(IP_MTU),
    K(IP_MTU_DISCOVER),
    K(IP_PMTUDISC_DO),
    K(IP_PMTUDISC_DONT),
    K(IP_PMTUDISC_PROBE),
    K(IP_PMTUDISC_WANT),
    K(IP_RECVERR),
    K(IP_ROUTER_ALERT),
#endif
#ifdef IP_BIND_ADDRESS_NO_PORT
    K(IP_BIND_ADDRESS_NO_PORT),
#endif
#ifdef IP_CHECKSUM
    K(IP_CHECKSUM),
#endif
#ifdef IP_DF
    K(IP_DF),
#endif
#ifdef IP_FREEBIND
    K(IP_FREEBIND),
#endif
#ifdef IP_IPSEC_POLICY
    K(IP_IPSEC_POLICY),
#endif
#ifdef IP_MAXPACKET
    K(IP_MAXPACKET),
#endif
#ifdef IP_MAX_MEMBERSHIPS
    K(IP_MAX_MEMBERSHIPS),
#endif
#ifdef IP_MF
    K(IP_MF),
#endif
#ifdef IP_MINTTL
    K(IP_MINTTL),
#endif
#ifdef IP_MSFILTER
    K(IP_MSFILTER),
#endif
#ifdef IP_MSS
    K(IP_MSS),
#endif
#ifdef IP_MULTICAST_ALL
    K(IP_MULTICAST_ALL),
#endif
#ifdef IP_NODEFRAG
    K(IP_NODEFRAG),
#endif
#ifdef IP_OFFMASK
    K(IP_OFFMASK),
#endif
#ifdef IP_ORIGDSTADDR
    K(IP_ORIGDSTADDR),
#endif
#ifdef IP_PASSSEC
    K(IP_PASSSEC),
#endif
#ifdef IP_PKTINFO
    K(IP_PKTINFO),
#endif
#ifdef IP_PKTOPTIONS
    K(IP_PKTOPTIONS),
#endif
#ifdef IP_PMTUDISC
    K(IP_PMTUDISC),
#endif
#ifdef IP_PMTUDISC_INTERFACE
    K(IP_PMTUDISC_INTERFACE),
#endif
#ifdef IP_PMTUDISC_OMIT
    K(IP_PMTUDISC_OMIT),
#endif
#ifdef IP_RECVERR_RFC4884
    K(IP_RECVERR_RFC4884),
#endif
#ifdef IP_RECVFRAGSIZE
    K(IP_RECVFRAGSIZE),
#endif
#ifdef IP_RECVORIGDSTADDR
    K(IP_RECVORIGDSTADDR),
#endif
#ifdef IP_RECVTOS
    K(IP_RECVTOS),
#endif
#ifdef IP_RECVTTL
    K(IP_RECVTTL),
#endif
#ifdef IP_RF
    K(IP_RF),
#endif
#ifdef IP_TRANSPARENT
    K(IP_TRANSPARENT),
#endif
#ifdef IP_UNICAST_IF
    K(IP_UNICAST_IF),
#endif
#ifdef IP_XFRM_POLICY
    K(IP_XFRM_POLICY),
#endif
#ifdef IP_BINDANY
    K(IP_BINDANY),
#endif
#ifdef IP_BOUND_IF
    K(IP_BOUND_IF),
#endif
#ifdef IP_DONTFRAG
    K(IP_DONTFRAG),
#endif
#ifdef IP_MULTICAST_IFINDEX
    K(IP_MULTICAST_IFINDEX),
#endif
#ifdef IP_MULTICAST_VIF
    K(IP_MULTICAST_VIF),
#endif
#ifdef IP_ONESBCAST
    K(IP_ONESBCAST),
#endif
#ifdef IP_PORTRANGE
    K(IP_PORTRANGE),
#endif
#ifdef IP_PORTRANGE_DEFAULT
    K(IP_PORTRANGE_DEFAULT),
#endif
#ifdef IP_PORTRANGE_HIGH
    K(IP_PORTRANGE_HIGH),
#endif
#ifdef IP_PORTRANGE_LOW
    K(IP_PORTRANGE_LOW),
#endif
#ifdef IP_RECVDSTADDR
    K(IP_RECVDSTADDR),
#endif
#ifdef IP_RECVIF
    K(IP_RECVIF),
#endif
#ifdef IP_SENDSRCADDR
    K(IP_SENDSRCADDR),
#endif
#ifdef IP_STRIPHDR
    K(IP_STRIPHDR),
#endif
};

/* Membership of groups, for IPv4 and IPv6 (RFC 3678). */
static const cs_constant groups[] = {
#ifdef MCAST_JOIN_GROUP
    K(MCAST_BLOCK_SOURCE),       K(MCAST_EXCLUDE),           K(MCAST_INCLUDE),
    K(MCAST_JOIN_GROUP),         K(MCAST_JOIN_SOURCE_GROUP), K(MCAST_LEAVE_GROUP),
    K(MCAST_LEAVE_SOURCE_GROUP), K(MCAST_UNBLOCK_SOURCE),
#endif
#ifdef MCAST_MSFILTER
    K(MCAST_MSFILTER),
#endif
};

/* Options of IPv6: of RFC 3493, of RFC 3542, of systems. */
static const cs_constant options6[] = {
    K(IPV6_JOIN_GROUP),
    K(IPV6_LEAVE_GROUP),
    K(IPV6_MULTICAST_HOPS),
    K(IPV6_MULTICAST_IF),
    K(IPV6_MULTICAST_LOOP),
    K(IPV6_UNICAST_HOPS),
    K(IPV6_V6ONLY),
    K(IPV6_CHECKSUM),
#ifdef IPV6_RECVPKTINFO
    K(IPV6_DONTFRAG),
    K(IPV6_DSTOPTS),
    K(IPV6_HOPLIMIT),
    K(IPV6_HOPOPTS),
    K(IPV6_NEXTHOP),
    K(IPV6_PATHMTU),
    K(IPV6_PKTINFO),
    K(IPV6_RECVDSTOPTS),
    K(IPV6_RECVHOPLIMIT),
    K(IPV6_RECVHOPOPTS),
    K(IPV6_RECVPATHMTU),
    K(IPV6_RECVPKTINFO),
    K(IPV6_RECVRTHDR),
    K(IPV6_RECVTCLASS),
    K(IPV6_RTHDR),
    K(IPV6_RTHDRDSTOPTS),
    K(IPV6_RTHDR_TYPE_0),
    K(IPV6_TCLASS),
#endif
#ifdef IPV6_2292PKTINFO
    K(IPV6_2292DSTOPTS),
    K(IPV6_2292HOPLIMIT),
    K(IPV6_2292HOPOPTS),
    K(IPV6_2292PKTINFO),
    K(IPV6_2292PKTOPTIONS),
    K(IPV6_2292RTHDR),
    K(IPV6_ADDRFORM),
    K(IPV6_ADD_MEMBERSHIP),
    K(IPV6_AUTHHDR),
    K(IPV6_DROP_MEMBERSHIP),
    K(IPV6_IPSEC_POLICY),
    K(IPV6_JOIN_ANYCAST),
    K(IPV6_LEAVE_ANYCAST),
    K(IPV6_MTU),
    K(IPV6_MTU_DISCOVER),
    K(IPV6_PMTUDISC_DO),
    K(IPV6_PMTUDISC_DONT),
    K(IPV6_PMTUDISC_PROBE),
    K(IPV6_PMTUDISC_WANT),
    K(IPV6_RECVERR),
    K(IPV6_ROUTER_ALERT),
    K(IPV6_RTHDR_LOOSE),
    K(IPV6_RTHDR_STRICT),
    K(IPV6_RXDSTOPTS),
    K(IPV6_RXHOPOPTS),
    K(IPV6_XFRM_POLICY),
#endif
#ifdef IPV6_ADDR_PREFERENCES
    K(IPV6_ADDR_PREFERENCES),
#endif
#ifdef IPV6_AUTOFLOWLABEL
    K(IPV6_AUTOFLOWLABEL),
#endif
#ifdef IPV6_FREEBIND
    K(IPV6_FREEBIND),
#endif
#ifdef IPV6_HDRINCL
    K(IPV6_HDRINCL),
#endif
#ifdef IPV6_MINHOPCOUNT
    K(IPV6_MINHOPCOUNT),
#endif
#ifdef IPV6_MULTICAST_ALL
    K(IPV6_MULTICAST_ALL),
#endif
#ifdef IPV6_ORIGDSTADDR
    K(IPV6_ORIGDSTADDR),
#endif
#ifdef IPV6_PMTUDISC_INTERFACE
    K(IPV6_PMTUDISC_INTERFACE),
#endif
#ifdef IPV6_PMTUDISC_OMIT
    K(IPV6_PMTUDISC_OMIT),
#endif
#ifdef IPV6_RECVERR_RFC4884
    K(IPV6_RECVERR_RFC4884),
#endif
#ifdef IPV6_RECVFRAGSIZE
    K(IPV6_RECVFRAGSIZE),
#endif
#ifdef IPV6_RECVORIGDSTADDR
    K(IPV6_RECVORIGDSTADDR),
#endif
#ifdef IPV6_ROUTER_ALERT_ISOLATE
    K(IPV6_ROUTER_ALERT_ISOLATE),
#endif
#ifdef IPV6_TRANSPARENT
    K(IPV6_TRANSPARENT),
#endif
#ifdef IPV6_UNICAST_IF
    K(IPV6_UNICAST_IF),
#endif
#ifdef IPV6_BINDANY
    K(IPV6_BINDANY),
#endif
#ifdef IPV6_BOUND_IF
    K(IPV6_BOUND_IF),
#endif
#ifdef IPV6_FAITH
    K(IPV6_FAITH),
#endif
#ifdef IPV6_PORTRANGE
    K(IPV6_PORTRANGE),
#endif
#ifdef IPV6_USE_MIN_MTU
    K(IPV6_USE_MIN_MTU),
#endif
};

const cs_family cs_constants_ip[] = {
    FAMILY(protocols), FAMILY(addresses), FAMILY(options4),
    FAMILY(groups),    FAMILY(options6),  {NULL, 0},
};
