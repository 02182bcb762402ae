/* SPDX-License-Identifier: Apache-2.0 */
/* Reading everything of a kind: one query per kind, each row handed to a callback. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "store/store_find.h"

int store_walk(struct store *store, const char *sql, store_row_fn row, void *each, void *userdata)
{
	sqlite3_stmt *statement = NULL;
	int answer, r = store_prepare(store, sql, &statement);

	if (r < 0)
		return r;
	while (r == 0 && (answer = sqlite3_step(statement)) != SQLITE_DONE)
		r = answer == SQLITE_ROW ? row(statement, each, userdata)
		                         : store_error(store, answer, "reading what exists");
	sqlite3_finalize(statement);
	return r;
}

static const char *text(sqlite3_stmt *row, int column)
{
	return (const char *)sqlite3_column_text(row, column); /* NULL: no memory */
}

int store_function_row(sqlite3_stmt *row, void *each, void *userdata)
{
	int (**call)(void *, const struct store_function_row *) = each;
	struct store_function_row function = {
	        .id = (uint64_t)sqlite3_column_int64(row, 0),
	        .name = text(row, 1),
	        .uid = (uid_t)sqlite3_column_int64(row, 2),
	        .gid = (gid_t)sqlite3_column_int64(row, 3),
	        .created_us = sqlite3_column_int64(row, 4),
	};

	return function.name ? (*call)(userdata, &function) : fail(-ENOMEM, "reading a function");
}

int store_each_function(struct store *store,
        int (*each)(void *userdata, const struct store_function_row *row), void *userdata)
{
	return store_walk(store, "SELECT id, name, uid, gid, created_us FROM functions ORDER BY id",
	        store_function_row, &each, userdata);
}

static struct store_snapshot snapshot_at(sqlite3_stmt *row, int column, const void *root)
{
	struct store_snapshot snapshot = {
	        .files = (uint64_t)sqlite3_column_int64(row, column + 1),
	        .directories = (uint64_t)sqlite3_column_int64(row, column + 2),
	        .bytes = (uint64_t)sqlite3_column_int64(row, column + 3),
	        .added_bytes = (uint64_t)sqlite3_column_int64(row, column + 4),
	};

	memcpy(snapshot.root, root, sizeof(snapshot.root));
	return snapshot;
}

int store_version_row(sqlite3_stmt *row, void *each, void *userdata)
{
	int (**call)(void *, const struct store_version_row *) = each;
	const void *root = sqlite3_column_blob(row, 4);
	bool finished = sqlite3_column_type(row, 4) != SQLITE_NULL;
	struct store_version_row version = {
	        .id = (uint64_t)sqlite3_column_int64(row, 0),
	        .function = (uint64_t)sqlite3_column_int64(row, 1),
	        .name = text(row, 2),
	        .created_us = sqlite3_column_int64(row, 3),
	};
	struct store_snapshot snapshot;

	if (!version.name || (finished && !root))
		return fail(-ENOMEM, "reading a version");
	if (finished) {
		if (sqlite3_column_bytes(row, 4) != STORE_SNAPSHOT_ID_SIZE)
			return fail(-EIO, "version %s names no snapshot", version.name);
		snapshot = snapshot_at(row, 4, root);
		version.snapshot = &snapshot;
	}
	return (*call)(userdata, &version);
}

int store_each_version(struct store *store,
        int (*each)(void *userdata, const struct store_version_row *row), void *userdata)
{
	return store_walk(store,
	        "SELECT id, function, name, created_us,"
	        " snapshot, files, directories, bytes, added_bytes FROM versions ORDER BY id",
	        store_version_row, &each, userdata);
}

int store_alias_row(sqlite3_stmt *row, void *each, void *userdata)
{
	int (**call)(void *, const struct store_alias_row *) = each;
	struct store_alias_row alias = {
	        .id = (uint64_t)sqlite3_column_int64(row, 0),
	        .function = (uint64_t)sqlite3_column_int64(row, 1),
	        .name = text(row, 2),
	        .routes = text(row, 3),
	        .previous = text(row, 4),
	        .generation = (uint64_t)sqlite3_column_int64(row, 5),
	        .created_us = sqlite3_column_int64(row, 6),
	};

	if (!alias.name || !alias.routes || !alias.previous)
		return fail(-ENOMEM, "reading an alias");
	return (*call)(userdata, &alias);
}

int store_each_alias(struct store *store,
        int (*each)(void *userdata, const struct store_alias_row *row), void *userdata)
{
	return store_walk(store,
	        "SELECT id, function, name, routes, previous, generation, created_us"
	        " FROM aliases ORDER BY id",
	        store_alias_row, &each, userdata);
}

