/* ioctl.c: requests for ioctl, and the interface flags that they get and set. */
#include "../base/rows.h"

#include <net/if.h>
#include <sys/ioctl.h>
#if __has_include(<linux/sockios.h>)
#include <linux/sockios.h>
#endif

/* Requests to ioctl, for any descriptor and for sockets. */
static const cs_constant requests[] = {
    K(FIONBIO),    K(FIONREAD),
#ifdef FIOASYNC
    K(FIOASYNC),
#endif
#ifdef FIOCLEX
    K(FIOCLEX),
#endif
#ifdef FIONCLEX
    K(FIONCLEX),
#endif
#ifdef FIOGETOWN
    K(FIOGETOWN),
#endif
#ifdef FIOSETOWN
    K(FIOSETOWN),
#endif
#ifdef FIOQSIZE
    K(FIOQSIZE),
#endif
#ifdef FIONSPACE
    K(FIONSPACE),
#endif
#ifdef FIONWRITE
    K(FIONWRITE),
#endif
    K(SIOCATMARK),
#ifdef SIOCGPGRP
    K(SIOCGPGRP),
#endif
#ifdef SIOCSPGRP
    K(SIOCSPGRP),
#endif
};

/* Requests about interfaces, routes and neighbours. */
static const cs_constant interfaces[] = {
#ifdef SIOCADDMULTI
    K(SIOCADDMULTI),
#endif
#ifdef SIOCDELMULTI
    K(SIOCDELMULTI),
#endif
#ifdef SIOCDIFADDR
    K(SIOCDIFADDR),
#endif
#ifdef SIOCGIFADDR
    K(SIOCGIFADDR),
#endif
#ifdef SIOCGIFBRDADDR
    K(SIOCGIFBRDADDR),
#endif
#ifdef SIOCGIFCONF
    K(SIOCGIFCONF),
#endif
#ifdef SIOCGIFDSTADDR
    K(SIOCGIFDSTADDR),
#endif
#ifdef SIOCGIFFLAGS
    K(SIOCGIFFLAGS),
#endif
#ifdef SIOCGIFMETRIC
    K(SIOCGIFMETRIC),
#endif
#ifdef SIOCGIFMTU
    K(SIOCGIFMTU),
#endif
#ifdef SIOCGIFNETMASK
    K(SIOCGIFNETMASK),
#endif
#ifdef SIOCSIFADDR
    K(SIOCSIFADDR),
#endif
#ifdef SIOCSIFBRDADDR
    K(SIOCSIFBRDADDR),
#endif
#ifdef SIOCSIFDSTADDR
    K(SIOCSIFDSTADDR),
#endif
#ifdef SIOCSIFFLAGS
    K(SIOCSIFFLAGS),
#endif
#ifdef SIOCSIFMETRIC
    K(SIOCSIFMETRIC),
#endif
#ifdef SIOCSIFMTU
    K(SIOCSIFMTU),
#endif
#ifdef SIOCSIFNETMASK
    K(SIOCSIFNETMASK),
#endif
#ifdef SIOCSIFNAME
    K(SIOCSIFNAME),
#endif
#ifdef SIOCGIFINDEX
    K(SIOCGIFINDEX),
#endif
#ifdef SIOCGIFHWADDR
    K(SIOCADDRT),
    K(SIOCDARP),
    K(SIOCDELRT),
    K(SIOCDRARP),
    K(SIOCGARP),
    K(SIOCGIFBR),
    K(SIOCGIFCOUNT),
    K(SIOCGIFENCAP),
    K(SIOCGIFHWADDR),
    K(SIOCGIFMAP),
    K(SIOCGIFMEM),
    K(SIOCGIFNAME),
    K(SIOCGIFPFLAGS),
    K(SIOCGIFSLAVE),
    K(SIOCGIFTXQLEN),
    K(SIOCGRARP),
    K(SIOCRTMSG),
    K(SIOCSARP),
    K(SIOCSIFBR),
    K(SIOCSIFENCAP),
    K(SIOCSIFHWADDR),
    K(SIOCSIFHWBROADCAST),
    K(SIOCSIFLINK),
    K(SIOCSIFMAP),
    K(SIOCSIFMEM),
    K(SIOCSIFPFLAGS),
    K(SIOCSIFSLAVE),
    K(SIOCSIFTXQLEN),
    K(SIOCSRARP),
    K(SIOCADDDLCI),
    K(SIOCDELDLCI),
    K(SIOCDEVPRIVATE),
    K(SIOCPROTOPRIVATE),
    K(SIOCGSTAMP),
    K(SIOCGSTAMPNS),
#endif
#ifdef SIOCBONDCHANGEACTIVE
    K(SIOCBONDCHANGEACTIVE),
#endif
#ifdef SIOCBONDENSLAVE
    K(SIOCBONDENSLAVE),
#endif
#ifdef SIOCBONDINFOQUERY
    K(SIOCBONDINFOQUERY),
#endif
#ifdef SIOCBONDRELEASE
    K(SIOCBONDRELEASE),
#endif
#ifdef SIOCBONDSETHWADDR
    K(SIOCBONDSETHWADDR),
#endif
#ifdef SIOCBONDSLAVEINFOQUERY
    K(SIOCBONDSLAVEINFOQUERY),
#endif
#ifdef SIOCBRADDBR
    K(SIOCBRADDBR),
#endif
#ifdef SIOCBRADDIF
    K(SIOCBRADDIF),
#endif
#ifdef SIOCBRDELBR
    K(SIOCBRDELBR),
#endif
#ifdef SIOCBRDELIF
    K(SIOCBRDELIF),
#endif
#ifdef SIOCETHTOOL
    K(SIOCETHTOOL),
#endif
#ifdef SIOCGHWTSTAMP
    K(SIOCGHWTSTAMP),
#endif
#ifdef SIOCGIFVLAN
    K(SIOCGIFVLAN),
#endif
#ifdef SIOCGMIIPHY
    K(SIOCGMIIPHY),
#endif
#ifdef SIOCGMIIREG
    K(SIOCGMIIREG),
#endif
#ifdef SIOCGSKNS
    K(SIOCGSKNS),
#endif
#ifdef SIOCGSTAMPNS_NEW
    K(SIOCGSTAMPNS_NEW),
#endif
#ifdef SIOCGSTAMPNS_OLD
    K(SIOCGSTAMPNS_OLD),
#endif
#ifdef SIOCGSTAMP_NEW
    K(SIOCGSTAMP_NEW),
#endif
#ifdef SIOCGSTAMP_OLD
    K(SIOCGSTAMP_OLD),
#endif
#ifdef SIOCINQ
    K(SIOCINQ),
#endif
#ifdef SIOCOUTQ
    K(SIOCOUTQ),
#endif
#ifdef SIOCOUTQNSD
    K(SIOCOUTQNSD),
#endif
#ifdef SIOCSHWTSTAMP
    K(SIOCSHWTSTAMP),
#endif
#ifdef SIOCSIFVLAN
    K(SIOCSIFVLAN),
#endif
#ifdef SIOCSMIIREG
    K(SIOCSMIIREG),
#endif
#ifdef SIOCWANDEV
    K(SIOCWANDEV),
#endif
};

/* Flags of interfaces. */
static const cs_constant flags[] = {
    K(IFF_ALLMULTI),   K(IFF_BROADCAST),   K(IFF_DEBUG),   K(IFF_LOOPBACK), K(IFF_MULTICAST),
    K(IFF_NOARP),      K(IFF_POINTOPOINT), K(IFF_PROMISC), K(IFF_RUNNING),  K(IFF_UP),
#ifdef IFF_AUTOMEDIA
    K(IFF_AUTOMEDIA),
#endif
#ifdef IFF_DYNAMIC
    K(IFF_DYNAMIC),
#endif
#ifdef IFF_MASTER
    K(IFF_MASTER),
#endif
#ifdef IFF_NOTRAILERS
    K(IFF_NOTRAILERS),
#endif
#ifdef IFF_PORTSEL
    K(IFF_PORTSEL),
#endif
#ifdef IFF_SLAVE
    K(IFF_SLAVE),
#endif
};

const cs_family cs_constants_ioctl[] = {
    FAMILY(requests),
    FAMILY(interfaces),
    FAMILY(flags),
    {NULL, 0},
};
