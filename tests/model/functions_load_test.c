/* SPDX-License-Identifier: Apache-2.0 */
/* A user with many functions would lose: the memory of the machine; or, were they forgotten too well, a function. */
#include "model/function.h"

#include <errno.h>

#include "heap.h"
#include "heap_sqlite.h"
#include "model/alias.h"
#include "model/dependency.h"
#include "model/package.h"
#include "model/trigger.h"
#include "model/version.h"
#include "test.h"

static const struct caller alice = {1000, 1001, 1};

struct fixture {
	char *directory;
	struct store *store;
	struct functions *functions;
	struct packages *packages;
	struct triggers *triggers;
	int crowded; /* how often */
};

static void count_crowded(void *userdata)
{
	struct fixture *fixture = userdata;

	fixture->crowded++;
}

static const struct functions_events events = {.crowded = count_crowded};

static void load(struct fixture *fixture)
{
	REQUIRE(store_open(&fixture->store, fixture->directory) == 0);
	REQUIRE(functions_new(&fixture->functions, fixture->store, &events, fixture) == 0);
	REQUIRE(packages_new(&fixture->packages, fixture->store, fixture->functions, NULL, NULL) ==
	        0);
	REQUIRE(triggers_new(&fixture->triggers, fixture->store, fixture->functions, NULL, NULL) ==
	        0);
}

static void unload(struct fixture *fixture)
{
	packages_free(fixture->packages);
	triggers_free(fixture->triggers);
	functions_free(fixture->functions);
	store_close(fixture->store);
}

static struct fixture *fixture_open(int functions)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	char name[16];

	fixture->directory = test_directory();
	load(fixture);
	for (int i = 0; i < functions; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		REQUIRE(functions_create(fixture->functions, name, &alice, NULL, NULL) == 0);
	}
	unload(fixture);
	load(fixture);
	return fixture;
}

static void fixture_close(struct fixture *fixture)
{
	unload(fixture);
	test_directory_remove(fixture->directory);
	free(fixture);
}

static int see(void *userdata, const struct store_function_row *row)
{
	buf_printf(userdata, "%s ", row->name);
	return 0;
}

static void loads_nothing_for_a_look(void)
{
	struct fixture *fixture = fixture_open(5);
	struct buf seen = BUF_INIT;
	uint64_t id = 0;

	CHECK_INT(functions_count(fixture->functions), 5);
	CHECK_INT(functions_each_after(fixture->functions, 0, see, &seen), 0);
	CHECK_INT(functions_find_id(fixture->functions, "f3", &id), 0);
	CHECK_INT(functions_look(fixture->functions, id, see, &seen), 0);
	CHECK_STR(seen.data, "f0 f1 f2 f3 f4 f3 ");
	CHECK_INT(functions_find_id(fixture->functions, "f9", &id), -ENOENT);
	CHECK_INT(functions_look(fixture->functions, 999, see, &seen), -ENOENT);
	CHECK_INT(functions_loaded(fixture->functions), 0);
	CHECK(functions_find(fixture->functions, "f3"));
	CHECK_INT(functions_loaded(fixture->functions), 1);
	buf_deinit(&seen);
	fixture_close(fixture);
}

/* Those asked for last stay. */
static void forgets_the_longest_unasked(void)
{
	struct fixture *fixture = fixture_open(5);
	struct functions *functions = fixture->functions;
	struct function *function = NULL;

	functions_keep(functions, 2);
	while ((function = functions_next(functions, function ? function->id : 0)))
		;
	CHECK_INT(functions_loaded(functions), 5);
	CHECK(fixture->crowded > 0);
	function = functions_find(functions, "f0");
	functions_trim(functions);
	CHECK_INT(functions_loaded(functions), 2);
	CHECK(functions_find(functions, "f0") == function);
	CHECK_INT(functions_loaded(functions), 2);
	CHECK(functions_find(functions, "f1") && functions_find(functions, "f4"));
	CHECK_INT(functions_count(functions), 5);
	fixture_close(fixture);
}

/* Everything about it is there again, found by whichever id is asked for first. */
static void knows_all_of_it_again(void)
{
	struct fixture *fixture = fixture_open(1);
	struct functions *functions = fixture->functions;
	struct function *function = functions_find(functions, "f0");
	const struct store_snapshot snapshot = {.files = 3};
	struct package *package = NULL;
	struct version *version = NULL;
	struct variable *variable = NULL;
	struct alias *alias = NULL;
	uint64_t ids[3];

	CHECK_INT(settings_set(&function->settings, CONFIG_TIMEOUT, "7s", NULL), 0);
	CHECK_INT(settings_variable_set(&function->settings, "KEY", "value", &variable, NULL), 0);
	CHECK_INT(packages_create(fixture->packages, "lib", &alice, &package, NULL), 0);
	CHECK_INT(dependency_bind(&function->settings, "lib", package, NULL, NULL, NULL), 0);
	CHECK_INT(package_publish(package, &snapshot, "", "", NULL, NULL), 0);
	CHECK_INT(version_create(function, "1.0.0", &snapshot, &version, NULL), 0);
	CHECK_INT(alias_create(function, "prod", &alias, NULL), 0);
	ids[0] = version->id;
	ids[1] = alias->id;
	ids[2] = variable->id;
	functions_keep(functions, 0);
	for (int i = 0; i < 3; i++) {
		functions_trim(functions);
		CHECK_INT(functions_loaded(functions), 0);
		version = i == 0 ? versions_get(functions, ids[0]) : NULL;
		alias = i == 1 ? aliases_get(functions, ids[1]) : NULL;
		variable = i == 2 ? functions_variable(functions, ids[2]) : NULL;
		CHECK(version || alias || variable);
		function = functions_find(functions, "f0");
		CHECK_INT(functions_loaded(functions), 1);
		CHECK_INT(function->settings.config.timeout_ms, 7000);
		CHECK_STR(settings_variable_find(&function->settings, "KEY")->value, "value");
		CHECK(versions_find(function, "1.0.0") && aliases_find(function, "prod"));
		CHECK(dependency_find(fixture->packages, function->id, "lib"));
		CHECK_INT(versions_find(function, "1.0.0")->settings.config.timeout_ms, 7000);
	}
	fixture_close(fixture);
}

