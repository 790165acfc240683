/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Octets as a config file. What is wrong names a line of it; when nothing is, all that was read is
 * what a port and a context take, the same file means the same again, and a running port that
 * follows it has nothing left to follow.
 */
#include "fuzz.h"

#include <errno.h>

#include <rte_log.h>

#include "config.h"
#include "textfile.h"

#define TEXT_MAX 16384

static struct textfile file;

static void
expect_name(const char *name, size_t room)
{
	EXPECT(name[0] != '\0' && memchr(name, '\0', room) != NULL);
}

static void
expect_port(const struct port_settings *settings)
{
	const char *what = "nothing";

	if (mldv2_host_conf_check(&settings->host, &what) < 0)
		FAIL("%s is out of range", what);
	EXPECT(settings->mtu == 0 || (settings->mtu >= 1280 && settings->mtu <= 65535));
	EXPECT(settings->queues >= 1 && settings->queues <= 16);
	EXPECT(settings->table_entries >= 64 && settings->table_entries <= 1 << 20);
	EXPECT(msf_port_idle_name(settings->idle) != NULL);
	EXPECT(memchr(settings->exception, '\0', sizeof(settings->exception)) != NULL);
	EXPECT(IN6_IS_ADDR_UNSPECIFIED(&settings->link_local) ||
		IN6_IS_ADDR_LINKLOCAL(&settings->link_local));
	EXPECT_LE(settings->n_addresses, MSF_PORT_ADDRESSES_MAX);
	for (unsigned int i = 0; i < settings->n_addresses; i++) {
		EXPECT(msf_port_address_is_usable(&settings->addresses[i].addr));
		EXPECT(settings->addresses[i].prefix_len >= 1 &&
			settings->addresses[i].prefix_len <= 128);
	}
}

/* Each key that can be set while it is in force: it is in its range, and set to what it is it
 * stays so. */
static void
expect_tunables(struct config *config)
{
	struct config_tunable tunable;
	char text[16], right[96];

	for (unsigned int i = 0; config_tunable(i, &tunable); i++) {
		void *settings = tunable.of_port ? (void *)&config->defaults : (void *)&config->msf;
		uint32_t value = config_tunable_get(&tunable, settings);

		if (value < tunable.low || value > tunable.high)
			FAIL("%s is %u", tunable.name, value);
		snprintf(text, sizeof(text), "%u", value);
		EXPECT_EQ(config_tunable_set(&tunable, text, settings, right, sizeof(right)), 0);
		EXPECT_EQ(config_tunable_get(&tunable, settings), value);
	}
}

/* A port that runs with the defaults follows, and then again. */
static void
expect_following(const struct port_settings *wanted)
{
	struct port_settings running;
	struct mldv2_host_conf live;
	char restart[1024] = "", again[1024] = "", none[1024] = "";

	port_settings_init(&running);
	live = running.host;
	config_follow_port(&running, wanted, &live, restart, sizeof(restart));
	EXPECT_EQ(mldv2_host_conf_check(&live, NULL), 0);
	EXPECT_EQ(config_follow_port(&running, wanted, &live, again, sizeof(again)), 0);
	EXPECT_STR(again, restart);
	running = *wanted;
	live = running.host;
	EXPECT_EQ(config_follow_port(&running, wanted, &live, none, sizeof(none)), 0);
	EXPECT_STR(none, "");
}

static void
expect_same(const struct config *a, const struct config *b)
{
	struct msf_conf old = a->msf, live = a->msf;
	char restart[1024] = "";

	EXPECT_EQ(a->n_ports, b->n_ports);
	EXPECT_EQ(a->n_sockets, b->n_sockets);
	EXPECT_EQ(config_follow_msf(&old, &b->msf, &live, restart, sizeof(restart)), 0);
	EXPECT_STR(restart, "");
	for (unsigned int i = 0; i < a->n_ports && i < b->n_ports; i++) {
		struct port_settings settings = a->ports[i].settings;
		struct mldv2_host_conf host = settings.host;

		EXPECT_STR(a->ports[i].name, b->ports[i].name);
		EXPECT_EQ(config_follow_port(&settings, &b->ports[i].settings, &host, restart,
				  sizeof(restart)),
			0);
		EXPECT_STR(restart, "");
	}
	for (unsigned int i = 0; i < a->n_sockets && i < b->n_sockets; i++) {
		EXPECT_STR(a->sockets[i].name, b->sockets[i].name);
		EXPECT_STR(a->sockets[i].sink.text, b->sockets[i].sink.text);
		EXPECT_EQ(a->sockets[i].sink.kind, b->sockets[i].sink.kind);
	}
}

static void
expect_good(struct config *config)
{
	struct msf *msf;

	EXPECT_LE(config->n_ports, CONFIG_PORTS_MAX);
	EXPECT_LE(config->n_sockets, CONFIG_SOCKETS_MAX);
	EXPECT_EQ(msf_create(&msf, &config->msf), 0);
	msf_free(msf);
	expect_port(&config->defaults);
	for (unsigned int i = 0; i < config->n_ports; i++) {
		expect_name(config->ports[i].name, sizeof(config->ports[i].name));
		EXPECT(config->ports[i].line >= 1 && config->ports[i].line <= file.lines);
		expect_port(&config->ports[i].settings);
		expect_following(&config->ports[i].settings);
	}
	for (unsigned int i = 0; i < config->n_sockets; i++) {
		const struct socket_section *socket = &config->sockets[i];

		expect_name(socket->name, sizeof(socket->name));
		expect_name(socket->sink.text, sizeof(socket->sink.text));
		EXPECT(socket->sink.kind < SINK_KINDS);
		EXPECT(config_socket(config, socket->name) == socket);
	}
	expect_tunables(config);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	rte_log_set_global_level(RTE_LOG_EMERG); /* rte_cfgfile tells of each line that is wrong */
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config config, again;
	static struct problems problems, same;

	textfile_write(&file, data, size < TEXT_MAX ? size : TEXT_MAX);
	problems.n = same.n = 0;
	config_read(&config, file.path, &problems);
	config_read(&again, file.path, &same);
	textfile_expect(&file, &problems);
	EXPECT_EQ(problems.n, same.n);
	expect_same(&config, &again);
	if (problems.n == 0)
		expect_good(&config);
	return fuzz_judge();
}
