/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What `dpdk-testpmd -d` loads. EAL is not up yet then, so only two telemetry commands are
 * registered; the first attach makes everything else.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_telemetry.h>
#include <rte_version.h>

#include "attached.h"
#include "ethdev_name.h"
#include "tunable.h"

#define ATTACH_USAGE "port[,tx_queue=N][,KEY=VALUE...] with the keys of [port N]"
#define DETACH_USAGE "port[,leave=no]"
#define WORDS_MAX    64

/* Parameters, apart. */
struct words {
	char text[1024];
	char *word[WORDS_MAX];
	unsigned int n;
};

static int __attribute__((format(printf, 3, 4)))
refuse(struct rte_tel_data *data, int error, const char *format, ...)
{
	char message[RTE_TEL_MAX_STRING_LEN];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	return msf_telemetry_result(data, error, message);
}

static void
split(const char *params, struct words *words)
{
	char *rest = words->text;

	words->n = 0;
	snprintf(words->text, sizeof(words->text), "%s", params != NULL ? params : "");
	while (words->text[0] != '\0' && rest != NULL && words->n < WORDS_MAX)
		words->word[words->n++] = strsep(&rest, ",");
}

/* The port's id, or -1 and the answer is given. */
static int
take_port(const struct words *words, const char *usage, struct rte_tel_data *data)
{
	char names[64];
	int id;

	if (words->n == 0) {
		refuse(data, -EINVAL, "no parameters given, expected: %s", usage);
		return -1;
	}
	id = ethdev_find(words->word[0]);
	if (id < 0) {
		ethdev_list(names, sizeof(names));
		refuse(data, -ENODEV, "no port %.40s, there are %s", words->word[0], names);
	}
	return id;
}

/* "KEY=VALUE" in two; false: there is no '='. */
static bool
part(char *word, char **ret_value)
{
	char *at = strchr(word, '=');

	if (at == NULL)
		return false;
	*at = '\0';
	*ret_value = at + 1;
	return true;
}

static bool
parse_queue(const char *value, uint16_t *ret_queue)
{
	char *end;
	unsigned long number = strtoul(value, &end, 10);

	if (value[0] < '0' || value[0] > '9' || *end != '\0' || number >= ATTACH_TX_QUEUE_ANY)
		return false;
	*ret_queue = number;
	return true;
}

/* What the program itself decides is none of ours to set. */
static bool
is_programs(const char *name)
{
	static const char *const names[] = {
		"enabled", "exception", "idle", "leave_on_exit", "mtu", "queues"};

	for (size_t i = 0; i < RTE_DIM(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* true, or the answer is given. */
static bool
take_option(char *word, struct attach_conf *conf, struct rte_tel_data *data)
{
	const struct key *key;
	char right[96] = "a number of a tx queue", *value;
	bool good;

	if (!part(word, &value)) {
		refuse(data, -EINVAL, "not KEY=VALUE: %.40s, expected: " ATTACH_USAGE, word);
		return false;
	}
	key = is_programs(word) ? NULL : config_key_of_port(word, true);
	if (strcmp(word, "tx_queue") == 0) {
		good = parse_queue(value, &conf->tx_queue);
	} else if (key != NULL) {
		good = config_key_set(key, value, &conf->settings, right, sizeof(right));
	} else {
		refuse(data, -EINVAL, "no such key: %.40s, expected: " ATTACH_USAGE, word);
		return false;
	}
	if (!good)
		refuse(data, -EINVAL, "%s: cannot be %.30s, expected %s", word, value, right);
	return good;
}

/* Tunables: those of all ports hold for ports to come, too. */
static struct mldv2_host_conf tuned_for_all;

static const struct tunable_target *
hold_tunables(void)
{
	static struct tunable_target target = {.of_all = &tuned_for_all, .port = attached_port};

	attached_hold();
	target.msf = attached_msf();
	return target.msf != NULL ? &target : NULL;
}

static const struct tunable_owner tunable_owner = {hold_tunables, attached_release};

static int
on_attach(const char *command, const char *params, struct rte_tel_data *data)
{
	struct attach_conf conf = {.tx_queue = ATTACH_TX_QUEUE_ANY};
	struct attached_as as;
	struct words words;
	char why[RTE_TEL_MAX_STRING_LEN] = "";
	int id, ret;

	(void)command;
	if (rte_eal_process_type() != RTE_PROC_PRIMARY)
		return refuse(data, -ENOTSUP, "ports are attached in the primary process");
	split(params, &words);
	id = take_port(&words, ATTACH_USAGE, data);
	if (id < 0)
		return 0;
	conf.port_id = id;
	port_settings_init(&conf.settings);
	conf.settings.host = tuned_for_all;
	for (unsigned int i = 1; i < words.n; i++)
		if (!take_option(words.word[i], &conf, data))
			return 0;
	ret = attach(&conf, &as, why, sizeof(why));
	msf_telemetry_result(data, ret, why);
	if (ret == 0) {
		rte_tel_data_add_dict_int(data, "port", id);
		rte_tel_data_add_dict_int(data, "rx_queues", as.rx_queues);
		rte_tel_data_add_dict_int(data, "tx_queue", as.tx_queue);
	}
	return 0;
}

static int
on_detach(const char *command, const char *params, struct rte_tel_data *data)
{
	struct words words;
	char why[RTE_TEL_MAX_STRING_LEN] = "", *value;
	bool leave = true;
	int id;

	(void)command;
	split(params, &words);
	id = take_port(&words, DETACH_USAGE, data);
	if (id < 0)
		return 0;
	for (unsigned int i = 1; i < words.n; i++) {
		if (!part(words.word[i], &value) || strcmp(words.word[i], "leave") != 0 ||
			(strcmp(value, "no") != 0 && strcmp(value, "yes") != 0))
			return refuse(
				data, -EINVAL, "%.40s: expected: " DETACH_USAGE, words.word[i]);
		leave = strcmp(value, "yes") == 0;
	}
	return msf_telemetry_result(data, detach(id, leave, why, sizeof(why)), why);
}

/* A plugin for one DPDK, loaded by a program that uses another, brings a second EAL along,
 * which never comes up. */
static bool
is_of_this_program(void)
{
	void *theirs = dlsym(RTLD_DEFAULT, "rte_eal_init");

	if (theirs == NULL || theirs == (void *)(uintptr_t)rte_eal_init)
		return true;
	fprintf(stderr,
		"mldv2: this plugin is for %s, and the program uses another DPDK: build it for "
		"that\n",
		rte_version());
	return false;
}

RTE_INIT(plugin_load)
{
	if (!is_of_this_program())
		return;
	mldv2_host_conf_init(&tuned_for_all);
	if (rte_telemetry_register_cmd("/mldv2/attach", on_attach,
		    "Put a port under MLD. Parameters: " ATTACH_USAGE) < 0 ||
		rte_telemetry_register_cmd("/mldv2/detach", on_detach,
			"Take it away again. Parameters: " DETACH_USAGE) < 0 ||
		tunable_register(&tunable_owner, true) < 0)
		fprintf(stderr,
			"mldv2: telemetry commands cannot be registered: is the plugin "
			"loaded twice?\n");
}
