/* SPDX-License-Identifier: Apache-2.0 */
/* When idle instances end. The clock is this test's own: hours pass at once. */
#include "pool_scene.h"
#include "run/keep_alive.h"

#define SECOND_US INT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)

static uint64_t now_ns = UINT64_C(1) << 40;

/* In the place of libuv's, which is what alarms go by. */
uint64_t uv_hrtime(void)
{
	return now_ns;
}

static int64_t start_takes_us; /* until a program that was started says that it has loaded */
static unsigned ready;         /* processes that have said so, or never will */

static int64_t next_due_us(const struct scene *scene)
{
	const struct alarms *alarms = &scene->host.alarms;

	return alarms->count ? alarms->heap[0]->due_us - alarm_now_us() : INT64_MAX;
}

static void make_ready(struct scene *scene)
{
	if (ready >= process_count)
		return;
	now_ns += (uint64_t)start_takes_us * 1000;
	for (; ready < process_count; ready++)
		if (!processes[ready].gone)
			fake_send(&processes[ready], FRAME_READY, 0, 0, "");
	turn(scene);
}

/* What is due rings, and what that sets for the same moment; what was started loads. */
static void ring(struct scene *scene)
{
	uv_timer_t *timer = scene->host.alarms.timer;

	do {
		timer->timer_cb(timer);
		turn(scene);
		make_ready(scene);
	} while (next_due_us(scene) <= 0);
}

/* From one alarm to the next. */
static void pass(struct scene *scene, int64_t us)
{
	const uint64_t end_ns = now_ns + (uint64_t)us * 1000;

	while (now_ns < end_ns) {
		int64_t left_us = (int64_t)(end_ns - now_ns) / 1000 + 1;
		int64_t next_us = next_due_us(scene);

		now_ns += (uint64_t)(next_us < left_us ? (next_us > 0 ? next_us : 0) : left_us) *
		          1000;
		ring(scene);
	}
}

static bool never_short(void)
{
	return false;
}

static bool is_short;

static bool maybe_short(void)
{
	return is_short;
}

static void begin(struct scene *scene, int64_t start_us)
{
	start_takes_us = start_us;
	ready = 0;
	scene_open(scene);
}

static void open_scene(struct scene *scene, int64_t start_us)
{
	begin(scene, start_us);
	scene->host.kept.memory_is_short = never_short;
	deploy(scene);
}

/* A process that was told to end, and has. */
static void bury(struct scene *scene)
{
	for (unsigned i = 0; i < process_count; i++)
		if (!processes[i].gone && processes[i].killed)
			fake_die(&processes[i], &killed_end);
	turn(scene);
}

/* `count` calls at once, each in an instance of its own, and answered at once. */
static void call_all(struct scene *scene, unsigned count)
{
	struct caller_of callers[8];

	REQUIRE(count <= ARRAY_SIZE(callers));
	for (unsigned i = 0; i < count; i++)
		call(scene, &callers[i], "{}");
	make_ready(scene);
	for (unsigned i = 0; i < process_count; i++) {
		uint64_t number = processes[i].gone ? 0 : fake_call(&processes[i], NULL);

		if (number)
			fake_send(&processes[i], FRAME_END, 0, number, "x");
	}
	turn(scene);
	for (unsigned i = 0; i < count; i++)
		caller_done(&callers[i]);
}

/* So many calls, and so long nothing after each. */
static void live_through(struct scene *scene, unsigned calls, int64_t idle_us)
{
	while (calls--) {
		call_all(scene, 1);
		pass(scene, idle_us);
		pass(scene, SECOND_US / 2); /* those that were told to end are killed then */
		bury(scene);
	}
}

static void ends_after_a_minute_at_first(void)
{
	struct scene scene;

	open_scene(&scene, 5000);
	call_all(&scene, 1);
	pass(&scene, MINUTE_US - SECOND_US);
	CHECK_INT(scene.pool.live, 1);
	pass(&scene, 2 * SECOND_US);
	CHECK_INT(scene.pool.live, 0);
	scene_close(&scene);
}

static void what_starts_quickly_ends_early(void)
{
	struct scene scene;

	open_scene(&scene, 5000);
	live_through(&scene, KEEP_ALIVE_ENOUGH + 1, 5 * MINUTE_US);
	CHECK_INT(process_count, KEEP_ALIVE_ENOUGH + 1);
	call_all(&scene, 1);
	pass(&scene, KEEP_ALIVE_LEAST_US - SECOND_US);
	CHECK_INT(scene.pool.live, 1);
	pass(&scene, 2 * SECOND_US);
	CHECK_INT(scene.pool.live, 0);
	scene_close(&scene);
}

