/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Octets as telemetry commands: lines of a name, a comma and parameters, or of an octet that
 * chooses the command, and parameters. Every reply is there, with strings that the server prints whole and as JSON,
 * and short enough to be sent at once; what refuses has changed nothing; nothing that was
 * allocated for a reply is lost; no line of the log, at level debug, has anything but text.
 *
 * The program is linked with wraps around the functions that register commands and make replies.
 */
#include "fuzz.h"

#include <rte_telemetry.h>

#include "../dpdk/port_rig.h"
#include "tunable.h"

#define COMMANDS_MAX 64
#define LINES_MAX    16
#define PARTS_MAX    4096
#define REPLY_MAX    16384 /* the server cuts what is longer */

struct rte_tel_data *__real_rte_tel_data_alloc(void);
void __real_rte_tel_data_free(struct rte_tel_data *data);
int __real_rte_tel_data_start_dict(struct rte_tel_data *data);
int __real_rte_tel_data_start_array(struct rte_tel_data *data, enum rte_tel_value_type type);
int __real_rte_tel_data_add_dict_string(
	struct rte_tel_data *data, const char *name, const char *value);
int __real_rte_tel_data_add_dict_int(struct rte_tel_data *data, const char *name, int64_t value);
int __real_rte_tel_data_add_array_string(struct rte_tel_data *data, const char *value);
int __real_rte_tel_data_add_dict_container(
	struct rte_tel_data *data, const char *name, struct rte_tel_data *part, int keep);

int __wrap_rte_telemetry_register_cmd(const char *name, telemetry_cb run, const char *help);
struct rte_tel_data *__wrap_rte_tel_data_alloc(void);
void __wrap_rte_tel_data_free(struct rte_tel_data *data);
int __wrap_rte_tel_data_start_dict(struct rte_tel_data *data);
int __wrap_rte_tel_data_start_array(struct rte_tel_data *data, enum rte_tel_value_type type);
int __wrap_rte_tel_data_add_dict_string(
	struct rte_tel_data *data, const char *name, const char *value);
int __wrap_rte_tel_data_add_dict_int(struct rte_tel_data *data, const char *name, int64_t value);
int __wrap_rte_tel_data_add_array_string(struct rte_tel_data *data, const char *value);
int __wrap_rte_tel_data_add_dict_container(
	struct rte_tel_data *data, const char *name, struct rte_tel_data *part, int keep);

static struct rig rig;

/* The commands, as the libraries register them. */

static struct {
	const char *name;
	telemetry_cb run;
} commands[COMMANDS_MAX];
static unsigned int n_commands;

int
__wrap_rte_telemetry_register_cmd(const char *name, telemetry_cb run, const char *help)
{
	EXPECT(help != NULL && n_commands < COMMANDS_MAX);
	commands[n_commands].name = name;
	commands[n_commands++].run = run;
	return 0;
}

/* Parts of the reply that is being made. The first is the reply itself. */

static struct part {
	struct rte_tel_data *data;
	bool started, added;
} parts[PARTS_MAX];
static unsigned int n_parts;
static size_t reply_size;    /* at least */
static int64_t reply_result; /* of what changes something */
static const char *reply_errno, *reply_message;
static uint64_t state; /* digest(), after the command before */

static struct part *
part_of(const struct rte_tel_data *data)
{
	for (unsigned int i = n_parts; i > 0; i--)
		if (parts[i - 1].data == data)
			return &parts[i - 1];
	FAIL("data that nobody allocated");
	abort();
}

/* The server prints what it gets, and cuts strings to their room. */
static void
expect_string(const char *text)
{
	EXPECT_LT(strlen(text), RTE_TEL_MAX_STRING_LEN);
	for (const char *c = text; *c != '\0'; c++)
		if (*c < ' ' || *c > '~' || *c == '"' || *c == '\\') {
			FAIL("octet %02x in a string of a reply", (unsigned char)*c);
			break;
		}
	reply_size += strlen(text) + 3; /* quotes and a comma */
}

struct rte_tel_data *
__wrap_rte_tel_data_alloc(void)
{
	struct rte_tel_data *data = __real_rte_tel_data_alloc();

	if (n_parts == PARTS_MAX || data == NULL)
		abort();
	parts[n_parts++] = (struct part){.data = data};
	return data;
}

