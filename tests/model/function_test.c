/* SPDX-License-Identifier: Apache-2.0 */
/* A user would lose: a function, a setting or a variable that a command said was there. */
#include "model/function.h"

#include <errno.h>

#include "heap.h"
#include "heap_sqlite.h"
#include "model/attributes.h"
#include "store/store.h"
#include "test.h"

static const struct caller alice = {1000, 1001, 1};

struct fixture {
	char *directory;
	struct store *store;
	struct functions *functions;
	struct buf told; /* one line per event */
};

static void tell_created(void *userdata, struct function *function)
{
	buf_printf(userdata, "created %s\n", function->name);
}

static void tell_configured(void *userdata, struct function *function, int key)
{
	buf_printf(userdata, "configured %s %s\n", function->name,
	        key < 0 ? "env" : config_key_name((enum config_key)key));
}

static void tell_renamed(void *userdata, struct function *function)
{
	buf_printf(userdata, "renamed %s\n", function->name);
}

static void tell_removed(void *userdata, struct function *function)
{
	buf_printf(userdata, "removed %s\n", function->name);
}

static const struct functions_events events = {
        tell_created, tell_configured, tell_renamed, tell_removed};

static void fixture_load(struct fixture *fixture)
{
	REQUIRE(store_open(&fixture->store, fixture->directory) == 0);
	REQUIRE(functions_new(&fixture->functions, fixture->store, &events, &fixture->told) == 0);
}

static struct fixture *fixture_open(void)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->directory = test_directory();
	fixture_load(fixture);
	return fixture;
}

static void fixture_reopen(struct fixture *fixture)
{
	fixture->functions = functions_free(fixture->functions);
	fixture->store = store_close(fixture->store);
	fixture_load(fixture);
}

static void fixture_close(struct fixture *fixture)
{
	functions_free(fixture->functions);
	store_close(fixture->store);
	test_directory_remove(fixture->directory);
	buf_deinit(&fixture->told);
	free(fixture);
}

static struct function *create(struct fixture *fixture, const char *name)
{
	struct function *function = NULL;

	REQUIRE(functions_create(fixture->functions, name, &alice, &function, NULL) == 0);
	return function;
}

/* All that is in memory, as text. */
static void dump(struct functions *functions, struct buf *out)
{
	struct function *function;
	struct variable *variable;
	uint64_t id = 0;
	int key;

	buf_clear(out);
	while ((function = functions_next(functions, id))) {
		id = function->id;
		buf_printf(out, "%s %" PRIu64 " %u %u %" PRId64, function->name, id, function->uid,
		        function->gid, function->created_us);
		for (key = 0; key < CONFIG_KEYS; key++) {
			buf_puts(out, " ");
			config_format(&function->settings.config, (enum config_key)key, out);
		}
		list_each(variable, &function->settings.variables, link) {
			buf_printf(out, " %" PRIu64 ":%s=%s", variable->id, variable->key,
			        variable->value);
		}
		buf_puts(out, "\n");
		CHECK(functions_get(functions, id) == function);
		CHECK(functions_find(functions, function->name) == function);
	}
	buf_puts(out, "");
}

/* What is in memory is what the store gives back. */
static void check_reopened_same(struct fixture *fixture)
{
	struct buf before = BUF_INIT, after = BUF_INIT;

	dump(fixture->functions, &before);
	fixture_reopen(fixture);
	dump(fixture->functions, &after);
	CHECK_STR(after.data, before.data);
	buf_deinit(&before);
	buf_deinit(&after);
}

static void rules_names(void)
{
	static const struct {
		const char *name;
		int answer;
	} rows[] = {{"a", 0}, {"Z9", 0}, {"a-b_c", 0}, {"a--9", 0}, {"", -EINVAL}, {".", -EINVAL},
	        {"..", -EINVAL}, {"9a", -EINVAL}, {"-a", -EINVAL}, {"_a", -EINVAL}, {"a-", -EINVAL},
	        {"a_", -EINVAL}, {"a b", -EINVAL}, {"a.b", -EINVAL}, {"a/b", -EINVAL},
	        {"a\nb", -EINVAL}, {"a\x01", -EINVAL}, {"\xff", -EINVAL}, {"a\xc3\xa9", -EINVAL},
	        {"a\x7f", -EINVAL}};
	char longer[5001];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (!CHECK_INT(name_check(rows[i].name, 60, NULL), rows[i].answer))
			printf("'%s'\n", rows[i].name);
	memset(longer, 'a', sizeof(longer));
	longer[60] = 0;
	CHECK_INT(name_check(longer, 60, NULL), 0);
	longer[60] = 'a';
	longer[61] = 0;
	CHECK_INT(name_check(longer, 60, NULL), -EINVAL);
	CHECK_INT(name_check(longer, 63, NULL), 0);
	longer[61] = 'a';
	longer[5000] = 0;
	CHECK_INT(name_check(longer, 60, NULL), -ENAMETOOLONG);
}