static void what_starts_slowly_waits_for_the_next_call(void)
{
	struct scene scene;

	open_scene(&scene, 3 * SECOND_US);
	live_through(&scene, KEEP_ALIVE_ENOUGH, 2 * MINUTE_US);
	CHECK_INT(process_count, KEEP_ALIVE_ENOUGH);
	live_through(&scene, 5, 2 * MINUTE_US);
	CHECK_INT(process_count, KEEP_ALIVE_ENOUGH + 1); /* which was used again and again */
	pass(&scene, 2 * MINUTE_US);
	CHECK_INT(scene.pool.live, 0); /* and not kept for ever */
	scene_close(&scene);
}

/* Every half hour: it is not kept that long, but back when it is expected. */
static void is_back_before_the_call(void)
{
	struct scene scene;
	unsigned before;

	open_scene(&scene, 2 * SECOND_US);
	live_through(&scene, KEEP_ALIVE_ENOUGH + 1, 30 * MINUTE_US);
	for (int i = 0; i < 3; i++) {
		call_all(&scene, 1);
		before = process_count;
		pass(&scene, MINUTE_US / 2);
		CHECK_INT(scene.pool.live, 0);
		bury(&scene);
		pass(&scene, 20 * MINUTE_US);
		CHECK_INT(process_count, before);
		pass(&scene, 9 * MINUTE_US);
		CHECK_INT(process_count, before + 1);
		pass(&scene, MINUTE_US / 2);
		CHECK_INT(scene.pool.live, 1);
		call_all(&scene, 1);
		CHECK_INT(process_count, before + 1); /* it was there */
		pass(&scene, 30 * MINUTE_US);
		bury(&scene);
	}
	scene_close(&scene);
}

/* The call does not come: it was there in vain, once. */
static void does_not_come_back_twice(void)
{
	struct scene scene;
	unsigned before;

	open_scene(&scene, 2 * SECOND_US);
	live_through(&scene, KEEP_ALIVE_ENOUGH + 1, 30 * MINUTE_US);
	call_all(&scene, 1);
	before = process_count;
	pass(&scene, 29 * MINUTE_US);
	bury(&scene);
	CHECK_INT(process_count, before + 1);
	pass(&scene, 10 * MINUTE_US);
	CHECK_INT(scene.pool.live, 0);
	bury(&scene);
	pass(&scene, 300 * MINUTE_US);
	CHECK_INT(process_count, before + 1);
	scene_close(&scene);
}

/* Somebody sets idle_timeout while a call is expected. */
static void does_not_come_back_where_a_time_was_set(void)
{
	struct deployment *next;
	struct scene scene;
	unsigned before;

	open_scene(&scene, 2 * SECOND_US);
	live_through(&scene, KEEP_ALIVE_ENOUGH + 1, 30 * MINUTE_US);
	call_all(&scene, 1);
	pass(&scene, MINUTE_US);
	CHECK_INT(scene.pool.live, 0);
	CHECK(alarm_is_set(&scene.pool.ahead));
	bury(&scene);
	before = process_count;
	next = make_deployment(&scene);
	next->config.idle_timeout_ms = 60 * 1000;
	pool_set_deployment(&scene.pool, next);
	deployment_unref(next);
	pass(&scene, 60 * MINUTE_US);
	CHECK_INT(process_count, before);
	scene_close(&scene);
}

static void a_time_that_was_set_is_obeyed(void)
{
	struct scene scene;

	begin(&scene, 3 * SECOND_US);
	scene.host.kept.memory_is_short = maybe_short;
	scene.deployment->config.idle_timeout_ms = 90 * 1000;
	deploy(&scene);
	is_short = true; /* whatever there is */
	live_through(&scene, 2 * KEEP_ALIVE_ENOUGH, 5 * MINUTE_US);
	CHECK_INT(process_count, 2 * KEEP_ALIVE_ENOUGH);
	call_all(&scene, 1);
	pass(&scene, 89 * SECOND_US);
	CHECK_INT(scene.pool.live, 1);
	pass(&scene, 2 * SECOND_US);
	CHECK_INT(scene.pool.live, 0);
	bury(&scene);
	pass(&scene, 60 * MINUTE_US);
	CHECK_INT(process_count, 2 * KEEP_ALIVE_ENOUGH + 1); /* nor is it started again */
	scene.deployment->config.idle_timeout_ms = 0;
	call_all(&scene, 1);
	ring(&scene);
	CHECK_INT(scene.pool.live, 0);
	is_short = false;
	scene_close(&scene);
}

