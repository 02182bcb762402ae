/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user would lose: a version that changes after it was published, an alias that routes to what is gone, and
 * the way back to the routes before.
 */
#include "model/version.h"

#include <errno.h>

#include "heap.h"
#include "heap_sqlite.h"
#include "model/alias.h"
#include "model/function.h"
#include "model/routes.h"
#include "test.h"

static const struct caller alice = {1000, 1001, 1};
static const struct store_snapshot content = {{1, 2, 3}, 4, 5, 6, 7};

struct fixture {
	char *directory;
	struct store *store;
	struct functions *functions;
	struct function *f;
	struct buf told;
};

static void tell_version_created(void *userdata, struct version *version)
{
	buf_printf(userdata, "+%s ", version->name);
}

static void tell_version_configured(void *userdata, struct version *version, int key)
{
	buf_printf(userdata, "%s.%s ", version->name,
	        key < 0 ? "env" : config_key_name((enum config_key)key));
}

static void tell_version_removed(void *userdata, struct version *version)
{
	buf_printf(userdata, "-%s%s ", version->name, version->published ? "" : "?");
}

static void tell_alias_created(void *userdata, struct alias *alias)
{
	buf_printf(userdata, "+@%s ", alias->name);
}

static void tell_alias_routed(void *userdata, struct alias *alias)
{
	buf_printf(userdata, "@%s=%" PRIu64 " ", alias->name, alias->generation);
}

static void tell_alias_renamed(void *userdata, struct alias *alias)
{
	buf_printf(userdata, ">@%s ", alias->name);
}

static void tell_alias_removed(void *userdata, struct alias *alias)
{
	buf_printf(userdata, "-@%s ", alias->name);
}

static void tell_removed(void *userdata, struct function *function)
{
	buf_printf(userdata, "-%s() ", function->name);
}

static const struct functions_events events = {.removed = tell_removed,
        .version_created = tell_version_created,
        .version_configured = tell_version_configured,
        .version_removed = tell_version_removed,
        .alias_created = tell_alias_created,
        .alias_routed = tell_alias_routed,
        .alias_renamed = tell_alias_renamed,
        .alias_removed = tell_alias_removed};

static void fixture_load(struct fixture *fixture)
{
	REQUIRE(store_open(&fixture->store, fixture->directory) == 0);
	REQUIRE(functions_new(&fixture->functions, fixture->store, &events, &fixture->told) == 0);
	fixture->f = functions_find(fixture->functions, "f");
}

static struct fixture *fixture_open(void)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->directory = test_directory();
	fixture_load(fixture);
	REQUIRE(functions_create(fixture->functions, "f", &alice, &fixture->f, NULL) == 0);
	return fixture;
}

static void fixture_unload(struct fixture *fixture)
{
	fixture->functions = functions_free(fixture->functions);
	fixture->store = store_close(fixture->store);
}

static void fixture_reopen(struct fixture *fixture)
{
	fixture_unload(fixture);
	fixture_load(fixture);
}

static void fixture_close(struct fixture *fixture)
{
	fixture_unload(fixture);
	test_directory_remove(fixture->directory);
	buf_deinit(&fixture->told);
	free(fixture);
}

static void check_told(struct fixture *fixture, const char *expected)
{
	buf_puts(&fixture->told, "");
	CHECK_STR(fixture->told.data, expected);
	buf_clear(&fixture->told);
}

static struct version *publish(struct fixture *fixture, const char *name)
{
	struct version *version = NULL;
	struct buf why = BUF_INIT;
	int r = version_create(fixture->f, name, &content, &version, &why);

	if (r < 0)
		printf("%s: %s\n", name, why.data ? why.data : "");
	REQUIRE(r == 0 && version);
	buf_deinit(&why);
	return version;
}

static struct alias *make_alias(struct fixture *fixture, const char *name)
{
	struct alias *alias = NULL;

	REQUIRE(alias_create(fixture->f, name, &alias, NULL) == 0);
	return alias;
}