static void creates_and_finds(void)
{
	struct fixture *fixture = fixture_open();
	struct buf why = BUF_INIT;
	struct function *a = create(fixture, "a"), *b = create(fixture, "b"), *none = NULL;

	CHECK_INT(functions_create(fixture->functions, "a", &alice, &none, &why), -EEXIST);
	CHECK_STR(why.data, "there is a function a already");
	CHECK_INT(functions_create(fixture->functions, "1", &alice, &none, &why), -EINVAL);
	CHECK_STR(why.data, "a name is 1 to 60 letters, digits, - and _, begins with a letter and "
	                    "ends with a letter or digit; not '1'");
	CHECK(!none);
	CHECK_INT(functions_count(fixture->functions), 2);
	CHECK(functions_next(fixture->functions, 0) == a);
	CHECK(functions_next(fixture->functions, a->id) == b);
	CHECK(!functions_next(fixture->functions, b->id));
	CHECK(!functions_get(fixture->functions, 77));
	CHECK(!functions_find(fixture->functions, "c"));
	CHECK_INT(a->uid, alice.uid);
	CHECK_INT(a->gid, alice.gid);
	CHECK_STR(fixture->told.data, "created a\ncreated b\n");
	check_reopened_same(fixture);
	CHECK_STR(fixture->told.data, "created a\ncreated b\n"); /* loading tells nothing */
	buf_deinit(&why);
	fixture_close(fixture);
}

static void renames_and_removes(void)
{
	struct fixture *fixture = fixture_open();
	struct function *a = create(fixture, "a"), *b = create(fixture, "b");
	uint64_t id = a->id;

	buf_clear(&fixture->told);
	CHECK_INT(function_rename(a, "b", NULL), -EEXIST);
	CHECK_INT(function_rename(a, "a", NULL), 0);
	CHECK_INT(function_rename(a, "b c", NULL), -EINVAL);
	CHECK_INT(function_rename(a, "c", NULL), 0);
	CHECK(functions_find(fixture->functions, "c") == a);
	CHECK(!functions_find(fixture->functions, "a"));
	CHECK_INT(function_set_owner(a, 5, 6), 0);
	check_reopened_same(fixture);
	a = functions_find(fixture->functions, "c");
	b = functions_find(fixture->functions, "b");
	CHECK(a->id == id && a->uid == 5 && a->gid == 6);
	CHECK_INT(function_remove(a, NULL), 0);
	CHECK(!functions_get(fixture->functions, id));
	CHECK(functions_next(fixture->functions, 0) == b);
	CHECK_STR(fixture->told.data, "renamed c\nremoved c\n");
	CHECK(create(fixture, "c")->id > b->id);
	check_reopened_same(fixture);
	fixture_close(fixture);
}

static void sets_settings(void)
{
	struct fixture *fixture = fixture_open();
	struct function *a = create(fixture, "a");
	struct buf why = BUF_INIT;
	uint64_t generation = a->settings.config_generation;

	buf_clear(&fixture->told);
	CHECK_INT(settings_set(&a->settings, CONFIG_TIMEOUT, "5", &why), 0);
	CHECK_INT(a->settings.config.timeout_ms, 5000);
	CHECK_INT(a->settings.config_generation, ++generation);
	CHECK_INT(settings_set(&a->settings, CONFIG_TIMEOUT, "5000ms", &why),
	        0); /* nothing changed */
	CHECK_INT(a->settings.config_generation, generation);
	CHECK_INT(settings_set(&a->settings, CONFIG_TIMEOUT, "-1", &why), -ERANGE);
	CHECK_INT(a->settings.config.timeout_ms, 5000);
	CHECK_INT(settings_set(&a->settings, CONFIG_MIN_INSTANCES, "2", &why), 0);
	CHECK_INT(a->settings.config_generation, ++generation);
	CHECK_INT(settings_set(&a->settings, CONFIG_HANDLER, "x.y", &why), 0);
	CHECK_INT(settings_set(&a->settings, CONFIG_DESCRIPTION, "it is", &why), 0);
	check_reopened_same(fixture);
	a = functions_find(fixture->functions, "a");
	CHECK_STR(a->settings.config.handler, "x.y");
	CHECK_INT(settings_set(&a->settings, CONFIG_HANDLER, "", &why), 0);
	check_reopened_same(fixture);
	a = functions_find(fixture->functions, "a");
	CHECK_STR(a->settings.config.handler, "");
	CHECK_STR(a->settings.config.description, "it is");
	CHECK_STR(fixture->told.data, "configured a timeout\nconfigured a min_instances\n"
	                              "configured a handler\nconfigured a description\n"
	                              "configured a handler\n");
	buf_deinit(&why);
	fixture_close(fixture);
}

