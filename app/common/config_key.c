/* SPDX-License-Identifier: BSD-3-Clause */
#include "config_key.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum key_type {
	KEY_U8,
	KEY_U32,
	KEY_BOOL,
	KEY_LINK_LOCAL,
	KEY_ADDRESSES,
	KEY_QUERIERS,
	KEY_V1_TRIGGER,
	KEY_IDLE,
	KEY_SSM_RANGE,
	KEY_NAME,
};

struct key {
	const char *name;
	enum key_type type;
	size_t offset;
	uint32_t low, high;
	/* A reload puts it in force; other keys need a restart. With what it is counted in,
	 * /mldv2/tunable does so too. */
	bool live;
	const char *unit;
};

#define PORT(field) offsetof(struct port_settings, field)
#define HOST(field) offsetof(struct port_settings, host.field)

/* In [mldv2] for all ports, in [port N] for one. */
static const struct key port_keys[] = {
	{"mld_always_v2", KEY_BOOL, HOST(always_v2), 0, 1, true, "bool"},
	{"robustness", KEY_U8, HOST(robustness), 2, 7, true, "number"},
	{"learn_robustness", KEY_BOOL, HOST(learn_robustness), 0, 1, true, "bool"},
	{"query_interval_s", KEY_U32, HOST(query_interval_s), 1, 31744, true, "s"},
	{"query_response_interval_ms", KEY_U32, HOST(query_response_interval_ms), 1, 8387584, true,
		"ms"},
	{"unsolicited_report_interval_ms", KEY_U32, HOST(unsolicited_report_interval_ms), 1, 60000,
		true, "ms"},
	{"v1_unsolicited_report_interval_ms", KEY_U32, HOST(v1_unsolicited_report_interval_ms), 1,
		60000, true, "ms"},
	{"v1_trigger", KEY_V1_TRIGGER, HOST(v1_trigger_any), 0, 1, true, "bool"},
	{"answer_rate", KEY_U32, HOST(answer_rate), 0, 1000000, true, "Reports/s"},
	{"max_response_delay_floor_ms", KEY_U32, HOST(max_response_delay_floor_ms), 0, 60000, true,
		"ms"},
	{"querier_allow", KEY_QUERIERS, HOST(querier_allow), 0, 0, true, NULL},
	{"solicited_node", KEY_BOOL, PORT(solicited_node), 0, 1, false, NULL},
	{"duplicate_address_detection", KEY_BOOL, PORT(duplicate_address_detection), 0, 1, false,
		NULL},
	{"neighbour_advertisements", KEY_BOOL, PORT(neighbour_advertisements), 0, 1, false, NULL},
	{"echo", KEY_BOOL, PORT(echo), 0, 1, false, NULL},
	{"table_entries", KEY_U32, PORT(table_entries), 64, 1 << 20, false, NULL},
	{"idle", KEY_IDLE, PORT(idle), 0, 0, false, NULL},
	{"leave_on_exit", KEY_BOOL, PORT(leave_on_exit), 0, 1, true, NULL},
	{0},
};

/* In [port N] only. */
static const struct key own_keys[] = {
	{"enabled", KEY_BOOL, PORT(enabled), 0, 1, false, NULL},
	{"link_local", KEY_LINK_LOCAL, PORT(link_local), 0, 0, false, NULL},
	{"address", KEY_ADDRESSES, 0, 0, 0, false, NULL},
	{"mtu", KEY_U32, PORT(mtu), 1280, 65535, false, NULL},
	{"queues", KEY_U32, PORT(queues), 1, 16, false, NULL},
	{"exception", KEY_NAME, PORT(exception), 0, 0, false, NULL},
	{0},
};

/* In [mldv2] only. */
static const struct key msf_keys[] = {
	{"mld_maxsrcfilter", KEY_U32, offsetof(struct msf_conf, mld_maxsrcfilter), 1, 65535, true,
		"sources"},
	{"mld_somaxsrc", KEY_U32, offsetof(struct msf_conf, mld_somaxsrc), 1, 65535, true,
		"sources"},
	{"mem_msfilter_limit", KEY_U32, offsetof(struct msf_conf, mem_msfilter_limit), 0,
		UINT32_MAX, true, "octets"},
	{"mem_ip_moptions_limit", KEY_U32, offsetof(struct msf_conf, mem_ip_moptions_limit), 0,
		UINT32_MAX, true, "octets"},
	{"ssm_range", KEY_SSM_RANGE, offsetof(struct msf_conf, ssm_range), 0, 0, false, NULL},
	{"ssm_exclude", KEY_BOOL, offsetof(struct msf_conf, ssm_exclude), 0, 1, false, NULL},
	{0},
};