static void dump_settings(const struct settings *settings, struct buf *out)
{
	struct variable *variable;
	int key;

	for (key = 0; key < CONFIG_KEYS; key++) {
		buf_puts(out, " ");
		config_format(&settings->config, (enum config_key)key, out);
	}
	list_each(variable, &settings->variables, link) {
		buf_printf(out, " %" PRIu64 ":%s=%s", variable->id, variable->key, variable->value);
		CHECK(functions_variable(settings->function->functions, variable->id) == variable);
		CHECK(variable->settings == settings);
	}
	buf_puts(out, "\n");
}

static void dump_function(struct function *function, struct buf *out)
{
	struct functions *functions = function->functions;
	struct version *version;
	struct alias *alias;
	uint64_t id;

	buf_printf(out, "%s", function->name);
	dump_settings(&function->settings, out);
	for (id = 0; (version = versions_next(function, id)); id = version->id) {
		CHECK(version->id > id && versions_get(functions, version->id) == version);
		CHECK(versions_find(function, version->name) == version);
		CHECK(version->settings.owner == version->id);
		buf_printf(out, "version %" PRIu64 " %s %" PRId64 " %d %" PRIu64, version->id,
		        version->name, version->created_us, version->snapshot.root[0],
		        version->snapshot.added_bytes);
		dump_settings(&version->settings, out);
	}
	for (id = 0; (alias = aliases_next(function, id)); id = alias->id) {
		CHECK(alias->id > id && aliases_get(functions, alias->id) == alias);
		CHECK(aliases_find(function, alias->name) == alias);
		buf_printf(out, "alias %" PRIu64 " %s %" PRId64 " %" PRIu64 " '%s' '%s' '",
		        alias->id, alias->name, alias->created_us, alias->generation, alias->text,
		        alias->previous);
		routes_show(alias->routes, out);
		buf_printf(out, "' %s\n", alias->description);
	}
}

/* All that is in memory, as text. */
static void dump(struct fixture *fixture, struct buf *out)
{
	struct function *function = NULL;

	buf_clear(out);
	while ((function = functions_next(fixture->functions, function ? function->id : 0)))
		dump_function(function, out);
	buf_puts(out, "");
}

static void check_reopened_same(struct fixture *fixture)
{
	struct buf before = BUF_INIT, after = BUF_INIT;

	dump(fixture, &before);
	fixture_reopen(fixture);
	dump(fixture, &after);
	CHECK_STR(after.data, before.data);
	buf_deinit(&before);
	buf_deinit(&after);
}

static void rules_names(void)
{
	static const char *const good[] = {"1", "1.0.0", "v1", "A-b_c.9", "a..b", "latest2",
	        "123456789012345678901234567890123456789012"};
	static const char *const bad[] = {"", ".", "..", ".1", "1.", "-1", "1-", "_1", "1 0", "1/0",
	        "1\n", "\xc3\xa9", "a+b", "1234567890123456789012345678901234567890123"};
	char longer[300];
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(*good); i++)
		if (!CHECK_INT(version_name_check(good[i], NULL), 0))
			printf("'%s'\n", good[i]);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (!CHECK_INT(version_name_check(bad[i], NULL), -EINVAL))
			printf("'%s'\n", bad[i]);
	memset(longer, 'a', sizeof(longer));
	longer[299] = 0;
	CHECK_INT(version_name_check(longer, NULL), -ENAMETOOLONG);
}

static void publishes(void)
{
	struct fixture *fixture = fixture_open();
	struct buf why = BUF_INIT;
	struct version *one, *two, *none = NULL;

	one = publish(fixture, "1.0");
	two = publish(fixture, "2.0");
	CHECK(versions_newest(fixture->f) == two);
	CHECK_INT(versions_count(fixture->f), 2);
	CHECK_INT(version_create(fixture->f, "1.0", &content, &none, &why), -EEXIST);
	CHECK_STR(why.data, "there is a version 1.0 already, and versions never change");
	CHECK_INT(version_create(fixture->f, "latest", &content, &none, &why), -EEXIST);
	CHECK_INT(version_create(fixture->f, "a b", &content, &none, &why), -EINVAL);
	CHECK_STR(why.data, "the name of a version is 1 to 42 letters, digits, -, _ and ., and "
	                    "begins and ends with a letter or digit; not 'a b'");
	CHECK(!none);
	check_told(fixture, "+1.0 +2.0 ");
	check_reopened_same(fixture);
	one = versions_find(fixture->f, "1.0");
	REQUIRE(one);
	CHECK(memcmp(&one->snapshot, &content, sizeof(content)) == 0);
	CHECK_INT(version_remove(one, NULL), 0);
	CHECK(!versions_find(fixture->f, "1.0"));
	check_told(fixture, "-1.0 ");
	check_reopened_same(fixture);
	publish(fixture, "1.0"); /* the name is free again */
	CHECK_STR(versions_newest(fixture->f)->name, "1.0");
	check_reopened_same(fixture);
	buf_deinit(&why);
	fixture_close(fixture);
}

