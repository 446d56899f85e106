/* sockaddr.c: what stands where in each family's socket address (the rows), and addresses as a
   whole. Single parts: sockaddr_part.c. */
#include "sockaddr.h"

#include <netinet/in.h>
#include <sys/un.h>

#if __has_include(<linux/netlink.h>)
#include <linux/netlink.h>
#endif
#if __has_include(<netpacket/packet.h>)
#include <netpacket/packet.h>
#endif
#if __has_include(<linux/can.h>)
#include <linux/can.h>
#endif
#if __has_include(<linux/tipc.h>)
#include <linux/tipc.h>
#endif
#if __has_include(<linux/vm_sockets.h>)
#include <linux/vm_sockets.h>
#endif
#if __has_include(<linux/if_alg.h>)
#include <linux/if_alg.h>
#endif
#if __has_include(<linux/qrtr.h>)
#include <linux/qrtr.h>
#endif
#if __has_include(<bluetooth/bluetooth.h>)
#include <bluetooth/bluetooth.h>
#include <bluetooth/hci.h>
#include <bluetooth/l2cap.h>
#include <bluetooth/rfcomm.h>
#include <bluetooth/sco.h>
#endif

/* --- the rows ----------------------------------------------------------------------------- */

#define AT(type, member) (unsigned short)offsetof(type, member), sizeof(((type *)0)->member)

