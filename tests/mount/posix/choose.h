/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Choices from a seed: the state is a splitmix64 generator's, and equal states choose alike on every
 * machine.
 */
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FALLOCATE_COMMON (FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)
#define RENAME_COMMON    (RENAME_NOREPLACE | RENAME_EXCHANGE)

uint64_t choose_random(uint64_t *state);
long choose_below(uint64_t *state, long bound);
bool choose_percent(uint64_t *state, long percent);

/* One of the words of a list separated by spaces. */
void choose_of(uint64_t *state, const char *list, char *out, size_t size);

/* Arguments of steps, by the letters of word.h and generate.c. */
void choose_path(uint64_t *state, char *out, size_t size);
void choose_target(uint64_t *state, char *out, size_t size);
void choose_attribute(uint64_t *state, char *out, size_t size);
long choose_number(uint64_t *state, char letter);