static void keeps_the_settings_of_its_moment(void)
{
	struct fixture *fixture = fixture_open();
	struct settings *mine = &fixture->f->settings, *its;
	struct buf why = BUF_INIT;
	struct version *version;
	uint64_t generation;

	CHECK_INT(settings_set(mine, CONFIG_HANDLER, "a.b", NULL), 0);
	CHECK_INT(settings_set(mine, CONFIG_MIN_INSTANCES, "3", NULL), 0);
	CHECK_INT(settings_variable_set(mine, "K", "1", NULL, NULL), 0);
	CHECK_INT(settings_variable_set(mine, "L", "2", NULL, NULL), 0);
	CHECK_INT(version_begin(fixture->f, "1", &version, NULL), 0);
	CHECK_INT(settings_set(mine, CONFIG_HANDLER, "c.d", NULL), 0);
	CHECK_INT(settings_variable_set(mine, "K", "changed", NULL, NULL), 0);
	CHECK(!versions_find(fixture->f, "1") && !versions_get(fixture->functions, version->id));
	CHECK(!versions_newest(fixture->f));
	CHECK(version_draft_find(fixture->f, "1") == version);
	CHECK_INT(version_begin(fixture->f, "1", &version, &why), -EALREADY);
	CHECK_STR(why.data, "version 1 is being published");
	CHECK_INT(version_finish(version, &content, NULL), 0);
	CHECK(!version_draft_find(fixture->f, "1"));
	its = &version->settings;
	CHECK_STR(its->config.handler, "a.b");
	CHECK_INT(its->config.min_instances, 0);
	CHECK_STR(settings_variable_find(its, "K")->value, "1");
	check_reopened_same(fixture);
	version = versions_find(fixture->f, "1");
	REQUIRE(version);
	its = &version->settings;
	buf_clear(&fixture->told);
	CHECK_INT(settings_set(its, CONFIG_HANDLER, "x.y", &why), -EROFS);
	CHECK_STR(why.data,
	        "handler belongs to version 1, which does not change; only min_instances, "
	        "max_instances, idle_timeout and description do");
	CHECK_INT(settings_set(its, CONFIG_LOG_FORMAT, "json", NULL), -EROFS);
	CHECK_INT(settings_variable_set(its, "K", "2", NULL, &why), -EROFS);
	CHECK_INT(settings_variable_set(its, "NEW", "2", NULL, &why), -EROFS);
	CHECK_INT(settings_variable_rename(settings_variable_find(its, "K"), "M", NULL), -EROFS);
	CHECK_INT(settings_variable_unset(settings_variable_find(its, "K"), NULL), -EROFS);
	check_told(fixture, "");
	generation = its->config_generation;
	CHECK_INT(settings_set(its, CONFIG_MIN_INSTANCES, "2", NULL), 0);
	CHECK_INT(settings_set(its, CONFIG_MAX_INSTANCES, "7", NULL), 0);
	CHECK_INT(settings_set(its, CONFIG_IDLE_TIMEOUT, "5m", NULL), 0);
	CHECK_INT(settings_set(its, CONFIG_DESCRIPTION, "good", NULL), 0);
	CHECK_INT(its->config_generation, generation + 3); /* a description redeploys nothing */
	CHECK_INT(fixture->f->settings.config.max_instances, 100);
	check_told(fixture, "1.min_instances 1.max_instances 1.idle_timeout 1.description ");
	check_reopened_same(fixture);
	buf_deinit(&why);
	fixture_close(fixture);
}

