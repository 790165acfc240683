/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef OUTPUT_H
#define OUTPUT_H

/* From now on no thread waits for who reads standard error, nor dies of it having gone. */
void output_detach(void);

#endif
