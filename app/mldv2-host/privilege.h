/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PRIVILEGE_H
#define PRIVILEGE_H

/*
 * After start-up mldv2-host keeps what its drivers may need and no more: a few capabilities, no way
 * to new ones, and none of the system calls that only somebody who took it over would make.
 */

/* Before any file or socket is made: nobody else may read them. */
void privilege_hide_files(void);

/*
 * For good, in all threads and in those to come. No thread may be started meanwhile but by EAL.
 * Says on stderr what is left. 0; or a negative errno, and why is on stderr.
 */
int privilege_drop(void);

#endif
