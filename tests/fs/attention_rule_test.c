/* SPDX-License-Identifier: Apache-2.0 */
/* When the loop stays awake: a wrong rule burns a processor for nothing, or makes each call wait for one to wake. */
#include "fs/attention.h"

#include "base/cleanup.h"
#include "test.h"

#define NEAR (ATTENTION_NS / 2)
#define FAR  (ATTENTION_NS * 10)

static void events(struct attention_rule *rule, int count, uint64_t distance_ns)
{
	while (count--)
		attention_rule_event(rule, rule->last_ns + distance_ns);
}

static void follows_a_burst(void)
{
	struct attention_rule rule = {.processors = 2, .last_ns = 1};

	CHECK(!attention_rule_wants(&rule));
	events(&rule, 3, NEAR);
	CHECK(!attention_rule_wants(&rule));
	events(&rule, 1, NEAR);
	CHECK(attention_rule_wants(&rule));
	CHECK(!attention_rule_is_sure(&rule));
	events(&rule, 1000, NEAR);
	CHECK(attention_rule_wants(&rule) && attention_rule_is_sure(&rule));
	events(&rule, 1, FAR);
	CHECK(attention_rule_wants(&rule) && !attention_rule_is_sure(&rule));
	events(&rule, 3, FAR); /* however long it was quick */
	CHECK(!attention_rule_wants(&rule));
}

static void single_events_are_not_awaited(void)
{
	struct attention_rule rule = {.processors = 64, .last_ns = 1};
	int i;

	for (i = 0; i < 1000; i++) {
		events(&rule, 1, FAR);
		CHECK(!attention_rule_wants(&rule));
		events(&rule, 2,
		        NEAR); /* a write and its read, then a handler that takes its time */
		CHECK(!attention_rule_wants(&rule));
	}
}

static void one_processor_is_for_the_others(void)
{
	struct attention_rule rule = {.processors = 1, .last_ns = 1};

	events(&rule, 1000, NEAR);
	CHECK(!attention_rule_wants(&rule));
}

static void a_loaded_machine_is_for_the_others(void)
{
	struct attention_rule rule = {.processors = 2, .last_ns = 1};
	int i;

	events(&rule, 100, NEAR);
	attention_rule_load(&rule, 2);
	CHECK(attention_rule_wants(&rule));
	for (i = 0; i < 4; i++)
		attention_rule_load(&rule, 3);
	CHECK(!attention_rule_wants(&rule));
	for (i = 0; i < 100; i++)
		attention_rule_load(&rule, 50);
	for (i = 0; i < 5; i++) {
		CHECK(!attention_rule_wants(&rule));
		attention_rule_load(&rule, 2);
	}
	CHECK(attention_rule_wants(&rule));
}

struct watched {
	struct attention *attention;
	uv_prepare_t prepare;
	unsigned long turns;
};

static void turn(uv_prepare_t *prepare)
{
	((struct watched *)prepare->data)->turns++;
}

static void stop(uv_timer_t *timer)
{
	uv_stop(timer->loop);
}

static void run_for_ms(uv_loop_t *loop, uv_timer_t *timer, unsigned ms)
{
	uv_update_time(loop);
	uv_timer_start(timer, stop, ms, 0);
	uv_run(loop, UV_RUN_DEFAULT);
}

/* After any burst the loop sleeps: it turns for the two timers, not in circles. */
static void ends_by_itself(void)
{
	struct watched watched = {.turns = 0};
	uv_timer_t timer;
	uv_loop_t loop;
	int i;

	uv_loop_init(&loop);
	watched.attention = attention_new(&loop);
	uv_timer_init(&loop, &timer);
	uv_prepare_init(&loop, &watched.prepare);
	watched.prepare.data = &watched;
	uv_prepare_start(&watched.prepare, turn);
	for (i = 0; i < 100; i++)
		attention_note(watched.attention);
	run_for_ms(&loop, &timer, 20);
	watched.turns = 0;
	run_for_ms(&loop, &timer, 50);
	CHECK(watched.turns > 0 && watched.turns < 10);
	attention_free(watched.attention);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_close((uv_handle_t *)&watched.prepare, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	CHECK_INT(uv_loop_close(&loop), 0);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(follows_a_burst),
	        TEST(single_events_are_not_awaited), TEST(one_processor_is_for_the_others),
	        TEST(a_loaded_machine_is_for_the_others), TEST(ends_by_itself), {}};

	return test_main(tests, argc, argv);
}
