/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * How the database came to look as it does: a list of scripts, one per schema version, each applied
 * once and in one transaction with the raise of PRAGMA user_version. A script that was ever released is
 * never edited; a change is a new script at the end.
 */
#include <stdbool.h>
#include <stddef.h>

#include "store/store.h"

extern const char *const store_migrations[];
extern const size_t store_migrations_count;

/* Brings an open database to version `count`. -EPROTO when it is newer than that. */
int store_migrate(struct store *store, const char *const *migrations, size_t count);

/* store_open() with another list; tests bring their own. */
int store_open_with(
        struct store **out, const char *state_dir, const char *const *migrations, size_t count);

/* A database of any name in the state directory. `checked`: read it all and see that it is whole. */
struct store_file {
	const char *name;
	const char *const *migrations;
	size_t count;
	bool checked;
};
int store_open_file(struct store **out, const char *state_dir, const struct store_file *file);
