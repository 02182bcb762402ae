/* SPDX-License-Identifier: Apache-2.0 */
/* The pool with its instances, without any process. */
#include "pool_scene.h"

/* --- tests -------------------------------------------------------------------------------------- */

static void a_call_starts_an_instance_and_the_next_reuses_it(void)
{
	struct caller_of caller;
	struct scene scene;
	uint64_t number;
	int i;

	scene_open(&scene);
	deploy(&scene);
	for (i = 0; i < 3; i++) {
		call(&scene, &caller, "{\"n\":1}");
		if (i == 0)
			fake_send(&processes[0], FRAME_READY, 0, 0, "");
		turn(&scene);
		number = fake_call(&processes[0], "{\"n\":1}");
		CHECK_INT(number, i + 1);
		fake_send(&processes[0], FRAME_DATA, 0, number, "hel");
		fake_send(&processes[0], FRAME_END, 0, number, "lo");
		turn(&scene);
		CHECK_STR(caller.response.data, "hello");
		CHECK_INT(caller.error, 0);
		caller_done(&caller);
	}
	CHECK_INT(process_count, 1);
	CHECK_INT(scene.loaded, 1);
	CHECK_INT(scene.ended, 3);
	scene_close(&scene);
}

static void calls_beyond_the_instances_wait_their_turn(void)
{
	struct caller_of callers[3];
	struct scene scene;
	uint64_t number;

	scene_open(&scene);
	scene.deployment->config.max_instances = 2;
	deploy(&scene);
	call(&scene, &callers[0], "0");
	call(&scene, &callers[1], "1");
	call(&scene, &callers[2], "2");
	CHECK_INT(process_count, 2);
	fake_send(&processes[0], FRAME_READY, 0, 0, "");
	turn(&scene);
	fake_send(&processes[1], FRAME_READY, 0, 0, "");
	turn(&scene);
	number = fake_call(&processes[0], "0");
	CHECK(fake_call(&processes[1], "1"));
	fake_send(&processes[0], FRAME_END, 0, number, "a");
	turn(&scene);
	CHECK_STR(callers[0].response.data, "a");
	number = fake_call(&processes[0], "2");
	fake_send(&processes[0], FRAME_ERROR, 0, number, "{\"errorMessage\":\"no\"}");
	turn(&scene);
	CHECK_INT(callers[2].error, -EREMOTEIO);
	CHECK_STR(callers[2].error_body.data, "{\"errorMessage\":\"no\"}");
	fake_die(&processes[1], &(struct process_end){.exit_status = 3, .memory_peak_bytes = -1});
	turn(&scene);
	CHECK_INT(callers[1].error, -EREMOTEIO);
	CHECK(strstr(callers[1].error_body.data, "exit status 3"));
	caller_done(&callers[0]);
	caller_done(&callers[1]);
	caller_done(&callers[2]);
	scene_close(&scene);
}

static void an_instance_is_filled_before_another_starts(void)
{
	struct caller_of callers[9];
	struct scene scene;
	uint64_t numbers[8];
	int i;

	scene_open(&scene);
	scene.deployment->config.concurrency = 8;
	deploy(&scene);
	for (i = 0; i < 8; i++)
		call(&scene, &callers[i], "{}");
	CHECK_INT(process_count, 1);
	fake_send(&processes[0], FRAME_READY, 0, 0, "");
	turn(&scene);
	for (i = 0; i < 8; i++)
		CHECK(numbers[i] = fake_call(&processes[0], "{}"));
	call(&scene, &callers[8], "{}");
	CHECK_INT(process_count, 2);
	for (i = 7; i >= 0; i--) /* answered in another order */
		fake_send(&processes[0], FRAME_END, 0, numbers[i], "x");
	turn(&scene);
	for (i = 0; i < 8; i++)
		caller_done(&callers[i]);
	numbers[0] = fake_call(&processes[0], "{}"); /* the ninth went to the first that had room */
	fake_send(&processes[0], FRAME_END, 0, numbers[0], "x");
	turn(&scene);
	caller_done(&callers[8]);
	scene_close(&scene);
}

