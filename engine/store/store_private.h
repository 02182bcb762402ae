/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the files of the store share, and nobody else sees: the connection, its cached statements, and
 * the one translation of SQLite's results into errnos.
 */
#include <sqlite3.h>
#include <stdbool.h>

#include "store/store.h"

enum { STORE_STEPS = 7 }; /* at most, of one command */

enum store_find {
	FIND_FUNCTION,        /* ?1: id */
	FIND_FUNCTION_NAMED,  /* ?1: name */
	FIND_FUNCTIONS_AFTER, /* ?1: id */
	FIND_FUNCTION_OF,     /* ?1: id of what belongs to it */
	FIND_VERSIONS,        /* these four: ?1: id of a function */
	FIND_ALIASES,
	FIND_SETTINGS,
	FIND_VARIABLES,
	FIND_SETTINGS_NAMED, /* ?1: name */
	FIND_DRAFT,
	FIND_VERSION, /* ?1: id */
	STORE_FINDS,
};

struct store {
	sqlite3 *database;
	char *path;
	bool syncs; /* synchronous=FULL is in force, else NORMAL */
	sqlite3_stmt *begin;
	sqlite3_stmt *commit;
	sqlite3_stmt *rollback;
	sqlite3_stmt *steps[COMMAND_KINDS][STORE_STEPS]; /* prepared at first use */
	sqlite3_stmt *finds[STORE_FINDS];                /* likewise */
};

/* The errno of what SQLite just answered; a failure is logged as `what`, a refusal is silent. */
int store_error(struct store *store, int answer, const char *what);

/* Runs statements that return nothing. */
int store_execute(struct store *store, const char *sql, const char *what);

/* Ends a transaction that is open, if one is, without effect. */
void store_roll_back(struct store *store);

/* Prepares a statement that lives long. */
int store_prepare(struct store *store, const char *sql, sqlite3_stmt **out);

/* Steps a statement that returns nothing, and resets it. */
int store_finish(struct store *store, sqlite3_stmt *statement, const char *what);

/* Whether commits wait for the disk from here on. Outside of transactions. */
int store_set_durability(struct store *store, bool syncs);
