/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection. It holds the file with SQLite's exclusive lock from open to close: there is one
 * daemon per state directory, and without others the index of the log can live in memory (no -shm
 * file). The lock belongs to the process, so a killed daemon leaves none.
 *
 * A commit is one write to the log file, which the kernel keeps when the daemon dies; the disk is only
 * waited for when the log is folded back (NORMAL), or when a command asks (FULL: the log is synced,
 * with all that was written to it before). The level cannot be changed inside a transaction, so it is
 * changed before it begins, and only when it differs from the last one's.
 *
 * A commit that fails may have reached the disk in part, never as a whole: a transaction counts from
 * its last frame on, and the next one is written over it.
 */
#include "store/store.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "store/store_commands.h"
#include "store/store_private.h"
#include "store/store_schema.h"

static int errno_of_system(sqlite3 *database, int otherwise)
{
	switch (sqlite3_system_errno(database)) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG: /* a limit of the process on the size of files */
		return -ENOSPC;
	case EROFS:
		return -EROFS;
	case EACCES:
	case EPERM:
		return -EACCES;
	case ENOENT:
	case ENOTDIR:
		return -ENOENT;
	default:
		return otherwise;
	}
}

static int errno_of(sqlite3 *database, int answer)
{
	switch (answer & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_CANTOPEN:
	case SQLITE_IOERR:
		return answer == SQLITE_IOERR_NOMEM ? -ENOMEM : errno_of_system(database, -EIO);
	default: /* SQLITE_CORRUPT, SQLITE_NOTADB, and what never should be */
		return -EIO;
	}
}

int store_error(struct store *store, int answer, const char *what)
{
	int extended = sqlite3_extended_errcode(store->database);

	if ((extended & 0xff) == (answer & 0xff))
		answer = extended;
	if (answer == SQLITE_CONSTRAINT_UNIQUE || answer == SQLITE_CONSTRAINT_PRIMARYKEY)
		return -EEXIST;
	if (answer == SQLITE_CONSTRAINT_FOREIGNKEY)
		return -ENOENT;
	if ((answer & 0xff) == SQLITE_BUSY)
		return fail(-EBUSY, "%s is in use by another daemon", store->path);
	return fail(errno_of(store->database, answer), "%s: %s: %s", store->path, what,
	        sqlite3_errmsg(store->database));
}

int store_execute(struct store *store, const char *sql, const char *what)
{
	int answer = sqlite3_exec(store->database, sql, NULL, NULL, NULL);

	return answer == SQLITE_OK ? 0 : store_error(store, answer, what);
}

void store_roll_back(struct store *store)
{
	if (sqlite3_get_autocommit(store->database))
		return; /* some failures have rolled back already */
	sqlite3_step(store->rollback);
	sqlite3_reset(store->rollback);
}

int store_prepare(struct store *store, const char *sql, sqlite3_stmt **out)
{
	int answer =
	        sqlite3_prepare_v3(store->database, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);

	return answer == SQLITE_OK ? 0 : store_error(store, answer, "preparing a statement");
}

int store_finish(struct store *store, sqlite3_stmt *statement, const char *what)
{
	int answer = sqlite3_step(statement), r = 0;

	if (answer != SQLITE_DONE)
		r = store_error(store, answer, what);
	sqlite3_reset(statement);
	return r;
}

/* The lock is taken by the first access, so this is where a second daemon is turned away. */
static int take_possession(struct store *store)
{
	int r = store_execute(store,
	        "PRAGMA locking_mode = EXCLUSIVE;"
	        "PRAGMA temp_store = MEMORY;"
	        "PRAGMA foreign_keys = ON;"
	        "PRAGMA journal_mode = WAL;"
	        "PRAGMA synchronous = NORMAL;"
	        "PRAGMA journal_size_limit = 16777216;",
	        "taking possession of it");

	if (r < 0)
		return r;
	/* An empty transaction that writes: the lock is ours from here on, not from the first change. */
	return store_execute(store, "BEGIN EXCLUSIVE; COMMIT", "taking possession of it");
}

/* A page that found no memory is told like a damaged one, and its code, SQLITE_NOMEM, is all that differs. */
static bool had_no_memory(const char *found)
{
	static const char words[] = "error code=7";
	const char *at = strstr(found, words);

	return at && strspn(at + strlen("error code="), "0123456789") == 1;
}

