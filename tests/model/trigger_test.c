/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user would lose: what calls a function, after a restart or a removal that should have been refused; and a
 * version or alias that a trigger still calls.
 */
#include "model/trigger.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "heap.h"
#include "heap_sqlite.h"
#include "model/alias.h"
#include "model/function.h"
#include "model/version.h"
#include "store/store.h"
#include "test.h"

static const struct caller alice = {1000, 1001, 1};
static const struct store_snapshot snapshot = {.root = "0123456789abcdef0123456789abcde"};

struct fixture {
	char *directory;
	struct store *store;
	struct functions *functions;
	struct triggers *triggers;
	struct function *function;
	struct buf told, why;
};

static void tell_changed(void *userdata, struct trigger *trigger)
{
	struct fixture *fixture = userdata;

	buf_printf(&fixture->told, "changed %s\n", trigger->name);
}

static void tell_removed(void *userdata, struct trigger *trigger)
{
	struct fixture *fixture = userdata;

	buf_printf(&fixture->told, "removed %s\n", trigger->name);
}

static void load(struct fixture *fixture)
{
	static const struct triggers_events events = {
	        .changed = tell_changed, .removed = tell_removed};

	REQUIRE(store_open(&fixture->store, fixture->directory) == 0);
	REQUIRE(functions_new(&fixture->functions, fixture->store, NULL, NULL) == 0);
	REQUIRE(triggers_new(&fixture->triggers, fixture->store, fixture->functions, &events,
	                fixture) == 0);
	fixture->function = functions_find(fixture->functions, "f");
}

static void unload(struct fixture *fixture)
{
	fixture->triggers = triggers_free(fixture->triggers);
	fixture->functions = functions_free(fixture->functions);
	fixture->store = store_close(fixture->store);
}

static void reload(struct fixture *fixture)
{
	unload(fixture);
	load(fixture);
	buf_clear(&fixture->told);
	buf_clear(&fixture->why);
}

static void fixture_open(struct fixture *fixture)
{
	*fixture = (struct fixture){.directory = test_directory()};
	load(fixture);
	REQUIRE(functions_create(
	                fixture->functions, "f", &alice, &fixture->function, &fixture->why) == 0);
}

static void fixture_close(struct fixture *fixture)
{
	unload(fixture);
	buf_deinit(&fixture->told);
	buf_deinit(&fixture->why);
	test_directory_remove(fixture->directory);
}

static struct trigger *made(struct fixture *fixture, const char *name)
{
	struct trigger *trigger = NULL;

	REQUIRE(trigger_create(fixture->function, name, &trigger, &fixture->why) == 0);
	return trigger;
}

static void check_setting(struct trigger *trigger, enum trigger_key key, const char *expected)
{
	struct buf text = BUF_INIT;

	buf_puts(&text, "");
	trigger_settings_show(&trigger->settings, key, &text);
	CHECK_STR(text.data, expected);
	buf_deinit(&text);
}