static void forgets_what_was_not_finished(void)
{
	struct fixture *fixture = fixture_open();
	struct version *one, *two;

	CHECK_INT(settings_variable_set(&fixture->f->settings, "K", "1", NULL, NULL), 0);
	CHECK_INT(version_begin(fixture->f, "1", &one, NULL), 0);
	CHECK_INT(version_begin(fixture->f, "2", &two, NULL), 0);
	CHECK_INT(function_check_empty(fixture->f, NULL), 0); /* nobody was told of them */
	version_abandon(one);
	CHECK(!version_draft_find(fixture->f, "1"));
	fixture_reopen(fixture); /* and 2 is what a crash leaves */
	CHECK_INT(versions_count(fixture->f), 0);
	CHECK_INT(function_check_empty(fixture->f, NULL), 0);
	CHECK(!version_draft_find(fixture->f, "2"));
	publish(fixture, "1");
	CHECK_INT(version_begin(fixture->f, "2", &two, NULL), 0);
	publish(fixture, "3");
	CHECK_INT(version_finish(two, &content, NULL), 0); /* later than one that began later */
	CHECK_STR(versions_newest(fixture->f)->name, "3");
	check_told(fixture, "+1 +3 +2 ");
	check_reopened_same(fixture);
	fixture_close(fixture);
}

static void aliases_route(void)
{
	struct fixture *fixture = fixture_open();
	struct buf why = BUF_INIT;
	struct alias *prod = NULL;
	const struct routes_target *target;
	struct version *two;

	CHECK_INT(alias_create(fixture->f, "prod", &prod, &why), -ENOENT);
	CHECK_STR(why.data, "an alias needs a version to route to: publish one first, with mkdir "
	                    "versions/1.0.0");
	publish(fixture, "1");
	two = publish(fixture, "2");
	prod = make_alias(fixture, "prod");
	CHECK_STR(prod->text, "2 100\n");
	CHECK_STR(prod->previous, "");
	CHECK_INT(prod->generation, 1);
	CHECK_INT(alias_create(fixture->f, "prod", &prod, &why), -EEXIST);
	CHECK_STR(why.data, "there is an alias prod already");
	CHECK_INT(alias_create(fixture->f, "1prod", &prod, &why), -EINVAL);
	CHECK_INT(alias_set_routes(prod, "1 9\n2 1\nlatest if field a = 1", &why), 0);
	CHECK_STR(prod->text, "latest if field a = 1\n1 90\n2 10\n");
	CHECK_STR(prod->previous, "2 100\n");
	CHECK_INT(alias_set_routes(prod, "1 90\n2 10\n latest if field a=1", &why), 0);
	CHECK_INT(prod->generation, 2); /* the same in other words */
	CHECK_INT(alias_set_routes(prod, "1 50\n4 50", &why), -EINVAL);
	CHECK_STR(why.data, "line 2: there is no version '4'");
	CHECK_INT(alias_set_routes(prod, "1 0", &why), -EINVAL);
	CHECK_INT(prod->generation, 2);
	target = alias_choose(prod, "{\"a\":1}", 7);
	CHECK(target && !target->version);
	CHECK_STR(target->name, "latest");
	CHECK_STR(alias_choose(prod, "{}", 2)->version->name, "1");
	CHECK_INT(version_remove(two, &why), -EBUSY);
	CHECK_STR(why.data, "alias prod of f routes to version 2");
	check_reopened_same(fixture);
	prod = aliases_find(fixture->f, "prod");
	REQUIRE(prod);
	CHECK_INT(alias_set_routes(prod, prod->previous, &why), 0); /* the way back */
	CHECK_STR(prod->text, "2 100\n");
	CHECK_STR(prod->previous, "latest if field a = 1\n1 90\n2 10\n");
	CHECK_INT(prod->generation, 3);
	CHECK_INT(version_remove(versions_find(fixture->f, "1"), &why), 0);
	CHECK_INT(alias_set_routes(prod, prod->previous, &why), -EINVAL);
	CHECK_STR(why.data, "line 2: there is no version '1'");
	check_told(fixture, "+1 +2 +@prod @prod=2 @prod=3 -1 ");
	check_reopened_same(fixture);
	buf_deinit(&why);
	fixture_close(fixture);
}

