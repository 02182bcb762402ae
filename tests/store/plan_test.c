/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user with a hundred thousand functions would lose: time, at every change and every look, in proportion to how
 * many there are. So no statement that runs while the daemon does may walk through a table.
 */
#include <sqlite3.h>

#include "base/buf.h"
#include "store/store_commands.h"
#include "store/store_find.h"
#include "store/store_schema.h"
#include "test.h"

struct fixture {
	char *directory;
	struct store *store;
	struct buf walks; /* a line for each */
};

static struct fixture *fixture_open(void)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->directory = test_directory();
	REQUIRE(store_open(&fixture->store, fixture->directory) == 0);
	buf_puts(&fixture->walks, "");
	return fixture;
}

static void fixture_close(struct fixture *fixture)
{
	store_close(fixture->store);
	test_directory_remove(fixture->directory);
	buf_deinit(&fixture->walks);
	free(fixture);
}

/* An index that holds only what is looked for may be walked, and what a statement brings along itself. */
static bool is_walk(const char *step)
{
	return strncmp(step, "SCAN", 4) == 0 && !strstr(step, "CONSTANT ROW") &&
	       strncmp(step, "SCAN (", 6) != 0 && !strstr(step, "VIRTUAL TABLE") &&
	       !strstr(step, "INDEX versions_begun");
}

static void look(struct fixture *fixture, const char *sql)
{
	sqlite3_stmt *plan = NULL;
	char *explained = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", sql);

	REQUIRE(store_prepare(fixture->store, explained, &plan) == 0);
	while (sqlite3_step(plan) == SQLITE_ROW) {
		const char *step = (const char *)sqlite3_column_text(plan, 3);

		if (is_walk(step))
			buf_printf(&fixture->walks, "%s: %s\n", step, sql);
	}
	sqlite3_finalize(plan);
	sqlite3_free(explained);
}

static void notices_a_walk(void)
{
	struct fixture *fixture = fixture_open();

	look(fixture, "SELECT id FROM functions WHERE uid = 1");
	CHECK(strstr(fixture->walks.data, "SCAN"));
	fixture_close(fixture);
}

static void walks_for_no_question(void)
{
	struct fixture *fixture = fixture_open();

	for (int find = 0; find < STORE_FINDS; find++)
		look(fixture, store_finds[find]);
	CHECK_STR(fixture->walks.data, "");
	fixture_close(fixture);
}

static void walks_for_no_command(void)
{
	struct fixture *fixture = fixture_open();

	for (int kind = 0; kind < COMMAND_KINDS; kind++)
		for (int step = 0; step < STORE_STEPS && store_commands[kind][step].sql; step++)
			look(fixture, store_commands[kind][step].sql);
	CHECK_STR(fixture->walks.data, "");
	fixture_close(fixture);
}

/* What is removed takes along, or is kept by, those that name it: they are looked for by an index, too. */
static void finds_those_that_name_what_goes(void)
{
	struct fixture *fixture = fixture_open();
	sqlite3_stmt *keys = NULL;
	int count = 0;

	REQUIRE(store_prepare(fixture->store,
	                "SELECT tables.name, keys.\"from\" FROM sqlite_master AS tables,"
	                " pragma_foreign_key_list(tables.name) AS keys"
	                " WHERE tables.type = 'table'",
	                &keys) == 0);
	for (; sqlite3_step(keys) == SQLITE_ROW; count++) {
		const char *table = (const char *)sqlite3_column_text(keys, 0);
		const char *column = (const char *)sqlite3_column_text(keys, 1);
		char *sql = sqlite3_mprintf("SELECT 1 FROM %s WHERE %s = ?1", table, column);

		look(fixture, sql);
		sqlite3_free(sql);
	}
	sqlite3_finalize(keys);
	CHECK(count > 10);
	CHECK_STR(fixture->walks.data, "");
	fixture_close(fixture);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(notices_a_walk), TEST(walks_for_no_question),
	        TEST(walks_for_no_command), TEST(finds_those_that_name_what_goes), {}};

	return test_main(tests, argc, argv);
}
