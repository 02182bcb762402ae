/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits for an instance, and when there is a further one. */
#include "pool_scene.h"

/* A second function on the same machine, which starts one instance at a time. */
static void neighbour_open(struct scene *scene, struct pool *pool)
{
	scene_open(scene);
	scene->host.starting_max = 1;
	deploy(scene);
	pool_init(pool, &scene->host, &pool_events, scene);
	pool_set_deployment(pool, scene->deployment);
}

static void neighbour_close(struct scene *scene, struct pool *pool)
{
	pool_close(pool, false);
	for (unsigned i = 0; i < process_count; i++)
		fake_die(&processes[i], &killed_end);
	turn(scene);
	CHECK(pool_empty(pool));
	scene->emptied--;
	pool_deinit(pool);
	scene_close(scene);
}

static void call_pool(struct pool *pool, struct caller_of *caller, const char *event)
{
	static const struct invocation_options options = {.source = "sync", .name = ""};
	struct buf request = BUF_INIT;

	memset(caller, 0, sizeof(*caller));
	buf_puts(&request, event);
	caller->invocation =
	        invocation_new(pool, &pool->host->ids, &request, &options, &caller_events, caller);
	REQUIRE(caller->invocation);
	pool_submit(pool, caller->invocation);
}

static void a_turn_to_start_that_nobody_takes_is_passed_on(void)
{
	struct caller_of first, canceled, other;
	struct scene scene;
	struct pool pool;

	neighbour_open(&scene, &pool);
	call(&scene, &first, "first");
	call(&scene, &canceled, "canceled");
	call_pool(&pool, &other, "other");
	CHECK_INT(process_count, 1);
	invocation_cancel(canceled.invocation);
	turn(&scene);
	fake_send(&processes[0], FRAME_READY, 0, 0, "");
	turn(&scene);
	CHECK_INT(process_count, 2);
	fake_send(&processes[1], FRAME_READY, 0, 0, "");
	turn(&scene);
	CHECK(fake_call(&processes[1], "other"));
	neighbour_close(&scene, &pool);
	caller_done(&first);
	caller_done(&canceled);
	caller_done(&other);
}

/* A crowd waits at one function, and wants instance after instance; the first of another comes before those. */
static void who_has_no_instance_starts_first(void)
{
	struct caller_of crowd[5], other;
	struct scene scene;
	struct pool pool;

	neighbour_open(&scene, &pool);
	for (int i = 0; i < 5; i++)
		call(&scene, &crowd[i], "crowd");
	fake_send(&processes[0], FRAME_READY, 0, 0, "");
	turn(&scene);
	CHECK_INT(process_count, 2); /* the crowd's, and it wants another */
	call_pool(&pool, &other, "other");
	fake_send(&processes[1], FRAME_READY, 0, 0, "");
	turn(&scene);
	CHECK_INT(process_count, 3);
	fake_send(&processes[2], FRAME_READY, 0, 0, "");
	turn(&scene);
	CHECK(fake_call(&processes[2], "other"));
	CHECK_INT(process_count, 4); /* and then the crowd's again */
	neighbour_close(&scene, &pool);
	for (int i = 0; i < 5; i++)
		caller_done(&crowd[i]);
	caller_done(&other);
}

#define HOUR_US (INT64_C(3600) * 1000 * 1000)

/* Five calls at a pool on a machine with one processor, one of them under way. */
static void crowd_open(struct scene *scene, struct caller_of crowd[5])
{
	scene_open(scene);
	scene->host.processors = 1;
	close(scene->host.load_fd); /* and nobody knows how busy that is */
	scene->host.load_fd = -1;
	deploy(scene);
	for (int i = 0; i < 5; i++)
		call(scene, &crowd[i], "crowd");
	CHECK_INT(process_count, 1);
	scene->pool.start_us = HOUR_US;
	fake_send(&processes[0], FRAME_READY, 0, 0, "");
	turn(scene);
	scene->pool.start_us = HOUR_US; /* it took less */
}

static void crowd_close(struct scene *scene, struct caller_of crowd[5])
{
	scene_close(scene);
	for (int i = 0; i < 5; i++)
		caller_done(&crowd[i]);
}

static void calls_that_are_quick_wait_for_each_other(void)
{
	struct caller_of crowd[5];
	struct scene scene;

	crowd_open(&scene, crowd);
	for (int i = 0; i < 5; i++) {
		fake_send(&processes[0], FRAME_END, 0, fake_call(&processes[0], "crowd"), "");
		turn(&scene);
		CHECK_INT(crowd[i].ends, 1);
		CHECK_INT(process_count, 1);
	}
	CHECK(scene.pool.call_us > 0);
	crowd_close(&scene, crowd);
}