static const struct {
	enum trigger_key key;
	const char *text, *shown;
	int r;
} values[] = {
        {TRIGGER_ENABLED, "0", "0", 0},
        {TRIGGER_ENABLED, "2", "0", -EINVAL},
        {TRIGGER_ENABLED, "yes", "0", -EINVAL},
        {TRIGGER_PAYLOAD, "one\ntwo", "one\ntwo", 0},
        {TRIGGER_PAYLOAD, "\xff", "one\ntwo", -EINVAL},
        {TRIGGER_AUTH, "none", "none", 0},
        {TRIGGER_AUTH, "basic eva:12345678 otto:with:colons", "basic eva:12345678 otto:with:colons",
                0},
        {TRIGGER_AUTH, "basic eva:short", "basic eva:12345678 otto:with:colons", -EINVAL},
        {TRIGGER_AUTH, "basic", "basic eva:12345678 otto:with:colons", -EINVAL},
        {TRIGGER_AUTH, "basic :12345678", "basic eva:12345678 otto:with:colons", -EINVAL},
        {TRIGGER_AUTH, "hmac 12345678", "hmac 12345678", 0},
        {TRIGGER_AUTH, "hmac 12345678 X-Own", "hmac 12345678 X-Own", 0},
        {TRIGGER_AUTH, "hmac 12345678 X Own", "hmac 12345678 X-Own", -EINVAL},
        {TRIGGER_AUTH, "hmac 12345678 X:Own", "hmac 12345678 X-Own", -EINVAL},
        {TRIGGER_AUTH, "none more", "hmac 12345678 X-Own", -EINVAL},
        {TRIGGER_AUTH, "digest 12345678", "hmac 12345678 X-Own", -EINVAL},
        {TRIGGER_AUTH, "token", "token", 0},
        {TRIGGER_FORMAT, "lambda", "lambda", 0},
        {TRIGGER_FORMAT, "xml", "lambda", -EINVAL},
        {TRIGGER_FORMAT, "default", "default", 0},
        {TRIGGER_FORMAT, "raw", "raw", 0},
        {TRIGGER_MISSED, "once", "once", 0},
        {TRIGGER_MISSED, "twice", "once", -EINVAL},
        {TRIGGER_RATE, "10", "10/s", 0},
        {TRIGGER_RATE, "30/m", "30/m", 0},
        {TRIGGER_RATE, "0/m", "30/m", -ERANGE},
        {TRIGGER_RATE, "1000001/h", "30/m", -ERANGE},
        {TRIGGER_RATE, "99999999999999999999/s", "30/m", -ERANGE},
        {TRIGGER_RATE, "3/d", "30/m", -EINVAL},
        {TRIGGER_RATE, "/s", "30/m", -EINVAL},
        {TRIGGER_RATE, "max", "max", 0},
        {TRIGGER_RATE, "7/h", "7/h", 0},
        {TRIGGER_CONCURRENCY, "5", "5", 0},
        {TRIGGER_CONCURRENCY, "-1", "5", -ERANGE},
        {TRIGGER_CONCURRENCY, "1001", "5", -ERANGE},
        {TRIGGER_CONCURRENCY, "many", "5", -EINVAL},
};

static void keeps_settings(void)
{
	struct fixture fixture;
	struct trigger *trigger;

	fixture_open(&fixture);
	trigger = made(&fixture, "t");
	check_setting(trigger, TRIGGER_ENABLED, "1");
	check_setting(trigger, TRIGGER_PAYLOAD, "");
	check_setting(trigger, TRIGGER_FORMAT, "default");
	check_setting(trigger, TRIGGER_MISSED, "skip");
	check_setting(trigger, TRIGGER_RATE, "max");
	check_setting(trigger, TRIGGER_CONCURRENCY, "max");
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		int r;

		buf_clear(&fixture.why);
		r = trigger_set(trigger, values[i].key, values[i].text, &fixture.why);
		if (!CHECK_INT(r, values[i].r))
			printf("value %zu\n", i);
		CHECK((r < 0) == (fixture.why.length > 0));
		check_setting(trigger, values[i].key, values[i].shown);
	}
	reload(&fixture);
	trigger = triggers_find(fixture.function, "t");
	REQUIRE(trigger);
	check_setting(trigger, TRIGGER_ENABLED, "0");
	check_setting(trigger, TRIGGER_PAYLOAD, "one\ntwo");
	check_setting(trigger, TRIGGER_FORMAT, "raw");
	check_setting(trigger, TRIGGER_MISSED, "once");
	check_setting(trigger, TRIGGER_RATE, "7/h");
	check_setting(trigger, TRIGGER_CONCURRENCY, "5");
	fixture_close(&fixture);
}

