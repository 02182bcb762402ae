/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of commands. A step is one statement; it takes its values by the names of its parameters,
 * which are rows of a second table. `must` says that a step has to meet exactly one row, or the object
 * the command names is not there: -ENOENT. `gives` says what the row that comes back is.
 */
#include "store/store_commands.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fail.h"

enum gives { GIVES_NOTHING, GIVES_OBJECT, GIVES_CHILD };

struct step {
	const char *sql;
	bool must;
	enum gives gives;
};

#define OTHER_OF_THIS_NAME \
	" (SELECT id FROM variables WHERE owner = :object AND key = :name AND id <> :child)"

/* Everything that has an id of its own and belongs to the function :object. */
#define BELONGINGS \
	" (SELECT id FROM versions WHERE function = :object" \
	" UNION ALL SELECT id FROM aliases WHERE function = :object" \
	" UNION ALL SELECT id FROM variables WHERE owner = :object" \
	" UNION ALL SELECT variables.id FROM variables JOIN versions" \
	" ON variables.owner = versions.id WHERE versions.function = :object)"

#define VARIABLES_OF_IT " (SELECT id FROM variables WHERE owner = :object)"

#define THE_NEW_VERSION " (SELECT id FROM versions WHERE function = :object AND name = :name)"

#define LATEST_OF_PACKAGE \
	" (SELECT id FROM package_versions AS latest" \
	" WHERE latest.package = dependencies.package ORDER BY number DESC LIMIT 1)"

#define OTHER_DEPENDENCY \
	" (SELECT other.id FROM dependencies AS other JOIN dependencies AS renamed" \
	" ON other.owner = renamed.owner WHERE renamed.id = :child AND other.id <> :child" \
	" AND other.name = :name)"

#define VERSIONS_OF_IT " (SELECT id FROM package_versions WHERE package = :object)"

#define THE_UNFINISHED " (SELECT id FROM versions WHERE snapshot IS NULL)"

/* One statement, which has to meet a row. */
#define ALONE(statement) \
	{ \
		{statement, true}, \
	}