static void calls_that_are_slow_get_instances(void)
{
	struct caller_of crowd[5], more;
	struct scene scene;

	crowd_open(&scene, crowd);
	CHECK_INT(process_count, 1);
	scene.pool.call_us = HOUR_US;
	call(&scene, &more, "more");
	CHECK(process_count > 1);
	crowd_close(&scene, crowd);
	caller_done(&more);
}

/* Nobody knew that this one would be slow. */
static void who_waited_long_gets_an_instance(void)
{
	struct caller_of crowd[5];
	struct scene scene;

	crowd_open(&scene, crowd);
	CHECK(fake_call(&processes[0], "crowd"));
	scene.pool.start_us = 1;
	alarm_clear(&scene.host.alarms, &scene.pool.growth);
	pool_dispatch(&scene.pool);
	while (process_count == 1)
		uv_run(&scene.loop, UV_RUN_ONCE);
	crowd_close(&scene, crowd);
}

/* What a call printed is read at its end in any case; so the next one begins when the log has taken it. */
static void a_congested_log_holds_the_next_call(void)
{
	struct caller_of callers[2];
	struct scene scene;
	uint64_t number;

	scene_open(&scene);
	deploy(&scene);
	call(&scene, &callers[0], "0");
	fake_send(&processes[0], FRAME_READY, 0, 0, "");
	turn(&scene);
	number = fake_call(&processes[0], "0");
	scene.congested = true;
	REQUIRE(write(processes[0].output, "printed\n", 8) == 8);
	fake_send(&processes[0], FRAME_END, 0, number, "");
	turn(&scene);
	CHECK_INT(callers[0].ends, 1);
	CHECK_STR(scene.output.data, "printed\n");
	call(&scene, &callers[1], "1");
	turn(&scene);
	CHECK_INT(scene.pool.running, 0);
	scene.congested = false;
	pool_resume(&scene.pool);
	CHECK_INT(scene.pool.running, 1);
	fake_send(&processes[0], FRAME_END, 0, fake_call(&processes[0], "1"), "");
	turn(&scene);
	CHECK_INT(callers[1].ends, 1);
	CHECK_INT(process_count, 1);
	caller_done(&callers[0]);
	caller_done(&callers[1]);
	scene_close(&scene);
}

/* Of the code that counts now there is none, however many the old code has and however long a start takes. */
static void new_code_waits_for_no_call_of_the_old(void)
{
	struct caller_of crowd[5], fresh[2];
	struct deployment *next;
	struct scene scene;

	crowd_open(&scene, crowd);
	for (int i = 0; i < 4; i++) {
		fake_send(&processes[0], FRAME_END, 0, fake_call(&processes[0], "crowd"), "");
		turn(&scene);
	}
	CHECK(fake_call(&processes[0], "crowd"));
	next = make_deployment(&scene);
	pool_set_deployment(&scene.pool, next);
	CHECK_INT(process_count, 1);
	call(&scene, &fresh[0], "new");
	CHECK_INT(process_count, 2);
	fake_send(&processes[1], FRAME_READY, 0, 0, "");
	turn(&scene);
	fake_send(&processes[1], FRAME_END, 0, fake_call(&processes[1], "new"), "");
	turn(&scene);
	CHECK_INT(fresh[0].ends, 1);
	fake_die(&processes[1], &killed_end); /* idle */
	turn(&scene);
	scene.pool.start_us = HOUR_US;
	call(&scene, &fresh[1], "new");
	CHECK_INT(process_count, 3);
	deployment_unref(next);
	crowd_close(&scene, crowd);
	caller_done(&fresh[0]);
	caller_done(&fresh[1]);
}

static void reserved_instances_start_while_calls_wait(void)
{
	struct caller_of crowd[5];
	struct scene scene;

	crowd_open(&scene, crowd);
	CHECK(scene.pool.waiting_count);
	scene.deployment->config.min_instances = 3;
	pool_dispatch(&scene.pool);
	CHECK_INT(process_count, 3);
	crowd_close(&scene, crowd);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
	        TEST(a_turn_to_start_that_nobody_takes_is_passed_on),
	        TEST(who_has_no_instance_starts_first),
	        TEST(calls_that_are_quick_wait_for_each_other),
	        TEST(calls_that_are_slow_get_instances),
	        TEST(who_waited_long_gets_an_instance),
	        TEST(a_congested_log_holds_the_next_call),
	        TEST(new_code_waits_for_no_call_of_the_old),
	        TEST(reserved_instances_start_while_calls_wait),
	        {},
	};

	return test_main(tests, argc, argv);
}