static void names_are_of_the_function(void)
{
	struct fixture fixture;
	struct trigger *trigger;

	fixture_open(&fixture);
	trigger = made(&fixture, "t");
	made(&fixture, "u");
	CHECK_INT(trigger_create(fixture.function, "t", NULL, &fixture.why), -EEXIST);
	CHECK_INT(trigger_create(fixture.function, "1", NULL, &fixture.why), -EINVAL);
	CHECK_INT(trigger_rename(trigger, "u", &fixture.why), -EEXIST);
	CHECK_INT(trigger_rename(trigger, "v", &fixture.why), 0);
	CHECK_STR(fixture.told.data, "changed v\n");
	reload(&fixture);
	CHECK(!triggers_find(fixture.function, "t"));
	CHECK(triggers_find(fixture.function, "v"));
	CHECK_INT(triggers_count(fixture.function), 2);
	CHECK_INT(trigger_remove(triggers_find(fixture.function, "v"), &fixture.why), 0);
	CHECK_STR(fixture.told.data, "removed v\n");
	CHECK_INT(function_check_empty(fixture.function, &fixture.why), -ENOTEMPTY);
	CHECK_INT(function_remove(fixture.function, &fixture.why), 0);
	CHECK_STR(fixture.told.data, "removed v\nremoved u\n");
	reload(&fixture);
	CHECK(!triggers_next_of_all(fixture.triggers, 0));
	fixture_close(&fixture);
}

static void targets_stay(void)
{
	struct fixture fixture;
	struct trigger *trigger;
	struct version *version;
	struct alias *alias;

	fixture_open(&fixture);
	trigger = made(&fixture, "t");
	REQUIRE(version_create(fixture.function, "1.0", &snapshot, &version, &fixture.why) == 0);
	REQUIRE(alias_create(fixture.function, "prod", &alias, &fixture.why) == 0);
	CHECK_STR(trigger_target_name(trigger), "latest");
	CHECK_INT(trigger_set_target(trigger, "nobody", &fixture.why), -EINVAL);
	CHECK_STR(
	        fixture.why.data, "target is latest, or an alias or a version of f; not 'nobody'");
	CHECK_INT(trigger_set_target(trigger, "prod", &fixture.why), 0);
	CHECK_INT(alias_remove(alias, &fixture.why), -EBUSY);
	CHECK_STR(fixture.why.data, "trigger t of f calls alias prod");
	CHECK_INT(alias_rename(alias, "live", &fixture.why), 0);
	reload(&fixture);
	trigger = triggers_find(fixture.function, "t");
	CHECK_STR(trigger_target_name(trigger), "live");
	CHECK_INT(trigger_set_target(trigger, "1.0", &fixture.why), 0);
	CHECK_INT(alias_remove(aliases_find(fixture.function, "live"), &fixture.why), 0);
	version = versions_find(fixture.function, "1.0");
	CHECK_INT(version_remove(version, &fixture.why), -EBUSY);
	CHECK_STR(fixture.why.data, "trigger t of f calls version 1.0");
	CHECK_INT(trigger_set_target(trigger, "latest", &fixture.why), 0);
	CHECK_INT(version_remove(version, &fixture.why), 0);
	reload(&fixture);
	CHECK_STR(trigger_target_name(triggers_find(fixture.function, "t")), "latest");
	fixture_close(&fixture);
}

static void goes_with_what_it_calls(void)
{
	struct fixture fixture;
	struct version *version;

	fixture_open(&fixture);
	REQUIRE(version_create(fixture.function, "1.0", &snapshot, &version, &fixture.why) == 0);
	CHECK_INT(trigger_set_target(made(&fixture, "t"), "1.0", &fixture.why), 0);
	CHECK_INT(function_remove(fixture.function, &fixture.why), 0);
	reload(&fixture);
	CHECK(!fixture.function);
	fixture_close(&fixture);
}