static void a_time_limit_ends_the_call_and_the_instance(void)
{
	struct caller_of caller;
	struct scene scene;

	scene_open(&scene);
	scene.deployment->config.timeout_ms = 30;
	deploy(&scene);
	call(&scene, &caller, "{}");
	fake_send(&processes[0], FRAME_READY, 0, 0, "");
	turn(&scene);
	CHECK(fake_call(&processes[0], "{}"));
	while (!caller.ends)
		uv_run(&scene.loop, UV_RUN_ONCE);
	CHECK_INT(caller.error, -ETIMEDOUT);
	CHECK_INT(caller.outcome, OUTCOME_TIMEOUT);
	CHECK(processes[0].killed);
	caller_done(&caller);
	scene_close(&scene);
}

static void cancel_ends_waiting_and_running_calls(void)
{
	struct caller_of running, waiting;
	struct scene scene;

	scene_open(&scene);
	scene.deployment->config.max_instances = 1;
	deploy(&scene);
	call(&scene, &running, "{}");
	call(&scene, &waiting, "{}");
	fake_send(&processes[0], FRAME_READY, 0, 0, "");
	turn(&scene);
	invocation_cancel(waiting.invocation);
	CHECK_INT(waiting.ends, 0);
	turn(&scene);
	CHECK_INT(waiting.error, -ECANCELED);
	CHECK(!processes[0].killed);
	invocation_cancel(running.invocation);
	invocation_cancel(running.invocation); /* twice is once */
	turn(&scene);
	CHECK_INT(running.error, -ECANCELED);
	CHECK(processes[0].killed);
	caller_done(&running);
	caller_done(&waiting);
	scene_close(&scene);
}

static void code_that_does_not_load_fails_whoever_waits(void)
{
	struct caller_of callers[2];
	struct scene scene;

	scene_open(&scene);
	deploy(&scene);
	call(&scene, &callers[0], "{}");
	call(&scene, &callers[1], "{}");
	fake_send(&processes[0], FRAME_FAILED, 0, 0, "{\"errorType\":\"SyntaxError\"}");
	turn(&scene);
	CHECK_INT(callers[0].error, -ENOEXEC);
	CHECK_INT(callers[1].error, -ENOEXEC);
	CHECK_STR(callers[0].error_body.data, "{\"errorType\":\"SyntaxError\"}");
	CHECK_INT(scene.failed, 1);
	caller_done(&callers[0]);
	caller_done(&callers[1]);
	scene_close(&scene);
}

static void garbage_kills_the_instance_and_is_our_fault(void)
{
	struct caller_of caller;
	struct scene scene;

	scene_open(&scene);
	deploy(&scene);
	call(&scene, &caller, "{}");
	fake_send(&processes[0], FRAME_READY, 0, 0, "");
	turn(&scene);
	CHECK(write(processes[0].out, "\xff\xff\xff\xff garbage garbage garbage", 28) == 28);
	turn(&scene);
	CHECK_INT(caller.error, -EIO);
	CHECK(processes[0].killed);
	caller_done(&caller);
	scene_close(&scene);
}

static void memory_and_signals_are_told_apart(void)
{
	struct caller_of caller;
	struct scene scene;

	scene_open(&scene);
	deploy(&scene);
	call(&scene, &caller, "{}");
	fake_send(&processes[0], FRAME_READY, 0, 0, "");
	turn(&scene);
	fake_die(&processes[0], &(struct process_end){.exit_status = -1,
	                                .signal = SIGKILL,
	                                .out_of_memory = true,
	                                .memory_peak_bytes = -1});
	turn(&scene);
	CHECK_INT(caller.error, -ENOMEM);
	caller_done(&caller);
	call(&scene, &caller, "{}");
	fake_die(&processes[1],
	        &(struct process_end){
	                .failed_to_start = true, .memory_peak_bytes = -1, .reason = "no bwrap"});
	turn(&scene);
	CHECK_INT(caller.error, -EIO);
	CHECK(strstr(caller.error_body.data, "no bwrap"));
	caller_done(&caller);
	scene_close(&scene);
}