/* A number may be anything that its bytes can hold; a narrower range is written out. */
#define SIZED(type, member) (UINT64_MAX >> (64 - 8 * sizeof(((type *)0)->member)))
#define PART(name, kind, type, member) \
  { name, CS_PART_##kind, AT(type, member), 0, SIZED(type, member), 0 }
#define RANGE(name, kind, type, member, min, max, initial) \
  { name, CS_PART_##kind, AT(type, member), min, max, initial }
#define PLAIN(name, kind, type, member) \
  { name, CS_PART_##kind, AT(type, member), 0, 0, 0 }
#define INTERFACE(name, type, member) RANGE(name, INTERFACE, type, member, 0, INT_MAX, 0)

static const cs_part inet_parts[] = {
    PLAIN("host", HOST, struct sockaddr_in, sin_addr),
    PART("port", NETWORK, struct sockaddr_in, sin_port),
};

static const cs_part inet6_parts[] = {
    PLAIN("host", HOST, struct sockaddr_in6, sin6_addr),
    PART("port", NETWORK, struct sockaddr_in6, sin6_port),
    RANGE("flowinfo", NETWORK, struct sockaddr_in6, sin6_flowinfo, 0, 0xfffff, 0),
    PART("scope_id", SCOPE, struct sockaddr_in6, sin6_scope_id),
};

#ifdef NETLINK_ROUTE
static const cs_part netlink_parts[] = {
    PART("pid", NUMBER, struct sockaddr_nl, nl_pid),
    PART("groups", NUMBER, struct sockaddr_nl, nl_groups),
};
#endif

#ifdef PACKET_HOST
static const cs_part packet_parts[] = {
    INTERFACE("ifname", struct sockaddr_ll, sll_ifindex),
    PART("proto", NETWORK, struct sockaddr_ll, sll_protocol),
    PART("pkttype", NUMBER, struct sockaddr_ll, sll_pkttype),
    PART("hatype", NUMBER, struct sockaddr_ll, sll_hatype),
    PLAIN("addr", BYTES, struct sockaddr_ll, sll_addr),
};
#endif

#ifdef CAN_RAW
static const cs_part can_parts[] = {
    INTERFACE("interface", struct sockaddr_can, can_ifindex),
};
#endif

#ifdef CAN_ISOTP
static const cs_part isotp_parts[] = {
    INTERFACE("interface", struct sockaddr_can, can_ifindex),
    PART("rx_addr", NUMBER, struct sockaddr_can, can_addr.tp.rx_id),
    PART("tx_addr", NUMBER, struct sockaddr_can, can_addr.tp.tx_id),
};
#endif

#ifdef CAN_J1939
static const cs_part j1939_parts[] = {
    INTERFACE("interface", struct sockaddr_can, can_ifindex),
    PART("name", NUMBER, struct sockaddr_can, can_addr.j1939.name),
    PART("pgn", NUMBER, struct sockaddr_can, can_addr.j1939.pgn),
    PART("addr", NUMBER, struct sockaddr_can, can_addr.j1939.addr),
};
#endif

#ifdef TIPC_ADDR_ID
static const cs_part tipc_parts[] = {
    RANGE("addr_type", NUMBER, struct sockaddr_tipc, addrtype, TIPC_ADDR_NAMESEQ, TIPC_ADDR_ID, 0),
    PART("v1", TIPC, struct sockaddr_tipc, addr.nameseq.type),
    PART("v2", TIPC, struct sockaddr_tipc, addr.nameseq.lower),
    PART("v3", TIPC, struct sockaddr_tipc, addr.nameseq.upper),
    RANGE("scope", NUMBER, struct sockaddr_tipc, scope, 0, INT8_MAX, TIPC_CLUSTER_SCOPE),
};
#endif

#ifdef VMADDR_CID_ANY
static const cs_part vsock_parts[] = {
    PART("cid", NUMBER, struct sockaddr_vm, svm_cid),
    PART("port", NUMBER, struct sockaddr_vm, svm_port),
};
#endif

#ifdef ALG_SET_KEY
static const cs_part alg_parts[] = {
    PLAIN("type", TEXT, struct sockaddr_alg, salg_type),
    PLAIN("name", TEXT, struct sockaddr_alg, salg_name),
    PART("feat", NUMBER, struct sockaddr_alg, salg_feat),
    PART("mask", NUMBER, struct sockaddr_alg, salg_mask),
};
#endif

#ifdef QRTR_NODE_BCAST
static const cs_part qipcrtr_parts[] = {
    PART("node", NUMBER, struct sockaddr_qrtr, sq_node),
    PART("port", NUMBER, struct sockaddr_qrtr, sq_port),
};
#endif

#ifdef BTPROTO_L2CAP
static const cs_part l2cap_parts[] = {
    PLAIN("bdaddr", BLUETOOTH, struct sockaddr_l2, l2_bdaddr),
    PART("psm", NUMBER, struct sockaddr_l2, l2_psm),
};
static const cs_part rfcomm_parts[] = {
    PLAIN("bdaddr", BLUETOOTH, struct sockaddr_rc, rc_bdaddr),
    PART("channel", NUMBER, struct sockaddr_rc, rc_channel),
};
static const cs_part hci_parts[] = {
    PART("device_id", NUMBER, struct sockaddr_hci, hci_dev),
};
static const cs_part sco_parts[] = {
    PLAIN("bdaddr", BLUETOOTH, struct sockaddr_sco, sco_bdaddr),
};
#endif

#define LAYOUT(family, proto, type, parts, required) \
  { family, proto, sizeof(type), CS_COUNT(parts), required, parts }

static const cs_layout layouts[] = {
    LAYOUT(AF_INET, CS_ANY_PROTO, struct sockaddr_in, inet_parts, 2),
    LAYOUT(AF_INET6, CS_ANY_PROTO, struct sockaddr_in6, inet6_parts, 2),
#ifdef NETLINK_ROUTE
    LAYOUT(AF_NETLINK, CS_ANY_PROTO, struct sockaddr_nl, netlink_parts, 2),
#endif
#ifdef PACKET_HOST
    LAYOUT(AF_PACKET, CS_ANY_PROTO, struct sockaddr_ll, packet_parts, 2),
#endif
#ifdef CAN_J1939
    LAYOUT(AF_CAN, CAN_J1939, struct sockaddr_can, j1939_parts, 4),
#endif
#ifdef CAN_ISOTP
    LAYOUT(AF_CAN, CAN_ISOTP, struct sockaddr_can, isotp_parts, 3),
#endif
#ifdef CAN_RAW
    LAYOUT(AF_CAN, CS_ANY_PROTO, struct sockaddr_can, can_parts, 1),
#endif
#ifdef TIPC_ADDR_ID
    LAYOUT(AF_TIPC, CS_ANY_PROTO, struct sockaddr_tipc, tipc_parts, 4),
#endif
#ifdef VMADDR_CID_ANY
    LAYOUT(AF_VSOCK, CS_ANY_PROTO, struct sockaddr_vm, vsock_parts, 2),
#endif
#ifdef ALG_SET_KEY
    LAYOUT(AF_ALG, CS_ANY_PROTO, struct sockaddr_alg, alg_parts, 2),
#endif
#ifdef QRTR_NODE_BCAST
    LAYOUT(AF_QIPCRTR, CS_ANY_PROTO, struct sockaddr_qrtr, qipcrtr_parts, 2),
#endif
#ifdef BTPROTO_L2CAP
    LAYOUT(AF_BLUETOOTH, BTPROTO_L2CAP, struct sockaddr_l2, l2cap_parts, 2),
    LAYOUT(AF_BLUETOOTH, BTPROTO_RFCOMM, struct sockaddr_rc, rfcomm_parts, 2),
    LAYOUT(AF_BLUETOOTH, BTPROTO_HCI, struct sockaddr_hci, hci_parts, 1),
    LAYOUT(AF_BLUETOOTH, BTPROTO_SCO, struct sockaddr_sco, sco_parts, 1),
#endif
};

/* --- layouts ------------------------------------------------------------------------------ */

static bool serves(const cs_layout *layout, int family, int proto) {
  return layout->family == family &&
         (proto == CS_ANY_PROTO || layout->proto == CS_ANY_PROTO || layout->proto == proto);
}

const cs_layout *cs_layout_find(int family, int proto, unsigned n) {
  for (size_t i = 0; i < CS_COUNT(layouts); i++)
    if (serves(&layouts[i], family, proto) && n-- == 0) return &layouts[i];
  return NULL;
}

const cs_layout *cs_layout_of(const struct sockaddr *addr, socklen_t len, int proto) {
  const cs_layout *layout = cs_layout_find(cs_sockaddr_family(addr, len), proto, 0);
  if (layout == NULL) return NULL;
  for (unsigned i = 0; i < layout->count; i++) {
    const cs_part *part = &layout->parts[i];
    /* A hardware address may be shorter than its field: cs_part_get looks at its length. */
    size_t end = part->offset + (part->kind == CS_PART_BYTES ? 0u : part->size);
    if (len < end) return NULL;
    if (part->min > 0) {
      cs_value value;
      cs_part_get(part, addr, len, &value);
      if (value.number < part->min || value.number > part->max) return NULL;
    }
  }
  return layout;
}

/* --- whole addresses ---------------------------------------------------------------------- */

int cs_sockaddr_family(const struct sockaddr *addr, socklen_t len) {
  size_t end = offsetof(struct sockaddr, sa_family) + sizeof addr->sa_family;
  return len < end ? AF_UNSPEC : addr->sa_family;
}

static void set_len(cs_sockaddr *addr, socklen_t len) {
#if CS_HAVE_SA_LEN
  addr->any.sa_len = (unsigned char)len;
#else
  (void)addr, (void)len;
#endif
}

void cs_sockaddr_init(cs_sockaddr *addr, const cs_layout *layout) {
  memset(addr, 0, sizeof *addr);
  addr->any.sa_family = (sa_family_t)layout->family;
  set_len(addr, layout->size);
  for (unsigned i = layout->required; i < layout->count; i++) {
    const cs_part *part = &layout->parts[i];
    cs_value value = {.is_number = true, .number = part->initial};
    if (part->initial != 0) (void)cs_part_put(part, addr, &value);
  }
}

/* A hardware address may reach beyond its layout, but not beyond what there is. */
static socklen_t clean_len(const cs_sockaddr *addr, socklen_t len, const cs_layout *layout) {
  const cs_part *last = &layout->parts[layout->count - 1];
  if (last->kind != CS_PART_BYTES) return layout->size;
  socklen_t end = last->offset + (socklen_t)((const unsigned char *)addr)[last->offset - 1];
  if (end > len) end = len;
  return end > layout->size ? end : layout->size;
}

socklen_t cs_sockaddr_clean(cs_sockaddr *clean, const struct sockaddr *addr, socklen_t len,
                            const cs_layout *layout) {
  if (len > sizeof *clean) len = sizeof *clean;
  memset(clean, 0, sizeof *clean);
  memcpy(clean, addr, len);
  if (layout == NULL) return len;
  if (layout->family == AF_INET) {
    struct sockaddr_in *in = (struct sockaddr_in *)clean;
    memset(in->sin_zero, 0, sizeof in->sin_zero);
  }
  len = clean_len(clean, len, layout);
  set_len(clean, len);
  return len;
}

static const struct in6_addr loopback6 = IN6ADDR_LOOPBACK_INIT;

/* The IPv4 address in IPv6's notation. */
static const struct sockaddr *as_inet(const struct sockaddr_in6 *in6, socklen_t *len,
                                      cs_sockaddr *room) {
  struct sockaddr_in *in = (struct sockaddr_in *)room;
  memset(room, 0, sizeof *room);
  in->sin_family = AF_INET;
  in->sin_port = in6->sin6_port;
  memcpy(&in->sin_addr, &in6->sin6_addr.s6_addr[12], sizeof in->sin_addr);
  set_len(room, *len = sizeof *in);
  return &room->any;
}

const struct sockaddr *cs_sockaddr_meant(const struct sockaddr *addr, socklen_t *len,
                                         bool destination, cs_sockaddr *room) {
  int family = cs_sockaddr_family(addr, *len);
  if (family == AF_INET6 && *len >= offsetof(struct sockaddr_in6, sin6_scope_id)) {
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)addr;
    if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
      addr = as_inet(in6, len, room);
      family = AF_INET;
    } else if (destination && IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr)) {
      memcpy(room, addr, *len < sizeof *room ? *len : sizeof *room);
      ((struct sockaddr_in6 *)room)->sin6_addr = loopback6;
      return &room->any;
    }
  }
  if (family != AF_INET || !destination || *len < sizeof(struct sockaddr_in)) return addr;
  const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)addr;
  if (in->sin_addr.s_addr != htonl(INADDR_ANY)) return addr;
  if (addr != &room->any) memcpy(room, addr, *len < sizeof *room ? *len : sizeof *room);
  ((struct sockaddr_in *)room)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return &room->any;
}