static const struct step commands[COMMAND_KINDS][STORE_STEPS] = {
        [COMMAND_FUNCTION_CREATE] =
                {
                        {"INSERT INTO objects (kind) VALUES ('function')"},
                        {"INSERT INTO functions (id, name, uid, gid, created_us)"
                         " VALUES (last_insert_rowid(), :name, :uid, :gid, :time) RETURNING id",
                                true, GIVES_OBJECT},
                },
        [COMMAND_FUNCTION_RENAME] =
                {
                        {"UPDATE functions SET name = :name WHERE id = :object", true},
                },
        [COMMAND_FUNCTION_OWN] =
                {
                        {"UPDATE functions SET uid = :uid, gid = :gid WHERE id = :object", true},
                },
        [COMMAND_FUNCTION_REMOVE] =
                {
                        {"DELETE FROM triggers WHERE function = :object"}, /* they name versions */
                        {"DELETE FROM attributes WHERE object = :object OR object IN" BELONGINGS},
                        {"DELETE FROM objects WHERE id IN" BELONGINGS},
                        {"DELETE FROM objects WHERE id = :object AND kind = 'function'", true},
                },
        [COMMAND_SETTING_SET] =
                {
                        {"SELECT 1 FROM objects WHERE id = :object"
                         " AND kind IN ('function', 'version', 'alias', 'trigger')",
                                true},
                        {"DELETE FROM settings WHERE owner = :object AND name = :name"},
                        {"INSERT INTO settings (owner, name, value)"
                         " SELECT :object, :name, :value WHERE :value IS NOT NULL"},
                },
        [COMMAND_VARIABLE_SET] =
                {
                        {"SELECT 1 FROM objects WHERE id = :object"
                         " AND kind IN ('function', 'version')",
                                true},
                        {"INSERT INTO objects (kind) SELECT 'variable' WHERE NOT EXISTS"
                         " (SELECT 1 FROM variables WHERE owner = :object AND key = :name)"},
                        {"INSERT INTO variables (id, owner, key, value)"
                         " SELECT last_insert_rowid(), :object, :name, '' WHERE NOT EXISTS"
                         " (SELECT 1 FROM variables WHERE owner = :object AND key = :name)"},
                        {"UPDATE variables SET value = :value"
                         " WHERE owner = :object AND key = :name RETURNING id",
                                true, GIVES_CHILD},
                },
        [COMMAND_VARIABLE_RENAME] =
                {
                        {"DELETE FROM attributes WHERE object =" OTHER_OF_THIS_NAME},
                        {"DELETE FROM objects WHERE id =" OTHER_OF_THIS_NAME},
                        {"UPDATE variables SET key = :name"
                         " WHERE id = :child AND owner = :object",
                                true},
                },
        [COMMAND_VARIABLE_UNSET] =
                {
                        {"DELETE FROM objects WHERE id ="
                         " (SELECT id FROM variables WHERE id = :child AND owner = :object)",
                                true},
                        {"DELETE FROM attributes WHERE object = :child"},
                },
        [COMMAND_ATTRIBUTES_SET] =
                {
                        {"INSERT INTO attributes (ino, object, mode, uid, gid, mtime_us)"
                         " VALUES (:ino, :ino & 281474976710655,"
                         " :set_mode, :set_uid, :set_gid, :set_mtime)"
                         " ON CONFLICT (ino) DO UPDATE SET mode = ifnull(excluded.mode, mode),"
                         " uid = ifnull(excluded.uid, uid), gid = ifnull(excluded.gid, gid),"
                         " mtime_us = ifnull(excluded.mtime_us, mtime_us)"},
                },
        [COMMAND_ATTRIBUTES_FORGET] =
                {
                        {"DELETE FROM attributes WHERE object = :object"},
                },
        [COMMAND_VERSION_BEGIN] =
                {
                        {"INSERT INTO objects (kind) VALUES ('version')"},
                        {"INSERT INTO versions (id, function, name, created_us)"
                         " VALUES (last_insert_rowid(), :object, :name, :time) RETURNING id",
                                true, GIVES_OBJECT},
                        {"INSERT INTO settings (owner, name, value)"
                         " SELECT" THE_NEW_VERSION ", name, value FROM settings"
                         " WHERE owner = :object AND name <> 'min_instances'"},
                        {"INSERT INTO objects (kind)"
                         " SELECT 'variable' FROM variables WHERE owner = :object"},
                        {"INSERT INTO variables (id, owner, key, value)"
                         " SELECT" THE_NEW_VERSION
                         " + row_number() OVER (ORDER BY id)," THE_NEW_VERSION ", key, value"
                         " FROM variables WHERE owner = :object"},
                        {"INSERT INTO objects (kind)"
                         " SELECT 'dependency' FROM dependencies WHERE owner = :object"},
                        {"INSERT INTO dependencies (id, owner, name, package, version)"
                         " SELECT" THE_NEW_VERSION
                         " + (SELECT count(*) FROM variables WHERE owner = :object)"
                         " + row_number() OVER (ORDER BY id)," THE_NEW_VERSION
                         ", name, package, ifnull(version," LATEST_OF_PACKAGE ")"
                         " FROM dependencies WHERE owner = :object"},
                },
        [COMMAND_VERSION_FINISH] =
                {
                        {"UPDATE versions SET snapshot = :snapshot, files = :files,"
                         " directories = :directories, bytes = :bytes,"
                         " added_bytes = :added_bytes"
                         " WHERE id = :object AND snapshot IS NULL",
                                true},
                },
        [COMMAND_VERSION_REMOVE] =
                {
                        {"SELECT 1 FROM versions WHERE id = :object", true},
                        {"DELETE FROM attributes"
                         " WHERE object = :object OR object IN" VARIABLES_OF_IT},
                        {"DELETE FROM objects WHERE id = :object OR id IN" VARIABLES_OF_IT},
                },
        [COMMAND_VERSIONS_SWEEP] =
                {
                        {"DELETE FROM attributes WHERE object IN" THE_UNFINISHED " OR object IN"
                         " (SELECT id FROM variables WHERE owner IN" THE_UNFINISHED ")"},
                        {"DELETE FROM objects WHERE id IN"
                         " (SELECT id FROM variables WHERE owner IN" THE_UNFINISHED ")"},
                        {"DELETE FROM objects WHERE id IN" THE_UNFINISHED},
                },
        [COMMAND_ALIAS_CREATE] =
                {
                        {"INSERT INTO objects (kind) VALUES ('alias')"},
                        {"INSERT INTO aliases"
                         " (id, function, name, created_us, routes, previous, generation)"
                         " VALUES (last_insert_rowid(), :object, :name, :time, :value, '', 1)"
                         " RETURNING id",
                                true, GIVES_OBJECT},
                },
        [COMMAND_ALIAS_RENAME] =
                {
                        {"UPDATE aliases SET name = :name WHERE id = :object", true},
                },
        [COMMAND_ALIAS_ROUTE] =
                {
                        {"UPDATE aliases SET previous = routes, routes = :value,"
                         " generation = generation + 1 WHERE id = :object",
                                true},
                },
        [COMMAND_ALIAS_REMOVE] =
                {
                        {"DELETE FROM objects WHERE id = :object AND kind = 'alias'", true},
                        {"DELETE FROM attributes WHERE object = :object"},
                },
        [COMMAND_PACKAGE_CREATE] =
                {
                        {"INSERT INTO objects (kind) VALUES ('package')"},
                        {"INSERT INTO packages (id, name, uid, gid, created_us)"
                         " VALUES (last_insert_rowid(), :name, :uid, :gid, :time) RETURNING id",
                                true, GIVES_OBJECT},
                },
        [COMMAND_PACKAGE_RENAME] =
                {
                        {"UPDATE packages SET name = :name WHERE id = :object", true},
                },
        [COMMAND_PACKAGE_OWN] =
                {
                        {"UPDATE packages SET uid = :uid, gid = :gid WHERE id = :object", true},
                },
        [COMMAND_PACKAGE_DESCRIBE] =
                {
                        {"UPDATE packages SET description = :value WHERE id = :object", true},
                },
        [COMMAND_PACKAGE_SOURCE] =
                {
                        {"UPDATE packages SET source = :value WHERE id = :object", true},
                },
        [COMMAND_PACKAGE_PUBLISH] =
                {
                        {"UPDATE packages SET next = next + 1 WHERE id = :object", true},
                        {"INSERT INTO objects (kind) VALUES ('package version')"},
                        {"INSERT INTO package_versions (id, package, number, snapshot, files,"
                         " directories, bytes, added_bytes, source, sha256, created_us)"
                         " SELECT last_insert_rowid(), id, next - 1, :snapshot, :files,"
                         " :directories, :bytes, :added_bytes, :value, :name, :time"
                         " FROM packages WHERE id = :object RETURNING id",
                                true, GIVES_CHILD},
                },
        [COMMAND_PACKAGE_WITHDRAW] =
                {
                        {"DELETE FROM attributes WHERE object = :object"},
                        {"DELETE FROM objects WHERE id = :object AND kind = 'package version'",
                                true},
                },
        [COMMAND_PACKAGE_REMOVE] =
                {
                        {"DELETE FROM attributes"
                         " WHERE object = :object OR object IN" VERSIONS_OF_IT},
                        {"DELETE FROM objects WHERE id IN" VERSIONS_OF_IT},
                        {"DELETE FROM objects WHERE id = :object AND kind = 'package'", true},
                },
        [COMMAND_DEPENDENCY_BIND] =
                {
                        {"SELECT 1 FROM functions WHERE id = :object", true},
                        {"INSERT INTO objects (kind) VALUES ('dependency')"},
                        {"INSERT INTO dependencies (id, owner, name, package, version)"
                         " SELECT last_insert_rowid(), :object, :name, id, NULL"
                         " FROM packages WHERE id = :target UNION ALL"
                         " SELECT last_insert_rowid(), :object, :name, package, id"
                         " FROM package_versions WHERE id = :target RETURNING id",
                                true, GIVES_CHILD},
                },
        [COMMAND_DEPENDENCY_RENAME] =
                {
                        {"DELETE FROM dependencies WHERE id =" OTHER_DEPENDENCY},
                        {"UPDATE dependencies SET name = :name WHERE id = :child", true},
                },
        [COMMAND_DEPENDENCY_UNBIND] =
                {
                        {"DELETE FROM dependencies WHERE id = :child", true},
                },
        [COMMAND_BUILD_KEEP] =
                {
                        {"SELECT 1 FROM objects WHERE id = :object"
                         " AND kind IN ('function', 'version')",
                                true},
                        {"INSERT OR REPLACE INTO builds"
                         " (owner, digest, snapshot, bytes, error, used_us)"
                         " VALUES (:object, :name, :set_snapshot, :bytes, :value, :time)"},
                },
        [COMMAND_BUILD_USE] =
                {
                        {"UPDATE builds SET used_us = :time"
                         " WHERE owner = :object AND digest = :name",
                                true},
                },
        [COMMAND_BUILD_DROP] =
                {
                        {"DELETE FROM builds WHERE owner = :object AND digest = :name", true},
                },
        [COMMAND_TOKEN_CREATE] =
                {
                        {"INSERT INTO objects (kind) VALUES ('token')"},
                        {"INSERT INTO tokens (id, name, value, created_us)"
                         " VALUES (last_insert_rowid(), :name, :value, :time) "
                         "RETURNING id",
                                true, GIVES_OBJECT},
                },
        [COMMAND_TOKEN_SET] =
                {
                        {"UPDATE tokens SET value = :value WHERE id = :object", true},
                },
        [COMMAND_TOKEN_RENAME] =
                {
                        {"UPDATE tokens SET name = :name WHERE id = :object", true},
                },
        [COMMAND_TOKEN_REMOVE] =
                {
                        {"DELETE FROM attributes WHERE object = :object"},
                        {"DELETE FROM objects WHERE id = :object AND kind = "
                         "'token'",
                                true},
                },
        [COMMAND_TOPIC_CREATE] =
                {
                        {"INSERT INTO objects (kind) VALUES ('topic')"},
                        {"INSERT INTO topics (id, name, uid, gid, created_us)"
                         " VALUES (last_insert_rowid(), :name, :uid, :gid, :time) RETURNING id",
                                true, GIVES_OBJECT},
                },
        [COMMAND_TOPIC_RENAME] = ALONE("UPDATE topics SET name = :name WHERE id = :object"),
        [COMMAND_TOPIC_OWN] = ALONE("UPDATE topics SET uid = :uid, gid = :gid WHERE id = :object"),
        [COMMAND_TOPIC_COUNT] = ALONE("UPDATE topics SET published = :fired WHERE id = :object"),
        [COMMAND_TOPIC_REMOVE] =
                {
                        {"DELETE FROM attributes WHERE object = :object"},
                        {"DELETE FROM objects WHERE id = :object AND kind = 'topic'", true},
                },
        [COMMAND_TRIGGER_CREATE] =
                {
                        {"INSERT INTO objects (kind) VALUES ('trigger')"},
                        {"INSERT INTO triggers (id, function, name, created_us)"
                         " VALUES (last_insert_rowid(), :object, :name, :time) RETURNING id",
                                true, GIVES_OBJECT},
                },
        [COMMAND_TRIGGER_RENAME] = ALONE("UPDATE triggers SET name = :name WHERE id = :object"),
        [COMMAND_TRIGGER_TARGET] =
                {
                        {"UPDATE triggers SET version = nullif(:child, 0),"
                         " alias = nullif(:target, 0) WHERE id = :object",
                                true},
                },
        [COMMAND_TRIGGER_FIRED] =
                {
                        {"UPDATE triggers SET last_us = :time, fired = :fired, errors = :errors"
                         " WHERE id = :object",
                                true},
                        {"UPDATE sources SET from_us = :from WHERE trigger = :object"},
                },
        [COMMAND_TRIGGER_REMOVE] = ALONE("DELETE FROM triggers WHERE id = :object"),
        [COMMAND_SOURCE_CREATE] =
                {
                        {"INSERT INTO objects (kind) VALUES ('source')"},
                        {"INSERT INTO sources (id, trigger, kind)"
                         " VALUES (last_insert_rowid(), :object, :name) RETURNING id",
                                true, GIVES_CHILD},
                },
        [COMMAND_SOURCE_SET] =
                {
                        {"UPDATE sources SET value = :value, topic = nullif(:target, 0),"
                         " uid = :uid, gid = :gid, groups = :groups, start_us = :time,"
                         " from_us = :time WHERE id = :child",
                                true},
                        {"DELETE FROM watched WHERE source = :child"},
                },
        [COMMAND_SOURCE_REMOVE] = ALONE("DELETE FROM sources WHERE id = :child"),
        [COMMAND_WATCHED_SET] =
                {
                        {"INSERT OR REPLACE INTO watched (source, name, stamp)"
                         " SELECT :child, json_extract(value, '$[0]'), json_extract(value, '$[1]')"
                         " FROM json_each(:value)"},
                },
        [COMMAND_WATCHED_FORGET] =
                {
                        {"DELETE FROM watched WHERE source = :child"
                         " AND name IN (SELECT value FROM json_each(:value))"},
                },
};

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
	const struct step *steps = commands[command->kind];
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
