/* SPDX-License-Identifier: BSD-3-Clause */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_file.h"

void
config_init(struct config *config)
{
	*config = (struct config){0};
	port_settings_init(&config->defaults);
	msf_conf_init(&config->msf);
}

/* An entry being read, and where complaints go. */
struct reader {
	struct config *config;
	const char *file;
	const struct config_entry *entry;
	struct problems *problems;
};

static int
complain(struct reader *reader, const char *what, const char *right)
{
	const struct config_entry *entry = reader->entry;

	problems_add(reader->problems, reader->file, entry->line, "%s: %s%s%s",
		entry->key[0] != '\0' ? entry->key : entry->section, what,
		right != NULL ? ", expected " : "", right != NULL ? right : "");
	return -1;
}

static int
set(struct reader *reader, const struct key *key, void *base)
{
	char right[96], what[CONFIG_VALUE_MAX + 32];

	if (config_key_set(key, reader->entry->value, base, right, sizeof(right)))
		return 0;
	snprintf(what, sizeof(what), "cannot be %s", reader->entry->value);
	return complain(reader, what, right);
}

static int
read_mldv2(struct reader *reader)
{
	const struct key *key = config_key_of_port(reader->entry->key, false);

	if (key != NULL)
		return set(reader, key, &reader->config->defaults);
	key = config_key_of_msf(reader->entry->key);
	if (key != NULL)
		return set(reader, key, &reader->config->msf);
	return complain(reader, "no such key in [mldv2]", NULL);
}

static int
read_port(struct reader *reader, const char *name)
{
	struct config *config = reader->config;
	struct port_section *port;

	if (reader->entry->key[0] == '\0') {
		if (config->n_ports == CONFIG_PORTS_MAX)
			return complain(reader, "too many ports", NULL);
		port = &config->ports[config->n_ports++];
		snprintf(port->name, sizeof(port->name), "%s", name);
		port->port_id = -1;
		port->line = reader->entry->line;
		port->settings = config->defaults;
		return 0;
	}
	port = &config->ports[config->n_ports - 1];
	if (strcmp(reader->entry->key, "queues") == 0)
		port->queues_line = reader->entry->line;
	if (strcmp(reader->entry->key, "exception") == 0)
		port->exception_line = reader->entry->line;
	if (strcmp(reader->entry->key, "mtu") == 0)
		port->mtu_line = reader->entry->line;

	const struct key *key = config_key_of_port(reader->entry->key, true);

	if (key == NULL)
		return complain(reader, "no such key in [port N]", NULL);
	return set(reader, key, &port->settings);
}

static int
read_socket(struct reader *reader, const char *name)
{
	struct config *config = reader->config;
	const struct config_entry *entry = reader->entry;
	struct socket_section *socket;
	char why[160];

	if (entry->key[0] == '\0') {
		if (config->n_sockets == CONFIG_SOCKETS_MAX)
			return complain(reader, "too many sockets", NULL);
		if (strlen(name) > MSF_NAME_MAX ||
			strspn(name,
				"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				"0123456789_-") != strlen(name))
			return complain(reader, "not a socket name", "1 to 32 of A-Z a-z 0-9 _ -");
		socket = &config->sockets[config->n_sockets++];
		strcpy(socket->name, name);
		socket->line = socket->sink_line = entry->line;
		return sink_parse(&socket->sink, "count", why, sizeof(why));
	}
	if (strcmp(entry->key, "sink") != 0)
		return complain(reader, "no such key in [socket NAME]", "sink");
	socket = &config->sockets[config->n_sockets - 1];
	socket->sink_line = entry->line;
	return sink_parse(&socket->sink, entry->value, why, sizeof(why)) < 0
		? complain(reader, why, NULL)
		: 0;
}

/* A name behind a word and a blank: "port 0" is 0. NULL when the word differs. */
static const char *
name_behind(const char *section, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(section, word, len) != 0 || section[len] != ' ')
		return NULL;
	section += len + strspn(section + len, " ");
	return section[0] != '\0' ? section : NULL;
}

static int
read_entry(struct reader *reader)
{
	const char *section = reader->entry->section, *name;

	if (strcmp(section, "mldv2") == 0)
		return reader->entry->key[0] != '\0' ? read_mldv2(reader) : 0;
	name = name_behind(section, "port");
	if (name != NULL)
		return read_port(reader, name);
	name = name_behind(section, "socket");
	if (name != NULL)
		return read_socket(reader, name);
	return complain(reader, "no such section", "[mldv2], [port N] or [socket NAME]");
}

/* [mldv2] first, wherever it stands: the ports' sections start from it. A section that is
 * wrong is wrong once, not with each of its keys. */
void
config_read(struct config *config, const char *file, struct problems *problems)
{
	struct config_entry *entries;
	bool skip = false;
	unsigned int n;

	config_init(config);
	config_file_read(file, &entries, &n, problems);
	for (int pass = 0; pass < 2; pass++) {
		for (unsigned int i = 0; i < n; i++) {
			struct reader reader = {config, file, &entries[i], problems};
			bool first = strcmp(entries[i].section, "mldv2") == 0;
			bool is_section = entries[i].key[0] == '\0';

			if (first != (pass == 0) || (skip && !is_section))
				continue;

			bool good = read_entry(&reader) == 0;

			if (is_section)
				skip = !good;
		}
	}
	free(entries);
}

const struct port_section *
config_section(const struct config *config, uint16_t port_id)
{
	for (unsigned int i = 0; i < config->n_ports; i++)
		if (config->ports[i].port_id == port_id)
			return &config->ports[i];
	return NULL;
}

const struct port_settings *
config_port(const struct config *config, uint16_t port_id)
{
	const struct port_section *section = config_section(config, port_id);

	return section != NULL ? &section->settings : &config->defaults;
}

const struct socket_section *
config_socket(const struct config *config, const char *name)
{
	for (unsigned int i = 0; i < config->n_sockets; i++)
		if (strcmp(config->sockets[i].name, name) == 0)
			return &config->sockets[i];
	return NULL;
}