static int package_row(sqlite3_stmt *row, void *each, void *userdata)
{
	int (**call)(void *, const struct store_package_row *) = each;
	struct store_package_row package = {
	        .id = (uint64_t)sqlite3_column_int64(row, 0),
	        .name = text(row, 1),
	        .uid = (uid_t)sqlite3_column_int64(row, 2),
	        .gid = (gid_t)sqlite3_column_int64(row, 3),
	        .description = text(row, 4),
	        .source = text(row, 5),
	        .next = (uint64_t)sqlite3_column_int64(row, 6),
	        .created_us = sqlite3_column_int64(row, 7),
	};

	if (!package.name || !package.description || !package.source)
		return fail(-ENOMEM, "reading a package");
	return (*call)(userdata, &package);
}

int store_each_package(struct store *store,
        int (*each)(void *userdata, const struct store_package_row *row), void *userdata)
{
	return store_walk(store,
	        "SELECT id, name, uid, gid, description, source, next, created_us FROM packages"
	        " ORDER BY id",
	        package_row, &each, userdata);
}

static int token_row(sqlite3_stmt *row, void *each, void *userdata)
{
	int (**call)(void *, const struct store_token_row *) = each;
	struct store_token_row token = {
	        .id = (uint64_t)sqlite3_column_int64(row, 0),
	        .name = text(row, 1),
	        .value = text(row, 2),
	        .created_us = sqlite3_column_int64(row, 3),
	};

	if (!token.name || !token.value)
		return fail(-ENOMEM, "reading a token");
	return (*call)(userdata, &token);
}

int store_each_token(struct store *store,
        int (*each)(void *userdata, const struct store_token_row *row), void *userdata)
{
	return store_walk(store, "SELECT id, name, value, created_us FROM tokens ORDER BY id",
	        token_row, &each, userdata);
}

static int package_version_row(sqlite3_stmt *row, void *each, void *userdata)
{
	int (**call)(void *, const struct store_package_version_row *) = each;
	const void *root = sqlite3_column_blob(row, 3);
	struct store_package_version_row version = {
	        .id = (uint64_t)sqlite3_column_int64(row, 0),
	        .package = (uint64_t)sqlite3_column_int64(row, 1),
	        .number = (uint64_t)sqlite3_column_int64(row, 2),
	        .source = text(row, 8),
	        .sha256 = text(row, 9),
	        .created_us = sqlite3_column_int64(row, 10),
	};

	if (!version.source || !version.sha256 || !root)
		return fail(-ENOMEM, "reading a version of a package");
	if (sqlite3_column_bytes(row, 3) != STORE_SNAPSHOT_ID_SIZE)
		return fail(-EIO, "a version of a package names no snapshot");
	version.snapshot = snapshot_at(row, 3, root);
	return (*call)(userdata, &version);
}

int store_each_package_version(struct store *store,
        int (*each)(void *userdata, const struct store_package_version_row *row), void *userdata)
{
	return store_walk(store,
	        "SELECT id, package, number, snapshot, files, directories, bytes, added_bytes,"
	        " source, sha256, created_us FROM package_versions ORDER BY id",
	        package_version_row, &each, userdata);
}

static int dependency_row(sqlite3_stmt *row, void *each, void *userdata)
{
	int (**call)(void *, const struct store_dependency_row *) = each;
	struct store_dependency_row dependency = {
	        .id = (uint64_t)sqlite3_column_int64(row, 0),
	        .owner = (uint64_t)sqlite3_column_int64(row, 1),
	        .name = text(row, 2),
	        .package = (uint64_t)sqlite3_column_int64(row, 3),
	        .version = (uint64_t)sqlite3_column_int64(row, 4),
	};

	return dependency.name ? (*call)(userdata, &dependency)
	                       : fail(-ENOMEM, "reading a dependency");
}

int store_each_dependency(struct store *store,
        int (*each)(void *userdata, const struct store_dependency_row *row), void *userdata)
{
	return store_walk(store,
	        "SELECT id, owner, name, package, version FROM dependencies"
	        " WHERE owner NOT IN (SELECT id FROM versions WHERE snapshot IS NULL) ORDER BY id",
	        dependency_row, &each, userdata);
}