static void new_code_takes_over_and_old_calls_finish(void)
{
	struct caller_of old, fresh;
	struct deployment *next;
	struct scene scene;
	uint64_t number;

	scene_open(&scene);
	deploy(&scene);
	call(&scene, &old, "old");
	fake_send(&processes[0], FRAME_READY, 0, 0, "");
	turn(&scene);
	number = fake_call(&processes[0], "old");
	next = make_deployment(&scene);
	pool_set_deployment(&scene.pool, next);
	call(&scene, &fresh, "new");
	CHECK_INT(process_count, 2);
	fake_send(&processes[1], FRAME_READY, 0, 0, "");
	turn(&scene);
	CHECK(fake_call(&processes[1], "new"));
	fake_send(&processes[1], FRAME_END, 0, 1, "n");
	fake_send(&processes[0], FRAME_END, 0, number, "o");
	turn(&scene);
	CHECK_STR(old.response.data, "o");
	CHECK_STR(fresh.response.data, "n");
	CHECK_INT(scene.pool.live, 1); /* the old instance was told to stop */
	deployment_unref(next);
	caller_done(&old);
	caller_done(&fresh);
	scene_close(&scene);
}

/* More calls wait than may start at once, so each start that is given up lets the pool begin another. */
static void new_code_begins_once_while_many_start(void)
{
	struct caller_of callers[40];
	struct deployment *next;
	struct scene scene;
	unsigned i, before;

	scene_open(&scene);
	deploy(&scene);
	for (i = 0; i < ARRAY_SIZE(callers); i++)
		call(&scene, &callers[i], "{}");
	before = process_count;
	CHECK(before && before < ARRAY_SIZE(callers));
	next = make_deployment(&scene);
	pool_set_deployment(&scene.pool, next);
	CHECK_INT(process_count, before * 2);
	CHECK_INT(scene.pool.live, before);
	for (i = 0; i < before; i++)
		CHECK(processes[i].killed && !processes[before + i].killed);
	deployment_unref(next);
	pool_close(&scene.pool, false);
	turn(&scene);
	for (i = 0; i < ARRAY_SIZE(callers); i++)
		caller_done(&callers[i]);
	scene_close(&scene);
}

static void resting_ends_what_is_idle_or_starts(void)
{
	struct caller_of caller;
	struct scene scene;

	scene_open(&scene);
	deploy(&scene);
	call(&scene, &caller, "{}");
	fake_send(&processes[0], FRAME_READY, 0, 0, "");
	turn(&scene);
	pool_rest(&scene.pool);
	CHECK(scene.pool.deployment); /* not while a call runs */
	fake_send(&processes[0], FRAME_END, 0, fake_call(&processes[0], "{}"), "x");
	turn(&scene);
	caller_done(&caller);
	call(&scene, &caller, "{}");
	fake_send(&processes[0], FRAME_END, 0, fake_call(&processes[0], "{}"), "x");
	turn(&scene);
	caller_done(&caller);
	scene.deployment->config.min_instances = 2;
	pool_dispatch(&scene.pool);
	CHECK_INT(process_count, 2); /* one idle, one that starts */
	pool_rest(&scene.pool);
	CHECK(!scene.pool.deployment);
	CHECK_INT(scene.pool.live, 0);
	CHECK_INT(scene.host.starting, 0);
	CHECK(processes[1].killed);
	scene.deployment->config.min_instances = 0;
	deploy(&scene);
	call(&scene, &caller, "{}");
	CHECK_INT(process_count, 3);
	fake_send(&processes[2], FRAME_READY, 0, 0, "");
	turn(&scene);
	fake_send(&processes[2], FRAME_END, 0, fake_call(&processes[2], "{}"), "x");
	turn(&scene);
	CHECK_STR(caller.response.data, "x");
	caller_done(&caller);
	scene_close(&scene);
}

