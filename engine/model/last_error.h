/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The sentence behind the last errno, per user: one table for the mount and one per function. Embedded
 * in its owner; bounded (the oldest user's sentence goes beyond 64 users). In memory only. What is set may
 * hold any bytes; what is got is one line of UTF-8 without control characters.
 */
#include <sys/types.h>

#include "base/list.h"

struct last_error {
	struct list sentences;
	unsigned count;
};

void last_error_init(struct last_error *last_error);
void last_error_deinit(struct last_error *last_error);
void last_error_set(struct last_error *last_error, uid_t uid, const char *sentence);
void last_error_clear(struct last_error *last_error, uid_t uid);
const char *last_error_get(const struct last_error *last_error, uid_t uid); /* "" = none */
