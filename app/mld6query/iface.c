/* SPDX-License-Identifier: BSD-3-Clause */
#include "iface.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "args.h"

static int
cannot(const char *name, const char *what, int error)
{
	complain("%s: %s%s%s", name, what, error != 0 ? ": " : "",
		error != 0 ? strerror(error) : "");
	return STATUS_CANNOT;
}

static int
not_permitted(const char *name)
{
	return cannot(
		name, "this needs root, or the capabilities CAP_NET_RAW and CAP_NET_ADMIN", 0);
}

static int
open_socket(const char *name, int *ret_fd)
{
	*ret_fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (*ret_fd >= 0)
		return 0;
	return errno == EPERM ? not_permitted(name) : cannot(name, "no packet socket", errno);
}

static struct ifreq
request_about(const char *name)
{
	struct ifreq request = {0};

	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	return request;
}

static int
ask_kernel(struct iface *iface, const char *name)
{
	struct ifreq request = request_about(name);

	if (ioctl(iface->fd, SIOCGIFFLAGS, &request) < 0)
		return cannot(name, "there is no such interface", errno == ENODEV ? 0 : errno);
	if (!(request.ifr_flags & IFF_UP))
		return cannot(name, "the interface is down (ip link set up)", 0);
	if (!(request.ifr_flags & IFF_RUNNING))
		return cannot(name, "the interface has no link", 0);
	iface->promiscuous = request.ifr_flags & IFF_PROMISC;
	/* The flags as they are: changes nothing, but tells whether the driver may. */
	if (ioctl(iface->fd, SIOCSIFFLAGS, &request) < 0)
		return errno == EPERM ? not_permitted(name)
				      : cannot(name, "its flags cannot be set", errno);
	if (ioctl(iface->fd, SIOCGIFHWADDR, &request) < 0)
		return cannot(name, "its MAC address cannot be read", errno);
	if (request.ifr_hwaddr.sa_family != ARPHRD_ETHER)
		return cannot(name, "this is no Ethernet interface", 0);
	if (ioctl(iface->fd, SIOCGIFMTU, &request) < 0)
		return cannot(name, "its MTU cannot be read", errno);
	iface->mtu = request.ifr_mtu;
	return 0;
}

/*
 * Reports go to ff02::16, which no NIC lets in by itself. The kernel counts such requests, and
 * forgets ours with the socket, however this process ends.
 */
static int
hear_all_multicast(struct iface *iface, const char *name)
{
	struct packet_mreq request = {
		.mr_ifindex = if_nametoindex(name),
		.mr_type = PACKET_MR_ALLMULTI,
	};

	if (setsockopt(iface->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof(request)) < 0)
		return cannot(name, "all-multicast cannot be had", errno);
	return 0;
}

static void
find_link_local(struct iface *iface, const char *name)
{
	struct ifaddrs *all;

	if (getifaddrs(&all) < 0)
		return;
	for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
		struct sockaddr_in6 addr;

		if (i->ifa_addr == NULL || i->ifa_addr->sa_family != AF_INET6 ||
			strcmp(i->ifa_name, name) != 0)
			continue;
		memcpy(&addr, i->ifa_addr, sizeof(addr));
		if (IN6_IS_ADDR_LINKLOCAL(&addr.sin6_addr)) {
			iface->link_local = addr.sin6_addr;
			break;
		}
	}
	freeifaddrs(all);
}

int
iface_open(struct iface *iface, const char *name)
{
	int ret;

	*iface = (struct iface){.fd = -1, .name = name};
	ret = open_socket(name, &iface->fd);
	if (ret == 0)
		ret = ask_kernel(iface, name);
	if (ret == 0)
		ret = hear_all_multicast(iface, name);
	if (ret == 0)
		find_link_local(iface, name);
	else
		iface_close(iface);
	return ret;
}

void
iface_keep_promiscuous(const struct iface *iface)
{
	struct ifreq request = request_about(iface->name);

	if (!iface->promiscuous || ioctl(iface->fd, SIOCGIFFLAGS, &request) < 0)
		return;
	request.ifr_flags |= IFF_PROMISC;
	if (ioctl(iface->fd, SIOCSIFFLAGS, &request) < 0)
		complain("warning: %s: promiscuous mode is lost: %s", iface->name, strerror(errno));
}

void
iface_close(struct iface *iface)
{
	if (iface->fd >= 0)
		close(iface->fd);
	iface->fd = -1;
}