/* --- AF_UNIX ------------------------------------------------------------------------------ */

#define PATH_AT   offsetof(struct sockaddr_un, sun_path)
#define PATH_SIZE sizeof(((struct sockaddr_un *)0)->sun_path)

int cs_unix_put(cs_sockaddr *addr, socklen_t *len, const char *path, size_t path_len) {
  bool abstract = path_len > 0 && path[0] == '\0';
  if (abstract && !CS_HAVE_ABSTRACT_UNIX) return EINVAL;
  /* A path needs room for its terminating zero; an abstract name has none. */
  if (path_len > PATH_SIZE - (abstract ? 0 : 1)) return ENAMETOOLONG;
  memset(addr, 0, sizeof *addr);
  addr->any.sa_family = AF_UNIX;
  if (path_len > 0) memcpy((char *)addr + PATH_AT, path, path_len);
  *len = (socklen_t)(PATH_AT + path_len + (path_len > 0 && !abstract ? 1 : 0));
  set_len(addr, *len);
  return 0;
}

const char *cs_unix_get(const struct sockaddr *addr, socklen_t len, size_t *path_len) {
  const char *path = (const char *)addr + PATH_AT;
  size_t room = len > PATH_AT ? len - PATH_AT : 0;
  bool abstract = CS_HAVE_ABSTRACT_UNIX && room > 0 && path[0] == '\0';
  /* A path that fills its field has no terminating zero. */
  *path_len = abstract ? room : strnlen(path, room);
  return path;
}