static int build_row(sqlite3_stmt *row, void *each, void *userdata)
{
	int (**call)(void *, const struct store_build_row *) = each;
	bool failed = sqlite3_column_type(row, 2) == SQLITE_NULL;
	struct store_build_row build = {
	        .owner = (uint64_t)sqlite3_column_int64(row, 0),
	        .digest = text(row, 1),
	        .root = sqlite3_column_blob(row, 2),
	        .bytes = (uint64_t)sqlite3_column_int64(row, 3),
	        .error = text(row, 4),
	        .used_us = sqlite3_column_int64(row, 5),
	};

	if (!build.digest || (!failed && !build.root))
		return fail(-ENOMEM, "reading a build");
	if (!failed && sqlite3_column_bytes(row, 2) != STORE_SNAPSHOT_ID_SIZE)
		return fail(-EIO, "a build names no snapshot");
	return (*call)(userdata, &build);
}

int store_each_build(struct store *store,
        int (*each)(void *userdata, const struct store_build_row *row), void *userdata)
{
	return store_walk(store,
	        "SELECT owner, digest, snapshot, bytes, error, used_us FROM builds"
	        " ORDER BY used_us",
	        build_row, &each, userdata);
}

static int topic_row(sqlite3_stmt *row, void *each, void *userdata)
{
	int (**call)(void *, const struct store_topic_row *) = each;
	struct store_topic_row topic = {
	        .id = (uint64_t)sqlite3_column_int64(row, 0),
	        .name = text(row, 1),
	        .uid = (uid_t)sqlite3_column_int64(row, 2),
	        .gid = (gid_t)sqlite3_column_int64(row, 3),
	        .published = (uint64_t)sqlite3_column_int64(row, 4),
	        .created_us = sqlite3_column_int64(row, 5),
	};

	return topic.name ? (*call)(userdata, &topic) : fail(-ENOMEM, "reading a topic");
}

int store_each_topic(struct store *store,
        int (*each)(void *userdata, const struct store_topic_row *row), void *userdata)
{
	return store_walk(store,
	        "SELECT id, name, uid, gid, published, created_us FROM topics ORDER BY id",
	        topic_row, &each, userdata);
}

static int trigger_row(sqlite3_stmt *row, void *each, void *userdata)
{
	int (**call)(void *, const struct store_trigger_row *) = each;
	struct store_trigger_row trigger = {
	        .id = (uint64_t)sqlite3_column_int64(row, 0),
	        .function = (uint64_t)sqlite3_column_int64(row, 1),
	        .name = text(row, 2),
	        .version = (uint64_t)sqlite3_column_int64(row, 3),
	        .alias = (uint64_t)sqlite3_column_int64(row, 4),
	        .last_us = sqlite3_column_int64(row, 5),
	        .fired = (uint64_t)sqlite3_column_int64(row, 6),
	        .errors = (uint64_t)sqlite3_column_int64(row, 7),
	        .created_us = sqlite3_column_int64(row, 8),
	};

	return trigger.name ? (*call)(userdata, &trigger) : fail(-ENOMEM, "reading a trigger");
}

int store_each_trigger(struct store *store,
        int (*each)(void *userdata, const struct store_trigger_row *row), void *userdata)
{
	return store_walk(store,
	        "SELECT id, function, name, version, alias, last_us, fired, errors, created_us"
	        " FROM triggers ORDER BY id",
	        trigger_row, &each, userdata);
}

static int identity_row(sqlite3_stmt *row, void *each, void *userdata)
{
	const char *name = text(row, 0);

	if (!name)
		return fail(-ENOMEM, "reading the name of the state directory");
	snprintf(userdata, STORE_IDENTITY_SIZE, "%s", name);
	return 0;
}

int store_identity(struct store *store, char out[STORE_IDENTITY_SIZE])
{
	*out = 0;
	return store_walk(store, "SELECT name FROM identity", identity_row, NULL, out);
}

static int source_row(sqlite3_stmt *row, void *each, void *userdata)
{
	int (**call)(void *, const struct store_source_row *) = each;
	struct store_source_row source = {
	        .id = (uint64_t)sqlite3_column_int64(row, 0),
	        .trigger = (uint64_t)sqlite3_column_int64(row, 1),
	        .kind = text(row, 2),
	        .value = text(row, 3),
	        .topic = (uint64_t)sqlite3_column_int64(row, 4),
	        .uid = (uid_t)sqlite3_column_int64(row, 5),
	        .gid = (gid_t)sqlite3_column_int64(row, 6),
	        .groups = text(row, 7),
	        .start_us = sqlite3_column_int64(row, 8),
	        .from_us = sqlite3_column_int64(row, 9),
	};

	if (!source.kind || !source.value || !source.groups)
		return fail(-ENOMEM, "reading a source of events");
	return (*call)(userdata, &source);
}