void
__wrap_rte_tel_data_free(struct rte_tel_data *data)
{
	struct part *part;

	if (data == NULL)
		return;
	part = part_of(data);
	EXPECT(!part->added);
	*part = parts[--n_parts];
	__real_rte_tel_data_free(data);
}

static void
start(struct rte_tel_data *data)
{
	struct part *part = part_of(data);

	EXPECT(!part->started);
	part->started = true;
	reply_size += 3;
}

int
__wrap_rte_tel_data_start_dict(struct rte_tel_data *data)
{
	start(data);
	return __real_rte_tel_data_start_dict(data);
}

int
__wrap_rte_tel_data_start_array(struct rte_tel_data *data, enum rte_tel_value_type type)
{
	start(data);
	return __real_rte_tel_data_start_array(data, type);
}

/* What has no room is left out, and nobody would know. */
static int
added(int ret, const char *name)
{
	if (ret < 0)
		FAIL("%s: %d when it was added to a reply", name, ret);
	return ret;
}

int
__wrap_rte_tel_data_add_dict_string(struct rte_tel_data *data, const char *name, const char *value)
{
	expect_string(name);
	expect_string(value);
	if (strcmp(name, "errno") == 0)
		reply_errno = value;
	if (strcmp(name, "message") == 0)
		reply_message = value;
	return added(__real_rte_tel_data_add_dict_string(data, name, value), name);
}

int
__wrap_rte_tel_data_add_dict_int(struct rte_tel_data *data, const char *name, int64_t value)
{
	expect_string(name);
	if (data == parts[0].data && strcmp(name, "result") == 0)
		reply_result = value;
	return added(__real_rte_tel_data_add_dict_int(data, name, value), name);
}

int
__wrap_rte_tel_data_add_array_string(struct rte_tel_data *data, const char *value)
{
	expect_string(value);
	return added(__real_rte_tel_data_add_array_string(data, value), value);
}

int
__wrap_rte_tel_data_add_dict_container(
	struct rte_tel_data *data, const char *name, struct rte_tel_data *part, int keep)
{
	int ret = __real_rte_tel_data_add_dict_container(data, name, part, keep);

	expect_string(name);
	EXPECT(part_of(part)->started && part != data);
	part_of(part)->added = ret == 0;
	return added(ret, name);
}

/* The log. */

static ssize_t
log_write(void *opaque, const char *text, size_t size)
{
	(void)opaque;
	for (size_t i = 0; i < size; i++)
		if (text[i] != '\n' && (text[i] < ' ' || text[i] > '~')) {
			FAIL("octet %02x in the log", (unsigned char)text[i]);
			break;
		}
	return size;
}

/* What may not change when a command refuses. */

static int
visit(void *opaque, const struct msf_entry *entry)
{
	uint64_t *sum = opaque;
	uint64_t numbers[] = {entry->socket, entry->ifindex, entry->mode, entry->n_sources};
	const uint8_t *pieces[] = {(const uint8_t *)numbers, entry->group.s6_addr,
		(const uint8_t *)entry->name, (const uint8_t *)entry->sources};
	size_t sizes[] = {sizeof(numbers), entry->ifindex > 0 ? 16 : 0, strlen(entry->name),
		entry->ifindex > 0 ? 16 * entry->n_sources : 0};

	for (int i = 0; i < 4; i++)
		for (size_t j = 0; j < sizes[i]; j++)
			*sum = (*sum ^ pieces[i][j]) * UINT64_C(0x100000001b3);
	return 0;
}

/* Sockets with their filters, the settings, the levels of the log. */
static uint64_t
digest(void)
{
	uint64_t sum = 1;
	struct config_tunable tunable;
	struct port_settings settings;
	struct msf_conf conf;

	msf_walk(rig.msf, visit, &sum);
	msf_get_conf(rig.msf, &conf);
	msf_port_get_host(rig.port, &settings.host, NULL);
	for (unsigned int i = 0; config_tunable(i, &tunable); i++)
		sum = sum * 31 +
			config_tunable_get(
				&tunable, tunable.of_port ? (void *)&settings : (void *)&conf);
	for (int i = 0; i < LOG_AREAS; i++)
		sum = sum * 31 + rte_log_get_level(log_area_type(i));
	return sum;
}

