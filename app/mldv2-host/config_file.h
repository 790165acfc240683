/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

/*
 * An INI file as a list of entries with their lines. rte_cfgfile reads it; since that knows no
 * line numbers, drops lines without '=' and cuts long values, all silently, a pass of ours
 * looks at the file first.
 */

#include "config_key.h"
#include "problems.h"

struct config_entry {
	unsigned int line;
	char section[CONFIG_NAME_MAX];
	char key[CONFIG_NAME_MAX]; /* empty: the section's own line */
	char value[CONFIG_VALUE_MAX];
};

/*
 * Malloc'ed entries in the order of the file. What is wrong is added to the problems, and the
 * entries are those that are right; a section that is wrong has none.
 */
void config_file_read(const char *file, struct config_entry **ret_entries, unsigned int *ret_n,
	struct problems *problems);

#endif