static void rules_variables(void)
{
	static const char *const good[] = {"A", "a_1", "PATH", "LD_PRELOAD", "AWS_REGION",
	        "AWS_LAMBDA_LOG_LEVEL", "RUNTIME", "LAMBDA"};
	static const char *const bad[] = {"", "1A", "_A", "_HANDLER", "A-B", "A B", "A.B",
	        "\xc3\xa9", "A=", "RUNTIME_X", "LAMBDA_TASK_ROOT", "AWS_LAMBDA_RUNTIME_API",
	        "AWS_EXECUTION_ENV", "FNFS_X"};
	struct fixture *fixture = fixture_open();
	struct function *a = create(fixture, "a");
	struct buf why = BUF_INIT;
	char key[300];
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(*good); i++)
		CHECK_INT(settings_variable_set(&a->settings, good[i], "", NULL, &why), 0);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		buf_clear(&why);
		if (!CHECK_INT(
		            settings_variable_set(&a->settings, bad[i], "", NULL, &why), -EINVAL))
			printf("'%s'\n", bad[i]);
		CHECK(why.length);
	}
	memset(key, 'a', sizeof(key));
	key[255] = 0;
	CHECK_INT(settings_variable_set(&a->settings, key, "", NULL, &why), 0);
	key[255] = 'a';
	key[256] = 0;
	CHECK_INT(settings_variable_set(&a->settings, key, "", NULL, &why), -ENAMETOOLONG);
	check_reopened_same(fixture);
	buf_deinit(&why);
	fixture_close(fixture);
}

static void sets_variables(void)
{
	struct fixture *fixture = fixture_open();
	struct function *a = create(fixture, "a"), *b = create(fixture, "b");
	struct variable *k, *l, *again;
	uint64_t generation = a->settings.config_generation, id;

	buf_clear(&fixture->told);
	CHECK_INT(settings_variable_set(&a->settings, "K", "1", &k, NULL), 0);
	CHECK_INT(settings_variable_set(&b->settings, "K", "of b", NULL, NULL), 0);
	CHECK_INT(settings_variable_set(&a->settings, "L", "line\nline\xff\x01", &l, NULL), 0);
	CHECK_INT(settings_variable_set(&a->settings, "K", "2", &again, NULL), 0);
	CHECK(again == k && k->id != l->id);
	CHECK_STR(k->value, "2");
	CHECK_INT(a->settings.config_generation, generation + 3);
	CHECK_INT(settings_variable_set(&a->settings, "K", "2", &again, NULL), 0);
	CHECK_INT(a->settings.config_generation, generation + 3);
	CHECK(settings_variable(&a->settings, l->id) == l &&
	        !settings_variable(&b->settings, l->id));
	id = l->id;
	CHECK_INT(settings_variable_rename(l, "not-good", NULL), -EINVAL);
	CHECK_INT(settings_variable_rename(l, "L", NULL), 0);
	CHECK_INT(settings_variable_rename(l, "K", NULL), 0); /* over the other one */
	CHECK(settings_variable_find(&a->settings, "K") == l && l->id == id);
	CHECK(!settings_variable_find(&a->settings, "L"));
	check_reopened_same(fixture);
	a = functions_find(fixture->functions, "a");
	l = settings_variable(&a->settings, id);
	REQUIRE(l);
	CHECK_STR(l->value, "line\nline\xff\x01");
	CHECK_INT(settings_variable_unset(l, NULL), 0);
	CHECK(list_empty(&a->settings.variables));
	check_reopened_same(fixture);
	CHECK_STR(fixture->told.data, "configured a env\nconfigured b env\nconfigured a env\n"
	                              "configured a env\nconfigured a env\nconfigured a env\n");
	fixture_close(fixture);
}

