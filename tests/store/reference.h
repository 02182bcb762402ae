/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the store should hold, kept in the plainest way: arrays, searched from one end. It answers a
 * command like the store, and prints itself like reference_dump_store() prints a store, so that the
 * two can be compared as texts. random_command() draws from few names and ids, so that collisions,
 * refusals and removals of what others refer to are frequent.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/store.h"

enum { REFERENCE_MOST = 1 << 14 };

struct reference_function {
	uint64_t id; /* 0 = gone */
	char *name;
	uid_t uid;
	gid_t gid;
	int64_t time_us;
};

struct reference_text { /* a setting, or a variable when id is not 0 */
	uint64_t owner; /* 0 = gone */
	uint64_t id;
	char *name;
	char *value;
};

struct reference_branch {  /* a version, or an alias when its routes are not NULL */
	uint64_t function; /* 0 = gone */
	uint64_t id;
	char *name;
	int64_t time_us;
	bool finished;
	struct store_snapshot snapshot;
	char *routes;
	char *previous;
	uint64_t generation;
};

struct reference {
	uint64_t last_id;
	size_t functions_count, settings_count, variables_count, attributes_count, branches_count;
	struct reference_branch branches[REFERENCE_MOST];
	struct reference_function functions[REFERENCE_MOST];
	struct reference_text settings[REFERENCE_MOST];
	struct reference_text variables[REFERENCE_MOST];
	struct command attributes[REFERENCE_MOST]; /* ino 0 = gone */
};

struct reference *reference_new(void);
struct reference *reference_copy(const struct reference *reference);
struct reference *reference_free(struct reference *reference);
int reference_apply(
        struct reference *reference, const struct command *command, struct command_result *result);
void reference_dump(const struct reference *reference, struct buf *out);

int reference_dump_store(struct store *store, struct buf *out);

/*
 * The command of this number, about objects not much older than the one with the id `newest`. Its texts
 * live in `texts`, which is emptied first.
 */
void random_command(uint64_t seed, uint64_t number, uint64_t newest, struct command *command,
        struct buf texts[2]);

/* Makes it about something that exists, if there is such a thing. */
void reference_aim(const struct reference *reference, struct command *command, uint64_t at);
