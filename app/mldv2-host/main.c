/* SPDX-License-Identifier: BSD-3-Clause */
/* mldv2-host: start in order, run, stop in reverse. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_pdump.h>

#include "check.h"
#include "control.h"
#include "explain.h"
#include "host.h"
#include "idle.h"
#include "output.h"
#include "ports.h"
#include "privilege.h"
#include "reload.h"
#include "save.h"
#include "say.h"
#include "service.h"
#include "tunable.h"

static int
fail(int status, const char *message)
{
	fprintf(stderr, "mldv2-host: %s\n", message);
	return status;
}

static int
judge(const struct problems *problems)
{
	problems_print(problems, "");
	return problems->n > 0 ? EXIT_USAGE : 0;
}

/* Port names in what is wanted become handles: of ports to be, then of ports. */
static int
resolve(struct host *host)
{
	const char *file = host->args.memberships;
	struct problems problems = {0};

	reload_resolve(host, &host->memberships, file, &problems);
	reload_resolve(host, &host->args.joins, file, &problems);
	return judge(&problems);
}

static int
create_shared(struct host *host)
{
	size_t size = rte_rcu_qsbr_get_memsize(RTE_MAX_LCORE);

	host->qsbr = rte_zmalloc(NULL, size, RTE_CACHE_LINE_SIZE);
	host->pool = ports_pool_create(host);
	if (host->qsbr == NULL || rte_rcu_qsbr_init(host->qsbr, RTE_MAX_LCORE) != 0 ||
		host->pool == NULL || msf_create(&host->msf, &host->config.msf) < 0)
		return fail(EXIT_FAILURE, "not enough memory: give EAL more (-m)");

	const struct sinks_conf conf = {
		.msf = host->msf,
		.qsbr = host->qsbr,
		.n_workers = host->n_workers,
		.tx = host->tx,
	};

	if (sinks_create(&host->sinks, &conf) < 0)
		return fail(EXIT_FAILURE, "not enough memory");
	return 0;
}

static int
open_by_telemetry(void *opaque, const char *name, const char *sink, char *error, size_t size)
{
	return sinks_socket_open(opaque, name, sink, error, size);
}

static int
close_by_telemetry(void *opaque, int socket)
{
	return sinks_socket_close(opaque, socket);
}

static bool
count_by_telemetry(void *opaque, int socket, uint64_t *ret_packets, uint64_t *ret_drops)
{
	struct sink_count total;

	if (!sinks_socket_total(opaque, socket, &total))
		return false;
	*ret_packets = total.packets;
	*ret_drops = total.drops;
	return true;
}

/* What tunables are of, while reload_hold() keeps it in place. */
static struct host *tuned;

static struct msf_port *
tuned_port(unsigned int i)
{
	return i < tuned->n_ports ? tuned->ports[i].port : NULL;
}

static const struct tunable_target *
hold_tunables(void)
{
	static struct tunable_target target = {.port = tuned_port};

	tuned = reload_hold();
	if (tuned == NULL)
		return NULL;
	target.msf = tuned->msf;
	target.of_all = &tuned->tunables;
	return &target;
}

static const struct tunable_owner tunable_owner = {hold_tunables, reload_release};

static int
start_telemetry(struct host *host)
{
	host->tunables = host->config.defaults.host;
	host->socket_ops = (struct msf_socket_ops){
		.open = open_by_telemetry,
		.close = close_by_telemetry,
		.count = count_by_telemetry,
		.opaque = host->sinks,
	};
	msf_telemetry_set_sockets(&host->socket_ops);
	if (msf_telemetry_start(host->msf, !host->args.no_control) < 0 ||
		exceptions_register(host) < 0 ||
		reload_register(host, !host->args.no_control) < 0 ||
		save_register(!host->args.no_control) < 0 ||
		tunable_register(&tunable_owner, !host->args.no_control) < 0)
		return fail(EXIT_FAILURE, "telemetry commands cannot be registered");
	return 0;
}

static int
open_sockets(struct host *host)
{
	struct problems problems = {0};

	for (unsigned int i = 0; i < host->config.n_sockets; i++) {
		const struct socket_section *section = &host->config.sockets[i];
		char why[256];
		int ret = sinks_socket_open(
			host->sinks, section->name, section->sink.text, why, sizeof(why));

		if (ret < 0)
			problems_add(&problems, host->args.config, section->sink_line, "%s",
				why[0] != '\0' ? why : strerror(-ret));
	}
	if (problems.n == 0)
		reload_apply_all(host, &problems);
	return judge(&problems);
}

