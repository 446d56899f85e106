/* ioctl.c: requests for ioctl, and the interface flags that they get and set. */
#include "../base/rows.h"

#include <net/if.h>
#include <sys/ioctl.h>
#if __has_include(<linux/sockios.h>)
#include <linux/sockios.h>
#endif

const cs_constant cs_constants_ioctl[] = {
    /* Requests to ioctl, for any descriptor and for sockets. */
    CS_K(FIONBIO),
    CS_K(FIONREAD),
#ifdef FIOASYNC
    CS_K(FIOASYNC),
#endif
#ifdef FIOCLEX
    CS_K(FIOCLEX),
#endif
#ifdef FIONCLEX
    CS_K(FIONCLEX),
#endif
#ifdef FIOGETOWN
    CS_K(FIOGETOWN),
#endif
#ifdef FIOSETOWN
    CS_K(FIOSETOWN),
#endif
#ifdef FIOQSIZE
    CS_K(FIOQSIZE),
#endif
#ifdef FIONSPACE
    CS_K(FIONSPACE),
#endif
#ifdef FIONWRITE
    CS_K(FIONWRITE),
#endif
    CS_K(SIOCATMARK),
#ifdef SIOCGPGRP
    CS_K(SIOCGPGRP),
#endif
#ifdef SIOCSPGRP
    CS_K(SIOCSPGRP),
#endif

/* Requests about interfaces, routes and neighbours. */
#ifdef SIOCADDMULTI
    CS_K(SIOCADDMULTI),
#endif
#ifdef SIOCDELMULTI
    CS_K(SIOCDELMULTI),
#endif
#ifdef SIOCDIFADDR
    CS_K(SIOCDIFADDR),
#endif
#ifdef SIOCGIFADDR
    CS_K(SIOCGIFADDR),
#endif
#ifdef SIOCGIFBRDADDR
    CS_K(SIOCGIFBRDADDR),
#endif
#ifdef SIOCGIFCONF
    CS_K(SIOCGIFCONF),
#endif
#ifdef SIOCGIFDSTADDR
    CS_K(SIOCGIFDSTADDR),
#endif
#ifdef SIOCGIFFLAGS
    CS_K(SIOCGIFFLAGS),
#endif
#ifdef SIOCGIFMETRIC
    CS_K(SIOCGIFMETRIC),
#endif
#ifdef SIOCGIFMTU
    CS_K(SIOCGIFMTU),
#endif
#ifdef SIOCGIFNETMASK
    CS_K(SIOCGIFNETMASK),
#endif
#ifdef SIOCSIFADDR
    CS_K(SIOCSIFADDR),
#endif
#ifdef SIOCSIFBRDADDR
    CS_K(SIOCSIFBRDADDR),
#endif
#ifdef SIOCSIFDSTADDR
    CS_K(SIOCSIFDSTADDR),
#endif
#ifdef SIOCSIFFLAGS
    CS_K(SIOCSIFFLAGS),
#endif
#ifdef SIOCSIFMETRIC
    CS_K(SIOCSIFMETRIC),
#endif
#ifdef SIOCSIFMTU
    CS_K(SIOCSIFMTU),
#endif
#ifdef SIOCSIFNETMASK
    CS_K(SIOCSIFNETMASK),
#endif
#ifdef SIOCSIFNAME
    CS_K(SIOCSIFNAME),
#endif
#ifdef SIOCGIFINDEX
    CS_K(SIOCGIFINDEX),
#endif
#ifdef SIOCGIFHWADDR
    CS_K(SIOCADDRT),
    CS_K(SIOCDARP),
    CS_K(SIOCDELRT),
    CS_K(SIOCDRARP),
    CS_K(SIOCGARP),
    CS_K(SIOCGIFBR),
    CS_K(SIOCGIFCOUNT),
    CS_K(SIOCGIFENCAP),
    CS_K(SIOCGIFHWADDR),
    CS_K(SIOCGIFMAP),
    CS_K(SIOCGIFMEM),
    CS_K(SIOCGIFNAME),
    CS_K(SIOCGIFPFLAGS),
    CS_K(SIOCGIFSLAVE),
    CS_K(SIOCGIFTXQLEN),
    CS_K(SIOCGRARP),
    CS_K(SIOCRTMSG),
    CS_K(SIOCSARP),
    CS_K(SIOCSIFBR),
    CS_K(SIOCSIFENCAP),
    CS_K(SIOCSIFHWADDR),
    CS_K(SIOCSIFHWBROADCAST),
    CS_K(SIOCSIFLINK),
    CS_K(SIOCSIFMAP),
    CS_K(SIOCSIFMEM),
    CS_K(SIOCSIFPFLAGS),
    CS_K(SIOCSIFSLAVE),
    CS_K(SIOCSIFTXQLEN),
    CS_K(SIOCSRARP),
    CS_K(SIOCADDDLCI),
    CS_K(SIOCDELDLCI),
    CS_K(SIOCDEVPRIVATE),
    CS_K(SIOCPROTOPRIVATE),
    CS_K(SIOCGSTAMP),
    CS_K(SIOCGSTAMPNS),
#endif
#ifdef SIOCBONDCHANGEACTIVE
    CS_K(SIOCBONDCHANGEACTIVE),
#endif
#ifdef SIOCBONDENSLAVE
    CS_K(SIOCBONDENSLAVE),
#endif
#ifdef SIOCBONDINFOQUERY
    CS_K(SIOCBONDINFOQUERY),
#endif
#ifdef SIOCBONDRELEASE
    CS_K(SIOCBONDRELEASE),
#endif
#ifdef SIOCBONDSETHWADDR
    CS_K(SIOCBONDSETHWADDR),
#endif
#ifdef SIOCBONDSLAVEINFOQUERY
    CS_K(SIOCBONDSLAVEINFOQUERY),
#endif
#ifdef SIOCBRADDBR
    CS_K(SIOCBRADDBR),
#endif
#ifdef SIOCBRADDIF
    CS_K(SIOCBRADDIF),
#endif
#ifdef SIOCBRDELBR
    CS_K(SIOCBRDELBR),
#endif
#ifdef SIOCBRDELIF
    CS_K(SIOCBRDELIF),
#endif
#ifdef SIOCETHTOOL
    CS_K(SIOCETHTOOL),
#endif
#ifdef SIOCGHWTSTAMP
    CS_K(SIOCGHWTSTAMP),
#endif
#ifdef SIOCGIFVLAN
    CS_K(SIOCGIFVLAN),
#endif
#ifdef SIOCGMIIPHY
    CS_K(SIOCGMIIPHY),
#endif
#ifdef SIOCGMIIREG
    CS_K(SIOCGMIIREG),
#endif
#ifdef SIOCGSKNS
    CS_K(SIOCGSKNS),
#endif
#ifdef SIOCGSTAMPNS_NEW
    CS_K(SIOCGSTAMPNS_NEW),
#endif
#ifdef SIOCGSTAMPNS_OLD
    CS_K(SIOCGSTAMPNS_OLD),
#endif
#ifdef SIOCGSTAMP_NEW
    CS_K(SIOCGSTAMP_NEW),
#endif
#ifdef SIOCGSTAMP_OLD
    CS_K(SIOCGSTAMP_OLD),
#endif
#ifdef SIOCINQ
    CS_K(SIOCINQ),
#endif
#ifdef SIOCOUTQ
    CS_K(SIOCOUTQ),
#endif
#ifdef SIOCOUTQNSD
    CS_K(SIOCOUTQNSD),
#endif
#ifdef SIOCSHWTSTAMP
    CS_K(SIOCSHWTSTAMP),
#endif
#ifdef SIOCSIFVLAN
    CS_K(SIOCSIFVLAN),
#endif
#ifdef SIOCSMIIREG
    CS_K(SIOCSMIIREG),
#endif
#ifdef SIOCWANDEV
    CS_K(SIOCWANDEV),
#endif

    /* Flags of interfaces. */
    CS_K(IFF_ALLMULTI),
    CS_K(IFF_BROADCAST),
    CS_K(IFF_DEBUG),
    CS_K(IFF_LOOPBACK),
    CS_K(IFF_MULTICAST),
    CS_K(IFF_NOARP),
    CS_K(IFF_POINTOPOINT),
    CS_K(IFF_PROMISC),
    CS_K(IFF_RUNNING),
    CS_K(IFF_UP),
#ifdef IFF_AUTOMEDIA
    CS_K(IFF_AUTOMEDIA),
#endif
#ifdef IFF_DYNAMIC
    CS_K(IFF_DYNAMIC),
#endif
#ifdef IFF_MASTER
    CS_K(IFF_MASTER),
#endif
#ifdef IFF_NOTRAILERS
    CS_K(IFF_NOTRAILERS),
#endif
#ifdef IFF_PORTSEL
    CS_K(IFF_PORTSEL),
#endif
#ifdef IFF_SLAVE
    CS_K(IFF_SLAVE),
#endif
    {"", false, 0},
};
