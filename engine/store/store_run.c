/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a command runs: each step is a statement that takes its values by the names of its parameters,
 * which are rows of the table here.
 */
#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "store/store_commands.h"

enum field_type { FIELD_ID, FIELD_TEXT, FIELD_TIME, FIELD_32_BITS, FIELD_SNAPSHOT };

struct field {
	const char *name;
	enum field_type type;
	size_t offset;
	unsigned only_if; /* this bit of `set` is there; 0 = always. Otherwise NULL is bound. */
};

#define FIELD(name, type, member, ...) \
	{ \
		name, type, offsetof(struct command, member), __VA_ARGS__ \
	}

static const struct field fields[] = {
        FIELD(":object", FIELD_ID, object, 0),
        FIELD(":child", FIELD_ID, child, 0),
        FIELD(":ino", FIELD_ID, ino, 0),
        FIELD(":target", FIELD_ID, target, 0),
        FIELD(":name", FIELD_TEXT, name, 0),
        FIELD(":value", FIELD_TEXT, value, 0),
        FIELD(":uid", FIELD_32_BITS, uid, 0),
        FIELD(":gid", FIELD_32_BITS, gid, 0),
        FIELD(":groups", FIELD_TEXT, groups, 0),
        FIELD(":time", FIELD_TIME, time_us, 0),
        FIELD(":from", FIELD_TIME, from_us, 0),
        FIELD(":fired", FIELD_ID, fired, 0),
        FIELD(":errors", FIELD_ID, errors, 0),
        FIELD(":snapshot", FIELD_SNAPSHOT, snapshot.root, 0),
        FIELD(":set_snapshot", FIELD_SNAPSHOT, snapshot.root, COMMAND_SET_SNAPSHOT),
        FIELD(":files", FIELD_ID, snapshot.files, 0),
        FIELD(":directories", FIELD_ID, snapshot.directories, 0),
        FIELD(":bytes", FIELD_ID, snapshot.bytes, 0),
        FIELD(":added_bytes", FIELD_ID, snapshot.added_bytes, 0),
        FIELD(":set_mode", FIELD_32_BITS, mode, COMMAND_SET_MODE),
        FIELD(":set_uid", FIELD_32_BITS, uid, COMMAND_SET_UID),
        FIELD(":set_gid", FIELD_32_BITS, gid, COMMAND_SET_GID),
        FIELD(":set_mtime", FIELD_TIME, time_us, COMMAND_SET_MTIME),
};

_Static_assert(sizeof(mode_t) == 4 && sizeof(uid_t) == 4 && sizeof(gid_t) == 4, "FIELD_32_BITS");

static const struct field *field_find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fields); i++)
		if (strcmp(fields[i].name, name) == 0)
			return &fields[i];
	return NULL;
}

static int bind_field(sqlite3_stmt *statement, int place, const struct field *field,
        const struct command *command)
{
	const void *at = (const char *)command + field->offset;

	if (field->only_if && !(command->set & field->only_if))
		return sqlite3_bind_null(statement, place);
	switch (field->type) {
	case FIELD_ID:
		return sqlite3_bind_int64(statement, place, (sqlite3_int64) * (const uint64_t *)at);
	case FIELD_TIME:
		return sqlite3_bind_int64(statement, place, *(const int64_t *)at);
	case FIELD_32_BITS:
		return sqlite3_bind_int64(statement, place, *(const uint32_t *)at);
	case FIELD_TEXT:
		/* NULL binds NULL; borrowed, for the statement is reset before the command ends */
		return sqlite3_bind_text(
		        statement, place, *(const char *const *)at, -1, SQLITE_STATIC);
	case FIELD_SNAPSHOT:
		return sqlite3_bind_blob(
		        statement, place, at, STORE_SNAPSHOT_ID_SIZE, SQLITE_STATIC);
	}
	return SQLITE_MISUSE;
}

static int bind_command(struct store *store, sqlite3_stmt *statement, const struct command *command)
{
	int count = sqlite3_bind_parameter_count(statement), place, answer;
	const struct field *field;

	for (place = 1; place <= count; place++) {
		field = field_find(sqlite3_bind_parameter_name(statement, place));
		assert(field);
		answer = bind_field(statement, place, field, command);
		if (answer != SQLITE_OK)
			return store_error(store, answer, "binding a value");
	}
	return 0;
}

static void keep_result(
        sqlite3_stmt *statement, const struct step *step, struct command_result *result)
{
	if (step->gives == GIVES_OBJECT)
		result->object = (uint64_t)sqlite3_column_int64(statement, 0);
	else if (step->gives == GIVES_CHILD)
		result->child = (uint64_t)sqlite3_column_int64(statement, 0);
}

static int run_step(struct store *store, sqlite3_stmt *statement, const struct step *step,
        const struct command *command, struct command_result *result)
{
	bool reads = sqlite3_column_count(statement) > 0;
	int rows = 0, answer;
	int r = bind_command(store, statement, command);

	if (r < 0)
		return r;
	while ((answer = sqlite3_step(statement)) == SQLITE_ROW) {
		keep_result(statement, step, result);
		rows++;
	}
	if (answer != SQLITE_DONE)
		r = store_error(store, answer, "changing what exists");
	else if (step->must && (reads ? rows : sqlite3_changes(store->database)) != 1)
		r = -ENOENT;
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return r;
}

int store_run_command(
        struct store *store, const struct command *command, struct command_result *result)
{
	const struct step *steps = store_commands[command->kind];
	sqlite3_stmt **statements = store->steps[command->kind];
	int i, r = 0;

	assert(command->kind < COMMAND_KINDS && steps[0].sql);
	for (i = 0; i < STORE_STEPS && steps[i].sql && r == 0; i++) {
		if (!statements[i])
			r = store_prepare(store, steps[i].sql, &statements[i]);
		if (r == 0)
			r = run_step(store, statements[i], &steps[i], command, result);
	}
	return r;
}