/* While routes are written anew all the time, the calls of each generation are split exactly. */
static void splits_every_generation_exactly(void)
{
	struct fixture *fixture = fixture_open();
	uint64_t state = test_seed(), before = 0, after = 0;
	int calls, share = 0;
	struct alias *alias;
	char text[64];

	publish(fixture, "1");
	publish(fixture, "2");
	alias = make_alias(fixture, "prod");
	for (calls = 0; calls < 200000; calls++) {
		if (test_random(&state) % 200 == 0 || !calls) {
			share = 1 + (share + (int)(test_random(&state) % 97)) % 98;
			snprintf(text, sizeof(text), "1 %d\n2 %d\n", 100 - share, share);
			REQUIRE(alias_set_routes(alias, text, NULL) == 0);
			before = after = 0;
		}
		if (strcmp(alias_choose(alias, "{}", 2)->name, "2") == 0)
			after++;
		else
			before++;
		if (llabs((long long)(after * 100) -
		            (long long)((before + after) * (unsigned)share)) >= 100)
			break;
	}
	CHECK_INT(calls, 200000);
	CHECK(alias->generation > 500);
	fixture_close(fixture);
}

static void aliases_are_named(void)
{
	struct fixture *fixture = fixture_open();
	struct buf why = BUF_INIT;
	struct alias *a, *b;

	publish(fixture, "1");
	a = make_alias(fixture, "a");
	b = make_alias(fixture, "b");
	CHECK_INT(alias_rename(a, "b", &why), -EEXIST);
	CHECK_INT(alias_rename(a, "a", &why), 0);
	CHECK_INT(alias_rename(a, "a.b", &why), -EINVAL);
	CHECK_INT(alias_rename(a, "c", &why), 0);
	CHECK(aliases_find(fixture->f, "c") == a && !aliases_find(fixture->f, "a"));
	CHECK_INT(alias_set_description(a, "what ships", &why), 0);
	CHECK_INT(alias_set_description(a, "two\nlines", &why), -EINVAL);
	CHECK_STR(a->description, "what ships");
	CHECK_INT(alias_remove(b, &why), 0);
	CHECK_INT(aliases_count(fixture->f), 1);
	check_told(fixture, "+1 +@a +@b >@c -@b ");
	check_reopened_same(fixture);
	CHECK_INT(alias_set_description(aliases_find(fixture->f, "c"), "", &why), 0);
	check_reopened_same(fixture);
	CHECK_STR(aliases_find(fixture->f, "c")->description, "");
	buf_deinit(&why);
	fixture_close(fixture);
}

static void goes_with_its_function(void)
{
	struct fixture *fixture = fixture_open();
	struct function *other;
	struct buf why = BUF_INIT;
	struct version *draft;
	struct buf before = BUF_INIT;

	REQUIRE(functions_create(fixture->functions, "other", &alice, &other, NULL) == 0);
	REQUIRE(version_create(other, "1", &content, NULL, NULL) == 0);
	CHECK_INT(settings_variable_set(&fixture->f->settings, "K", "1", NULL, NULL), 0);
	CHECK_INT(function_check_empty(fixture->f, &why), 0);
	publish(fixture, "1");
	publish(fixture, "2");
	CHECK_INT(function_check_empty(fixture->f, &why), -ENOTEMPTY);
	CHECK_STR(why.data, "f has versions; remove them first, or all at once with rm -r");
	make_alias(fixture, "a");
	CHECK_INT(function_check_empty(fixture->f, &why), -ENOTEMPTY);
	CHECK_STR(why.data, "f has aliases; remove them first, or all at once with rm -r");
	REQUIRE(version_begin(fixture->f, "3", &draft, NULL) == 0);
	buf_clear(&fixture->told);
	CHECK_INT(function_remove(fixture->f, NULL), 0);
	check_told(fixture, "-@a -2 -1 -3? -f() ");
	dump(fixture, &before);
	CHECK(!strstr(before.data, "alias") && strstr(before.data, "version"));
	check_reopened_same(fixture);
	buf_deinit(&why);
	buf_deinit(&before);
	fixture_close(fixture);
}