static void has_one_source(void)
{
	struct fixture fixture;
	struct trigger *trigger;
	static const gid_t groups[] = {4, 24, 4000000000u};
	const struct source_setter by = {7, 8, groups, 3, 5000000};
	struct trigger_source *source, *other;
	struct topic *topic;

	fixture_open(&fixture);
	trigger = made(&fixture, "t");
	CHECK_INT(trigger_source_create(trigger, SOURCE_TIMER, &source, &fixture.why), 0);
	/* One that is empty gives way. */
	CHECK_INT(trigger_source_create(trigger, SOURCE_TOPIC, &source, &fixture.why), 0);
	CHECK_INT(topic_create(fixture.triggers, "news", &alice, &topic, &fixture.why), 0);
	CHECK_INT(topic_create(fixture.triggers, "news", &alice, NULL, &fixture.why), -EEXIST);
	CHECK_INT(trigger_source_set(source, "news", topic, &by, &fixture.why), 0);
	CHECK_INT(trigger_source_create(trigger, SOURCE_TIMER, &other, &fixture.why), -EEXIST);
	CHECK_STR(fixture.why.data, "trigger t has a source already, its topic: remove that first");
	CHECK_INT(topic_remove(topic, &fixture.why), -EBUSY);
	CHECK_STR(fixture.why.data, "trigger t of f subscribes to news");
	CHECK_INT(topic_rename(topic, "old", &fixture.why), 0);
	topic->published = 12;
	CHECK_INT(topic_store_count(topic), 0);
	trigger->fired = 3;
	trigger->errors = 2;
	trigger->last_us = 17;
	source->from_us = 9000000;
	CHECK_INT(trigger_store_fired(trigger, true), 0);
	reload(&fixture);
	trigger = triggers_find(fixture.function, "t");
	topic = topics_find(fixture.triggers, "old");
	REQUIRE(trigger && trigger->source && topic);
	source = trigger->source;
	CHECK_INT(source->kind, SOURCE_TOPIC);
	CHECK_STR(source->value, "news");
	CHECK(source->topic == topic && topic->published == 12);
	CHECK(source->uid == 7 && source->gid == 8 && source->group_count == 3);
	CHECK(memcmp(source->groups, groups, sizeof(groups)) == 0);
	CHECK(source->start_us == 5000000 && source->from_us == 9000000);
	CHECK(trigger->fired == 3 && trigger->errors == 2 && trigger->last_us == 17);
	CHECK_INT(trigger_format(trigger), FORMAT_CLOUDEVENTS);
	CHECK_INT(trigger_source_remove(source, &fixture.why), 0);
	CHECK_INT(topic_own(topic, 1, 2), 0);
	CHECK_INT(topic_remove(topic, &fixture.why), 0);
	reload(&fixture);
	CHECK(!topics_next(fixture.triggers, 0));
	CHECK(!triggers_find(fixture.function, "t")->source);
	fixture_close(&fixture);
}

/* Of many kinds, stored by name. */
static void has_a_program_for_a_source(void)
{
	static const char *const names[] = {"nats", "a", "a-1", "abcdefghijklmnopqrst"};
	static const char *const others[] = {
	        "", "timer", "topic", "1a", "-a", "A", "a_b", "a.b", "abcdefghijklmnopqrstu"};
	const struct source_setter by = {7, 8, NULL, 0, 1};
	struct fixture fixture;
	struct trigger *trigger;
	struct trigger_source *source;

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		CHECK(!source_kind_is_program(others[i]));
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		CHECK(source_kind_is_program(names[i]));
		fixture_open(&fixture);
		trigger = made(&fixture, "t");
		CHECK_INT(
		        trigger_source_create_program(trigger, names[i], &source, &fixture.why), 0);
		CHECK_INT(trigger_source_set(source, "value", NULL, &by, &fixture.why), 0);
		reload(&fixture);
		trigger = triggers_find(fixture.function, "t");
		REQUIRE(trigger && trigger->source);
		CHECK_INT(trigger->source->kind, SOURCE_PROGRAM);
		CHECK_STR(trigger->source->kind_name, names[i]);
		CHECK_STR(trigger->source->value, "value");
		CHECK_INT(trigger_format(trigger), FORMAT_CLOUDEVENTS);
		fixture_close(&fixture);
	}
}

static int count_watched(void *seen, const char *name, const char *stamp)
{
	buf_printf(seen, "%s=%s ", name, stamp);
	return 0;
}