static void the_wait_queue_is_bounded(void)
{
	static struct caller_of callers[POOL_WAITING_MAX + 2];
	struct scene scene;
	unsigned i;

	scene_open(&scene);
	scene.deployment->config.max_instances = 1;
	deploy(&scene);
	for (i = 0; i < ARRAY_SIZE(callers); i++)
		call(&scene, &callers[i], "{}");
	turn(&scene);
	CHECK_INT(callers[POOL_WAITING_MAX].error, -EAGAIN);
	CHECK_INT(callers[POOL_WAITING_MAX].outcome, OUTCOME_REJECTED);
	CHECK_INT(callers[0].ends, 0);
	pool_close(&scene.pool, false);
	turn(&scene);
	for (i = 0; i < ARRAY_SIZE(callers); i++)
		caller_done(&callers[i]);
	scene_close(&scene);
}

static void a_response_is_bounded(void)
{
	CLEANUP(buf_deinit) struct buf piece = BUF_INIT;
	struct caller_of caller;
	struct scene scene;
	size_t sent = 0;

	scene_open(&scene);
	deploy(&scene);
	call(&scene, &caller, "{}");
	fake_send(&processes[0], FRAME_READY, 0, 0, "");
	turn(&scene);
	memset(buf_reserve(&piece, 32768), 'x', 32768);
	buf_added(&piece, 32768);
	while (!caller.ends && sent < 2 * INVOCATION_RESPONSE_MAX) {
		fake_send(&processes[0], FRAME_DATA, 0, 1, piece.data);
		sent += piece.length;
		turn(&scene);
	}
	CHECK_INT(caller.error, -EFBIG);
	CHECK_INT(caller.response.length, INVOCATION_RESPONSE_MAX);
	CHECK(processes[0].killed);
	caller_done(&caller);
	scene_close(&scene);
}

static void an_instance_that_cannot_start_fails_its_calls(void)
{
	struct caller_of caller;
	struct scene scene;

	scene_open(&scene);
	deploy(&scene);
	start_error = -EMFILE;
	call(&scene, &caller, "{}");
	turn(&scene);
	CHECK_INT(caller.error, -EIO);
	caller_done(&caller);
	start_error = 0;
	call(&scene, &caller, "{}");
	fake_send(&processes[0], FRAME_READY, 0, 0, "");
	turn(&scene);
	CHECK(fake_call(&processes[0], "{}"));
	fake_send(&processes[0], FRAME_END, 0, 1, "");
	turn(&scene);
	CHECK_INT(caller.error, 0);
	caller_done(&caller);
	scene_close(&scene);
}

static void output_of_the_dying_is_not_lost(void)
{
	struct caller_of caller;
	struct scene scene;

	scene_open(&scene);
	deploy(&scene);
	call(&scene, &caller, "{}");
	fake_send(&processes[0], FRAME_READY, 0, 0, "");
	turn(&scene);
	CHECK(fake_call(&processes[0], "{}"));
	CHECK(write(processes[0].output, "last words", 10) == 10);
	fake_send(&processes[0], FRAME_END, 0, 1, "done");
	fake_die(&processes[0], &(struct process_end){.exit_status = 0, .memory_peak_bytes = -1});
	turn(&scene);
	CHECK_INT(caller.error, 0); /* what it said before it went counts */
	CHECK_STR(caller.response.data, "done");
	CHECK_STR(scene.output.data, "last words");
	caller_done(&caller);
	scene_close(&scene);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
	        TEST(a_call_starts_an_instance_and_the_next_reuses_it),
	        TEST(calls_beyond_the_instances_wait_their_turn),
	        TEST(an_instance_is_filled_before_another_starts),
	        TEST(a_time_limit_ends_the_call_and_the_instance),
	        TEST(cancel_ends_waiting_and_running_calls),
	        TEST(code_that_does_not_load_fails_whoever_waits),
	        TEST(garbage_kills_the_instance_and_is_our_fault),
	        TEST(memory_and_signals_are_told_apart),
	        TEST(new_code_takes_over_and_old_calls_finish),
	        TEST(new_code_begins_once_while_many_start),
	        TEST(resting_ends_what_is_idle_or_starts),
	        TEST(the_wait_queue_is_bounded),
	        TEST(a_response_is_bounded),
	        TEST(an_instance_that_cannot_start_fails_its_calls),
	        TEST(output_of_the_dying_is_not_lost),
	        {},
	};

	return test_main(tests, argc, argv);
}