/* Each kind of change once. */
static int change(struct fixture *fixture, int step)
{
	struct function *f = fixture->f;
	struct version *draft = version_draft_find(f, "draft");

	switch (step) {
	case 0:
		return version_begin(f, "new", &draft, NULL);
	case 1:
		return version_finish(draft, &content, NULL);
	case 2:
		return version_create(f, "new", &content, NULL, NULL);
	case 3:
		return version_remove(versions_find(f, "1"), NULL);
	case 4:
		return settings_set(
		        &versions_find(f, "1")->settings, CONFIG_DESCRIPTION, "it", NULL);
	case 5:
		return alias_create(f, "new", NULL, NULL);
	case 6:
		return alias_set_routes(aliases_find(f, "a"),
		        "1 1\n2 1\nlatest 1 sticky header k\n2 if field a.b in c,d", NULL);
	case 7:
		return alias_rename(aliases_find(f, "a"), "b", NULL);
	case 8:
		return alias_set_description(aliases_find(f, "a"), "it", NULL);
	case 9:
		return alias_remove(aliases_find(f, "a"), NULL);
	case 10:
		return function_remove(f, NULL);
	default:
		return 1;
	}
}

static struct fixture *fixture_with_something(void)
{
	struct fixture *fixture = fixture_open();
	struct version *draft;
	char key[8];
	int i;

	for (i = 0; i < 13; i++) {
		snprintf(key, sizeof(key), "K%d", i);
		REQUIRE(settings_variable_set(&fixture->f->settings, key, "v", NULL, NULL) == 0);
	}
	publish(fixture, "1");
	publish(fixture, "2");
	make_alias(fixture, "a");
	REQUIRE(version_begin(fixture->f, "draft", &draft, NULL) == 0);
	return fixture;
}

/* Fails the n-th allocation of one change; whether there was an n-th. */
static bool change_without_memory(int step, unsigned long n, unsigned long failures)
{
	struct fixture *fixture = fixture_with_something();
	struct buf before = BUF_INIT, after = BUF_INIT;
	bool reached;
	int r;

	dump(fixture, &before);
	buf_clear(&fixture->told);
	buf_reserve(&fixture->told, 1000); /* telling is the test's own business */
	heap_fail(n, failures);
	r = change(fixture, step);
	reached = heap_end();
	CHECK(r == 0 || (reached && r == -ENOMEM));
	dump(fixture, &after);
	if (r < 0) {
		CHECK_STR(after.data, before.data);
		CHECK_INT(fixture->told.length, 0);
		CHECK_INT(change(fixture, step), 0); /* and it can be done later */
	}
	check_reopened_same(fixture);
	buf_deinit(&before);
	buf_deinit(&after);
	fixture_close(fixture);
	return reached;
}

static void survives_lack_of_memory(void)
{
	unsigned long n, failed = 0;
	int step;

	for (step = 0; step <= 10; step++) {
		for (n = 0; change_without_memory(step, n, 1); n += test_long() ? 1 : 7)
			failed++;
		for (n = 0; n < 8; n++) /* and when all of it is gone for a while */
			change_without_memory(step, n, 1000);
	}
	printf("%lu allocations failed once\n", failed);
	CHECK(failed > 25);
}

static void loads_or_says_so_without_memory(void)
{
	struct fixture *fixture = fixture_with_something();
	struct buf before = BUF_INIT, after = BUF_INIT;
	unsigned long n;

	version_abandon(version_draft_find(fixture->f, "draft"));
	REQUIRE(alias_set_routes(aliases_find(fixture->f, "a"), "1 if field a = b\n2 1", NULL) ==
	        0);
	dump(fixture, &before);
	for (n = 0; n < 10000; n += test_long() ? 1 : 7) {
		struct functions *functions = NULL;
		int r;

		fixture_unload(fixture);
		heap_fail(n, 1);
		r = store_open(&fixture->store, fixture->directory);
		if (r == 0)
			r = functions_new(&functions, fixture->store, &events, &fixture->told);
		functions_free(functions);
		fixture->store = store_close(fixture->store);
		if (!heap_end())
			break;
		CHECK(r == 0 || r == -ENOMEM);
		fixture_load(fixture);
		dump(fixture, &after);
		CHECK_STR(after.data, before.data);
	}
	CHECK(n > 100 && n < 10000);
	buf_deinit(&before);
	buf_deinit(&after);
	fixture_load(fixture);
	fixture_close(fixture);
}

