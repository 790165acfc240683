/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef HELP_H
#define HELP_H

void print_help(void);

#endif
