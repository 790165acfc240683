/* SPDX-License-Identifier: BSD-3-Clause */
/* What --help says; doc/man/mld6query.8 says more. */
#include "help.h"

#include <stdio.h>

void
print_help(void)
{
	puts("Usage: mld6query -i IFACE [options] [GROUP [SOURCE...]]\n"
	     "       mld6query [EAL options] -- [options] [GROUP [SOURCE...]]\n"
	     "\n"
	     "Sends one MLD message on a kernel interface or a DPDK port, an MLDv2 Query unless\n"
	     "told otherwise, and prints every Report and Done it hears until the answers to it\n"
	     "must have come. Without GROUP it asks for all groups.\n"
	     "\n"
	     "  -i, --interface IFACE      kernel interface; EAL options are made for it\n"
	     "  -p, --port PORT            id (0) or name (net_tap0), where EAL has several ports\n"
	     "\n"
	     "What is sent:\n"
	     "  -1, --v1                   an MLDv1 Query\n"
	     "  -r, --report               an MLDv1 Report for GROUP\n"
	     "  -d, --done                 an MLDv1 Done for GROUP\n"
	     "  -m, --max-response MS      maximum response delay, 0 to 8387584 (MLDv1: 65535);\n"
	     "                             10000, with GROUP 1000\n"
	     "  -R, --robustness N         Querier's Robustness Variable, 0 to 7; 2\n"
	     "  -q, --query-interval S     Querier's Query Interval, 0 to 31744 seconds; 125\n"
	     "  -s, --suppress             S flag: routers that hear it keep their timers\n"
	     "  -S, --source ADDRESS       link-local source; the interface's own, or made of the\n"
	     "                             MAC address\n"
	     "\n"
	     "When it ends, and what it prints:\n"
	     "  -w, --wait SECONDS         listen so long, 0 to 86400; the maximum response delay\n"
	     "                             and 1 second. A Report or Done waits only when told\n"
	     "  -c, --count N              end after N answers\n"
	     "  -j, --json                 one JSON object a line\n"
	     "  -h, --help, --version      print this, or the version, and exit\n"
	     "\n"
	     "Exit status: 0 somebody answered, 1 nobody, 2 wrong usage, 3 it could not run.\n"
	     "\n"
	     "On a live link: a Query from a lower address than the elected querier's makes that\n"
	     "one step back, for 255 seconds by default, and nobody queries meanwhile. A high\n"
	     "source prevents it: --source fe80::ffff:ffff:ffff:fffe. A general MLDv1 Query turns\n"
	     "listeners to MLDv1 for 260 seconds; a Query for a GROUP makes routers forget it "
	     "soon\n"
	     "unless somebody answers or -s is given. See mld6query(8).");
}