static const struct key *
find_key(const struct key *keys, const char *name)
{
	for (; keys->name != NULL; keys++)
		if (strcmp(keys->name, name) == 0)
			return keys;
	return NULL;
}

void
port_settings_init(struct port_settings *settings)
{
	*settings = (struct port_settings){
		.enabled = true,
		.leave_on_exit = true,
		.table_entries = 65536,
		.solicited_node = true,
		.duplicate_address_detection = true,
		.neighbour_advertisements = true,
		.echo = true,
		.queues = 1,
	};
	mldv2_host_conf_init(&settings->host);
}

void
port_settings_fill(const struct port_settings *settings, struct msf_port_conf *conf)
{
	conf->entries = settings->table_entries;
	conf->link_local = settings->link_local;
	memcpy(conf->addresses, settings->addresses, sizeof(conf->addresses));
	conf->n_addresses = settings->n_addresses;
	conf->host = settings->host;
	conf->solicited_node = settings->solicited_node;
	conf->duplicate_address_detection = settings->duplicate_address_detection;
	conf->neighbour_advertisements = settings->neighbour_advertisements;
	conf->echo = settings->echo;
}

const struct key *
config_key_of_port(const char *name, bool own)
{
	const struct key *key = find_key(port_keys, name);

	return key != NULL || !own ? key : find_key(own_keys, name);
}

const struct key *
config_key_of_msf(const char *name)
{
	return find_key(msf_keys, name);
}

static bool
parse_number(const char *text, uint32_t *ret_number)
{
	char *end;
	unsigned long long number;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno != 0 || *end != '\0' || number > UINT32_MAX)
		return false;
	*ret_number = number;
	return true;
}

static bool
parse_bool(const char *text, bool *ret_value)
{
	static const char *const words[][2] = {
		{"0", "1"}, {"no", "yes"}, {"false", "true"}, {"off", "on"}};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		for (int value = 0; value < 2; value++) {
			if (strcmp(text, words[i][value]) == 0) {
				*ret_value = value;
				return true;
			}
		}
	}
	return false;
}

static bool
parse_idle(const char *text, enum msf_port_idle *ret_idle)
{
	for (int i = MSF_PORT_POLL; i <= MSF_PORT_INTERRUPT; i++) {
		if (strcmp(text, msf_port_idle_name(i)) == 0) {
			*ret_idle = i;
			return true;
		}
	}
	return false;
}