static void
launch_workers(struct host *host)
{
	for (unsigned int i = 0; i < host->n_workers; i++) {
		struct worker *worker = &host->workers[i];

		worker->qsbr = host->qsbr;
		worker->stop = &host->stop_workers;
		worker->delivery.table = sinks_table(host->sinks);
		worker->delivery.worker = i;
		if (worker->lcore == rte_get_main_lcore())
			worker_register(worker);
		else
			rte_eal_remote_launch(worker_run, worker, worker->lcore);
	}
}

static void
stop_workers(struct host *host)
{
	__atomic_store_n(&host->stop_workers, true, __ATOMIC_RELAXED);
	rte_eal_mp_wait_lcore();
	for (unsigned int i = 0; i < host->n_workers; i++)
		if (host->workers[i].lcore == rte_get_main_lcore())
			worker_unregister(&host->workers[i]);
}

static void
announce(const struct host *host)
{
	for (unsigned int i = 0; i < host->n_ports; i++)
		fprintf(stderr, "mldv2-host " VERSION ": port %u (%s) is under MLD\n",
			host->ports[i].port_id, host->ports[i].device);
	for (unsigned int i = 0; i < host->n_exceptions; i++)
		exception_announce(&host->exceptions[i]);
}

/* dpdk-dumpcap and dpdk-pdump may attach. Without it all else works, so it fails nothing;
 * where there can be no secondary process nobody would miss it. */
static void
allow_capture(void)
{
	if (rte_pdump_init() < 0 && rte_errno != ENOTSUP)
		fprintf(stderr, "mldv2-host: dpdk-dumpcap cannot attach: %s\n",
			rte_strerror(rte_errno));
}

/* Better said now than by the reload that fails. */
static void
look_at_files(const struct args *args)
{
	const char *files[] = {args->config, args->memberships};

	for (size_t i = 0; i < RTE_DIM(files); i++)
		if (files[i] != NULL && access(files[i], R_OK) < 0)
			say("%s: cannot be read again (%s): a reload will fail; make it root's, or "
			    "give --keep-privileges",
				files[i], strerror(errno));
}

static int
drop_privileges(const struct host *host)
{
	if (host->args.keep_privileges)
		return 0;
	if (privilege_drop() < 0)
		return EXIT_FAILURE;
	look_at_files(&host->args);
	return 0;
}

static int
start(struct host *host)
{
	int ret = ports_find(host);

	if (ret == 0)
		ret = resolve(host);
	if (ret == 0)
		ret = create_shared(host);
	if (ret == 0 && control_init(host) < 0)
		ret = fail(EXIT_FAILURE, "no event descriptor can be had");
	if (ret == 0)
		ret = ports_start(host);
	if (ret == 0 && exceptions_open(host) < 0)
		ret = fail(EXIT_FAILURE, "not enough memory");
	if (ret == 0)
		ret = resolve(host);
	if (ret == 0)
		ret = open_sockets(host);
	if (ret == 0)
		ret = start_telemetry(host);
	if (ret == 0)
		ret = drop_privileges(host);
	return ret;
}

static void
finish(struct host *host)
{
	reload_unregister();
	save_unregister();
	msf_telemetry_stop();
	exceptions_unregister();
	exceptions_close(host);
	sinks_free(host->sinks);
	msf_free(host->msf);
	ports_stop(host);
	rte_mempool_free(host->pool);
	rte_free(host->qsbr);
	memberships_fini(&host->memberships);
	args_fini(&host->args);
	if (host->wake_fd > 0)
		close(host->wake_fd);
}

int
main(int argc, char **argv)
{
	static struct host host;
	static struct problems problems;
	int ret;

	switch (args_parse(&host.args, argc, argv, &problems)) {
	case ARGS_DONE:
		return EXIT_SUCCESS;
	case ARGS_WRONG:
		return EXIT_USAGE;
	case ARGS_RUN:
		break;
	}
	check_files(&host.args, &host.config, &host.memberships, &problems);
	if (host.args.check_config)
		return check_report(&host, &problems);
	ret = judge(&problems);
	if (ret != 0)
		return ret;
	output_detach();
	privilege_hide_files();
	if (rte_eal_init(argc, argv) < 0)
		return explain_eal(rte_errno);
	allow_capture();
	service_start();
	ret = start(&host);
	if (ret == 0) {
		ports_assign(&host);
		idle_create(&host);
		launch_workers(&host);
		announce(&host);
		control_run(&host);
		control_leave(&host);
		stop_workers(&host);
		idle_destroy(&host);
	}
	finish(&host);
	service_end();
	rte_pdump_uninit();
	rte_eal_cleanup();
	return ret;
}