int store_each_source(struct store *store,
        int (*each)(void *userdata, const struct store_source_row *row), void *userdata)
{
	return store_walk(store,
	        "SELECT id, trigger, kind, value, topic, uid, gid, groups, start_us, from_us"
	        " FROM sources ORDER BY id",
	        source_row, &each, userdata);
}

static int watched_row(sqlite3_stmt *row, void *each, void *userdata)
{
	int (**call)(void *, const char *, const char *) = each;
	const char *name = text(row, 0), *stamp = text(row, 1);

	if (!name || !stamp)
		return fail(-ENOMEM, "reading what is watched");
	return (*call)(userdata, name, stamp);
}

int store_each_watched(struct store *store, uint64_t source,
        int (*each)(void *userdata, const char *name, const char *stamp), void *userdata)
{
	char sql[128];

	snprintf(sql, sizeof(sql),
	        "SELECT name, stamp FROM watched WHERE source = %" PRIu64 " ORDER BY name", source);
	return store_walk(store, sql, watched_row, &each, userdata);
}

int store_setting_row(sqlite3_stmt *row, void *each, void *userdata)
{
	int (**call)(void *, uint64_t, const char *, const char *) = each;
	const char *name = text(row, 1), *value = text(row, 2);

	if (!name || !value)
		return fail(-ENOMEM, "reading a setting");
	return (*call)(userdata, (uint64_t)sqlite3_column_int64(row, 0), name, value);
}

int store_each_setting(struct store *store,
        int (*each)(void *userdata, uint64_t owner, const char *name, const char *value),
        void *userdata)
{
	return store_walk(store,
	        "SELECT owner, name, value FROM settings"
	        " WHERE owner NOT IN (SELECT id FROM triggers) ORDER BY owner, name",
	        store_setting_row, &each, userdata);
}

int store_each_trigger_setting(struct store *store,
        int (*each)(void *userdata, uint64_t owner, const char *name, const char *value),
        void *userdata)
{
	return store_walk(store,
	        "SELECT owner, name, value FROM settings"
	        " WHERE owner IN (SELECT id FROM triggers) ORDER BY owner, name",
	        store_setting_row, &each, userdata);
}

int store_variable_row(sqlite3_stmt *row, void *each, void *userdata)
{
	int (**call)(void *, uint64_t, uint64_t, const char *, const char *) = each;
	const char *key = text(row, 2), *value = text(row, 3);

	if (!key || !value)
		return fail(-ENOMEM, "reading a variable");
	return (*call)(userdata, (uint64_t)sqlite3_column_int64(row, 0),
	        (uint64_t)sqlite3_column_int64(row, 1), key, value);
}

int store_each_variable(struct store *store,
        int (*each)(
                void *userdata, uint64_t owner, uint64_t id, const char *key, const char *value),
        void *userdata)
{
	return store_walk(store, "SELECT owner, id, key, value FROM variables ORDER BY id",
	        store_variable_row, &each, userdata);
}

/* The bit when the column holds a value, which is then stored at `value`. */
static unsigned column(sqlite3_stmt *row, int number, unsigned bit, int64_t *value)
{
	*value = sqlite3_column_int64(row, number);
	return sqlite3_column_type(row, number) == SQLITE_NULL ? 0 : bit;
}

static int attributes_row(sqlite3_stmt *row, void *each, void *userdata)
{
	int (**call)(void *, uint64_t, unsigned, mode_t, uid_t, gid_t, int64_t) = each;
	int64_t mode, uid, gid, mtime_us;
	unsigned set = column(row, 1, COMMAND_SET_MODE, &mode) |
	               column(row, 2, COMMAND_SET_UID, &uid) |
	               column(row, 3, COMMAND_SET_GID, &gid) |
	               column(row, 4, COMMAND_SET_MTIME, &mtime_us);

	return (*call)(userdata, (uint64_t)sqlite3_column_int64(row, 0), set, (mode_t)mode,
	        (uid_t)uid, (gid_t)gid, mtime_us);
}

int store_each_attributes(struct store *store,
        int (*each)(void *userdata, uint64_t ino, unsigned set, mode_t mode, uid_t uid, gid_t gid,
                int64_t mtime_us),
        void *userdata)
{
	return store_walk(store,
	        "SELECT ino, mode, uid, gid, mtime_us FROM attributes ORDER BY ino", attributes_row,
	        &each, userdata);
}
