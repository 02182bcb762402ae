/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading one thing by its key, at any time: a statement for each question, prepared once, that looks into an
 * index and never walks a table (a test asks SQLite for its plan).
 */
#include "store/store_find.h"

#include <assert.h>
#include <errno.h>

#include "base/fail.h"

#define FUNCTION "SELECT id, name, uid, gid, created_us FROM functions"

/* The function ?1, its versions and its aliases: whoever has settings there. */
#define VERSIONS_OF_IT "SELECT id FROM versions WHERE function = ?1 AND snapshot IS NOT NULL"
#define ALIASES_OF_IT  "SELECT id FROM aliases WHERE function = ?1"

const char *const store_finds[STORE_FINDS] = {
        [FIND_FUNCTION] = FUNCTION " WHERE id = ?1",
        [FIND_FUNCTION_NAMED] = FUNCTION " WHERE name = ?1",
        [FIND_FUNCTIONS_AFTER] = FUNCTION " WHERE id > ?1 ORDER BY id",
        [FIND_FUNCTION_OF] = "SELECT function FROM versions WHERE id = ?1"
                             " UNION ALL SELECT function FROM aliases WHERE id = ?1"
                             " UNION ALL SELECT ifnull((SELECT function FROM versions"
                             " WHERE versions.id = owner), owner) FROM variables WHERE id = ?1",
        [FIND_VERSIONS] = "SELECT id, function, name, created_us,"
                          " snapshot, files, directories, bytes, added_bytes FROM versions"
                          " WHERE function = ?1 ORDER BY id",
        [FIND_ALIASES] = "SELECT id, function, name, routes, previous, generation, created_us"
                         " FROM aliases WHERE function = ?1 ORDER BY id",
        [FIND_SETTINGS] = "SELECT owner, name, value FROM settings WHERE owner IN"
                          " (SELECT ?1 UNION ALL " VERSIONS_OF_IT " UNION ALL " ALIASES_OF_IT
                          ") ORDER BY owner, name",
        [FIND_VARIABLES] = "SELECT owner, id, key, value FROM variables WHERE owner IN"
                           " (SELECT ?1 UNION ALL " VERSIONS_OF_IT ") ORDER BY id",
        /* The second condition is that of the index. */
        [FIND_SETTINGS_NAMED] = "SELECT owner, name, value FROM settings WHERE name = ?1"
                                " AND name IN ('build', 'image', 'min_instances')",
        [FIND_DRAFT] = "SELECT id FROM versions WHERE snapshot IS NULL LIMIT 1",
        [FIND_VERSION] = "SELECT id FROM versions WHERE id = ?1 AND snapshot IS NOT NULL",
};

struct number {
	uint64_t value;
	bool found;
};

static int number_row(sqlite3_stmt *row, void *each, void *userdata)
{
	*(struct number *)userdata = (struct number){(uint64_t)sqlite3_column_int64(row, 0), true};
	return 0;
}

/* Of a statement with its values in place. */
static int step_through(
        struct store *store, sqlite3_stmt *statement, store_row_fn row, void *each, void *userdata)
{
	int answer, r = 0;

	while (r == 0 && (answer = sqlite3_step(statement)) != SQLITE_DONE)
		r = answer == SQLITE_ROW ? row(statement, each, userdata)
		                         : store_error(store, answer, "reading what exists");
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return r;
}

/* By a number, or by a text where there is one. */
static int find(struct store *store, enum store_find kind, uint64_t id, const char *text,
        store_row_fn row, void *each, void *userdata)
{
	sqlite3_stmt **statement = &store->finds[kind];
	int answer, r = *statement ? 0 : store_prepare(store, store_finds[kind], statement);

	if (r < 0)
		return r;
	assert(!sqlite3_stmt_busy(*statement));
	answer = !sqlite3_bind_parameter_count(*statement) ? SQLITE_OK
	         : text ? sqlite3_bind_text(*statement, 1, text, -1, SQLITE_STATIC)
	                : sqlite3_bind_int64(*statement, 1, (sqlite3_int64)id);
	if (answer != SQLITE_OK)
		return store_error(store, answer, "binding a value");
	return step_through(store, *statement, row, each, userdata);
}