static void random_routes(struct fixture *fixture, uint64_t *state, struct alias *alias)
{
	struct buf text = BUF_INIT, why = BUF_INIT;
	char before[256];
	int i, r;

	snprintf(before, sizeof(before), "%s", alias->text);
	for (i = (int)(test_random(state) % 4); i >= 0; i--)
		buf_printf(&text, "v%d %d%s\n", (int)(test_random(state) % 6),
		        (int)(test_random(state) % 20),
		        test_random(state) % 4 ? "" : " sticky field k");
	r = alias_set_routes(alias, text.data, &why);
	CHECK(r == 0 || (r == -EINVAL && why.length));
	if (r < 0)
		CHECK_STR(alias->text, before);
	buf_deinit(&text);
	buf_deinit(&why);
}

/* Nobody routes to what is not there. */
static void check_targets(struct fixture *fixture)
{
	struct alias *alias;
	uint64_t id = 0;
	size_t i;

	for (; (alias = aliases_next(fixture->f, id)); id = alias->id)
		for (i = 0; i < routes_targets_count(alias->routes); i++)
			CHECK(routes_target(alias->routes, i)->version ==
			        versions_find(fixture->f, routes_target(alias->routes, i)->name));
}

static void random_change(struct fixture *fixture, uint64_t *state)
{
	struct function *f = fixture->f;
	char name[16], other[16];
	struct version *version, *draft;
	struct alias *alias;

	snprintf(name, sizeof(name), "v%d", (int)(test_random(state) % 6));
	snprintf(other, sizeof(other), "v%d", (int)(test_random(state) % 6));
	version = versions_find(f, name);
	draft = version_draft_find(f, name);
	alias = aliases_find(f, other);
	switch (test_random(state) % 10) {
	case 0:
		if (version)
			version_remove(version, NULL); /* or it is used */
		break;
	case 1:
		settings_variable_set(&f->settings, name, other, NULL, NULL);
		break;
	case 2:
		if (alias)
			CHECK_INT(alias_remove(alias, NULL), 0);
		break;
	case 3:
		if (alias)
			alias_rename(alias, name, NULL);
		break;
	case 4:
		if (draft)
			version_abandon(draft);
		break;
	case 5:
		if (!alias && versions_count(f))
			CHECK_INT(alias_create(f, other, NULL, NULL), 0);
		break;
	case 6:
		if (draft)
			CHECK_INT(version_finish(draft, &content, NULL), 0);
		else if (!version)
			CHECK_INT(version_begin(f, name, &draft, NULL), 0);
		else
			break;
		/* Most are finished at once: what is opened again has no drafts. */
		if (!version_draft_find(f, name) || test_random(state) % 4 == 0)
			break;
		CHECK_INT(version_finish(version_draft_find(f, name), &content, NULL), 0);
		break;
	default:
		if (alias)
			random_routes(fixture, state, alias);
	}
}

static void random_changes_survive(void)
{
	struct fixture *fixture = fixture_open();
	uint64_t state = test_seed();
	int i, count = test_long() ? 20000 : 1000;
	uint64_t newest = 0;

	for (i = 0; i < count; i++) {
		random_change(fixture, &state);
		if (versions_newest(fixture->f) && versions_newest(fixture->f)->id > newest)
			newest = versions_newest(fixture->f)->id;
		check_targets(fixture);
		if (i % 4 == 0)
			check_reopened_same(fixture);
	}
	CHECK(newest > 10); /* many came and went */
	fixture_close(fixture);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(rules_names), TEST(publishes),
	        TEST(keeps_the_settings_of_its_moment), TEST(forgets_what_was_not_finished),
	        TEST(aliases_route), TEST(splits_every_generation_exactly), TEST(aliases_are_named),
	        TEST(goes_with_its_function), TEST(survives_lack_of_memory),
	        TEST(loads_or_says_so_without_memory), TEST(random_changes_survive), {}};

	heap_wrap_sqlite();
	return test_main(tests, argc, argv);
}