static void bounds_variables(void)
{
	struct fixture *fixture = fixture_open();
	struct function *a = create(fixture, "a");
	char *value = malloc(65538), key[16];
	struct buf why = BUF_INIT;
	int i, r = 0;

	memset(value, 'v', 65537);
	value[65537] = 0;
	CHECK_INT(settings_variable_set(&a->settings, "BIG", value, NULL, &why), -EFBIG);
	value[65536] = 0;
	for (i = 0; i < 20 && r == 0; i++) {
		snprintf(key, sizeof(key), "K%d", i);
		r = settings_variable_set(&a->settings, key, value, NULL, &why);
	}
	CHECK_INT(r, -ENOSPC);
	CHECK_INT(i, 16); /* fifteen fit, for keys count too */
	CHECK(strstr(why.data, "1000 variables"));
	CHECK_INT(settings_variable_set(&a->settings, "K0", "", NULL, &why),
	        0); /* replacing makes room */
	CHECK_INT(settings_variable_set(&a->settings, key, value, NULL, &why), 0);
	check_reopened_same(fixture);
	free(value);
	buf_deinit(&why);
	fixture_close(fixture);
}

static void counts_variables(void)
{
	struct fixture *fixture = fixture_open();
	struct function *a = create(fixture, "a");
	char key[16];
	int i, r = 0;

	for (i = 0; r == 0; i++) {
		snprintf(key, sizeof(key), "K%d", i);
		r = settings_variable_set(&a->settings, key, "", NULL, NULL);
	}
	CHECK_INT(r, -ENOSPC);
	CHECK_INT(i, 1001);
	fixture_close(fixture);
}

static void keeps_order_of_many(void)
{
	struct fixture *fixture = fixture_open();
	struct function *function;
	uint64_t id = 0;
	size_t count = 0;
	char name[16];
	int i;

	for (i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		create(fixture, name);
	}
	for (i = 0; i < 500; i += 3) {
		snprintf(name, sizeof(name), "f%d", i);
		CHECK_INT(function_remove(functions_find(fixture->functions, name), NULL), 0);
	}
	for (; (function = functions_next(fixture->functions, id)); count++) {
		CHECK(function->id > id);
		id = function->id;
	}
	CHECK_INT(count, 333);
	CHECK_INT(functions_count(fixture->functions), 333);
	check_reopened_same(fixture);
	fixture_close(fixture);
}

/* Every kind of change once; the first answer that is not 0 is handed on, and nothing after it done. */
static int change(struct functions *functions, int step)
{
	struct function *a = functions_find(functions, "a"), *b = functions_find(functions, "b");
	struct function *made;

	switch (step) {
	case 0:
		return functions_create(functions, "new", &alice, &made, NULL);
	case 1:
		return function_rename(a, "renamed", NULL);
	case 2:
		return function_set_owner(a, 7, 7);
	case 3:
		return settings_set(&a->settings, CONFIG_HANDLER, "deep/in.there", NULL);
	case 4:
		return settings_set(&b->settings, CONFIG_HANDLER, "", NULL);
	case 5:
		return settings_variable_set(&a->settings, "NEW", "value", NULL, NULL);
	case 6:
		return settings_variable_set(&b->settings, "OLD", "replaced", NULL, NULL);
	case 7:
		return settings_variable_rename(
		        settings_variable_find(&b->settings, "OLD"), "OLDER", NULL);
	case 8:
		return settings_variable_unset(settings_variable_find(&b->settings, "OLD"), NULL);
	case 9:
		return function_remove(b, NULL);
	default:
		return 1;
	}
}

static struct fixture *fixture_with_something(void)
{
	struct fixture *fixture = fixture_open();
	struct function *b;

	create(fixture, "a");
	b = create(fixture, "b");
	REQUIRE(settings_set(&b->settings, CONFIG_HANDLER, "x.y", NULL) == 0);
	REQUIRE(settings_variable_set(&b->settings, "OLD", "old", NULL, NULL) == 0);
	REQUIRE(settings_variable_set(&b->settings, "OLDER", "older", NULL, NULL) == 0);
	return fixture;
}

/* Fails the n-th allocation of one change; whether there was an n-th. */
static bool change_without_memory(int step, unsigned long n, unsigned long failures)
{
	struct fixture *fixture = fixture_with_something();
	struct buf before = BUF_INIT, after = BUF_INIT;
	bool reached;
	int r;

	dump(fixture->functions, &before);
	buf_clear(&fixture->told);
	buf_reserve(&fixture->told, 1000); /* telling is the test's own business */
	heap_fail(n, failures);
	r = change(fixture->functions, step);
	reached = heap_end();
	dump(fixture->functions, &after);
	CHECK(r == 0 || (reached && r == -ENOMEM));
	if (r < 0) {
		CHECK_STR(after.data, before.data);
		CHECK_INT(fixture->told.length, 0);
	} else {
		CHECK(strcmp(after.data, before.data) != 0);
	}
	check_reopened_same(fixture);
	if (r < 0) /* and it can be done later */
		CHECK_INT(change(fixture->functions, step), 0);
	buf_deinit(&before);
	buf_deinit(&after);
	fixture_close(fixture);
	return reached;
}