static int judge_integrity(struct store *store, const char *found)
{
	const char *line;

	if (!found || had_no_memory(found))
		return fail(-ENOMEM, "checking %s", store->path);
	if (strcmp(found, "ok") == 0)
		return 0;
	line = strrchr(found, '\n'); /* what was found stands below a headline */
	return fail(-EIO, "%s is damaged, restore it from a backup: %s", store->path,
	        line ? line + 1 : found);
}

/* A damaged page is found now, with a sentence, and not by the command that meets it one day. */
static int check_integrity(struct store *store)
{
	sqlite3_stmt *statement = NULL;
	int r = store_prepare(store, "PRAGMA quick_check(1)", &statement);

	if (r < 0)
		return r;
	r = sqlite3_step(statement);
	if (r == SQLITE_ROW)
		r = judge_integrity(store, (const char *)sqlite3_column_text(statement, 0));
	else
		r = store_error(store, r, "checking the file");
	sqlite3_finalize(statement);
	return r;
}

static int prepare_transactions(struct store *store)
{
	int r = store_prepare(store, "BEGIN IMMEDIATE", &store->begin);

	if (r == 0)
		r = store_prepare(store, "COMMIT", &store->commit);
	if (r == 0)
		r = store_prepare(store, "ROLLBACK", &store->rollback);
	return r;
}

static int open_database(struct store *store)
{
	int answer = sqlite3_open_v2(
	        store->path, &store->database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);

	if (!store->database)
		return fail(-ENOMEM, "opening %s", store->path);
	if (answer != SQLITE_OK)
		return store_error(store, answer, "opening it");
	/* SQLite is content with less than it was asked for. */
	if (sqlite3_db_readonly(store->database, "main"))
		return fail(-EROFS, "%s cannot be written", store->path);
	return 0;
}

static void store_close_p(struct store **store)
{
	store_close(*store);
}

int store_open_file(struct store **out, const char *state_dir, const struct store_file *file)
{
	CLEANUP(store_close_p) struct store *store = calloc(1, sizeof(*store));
	int r;

	if (!store)
		return fail(-ENOMEM, "opening the store");
	if (asprintf(&store->path, "%s/%s", state_dir, file->name) < 0) {
		store->path = NULL;
		return fail(-ENOMEM, "opening the store");
	}
	r = open_database(store);
	if (r == 0)
		r = take_possession(store);
	if (r == 0 && file->checked)
		r = check_integrity(store);
	if (r == 0)
		r = prepare_transactions(store);
	if (r == 0)
		r = store_migrate(store, file->migrations, file->count);
	if (r == 0)
		*out = take(store);
	return r;
}

int store_open_with(
        struct store **out, const char *state_dir, const char *const *migrations, size_t count)
{
	return store_open_file(
	        out, state_dir, &(struct store_file){"fnfs.db", migrations, count, true});
}

int store_open(struct store **out, const char *state_dir)
{
	return store_open_with(out, state_dir, store_migrations, store_migrations_count);
}

struct store *store_close(struct store *store)
{
	int kind, step;

	if (!store)
		return NULL;
	for (kind = 0; kind < COMMAND_KINDS; kind++)
		for (step = 0; step < STORE_STEPS; step++)
			sqlite3_finalize(store->steps[kind][step]);
	for (kind = 0; kind < STORE_FINDS; kind++)
		sqlite3_finalize(store->finds[kind]);
	sqlite3_finalize(store->begin);
	sqlite3_finalize(store->commit);
	sqlite3_finalize(store->rollback);
	if (sqlite3_close(store->database) != SQLITE_OK)
		assert(!"every statement is finalized");
	free(store->path);
	free(store);
	return NULL;
}

int store_set_durability(struct store *store, bool syncs)
{
	int r = 0;

	if (store->syncs != syncs)
		r = store_execute(store,
		        syncs ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL",
		        "changing the level of durability");
	if (r == 0)
		store->syncs = syncs;
	return r;
}

int store_apply(struct store *store, const struct command *command, struct command_result *result)
{
	struct command_result made = {0};
	int r;

	store_roll_back(store); /* where the last one failed there was perhaps no memory for it */
	r = store_set_durability(store, command->durable);
	if (r == 0)
		r = store_finish(store, store->begin, "beginning a change");
	if (r < 0)
		return r;
	r = store_run_command(store, command, &made);
	if (r == 0)
		r = store_finish(store, store->commit, "committing a change");
	if (r < 0)
		store_roll_back(store);
	else if (result)
		*result = made;
	return r;
}