static void keeps_what_is_used(void)
{
	struct fixture *fixture = fixture_open(4);
	struct functions *functions = fixture->functions;
	struct function *state = functions_find(functions, "f0");
	struct function *triggered = functions_find(functions, "f1");
	struct function *draft = functions_find(functions, "f2");
	struct version *version = NULL;
	struct trigger *trigger = NULL;

	functions_find(functions, "f3");
	state->runtime_state = fixture;
	CHECK_INT(trigger_create(triggered, "t", &trigger, NULL), 0);
	CHECK_INT(version_begin(draft, "1", &version, NULL), 0);
	functions_keep(functions, 0);
	functions_trim(functions);
	CHECK_INT(functions_loaded(functions), 3);
	CHECK(functions_find(functions, "f0") == state);
	CHECK(functions_find(functions, "f1") == triggered);
	CHECK(functions_find(functions, "f2") == draft);
	state->runtime_state = NULL;
	version_abandon(version);
	CHECK_INT(trigger_remove(trigger, NULL), 0);
	functions_trim(functions);
	CHECK_INT(functions_loaded(functions), 0);
	fixture_close(fixture);
}

/* Whoever has a trigger is there from the start: it has to act. */
static void loads_who_has_a_trigger(void)
{
	struct fixture *fixture = fixture_open(3);
	struct trigger *trigger = NULL;

	CHECK_INT(trigger_create(functions_find(fixture->functions, "f1"), "t", &trigger, NULL), 0);
	unload(fixture);
	load(fixture);
	CHECK_INT(functions_loaded(fixture->functions), 1);
	trigger = triggers_next_of_all(fixture->triggers, 0);
	CHECK_STR(trigger->function->name, "f1");
	fixture_close(fixture);
}

/* Renamed and removed, loaded or not: the names are those of the store. */
static void names_are_those_of_all(void)
{
	struct fixture *fixture = fixture_open(3);
	struct functions *functions = fixture->functions;

	CHECK_INT(functions_create(functions, "f1", &alice, NULL, NULL), -EEXIST);
	CHECK_INT(function_rename(functions_find(functions, "f0"), "f2", NULL), -EEXIST);
	CHECK_INT(function_rename(functions_find(functions, "f0"), "new", NULL), 0);
	functions_keep(functions, 0);
	functions_trim(functions);
	CHECK(!functions_find(functions, "f0") && functions_find(functions, "new"));
	CHECK_INT(function_remove(functions_find(functions, "new"), NULL), 0);
	CHECK(!functions_find(functions, "new"));
	CHECK_INT(functions_count(functions), 2);
	fixture_close(fixture);
}

/* A failure is told as one, leaves nothing half-loaded, and the next that asks gets it whole. */
static void survives_lack_of_memory(void)
{
	struct fixture *fixture = fixture_open(2);
	struct functions *functions = fixture->functions;
	struct function *function = functions_find(functions, "f0");
	unsigned long failed = 0, n;
	uint64_t id = function->id;
	int r;

	CHECK_INT(settings_variable_set(&function->settings, "KEY", "value", NULL, NULL), 0);
	functions_keep(functions, 0);
	functions_trim(functions);
	for (n = 0;; n++) {
		heap_fail(n, 1);
		r = functions_load(functions, id, &function);
		if (!heap_end())
			break;
		if (r == 0)
			functions_trim(functions); /* it found another way */
		else
			CHECK_INT(r, -ENOMEM);
		CHECK_INT(functions_loaded(functions), 0);
		failed++;
	}
	CHECK(failed > 3);
	CHECK_INT(r, 0);
	CHECK_STR(settings_variable_find(&function->settings, "KEY")->value, "value");
	fixture_close(fixture);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(loads_nothing_for_a_look),
	        TEST(forgets_the_longest_unasked), TEST(knows_all_of_it_again),
	        TEST(keeps_what_is_used), TEST(loads_who_has_a_trigger),
	        TEST(names_are_those_of_all), TEST(survives_lack_of_memory), {}};

	heap_wrap_sqlite();
	return test_main(tests, argc, argv);
}