static void keeps_what_was_watched(void)
{
	struct fixture fixture;
	const struct source_setter by = {7, 8, NULL, 0, 1};
	struct trigger_source *source;
	struct buf seen = BUF_INIT;
	struct command command;

	fixture_open(&fixture);
	CHECK_INT(
	        trigger_source_create(made(&fixture, "t"), SOURCE_WATCH, &source, &fixture.why), 0);
	CHECK_INT(trigger_source_set(source, "/in", NULL, &by, &fixture.why), 0);
	command = (struct command){COMMAND_WATCHED_SET, .child = source->id,
	        .value = "[[\"a\",\"1\"],[\"b c\",\"2\"],[\"d\",\"3\"]]"};
	CHECK_INT(store_apply(fixture.store, &command, NULL), 0);
	command.value = "[[\"a\",\"4\"]]";
	CHECK_INT(store_apply(fixture.store, &command, NULL), 0);
	command = (struct command){
	        COMMAND_WATCHED_FORGET, .child = source->id, .value = "[\"d\",\"e\"]"};
	CHECK_INT(store_apply(fixture.store, &command, NULL), 0);
	CHECK_INT(store_each_watched(fixture.store, source->id, count_watched, &seen), 0);
	CHECK_STR(seen.data, "a=4 b c=2 ");
	buf_clear(&seen);
	CHECK_INT(trigger_source_set(source, "/out", NULL, &by, &fixture.why), 0);
	CHECK_INT(store_each_watched(fixture.store, source->id, count_watched, &seen), 0);
	CHECK_INT(seen.length, 0);
	buf_deinit(&seen);
	fixture_close(&fixture);
}

/* One thing of each kind, of which any may fail. */
static int do_all(struct fixture *fixture)
{
	const struct source_setter by = {7, 8, NULL, 0, 1};
	struct trigger_source *source;
	struct trigger *trigger;
	struct topic *topic;
	int r = topic_create(fixture->triggers, "news", &alice, &topic, &fixture->why);

	if (r == 0)
		r = topic_rename(topic, "more", &fixture->why);
	if (r == 0)
		r = trigger_create(fixture->function, "t", &trigger, &fixture->why);
	if (r == 0)
		r = trigger_rename(trigger, "u", &fixture->why);
	if (r == 0)
		r = trigger_set(trigger, TRIGGER_PAYLOAD, "text", &fixture->why);
	if (r == 0)
		r = trigger_source_create(trigger, SOURCE_TOPIC, &source, &fixture->why);
	if (r == 0)
		r = trigger_source_set(source, "more", topic, &by, &fixture->why);
	return r;
}

static void show_all(const struct fixture *fixture, struct buf *out)
{
	struct topic *topic;
	struct trigger *trigger;
	uint64_t id = 0;

	buf_clear(out);
	buf_puts(out, "");
	for (; (topic = topics_next(fixture->triggers, id)); id = topic->id)
		buf_printf(out, "topic %s\n", topic->name);
	for (id = 0; (trigger = triggers_next(fixture->function, id)); id = trigger->id) {
		buf_printf(out, "trigger %s", trigger->name);
		trigger_settings_show(&trigger->settings, TRIGGER_PAYLOAD, out);
		buf_printf(out, " %s\n", trigger->source ? trigger->source->value : "-");
	}
}

/* Memory that runs out at any moment leaves what the store has. */
static void survives_without_memory(void)
{
	struct buf before = BUF_INIT, after = BUF_INIT;
	unsigned long n;
	int r;

	for (n = 0;; n += test_long() ? 1 : 5) {
		struct fixture fixture;

		fixture_open(&fixture);
		heap_fail(n, 1);
		r = do_all(&fixture);
		if (!heap_end()) {
			CHECK_INT(r, 0);
			fixture_close(&fixture);
			break;
		}
		CHECK(r == 0 || r == -ENOMEM);
		show_all(&fixture, &before);
		reload(&fixture);
		show_all(&fixture, &after);
		CHECK_STR(after.data, before.data);
		fixture_close(&fixture);
	}
	CHECK(n > 30);
	buf_deinit(&before);
	buf_deinit(&after);
}

static void say_nothing(void *userdata, const char *line, size_t length)
{
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(keeps_settings), TEST(names_are_of_the_function),
	        TEST(targets_stay), TEST(goes_with_what_it_calls), TEST(has_one_source),
	        TEST(has_a_program_for_a_source), TEST(keeps_what_was_watched),
	        TEST(survives_without_memory), {}};

	heap_wrap_sqlite();
	log_set_sink(say_nothing, NULL);
	return test_main(tests, argc, argv);
}
