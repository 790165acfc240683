/* SPDX-License-Identifier: BSD-3-Clause */
#include "config_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cfgfile.h>

struct scan {
	struct config_entry *entries;
	unsigned int n, room;
	char section[CONFIG_NAME_MAX];
	bool skip;		    /* up to the next section: this one is wrong */
	bool unreadable;	    /* to the library, which would stop there */
	char name[CONFIG_NAME_MAX]; /* of the line at hand, for complaints */
};

static char *
trim(char *text)
{
	size_t len;

	text += strspn(text, " \t\r\n");
	len = strlen(text);
	while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL)
		text[--len] = '\0';
	return text;
}

static const struct config_entry *
find(const struct scan *scan, const char *section, const char *key)
{
	for (unsigned int i = 0; i < scan->n; i++)
		if (strcmp(scan->entries[i].section, section) == 0 &&
			strcmp(scan->entries[i].key, key) == 0)
			return &scan->entries[i];
	return NULL;
}

/* NULL, or what is wrong. */
static const char *
add(struct scan *scan, unsigned int line, const char *key)
{
	if (find(scan, scan->section, key) != NULL)
		return key[0] != '\0' ? "the key stands twice in its section"
				      : "the section stands twice";
	if (scan->n == scan->room) {
		unsigned int room = scan->room ? 2 * scan->room : 16;
		struct config_entry *entries = realloc(scan->entries, room * sizeof(*entries));

		if (entries == NULL)
			return "no memory";
		scan->entries = entries;
		scan->room = room;
	}

	struct config_entry *entry = &scan->entries[scan->n++];

	*entry = (struct config_entry){.line = line};
	strcpy(entry->section, scan->section);
	strcpy(entry->key, key);
	return NULL;
}

static const char *
scan_section(struct scan *scan, unsigned int line, char *text)
{
	size_t len = strlen(text);
	const char *wrong;
	char *name;

	scan->skip = true;
	if (text[len - 1] != ']') {
		scan->unreadable = true;
		return "a section is [NAME]";
	}
	text[len - 1] = '\0';
	name = trim(text + 1);
	if (strcmp(name, text + 1) != 0)
		return "no blanks at the ends of a section's name";
	if (strchr(name, ']') != NULL)
		return "no ] in a section's name: name a port by its id";
	if (name[0] == '\0' || strlen(name) >= CONFIG_NAME_MAX)
		return "a section's name has 1 to 63 characters";
	strcpy(scan->section, name);
	wrong = add(scan, line, "");
	scan->skip = wrong != NULL;
	return wrong;
}

static const char *
scan_line(struct scan *scan, unsigned int line, char *text)
{
	bool too_long = strlen(text) >= CONFIG_VALUE_MAX;
	char *value;

	text[strcspn(text, "#")] = '\0';
	text = trim(text);
	snprintf(scan->name, sizeof(scan->name), "%.*s", (int)strcspn(text, " \t="), text);
	if (too_long) {
		scan->unreadable = true;
		return "longer than 255 characters";
	}
	if (text[0] == '\0')
		return NULL;
	if (text[0] == '[')
		return scan_section(scan, line, text);
	if (scan->skip)
		return NULL;
	if (scan->section[0] == '\0')
		return "before the first [section]";
	value = strchr(text, '=');
	if (value == NULL)
		return "expected KEY = VALUE";
	*value++ = '\0';
	text = trim(text);
	if (text[0] == '\0' || strlen(text) >= CONFIG_NAME_MAX)
		return "a key has 1 to 63 characters";
	if (trim(value)[0] == '\0')
		return "the value is missing";
	return add(scan, line, text);
}

static void
scan_file(struct scan *scan, const char *file, struct problems *problems)
{
	FILE *stream = fopen(file, "re");
	unsigned int line = 0;
	char *text = NULL;
	size_t room = 0;
	ssize_t len;

	scan->unreadable = stream == NULL;
	if (stream == NULL) {
		problems_add(problems, file, 0, "%s", strerror(errno));
		return;
	}
	errno = 0;
	while ((len = getline(&text, &room, stream)) >= 0) {
		const char *wrong;

		line++;
		scan->name[0] = '\0';
		if (memchr(text, '\0', len) != NULL) {
			problems_add(problems, file, line, "a zero octet: not a text file");
			scan->unreadable = true;
			break;
		}
		wrong = scan_line(scan, line, text);
		if (wrong != NULL)
			problems_add(problems, file, line, "%s%s%s", scan->name,
				scan->name[0] != '\0' ? ": " : "", wrong);
	}
	if (ferror(stream)) {
		problems_add(problems, file, 0, "%s", strerror(errno));
		scan->unreadable = true;
	}
	free(text);
	fclose(stream);
}

/* The values as the library reads them. false: it does not read the file at all. */
static bool
load_values(struct scan *scan, const char *file, struct problems *problems)
{
	struct rte_cfgfile_parameters params = {.comment_character = '#'};
	struct rte_cfgfile *cfg = rte_cfgfile_load_with_params(file, 0, &params);

	if (cfg == NULL) {
		problems_add(problems, file, 0, "cannot be read as an INI file");
		return false;
	}
	for (unsigned int i = 0; i < scan->n; i++) {
		struct config_entry *entry = &scan->entries[i];
		const char *value;

		if (entry->key[0] == '\0')
			continue;
		value = rte_cfgfile_get_entry(cfg, entry->section, entry->key);
		if (value == NULL)
			problems_add(problems, file, entry->line, "cannot be read: %s", entry->key);
		else
			snprintf(entry->value, sizeof(entry->value), "%s", value);
	}
	rte_cfgfile_close(cfg);
	return true;
}

void
config_file_read(const char *file, struct config_entry **ret_entries, unsigned int *ret_n,
	struct problems *problems)
{
	struct scan scan = {0};

	scan_file(&scan, file, problems);
	if (scan.unreadable || (scan.n > 0 && !load_values(&scan, file, problems)))
		scan.n = 0;
	*ret_entries = scan.entries;
	*ret_n = scan.n;
}