/* Three calls at once every two minutes, and one in between. */
static void further_instances_go_by_their_own_history(void)
{
	struct scene scene;

	open_scene(&scene, 3 * SECOND_US);
	for (unsigned i = 0; i < 2 * KEEP_ALIVE_ENOUGH + 2; i++) {
		call_all(&scene, i % 2 ? 1 : 3);
		pass(&scene, MINUTE_US + 5 * SECOND_US);
		bury(&scene);
	}
	call_all(&scene, 3);
	pass(&scene, 100 * SECOND_US);
	CHECK_INT(scene.pool.live, 3); /* together they are needed each two minutes */
	pass(&scene, 10 * MINUTE_US);
	CHECK_INT(scene.pool.live, 0);
	scene_close(&scene);
}

static void nobody_is_kept_while_memory_is_short(void)
{
	struct scene scene;

	open_scene(&scene, 3 * SECOND_US);
	scene.host.kept.memory_is_short = maybe_short;
	for (unsigned i = 0; i < KEEP_ALIVE_ENOUGH + 1; i++) {
		call_all(&scene, 4);
		pass(&scene, 5 * MINUTE_US);
		bury(&scene);
	}
	call_all(&scene, 4);
	pass(&scene, 2 * MINUTE_US);
	CHECK_INT(scene.pool.live, 4);
	CHECK_INT(list_count(&scene.host.kept.instances), 4);
	is_short = true;
	pass(&scene, 5 * SECOND_US + SECOND_US / 2);
	CHECK_INT(scene.pool.live, 2); /* half at a time */
	pass(&scene, 3 * SECOND_US);
	CHECK_INT(scene.pool.live, 0);
	bury(&scene);
	call_all(&scene, 4);
	pass(&scene, 59 * SECOND_US);
	CHECK_INT(scene.pool.live, 4);
	pass(&scene, 2 * SECOND_US);
	CHECK_INT(scene.pool.live, 0);
	is_short = false;
	scene_close(&scene);
}

static void reserved_ones_stay_and_are_replaced(void)
{
	struct scene scene;

	begin(&scene, 5000);
	scene.host.kept.memory_is_short = maybe_short;
	is_short = true;
	scene.deployment->config.min_instances = 2;
	deploy(&scene);
	CHECK_INT(process_count, 2);
	for (unsigned i = 0; i < 2 * KEEP_ALIVE_ENOUGH; i++) {
		call_all(&scene, 3);
		pass(&scene, 20 * MINUTE_US);
		bury(&scene);
		CHECK_INT(scene.pool.live, 2);
	}
	for (unsigned i = 0, crashes = 0; i < process_count && !crashes; i++) {
		if (processes[i].gone)
			continue;
		fake_die(&processes[i], &killed_end);
		crashes++;
	}
	turn(&scene);
	CHECK_INT(scene.pool.live, 2);
	CHECK_INT(scene.pool.starting, 1);
	/* One that does not start is tried again, and again. */
	fake_die(&processes[process_count - 1], &killed_end);
	turn(&scene);
	CHECK_INT(scene.pool.live, 1);
	pass(&scene, 2 * SECOND_US);
	CHECK_INT(scene.pool.live, 2);
	is_short = false;
	scene_close(&scene);
}

/* Only where calls were far apart does anything grow; a busy function has no history. */
static void calls_that_follow_closely_are_not_counted(void)
{
	struct scene scene;

	open_scene(&scene, 5000);
	live_through(&scene, 50, 5 * SECOND_US);
	CHECK_INT(process_count, 1);
	REQUIRE(scene.pool.keep_alive);
	CHECK_INT(scene.pool.keep_alive->changes, 0);
	CHECK(scene.pool.keep_alive->start_us >= 5000);
	CHECK(sizeof(struct keep_alive) <= 400);
	scene_close(&scene);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
	        TEST(ends_after_a_minute_at_first),
	        TEST(what_starts_quickly_ends_early),
	        TEST(what_starts_slowly_waits_for_the_next_call),
	        TEST(is_back_before_the_call),
	        TEST(does_not_come_back_twice),
	        TEST(does_not_come_back_where_a_time_was_set),
	        TEST(a_time_that_was_set_is_obeyed),
	        TEST(further_instances_go_by_their_own_history),
	        TEST(nobody_is_kept_while_memory_is_short),
	        TEST(reserved_ones_stay_and_are_replaced),
	        TEST(calls_that_follow_closely_are_not_counted),
	        {},
	};

	return test_main(tests, argc, argv);
}