/* Whose settings /mldv2/tunable changes. */

static struct mldv2_host_conf of_all;

static struct msf_port *
port_number(unsigned int i)
{
	return i == 0 ? rig.port : NULL;
}

static const struct tunable_target *
hold(void)
{
	static struct tunable_target target;

	target = (struct tunable_target){rig.msf, &of_all, port_number};
	return &target;
}

static void
release(void)
{
}

static void
stop(void)
{
	msf_telemetry_stop();
	rte_openlog_stream(NULL);
	rig_free(&rig);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const struct tunable_owner owner = {hold, release};
	cookie_io_functions_t log = {.write = log_write};
	FILE *stream = fopencookie(NULL, "w", log);

	(void)argc;
	(void)argv;
	rig = rig_create("fuzz_telemetry", NULL);
	setvbuf(stream, NULL, _IOLBF, 512);
	rte_openlog_stream(stream);
	rte_log_set_global_level(RTE_LOG_DEBUG);
	rig_run(&rig, 100);
	EXPECT_EQ(msf_telemetry_start(rig.msf, true), 0);
	EXPECT_EQ(tunable_register(&owner, true), 0);
	EXPECT_LT(20, n_commands);
	atexit(stop);
	return fuzz_judge();
}

/* The world as every input finds it: four sockets, no filters, all settings as at first. */
static void
begin(void)
{
	struct mldv2_host_conf host;
	struct msf_conf conf;

	msf_conf_init(&conf);
	mldv2_host_conf_init(&host);
	of_all = host;
	EXPECT_EQ(msf_set_conf(rig.msf, &conf), 0);
	EXPECT_EQ(msf_port_set_host_conf(rig.port, &host), 0);
	EXPECT_EQ(msf_close_all(rig.msf), 0);
	for (int i = 0; i < LOG_AREAS; i++)
		rte_log_set_level(log_area_type(i), RTE_LOG_NOTICE);
	for (int i = 0; i < 4; i++) {
		char name[] = {'s', '0' + i, '\0'};

		EXPECT_LE(0, msf_socket_open(rig.msf, name));
	}
	state = digest();
}

static void
command(unsigned int number, const char *params)
{
	struct rte_tel_data *reply;
	uint64_t before = state;

	n_parts = 0;
	reply_size = 0;
	reply_result = 0;
	reply_errno = reply_message = NULL;
	reply = __wrap_rte_tel_data_alloc();
	EXPECT_EQ(commands[number].run(commands[number].name, params, reply), 0);
	EXPECT(parts[0].started); /* else the server says null */
	EXPECT_LT(reply_size, REPLY_MAX);
	state = digest();
	if (reply_result < 0) {
		EXPECT(reply_errno != NULL && reply_message != NULL);
		EXPECT(state == before);
	}
	for (unsigned int i = 0; i < n_parts; i++) {
		if (i > 0 && !parts[i].added)
			FAIL("%s: part %u of a reply is lost", commands[number].name, i);
		__real_rte_tel_data_free(parts[i].data);
	}
	n_parts = 0;
}

/* The control thread works on, and what it sends is thrown away. */
static void
work(void)
{
	struct rte_mbuf *mbufs[64];
	uint16_t n;

	msf_port_process(rig.port, rig.now_ms += 200);
	while ((n = rte_eth_rx_burst(0, 0, mbufs, 64)) > 0)
		rte_pktmbuf_free_bulk(mbufs, n);
	rte_rcu_qsbr_quiescent(rig_qsbr, 0);
}

/* Names that are none are the server's business. */
static void
run_line(char *line)
{
	char *params = &line[1];

	if (line[0] == '/') {
		params = line;
		strsep(&params, ",");
		for (unsigned int i = 0; i < n_commands; i++)
			if (strcmp(commands[i].name, line) == 0)
				command(i, params);
	} else if (line[0] != '\0') {
		command((uint8_t)line[0] % n_commands, params[0] != '\0' ? params : NULL);
	}
	work();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_alloc(size + 1), *rest = text, *line;

	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	begin();
	for (int i = 0; i < LINES_MAX && (line = strsep(&rest, "\n")) != NULL; i++)
		run_line(line);
	free(text);
	return fuzz_judge();
}
