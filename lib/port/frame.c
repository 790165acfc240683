/* SPDX-License-Identifier: BSD-3-Clause */
/* From a Report to an Ethernet frame in an mbuf. */
#include <string.h>

#include "port.h"

/* The largest IPv6 packet that fits one of the pool's buffers. */
uint32_t
frame_mtu_max(const struct msf_port *port)
{
	return rte_pktmbuf_data_room_size(port->conf.pool) - RTE_PKTMBUF_HEADROOM -
		RTE_ETHER_HDR_LEN;
}

/* NULL: no buffer. */
struct rte_mbuf *
frame_build(struct msf_port *port, const struct mldv2_report *report)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(port->conf.pool);

	if (mbuf == NULL)
		return NULL;

	uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
	const struct in6_addr src = node_source(port);
	int len = mldv2_report_build(report, &src, &frame[RTE_ETHER_HDR_LEN],
		rte_pktmbuf_tailroom(mbuf) - RTE_ETHER_HDR_LEN);

	if (len < 0) { /* cannot be: the listener's MTU is below frame_mtu_max() */
		rte_pktmbuf_free(mbuf);
		return NULL;
	}
	/* RFC 2464 section 7; the IPv6 destination stands at octet 24 */
	frame[0] = frame[1] = 0x33;
	memcpy(&frame[2], &frame[RTE_ETHER_HDR_LEN + 24 + 12], 4);
	memcpy(&frame[6], &port->mac, 6);
	frame[12] = RTE_ETHER_TYPE_IPV6 >> 8;
	frame[13] = RTE_ETHER_TYPE_IPV6 & 0xff;
	mbuf->data_len = mbuf->pkt_len = RTE_ETHER_HDR_LEN + len;
	return mbuf;
}