static int find_number(struct store *store, enum store_find kind, uint64_t id, uint64_t *out)
{
	struct number number = {};
	int r = find(store, kind, id, NULL, number_row, NULL, &number);

	if (r == 0 && number.found && out)
		*out = number.value;
	return r == 0 && !number.found ? -ENOENT : r;
}

/* --- functions -------------------------------------------------------------------------------- */

typedef int (*function_fn)(void *userdata, const struct store_function_row *row);

struct found {
	function_fn each;
	void *userdata;
	bool found;
};

static int one_function(void *userdata, const struct store_function_row *row)
{
	struct found *found = userdata;

	found->found = true;
	return (*found->each)(found->userdata, row);
}

static int find_function(struct store *store, enum store_find kind, uint64_t id, const char *name,
        function_fn each, void *userdata)
{
	struct found found = {each, userdata, false};
	function_fn call = one_function;
	int r = find(store, kind, id, name, store_function_row, &call, &found);

	return r == 0 && !found.found ? -ENOENT : r;
}

int store_get_function(struct store *store, uint64_t id, function_fn each, void *userdata)
{
	return find_function(store, FIND_FUNCTION, id, NULL, each, userdata);
}

int store_find_function(struct store *store, const char *name, function_fn each, void *userdata)
{
	return find_function(store, FIND_FUNCTION_NAMED, 0, name, each, userdata);
}

int store_each_function_after(struct store *store, uint64_t after, function_fn each, void *userdata)
{
	return find(store, FIND_FUNCTIONS_AFTER, after, NULL, store_function_row, &each, userdata);
}

static int count_row(sqlite3_stmt *row, void *each, void *userdata)
{
	*(size_t *)userdata = (size_t)sqlite3_column_int64(row, 0);
	return 0;
}

int store_count_functions(struct store *store, size_t *count)
{
	return store_walk(store, "SELECT count(*) FROM functions", count_row, NULL, count);
}

/* --- what belongs to one ---------------------------------------------------------------------- */

int store_function_of(struct store *store, uint64_t id, uint64_t *function)
{
	return find_number(store, FIND_FUNCTION_OF, id, function);
}

int store_has_version(struct store *store, uint64_t id)
{
	return find_number(store, FIND_VERSION, id, NULL);
}

int store_has_draft(struct store *store)
{
	return find_number(store, FIND_DRAFT, 0, NULL);
}

int store_each_version_of(struct store *store, uint64_t function,
        int (*each)(void *userdata, const struct store_version_row *row), void *userdata)
{
	return find(store, FIND_VERSIONS, function, NULL, store_version_row, &each, userdata);
}

int store_each_alias_of(struct store *store, uint64_t function,
        int (*each)(void *userdata, const struct store_alias_row *row), void *userdata)
{
	return find(store, FIND_ALIASES, function, NULL, store_alias_row, &each, userdata);
}

int store_each_setting_of(struct store *store, uint64_t function,
        int (*each)(void *userdata, uint64_t owner, const char *name, const char *value),
        void *userdata)
{
	return find(store, FIND_SETTINGS, function, NULL, store_setting_row, &each, userdata);
}

int store_each_variable_of(struct store *store, uint64_t function,
        int (*each)(
                void *userdata, uint64_t owner, uint64_t id, const char *key, const char *value),
        void *userdata)
{
	return find(store, FIND_VARIABLES, function, NULL, store_variable_row, &each, userdata);
}

int store_each_setting_named(struct store *store, const char *name,
        int (*each)(void *userdata, uint64_t owner, const char *name, const char *value),
        void *userdata)
{
	return find(store, FIND_SETTINGS_NAMED, 0, name, store_setting_row, &each, userdata);
}
