/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SAVE_H
#define SAVE_H

/*
 * The present memberships as a memberships file: over the one of --memberships, and nowhere
 * else. It is complete or as it was; what is written stands beside it first and is renamed.
 */

#include <stdbool.h>

/* Serve /mldv2/save, with `control` only. After reload_register(). */
int save_register(bool control);
/* None is under way any more. After reload_unregister(). */
void save_unregister(void);

#endif
