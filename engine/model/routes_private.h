/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files about routes share: the parsed form, and how a key is found in an event. */
#include "model/routes.h"

enum { ROUTES_NO_KEY = -1 };

struct routes_key { /* what a call is asked for; each but once */
	bool is_header;
	char **segments; /* of a field's path; of a header its name alone */
	size_t segments_count;
};

struct routes_test {
	bool begins_group; /* an `or`, or nothing, stands before it; else an `and` */
	bool is_list;      /* `in`, else `=` */
	size_t key;
	char **values;
	size_t values_count;
};

struct routes_rule {
	size_t target;
	struct routes_test *tests;
	size_t tests_count;
};

struct routes_share {
	size_t target;
	bool is_sticky;     /* `sticky` was written on this line */
	uint64_t numerator; /* as written; 0 = no weight was */
	uint64_t denominator;
	uint64_t weight; /* a whole number, without a common divisor of all */
	int64_t credit;  /* what it has not had yet, in parts of a call: weight_of_all is one */
};

struct routes {
	struct routes_target *targets;
	size_t targets_count;
	struct routes_rule *rules;
	size_t rules_count;
	struct routes_share *shares;
	size_t shares_count;
	uint64_t weight_of_all;
	struct routes_key *keys;
	size_t keys_count;
	int sticky_key; /* or ROUTES_NO_KEY */
};

/* --- routes_weight.c --- */

/* 0, or -EINVAL: no such form, 0, or out of bounds. */
int routes_weight_parse(const char *text, uint64_t *numerator, uint64_t *denominator);
/* Makes `weight` of what is written on all lines. -ERANGE: no common measure that is small enough. */
int routes_weights_settle(struct routes *routes);
void routes_weight_show(const struct routes_share *share, uint64_t of_all, struct buf *out);

/* --- routes_event.c --- */

struct routes_value {
	bool is_number;
	bool is_there;
	struct buf text; /* of a string its content */
};

/* What an event, which may be any bytes, holds under a key. Nothing there, or no plain value: not `is_there`. */
void routes_event_find(
        const char *event, size_t length, const struct routes_key *key, struct routes_value *value);
bool routes_value_is(const struct routes_value *value, const char *wanted);