/* ADDRESS/LENGTH. */
static bool
parse_prefix(const char *text, struct in6_addr *ret_addr, uint32_t *ret_len)
{
	char addr[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');

	if (slash == NULL || (size_t)(slash - text) >= sizeof(addr))
		return false;
	memcpy(addr, text, slash - text);
	addr[slash - text] = '\0';
	return inet_pton(AF_INET6, addr, ret_addr) == 1 && parse_number(slash + 1, ret_len) &&
		*ret_len <= 128;
}

static bool
parse_range(const char *text, struct mldv2_ssm_range *ret_range)
{
	uint32_t len;

	if (!parse_prefix(text, &ret_range->prefix, &len) || len < 8 ||
		!IN6_IS_ADDR_MULTICAST(&ret_range->prefix))
		return false;
	ret_range->len = len;
	return true;
}

static bool
has_address(const struct port_settings *settings, const struct in6_addr *addr)
{
	for (unsigned int i = 0; i < settings->n_addresses; i++)
		if (memcmp(&settings->addresses[i].addr, addr, sizeof(*addr)) == 0)
			return true;
	return false;
}

/* ADDRESS/LENGTH and more of them, behind commas or blanks. */
static bool
parse_addresses(const char *text, struct port_settings *settings)
{
	char copy[CONFIG_VALUE_MAX], *rest = NULL, *word;

	snprintf(copy, sizeof(copy), "%s", text);
	settings->n_addresses = 0;
	for (word = strtok_r(copy, ", \t", &rest); word != NULL;
		word = strtok_r(NULL, ", \t", &rest)) {
		struct in6_addr addr;
		uint32_t len;

		if (settings->n_addresses == MSF_PORT_ADDRESSES_MAX ||
			!parse_prefix(word, &addr, &len) || len < 1 ||
			!msf_port_address_is_usable(&addr) || has_address(settings, &addr))
			return false;
		settings->addresses[settings->n_addresses++] =
			(struct msf_port_address){.addr = addr, .prefix_len = len};
	}
	return settings->n_addresses > 0;
}

/* Link-local addresses behind commas or blanks, or "any". */
static bool
parse_queriers(const char *text, struct mldv2_querier_allow *allow)
{
	char copy[CONFIG_VALUE_MAX], *rest = NULL, *word;

	snprintf(copy, sizeof(copy), "%s", text);
	*allow = (struct mldv2_querier_allow){0};
	if (strcmp(text, "any") == 0)
		return true;
	for (word = strtok_r(copy, ", \t", &rest); word != NULL;
		word = strtok_r(NULL, ", \t", &rest)) {
		struct in6_addr addr;

		if (allow->n == MLDV2_QUERIER_ALLOW_MAX || inet_pton(AF_INET6, word, &addr) != 1 ||
			!IN6_IS_ADDR_LINKLOCAL(&addr))
			return false;
		allow->addrs[allow->n++] = addr;
	}
	return allow->n > 0;
}

bool
config_key_set(const struct key *key, const char *text, void *base, char *right, size_t size)
{
	void *place = (char *)base + key->offset;
	uint32_t number = 0;

	switch (key->type) {
	case KEY_BOOL:
		snprintf(right, size, "yes or no");
		return parse_bool(text, place);
	case KEY_V1_TRIGGER:
		snprintf(right, size, "general or any");
		*(bool *)place = strcmp(text, "any") == 0;
		return strcmp(text, "any") == 0 || strcmp(text, "general") == 0;
	case KEY_IDLE:
		snprintf(right, size, "poll, sleep or interrupt");
		return parse_idle(text, place);
	case KEY_LINK_LOCAL:
		snprintf(right, size, "an address in fe80::/10");
		return inet_pton(AF_INET6, text, place) == 1 &&
			IN6_IS_ADDR_LINKLOCAL((struct in6_addr *)place);
	case KEY_ADDRESSES:
		snprintf(right, size,
			"up to %d different ADDRESS/LENGTH of nodes, none in fe80::/10",
			MSF_PORT_ADDRESSES_MAX);
		return parse_addresses(text, base);
	case KEY_QUERIERS:
		snprintf(right, size, "any, or up to %d addresses in fe80::/10",
			MLDV2_QUERIER_ALLOW_MAX);
		return parse_queriers(text, place);
	case KEY_SSM_RANGE:
		snprintf(right, size, "a multicast PREFIX/LENGTH, 8 to 128 bits");
		return parse_range(text, place);
	case KEY_NAME:
		snprintf(right, size, "a port id or a device name");
		return snprintf(place, CONFIG_NAME_MAX, "%s", text) < CONFIG_NAME_MAX;
	case KEY_U8:
	case KEY_U32:
		break;
	}
	snprintf(right, size, "%u to %u", key->low, key->high);
	if (!parse_number(text, &number) || number < key->low || number > key->high)
		return false;
	if (key->type == KEY_U8)
		*(uint8_t *)place = number;
	else
		*(uint32_t *)place = number;
	return true;
}

static bool
addresses_are_same(const struct port_settings *a, const struct port_settings *b)
{
	for (unsigned int i = 0; i < a->n_addresses && i < b->n_addresses; i++)
		if (memcmp(&a->addresses[i].addr, &b->addresses[i].addr, sizeof(struct in6_addr)) !=
				0 ||
			a->addresses[i].prefix_len != b->addresses[i].prefix_len)
			return false;
	return a->n_addresses == b->n_addresses;
}

/* Octets of a value. */
static size_t
size_of(enum key_type type)
{
	switch (type) {
	case KEY_U8:
		return sizeof(uint8_t);
	case KEY_BOOL:
	case KEY_V1_TRIGGER:
		return sizeof(bool);
	case KEY_IDLE:
		return sizeof(enum msf_port_idle);
	case KEY_LINK_LOCAL:
		return sizeof(struct in6_addr);
	case KEY_NAME:
		return CONFIG_NAME_MAX;
	case KEY_QUERIERS:
		return sizeof(struct mldv2_querier_allow);
	default:
		return sizeof(uint32_t);
	}
}

static bool
is_same(const struct key *key, const void *a, const void *b)
{
	const void *x = (const char *)a + key->offset, *y = (const char *)b + key->offset;
	const struct mldv2_ssm_range *r = x, *q = y;

	switch (key->type) {
	case KEY_ADDRESSES:
		return addresses_are_same(a, b);
	case KEY_SSM_RANGE:
		return r->len == q->len && memcmp(&r->prefix, &q->prefix, sizeof(r->prefix)) == 0;
	case KEY_NAME:
		return strcmp(x, y) == 0;
	default:
		return memcmp(x, y, size_of(key->type)) == 0;
	}
}

/* `live` has the values behind `shift` at `shift` octets less than their places in `old` and
 * `new`; those before it are the program's alone. */
static unsigned int
follow(const struct key *keys, void *old, const void *new, void *live, size_t shift, char *restart,
	size_t size)
{
	unsigned int n = 0;

	for (; keys->name != NULL; keys++) {
		const char *value = (const char *)new + keys->offset;
		size_t used = strlen(restart);

		if (is_same(keys, old, new))
			continue;
		if (keys->live) {
			memcpy((char *)old + keys->offset, value, size_of(keys->type));
			if (keys->offset >= shift)
				memcpy((char *)live + keys->offset - shift, value,
					size_of(keys->type));
			n++;
		} else {
			snprintf(restart + used, size - used, "%s%s", used > 0 ? ", " : "",
				keys->name);
		}
	}
	return n;
}

unsigned int
config_follow_port(struct port_settings *old, const struct port_settings *new,
	struct mldv2_host_conf *live, char *restart, size_t size)
{
	size_t shift = offsetof(struct port_settings, host);
	unsigned int n = follow(port_keys, old, new, live, shift, restart, size);

	return n + follow(own_keys, old, new, live, shift, restart, size);
}

unsigned int
config_follow_msf(struct msf_conf *old, const struct msf_conf *new, struct msf_conf *live,
	char *restart, size_t size)
{
	return follow(msf_keys, old, new, live, 0, restart, size);
}

static const struct key *
tunable_key(unsigned int i, bool *ret_of_port)
{
	const struct key *const lists[] = {msf_keys, port_keys};

	for (int list = 0; list < 2; list++) {
		for (const struct key *key = lists[list]; key->name != NULL; key++) {
			if (key->unit == NULL || i-- > 0)
				continue;
			*ret_of_port = lists[list] == port_keys;
			return key;
		}
	}
	return NULL;
}

bool
config_tunable(unsigned int i, struct config_tunable *ret_tunable)
{
	const struct key *key = tunable_key(i, &ret_tunable->of_port);

	if (key == NULL)
		return false;
	ret_tunable->key = key;
	ret_tunable->name = key->name;
	ret_tunable->unit = key->unit;
	ret_tunable->low = key->low;
	ret_tunable->high = key->high;
	return true;
}

uint32_t
config_tunable_get(const struct config_tunable *tunable, const void *settings)
{
	const void *place = (const char *)settings + tunable->key->offset;

	return size_of(tunable->key->type) == sizeof(uint8_t) ? *(const uint8_t *)place
							      : *(const uint32_t *)place;
}

int
config_tunable_set(const struct config_tunable *tunable, const char *value, void *settings,
	char *right, size_t size)
{
	static const char *const triggers[] = {"general", "any"};

	if (tunable->key->type == KEY_V1_TRIGGER && (value[0] == '0' || value[0] == '1') &&
		value[1] == '\0')
		value = triggers[value[0] - '0'];
	return config_key_set(tunable->key, value, settings, right, size) ? 0 : -EINVAL;
}
