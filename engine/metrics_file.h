/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Metrics over restarts: one file for each, replaced as a whole, in the directory of their function. */
#include <stdint.h>

struct metrics;

#define METRICS_FILE_NAME_SIZE 64
#define FUNCTION_METRICS_FILE  "metrics"

/* What cannot be read is logged, and the numbers begin anew. */
void metrics_file_load(struct metrics *metrics, int directory, const char *name);

/* If there is anything new since `*saved`, which is metrics_changes() of the last saving. */
void metrics_file_save(
        const struct metrics *metrics, int directory, const char *name, uint64_t *saved);
void metrics_file_remove(int directory, const char *name);
