/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What calls were like (run/keep_alive.h), over restarts: one small file for each target that has a history, in
 * the directory of its function, beside the metrics. Internal to engine/.
 */
#include <stdint.h>

struct target;

void keep_alive_file_load(struct target *target, uint64_t version); /* 0: `latest` */

/* If there is anything new since the last saving. */
void keep_alive_file_save(struct target *target, uint64_t version);
void keep_alive_file_remove(const struct target *target, uint64_t version);