static void survives_lack_of_memory(void)
{
	unsigned long n, failed = 0;
	int step;

	for (step = 0; step < 10; step++) {
		for (n = 0; change_without_memory(step, n, 1); n += test_long() ? 1 : 7)
			failed++;
		for (n = 0; n < 8; n++) /* and when all of it is gone for a while */
			change_without_memory(step, n, 1000);
	}
	printf("%lu allocations failed once\n", failed);
	CHECK(failed > 50);
}

static void loads_or_says_so_without_memory(void)
{
	struct fixture *fixture = fixture_with_something();
	struct buf before = BUF_INIT, after = BUF_INIT;
	struct attributes *attributes;
	unsigned long n;

	REQUIRE(attributes_new(&attributes, fixture->store) == 0);
	REQUIRE(attributes_set(attributes, 1, &(struct node_attributes){ATTRIBUTE_MODE, 1}) == 0);
	attributes_free(attributes);
	dump(fixture->functions, &before);
	for (n = 0; n < 10000; n += test_long() ? 1 : 7) {
		struct functions *functions = NULL;
		int r;

		attributes = NULL;
		fixture->functions = functions_free(fixture->functions);
		fixture->store = store_close(fixture->store);
		heap_fail(n, 1);
		r = store_open(&fixture->store, fixture->directory);
		if (r == 0)
			r = functions_new(&functions, fixture->store, &events, &fixture->told);
		if (r == 0)
			r = attributes_new(&attributes, fixture->store);
		attributes_free(attributes);
		functions_free(functions);
		fixture->store = store_close(fixture->store);
		if (!heap_end())
			break;
		CHECK(r == 0 || r == -ENOMEM);
		fixture_load(fixture);
		dump(fixture->functions, &after);
		CHECK_STR(after.data, before.data);
	}
	CHECK(n > 100 && n < 10000);
	printf("of %lu allocations each, or every seventh, failed once\n", n);
	buf_deinit(&before);
	buf_deinit(&after);
	fixture_load(fixture);
	fixture_close(fixture);
}

static void random_change(struct fixture *fixture, uint64_t *state)
{
	struct functions *functions = fixture->functions;
	struct function *function, *made;
	struct variable *variable;
	char name[16], key[16], value[64];

	snprintf(name, sizeof(name), "f%d", (int)(test_random(state) % 10));
	snprintf(key, sizeof(key), "K%d", (int)(test_random(state) % 5));
	snprintf(value, sizeof(value), "%d", (int)(test_random(state) % 200));
	function = functions_find(functions, name);
	if (!function) {
		CHECK_INT(functions_create(functions, name, &alice, &made, NULL), 0);
		return;
	}
	variable = settings_variable_find(&function->settings, key);
	snprintf(name, sizeof(name), "f%d", (int)(test_random(state) % 10));
	switch (test_random(state) % 8) {
	case 0:
		function_rename(function, name, NULL);
		break;
	case 1:
		if (test_random(state) % 4 == 0)
			CHECK_INT(function_remove(function, NULL), 0);
		break;
	case 2:
		if (variable)
			CHECK_INT(settings_variable_unset(variable, NULL), 0);
		break;
	case 3:
		snprintf(key, sizeof(key), "K%d", (int)(test_random(state) % 5));
		if (variable)
			CHECK_INT(settings_variable_rename(variable, key, NULL), 0);
		break;
	case 4:
		CHECK_INT(settings_variable_set(&function->settings, key, value, NULL, NULL), 0);
		break;
	default:
		settings_set(&function->settings,
		        (enum config_key)(test_random(state) % CONFIG_KEYS), value, NULL);
	}
}

static void random_changes_survive(void)
{
	struct fixture *fixture = fixture_open();
	uint64_t state = test_seed();
	int i, count = test_long() ? 20000 : 1000;

	for (i = 0; i < count; i++) {
		random_change(fixture, &state);
		check_reopened_same(fixture);
	}
	CHECK(functions_count(fixture->functions) > 3);
	fixture_close(fixture);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(rules_names), TEST(creates_and_finds),
	        TEST(renames_and_removes), TEST(sets_settings), TEST(rules_variables),
	        TEST(sets_variables), TEST(bounds_variables), TEST(counts_variables),
	        TEST(keeps_order_of_many), TEST(survives_lack_of_memory),
	        TEST(loads_or_says_so_without_memory), TEST(random_changes_survive), {}};

	heap_wrap_sqlite();
	return test_main(tests, argc, argv);
}
