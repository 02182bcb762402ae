/* SPDX-License-Identifier: Apache-2.0 */
/* The queue, promise by promise, in a world where nothing happens by itself (queue_world.h). */
#include "events/queue.h"

#include <errno.h>

#include "queue_world.h"
#include "test.h"

#define SECOND INT64_C(1000000)

static const struct queue_target target = {.function = 1};
static const struct queue_target version = {.function = 1, .version = 10};
static int last_status;
static unsigned told;

static void accepted(void *userdata, int status, const struct queue_accepted *list, size_t count)
{
	last_status = status;
	told++;
}

static void done(void *userdata, int status)
{
	last_status = status;
	told++;
}

static int enqueue_to(const struct queue_target *to, const char *name, const char *body)
{
	struct queue_event event = {
	        .target = *to, .name = name, .max_retries = -1, .max_event_age_ms = -1};
	int r;

	buf_puts(&event.body, body);
	r = queue_enqueue(world.queue, &event, 1, accepted, NULL, NULL);
	buf_deinit(&event.body);
	return r;
}

static int enqueue(const char *name)
{
	return enqueue_to(&target, name, "{}");
}

static bool stands(const char *name, enum queue_place place)
{
	struct queue_info info;

	return queue_find(world.queue, &target, name, &info) == 0 && info.place == place;
}

static uint64_t id_of(const char *name)
{
	struct queue_info info;

	REQUIRE(queue_find(world.queue, &target, name, &info) == 0);
	return info.entry;
}

static struct world_call *call_of(const char *name)
{
	for (size_t i = 0; i < WORLD_CALLS; i++)
		if (world.calls[i].runs && strcmp(world.calls[i].name, name) == 0)
			return &world.calls[i];
	return NULL;
}

static void begin(void)
{
	world_init();
	told = 0;
	world_boot();
}

/* Everything that waits for the disk or for an instance ends well, and the daemon is gone. */
static void end(void)
{
	world_settle();
	world_crash();
}

static void end_call(const char *name, enum outcome outcome, const char *answer)
{
	struct world_call *call = call_of(name);

	REQUIRE(call);
	world_end(call, outcome, answer);
	world_settle();
}

static void runs_and_has_a_result(void)
{
	begin();
	CHECK_INT(enqueue("a"), 0);
	world_turn();
	CHECK(!told && !call_of("a")); /* nothing before it is on the disk */
	world_settle();
	CHECK(told == 1 && last_status == 0);
	CHECK(stands("a", QUEUE_RUNNING));
	world_end(call_of("a"), OUTCOME_SUCCESS, "one");
	CHECK(stands("a", QUEUE_RUNNING)); /* the result is not on the disk */
	world_settle();
	CHECK(stands("a", QUEUE_RESULT));
	CHECK(strcmp(world_row("a")->answer, "one") == 0 && !world_row("a")->has_request);
	end();
}

static void a_name_is_one_call(void)
{
	begin();
	enqueue("a");
	CHECK_INT(enqueue("a"), 0);
	CHECK(!told); /* the refusal waits for the disk too */
	world_settle();
	CHECK(told == 2 && last_status == -EEXIST);
	end_call("a", OUTCOME_SUCCESS, "");
	queue_remove(world.queue, id_of("a"));
	world_settle();
	CHECK(stands("a", QUEUE_GONE));
	enqueue("a");
	world_settle();
	CHECK_INT(last_status, -EEXIST);
	world_pass(3601 * SECOND);
	enqueue("a");
	world_settle();
	CHECK(last_status == 0 && stands("a", QUEUE_RUNNING));
	end();
}

static void tries_again_and_fails(void)
{
	char request_id[64];

	begin();
	enqueue("a");
	world_settle();
	strcpy(request_id, call_of("a")->request_id);
	end_call("a", OUTCOME_FUNCTION_ERROR, "{\"errorMessage\":\"no\"}");
	CHECK(stands("a", QUEUE_WAITING));
	CHECK(world_alarm_us() >= SECOND * 8 / 10 && world_alarm_us() <= SECOND * 12 / 10);
	world_pass(world_alarm_us());
	CHECK(call_of("a") && strcmp(call_of("a")->request_id, request_id) == 0);
	CHECK_INT(call_of("a")->attempt, 2);
	end_call("a", OUTCOME_TIMEOUT, "{\"errorMessage\":\"late\"}");
	CHECK(stands("a", QUEUE_FAILED));
	CHECK(world_row("a")->has_request);
	CHECK(strstr(world_row("a")->answer, "late") != NULL);
	CHECK_INT(queue_redrive(world.queue, id_of("a"), done, NULL), 0);
	CHECK(stands("a", QUEUE_FAILED));
	world_settle();
	CHECK(stands("a", QUEUE_RUNNING) && !world_row("a")->has_answer);
	CHECK_INT(call_of("a")->attempt, 1);
	CHECK(strcmp(call_of("a")->request_id, request_id) == 0);
	end_call("a", OUTCOME_SUCCESS, "");
	end();
}

static void delays_double(void)
{
	int64_t least = SECOND * 8 / 10, most = SECOND * 12 / 10;

	begin();
	world.limits.max_retries = 8;
	enqueue("a");
	world_settle();
	for (int i = 0; i < 8; i++) {
		int64_t delay;

		end_call("a", OUTCOME_FUNCTION_ERROR, "{}");
		delay = 0;
		while (!call_of("a")) { /* alarms are at most a minute apart */
			int64_t wait = world_alarm_us();

			REQUIRE(wait >= 0);
			delay += wait;
			world_pass(wait);
		}
		CHECK(delay >= (least < 96 * SECOND ? least : 96 * SECOND));
		CHECK(delay <= (most < 120 * SECOND ? most : 120 * SECOND) + 1);
		least *= 2;
		most *= 2;
	}
	end_call("a", OUTCOME_FUNCTION_ERROR, "{}");
	CHECK(stands("a", QUEUE_FAILED));
	end();
}

static void a_refusal_is_no_try(void)
{
	begin();
	world.busy = 1;
	enqueue("a");
	world_settle();
	CHECK(stands("a", QUEUE_WAITING) && !call_of("a"));
	world_pass(2 * SECOND);
	world_settle();
	CHECK(call_of("a") && call_of("a")->attempt == 1);
	end_call("a", OUTCOME_REJECTED, "{}");
	CHECK(stands("a", QUEUE_WAITING));
	world_pass(5 * SECOND);
	world_settle();
	CHECK(call_of("a") && call_of("a")->attempt == 1);
	end_call("a", OUTCOME_SUCCESS, "");
	end();
}

static void a_disabled_one_waits_until_too_old(void)
{
	begin();
	world.limits.running_most = 0;
	enqueue("a");
	world_settle();
	CHECK(stands("a", QUEUE_WAITING));
	for (int i = 0; i < 61; i++) {
		world_pass(60 * SECOND);
		world_settle();
	}
	CHECK(stands("a", QUEUE_FAILED));
	CHECK(strstr(world_row("a")->answer, "EventAgeExceeded") != NULL);
	end();
}

static void oldest_first_and_fair(void)
{
	static const struct queue_target other = {.function = 2};

	begin();
	world.limits.running_most = 1;
	enqueue("a1");
	enqueue("a2");
	enqueue("a3");
	enqueue_to(&other, "b1", "{}");
	world_settle();
	CHECK(call_of("a1") && !call_of("a2") && call_of("b1"));
	end_call("a1", OUTCOME_FUNCTION_ERROR, "{}");
	CHECK(call_of("a2") && !call_of("a1")); /* what failed does not stand in the way */
	end_call("a2", OUTCOME_SUCCESS, "");
	CHECK(call_of("a3") != NULL);
	world_pass(2 * SECOND);
	end_call("a3", OUTCOME_SUCCESS, "");
	CHECK(call_of("a1") != NULL);
	end();
}

static void long_calls_make_room(void)
{
	begin(); /* two short ones at once, four at most */
	for (int i = 0; i < 6; i++)
		enqueue((const char *[]){"a", "b", "c", "d", "e", "f"}[i]);
	world_settle();
	CHECK(call_of("b") && !call_of("c"));
	world_pass(world_alarm_us());
	world_settle();
	CHECK(call_of("c") && call_of("d") && !call_of("e"));
	world_pass(5 * SECOND);
	world_settle();
	CHECK(!call_of("e"));
	end_call("a", OUTCOME_SUCCESS, "");
	CHECK(call_of("e") && !call_of("f"));
	end();
}

static void what_runs_can_be_cancelled(void)
{
	struct world_call *call;

	begin();
	enqueue("a");
	world_settle();
	call = call_of("a");
	CHECK_INT(queue_remove(world.queue, id_of("a")), 0);
	CHECK(stands("a", QUEUE_GONE));
	world_settle();
	world_end(call, OUTCOME_CANCELED, "");
	world_settle();
	CHECK(stands("a", QUEUE_GONE) && !world_row("a")->has_request);
	world_crash();
	world_boot();
	CHECK(stands("a", QUEUE_GONE) && !call_of("a"));
	end();
}

static void postponed_calls_wait(void)
{
	begin();
	world.busy = 1;
	enqueue("a");
	world_settle();
	CHECK_INT(queue_postpone(world.queue, id_of("a"), world.now_us + 600 * SECOND), 0);
	CHECK_INT(queue_postpone(world.queue, id_of("a"), world.now_us - 600 * SECOND), 0);
	world_settle();
	world_crash();
	world_boot();
	world_pass(599 * SECOND);
	world_settle();
	CHECK(stands("a", QUEUE_WAITING));
	world_pass(2 * SECOND);
	world_settle();
	CHECK(stands("a", QUEUE_RUNNING));
	end();
}

static void a_full_queue_refuses(void)
{
	begin();
	world.limits.queue_limit = 2;
	world.limits.running_most = 0;
	CHECK_INT(enqueue("a"), 0);
	CHECK_INT(enqueue("b"), 0);
	CHECK_INT(enqueue("c"), -ENOSPC);
	end();
}

static void destinations_and_loops(void)
{
	unsigned hops = 0;
	struct world_call *call;

	begin();
	world.limits.on_success = target; /* to itself */
	enqueue_to(&target, "a", "{\"n\":1}");
	world_settle();
	call = call_of("a");
	while (call && hops < 100) {
		if (hops == 1) {
			CHECK(strstr(call->event, "\"request_payload\":{\"n\":1}") != NULL);
			CHECK(strstr(call->event, "\"response_payload\":\"yes\"") != NULL);
			CHECK(strstr(call->event, "\"condition\":\"Success\"") != NULL);
			CHECK(strstr(call->event, "\"approximate_invoke_count\":1}") != NULL);
			CHECK(strstr(call->event, "\"status_code\":200") != NULL);
		}
		world_end(call, OUTCOME_SUCCESS, "yes");
		world_settle();
		hops++;
		call = NULL;
		for (size_t i = 0; i < WORLD_CALLS; i++)
			if (world.calls[i].runs)
				call = &world.calls[i];
	}
	CHECK_INT(hops, 17); /* itself, and sixteen hops */
	CHECK_INT(world.count, 18);
	{
		struct queue_info info;

		REQUIRE(queue_next(world.queue, &target, QUEUE_FAILED, 0, &info));
		CHECK(strstr(world_row(info.name)->answer, "TooManyHops") != NULL);
		CHECK(!queue_next(world.queue, &target, QUEUE_FAILED, info.entry, &info));
	}
	end();
}

static struct world_call *call_to(uint64_t function)
{
	for (size_t i = 0; i < WORLD_CALLS; i++)
		if (world.calls[i].runs && world.calls[i].target.function == function)
			return &world.calls[i];
	return NULL;
}

/* Neither the sender's settings nor the receiver's: the record waits for them, and the call is not made again. */
static void a_record_waits_for_its_destination(void)
{
	static const struct queue_target other = {.function = 2};

	for (uint64_t which = 1; which <= 2; which++) {
		begin();
		world.limits.on_success = other;
		enqueue_to(&target, "a", "{\"n\":1}");
		world_settle();
		world.unreadable = which;
		world_end(call_of("a"), OUTCOME_SUCCESS, "yes");
		for (int tries = 0; tries < 3; tries++) {
			world_settle();
			CHECK(stands("a", QUEUE_RUNNING));
			CHECK(!call_to(2));
			world_pass(INT64_C(2) * 1000000);
		}
		world_settle(); /* the last try is told that it failed */
		world.unreadable = 0;
		world_pass(INT64_C(2) * 1000000);
		world_settle();
		CHECK(stands("a", QUEUE_RESULT));
		CHECK_STR(world_row("a")->answer, "yes");
		REQUIRE(call_to(2));
		CHECK(strstr(call_to(2)->event, "\"response_payload\":\"yes\"") != NULL);
		CHECK(strstr(call_to(2)->event, "\"request_payload\":{\"n\":1}") != NULL);
		end();
	}
}

static void a_topic_gets_the_record(void)
{
	static const struct queue_target topic = {.function = WORLD_TOPIC};
	struct queue_info info;
	struct world_call *call;

	begin();
	world.limits.on_success = topic;
	enqueue_to(&target, "a", "{\"n\":1}");
	world_settle();
	world_end(call_of("a"), OUTCOME_SUCCESS, "yes");
	world_settle();
	CHECK(stands("a", QUEUE_RESULT));
	for (int failures = 0; failures < 40; failures++) { /* it is never given up */
		call = call_to(WORLD_TOPIC);
		REQUIRE(call);
		CHECK_INT(call->attempt, failures + 1);
		world_end(call, OUTCOME_FUNCTION_ERROR, "");
		world_settle();
		CHECK(!call_to(WORLD_TOPIC));
		world_pass(INT64_C(121) * 1000000);
		world_settle();
	}
	call = call_to(WORLD_TOPIC);
	REQUIRE(call);
	CHECK(strstr(call->event, "\"response_payload\":\"yes\"") != NULL);
	CHECK_INT(call->hops, 0);
	world_end(call, OUTCOME_SUCCESS, "");
	world_settle();
	CHECK_INT(world.arrived_count, 1);
	CHECK(!queue_next(world.queue, &topic, QUEUE_WAITING, 0, &info));
	CHECK(!queue_next(world.queue, &topic, QUEUE_RUNNING, 0, &info));
	CHECK(!queue_next(world.queue, &topic, QUEUE_RESULT, 0, &info));
	CHECK(!queue_next(world.queue, &topic, QUEUE_FAILED, 0, &info));
	end();
}

/* Only what is known to be gone has its calls swept away when the daemon begins. */
static void a_start_keeps_what_it_cannot_read(void)
{
	begin();
	world.limits.running_most = 0;
	enqueue_to(&target, "a", "{}");
	enqueue_to(&version, "b", "{}");
	world_settle();
	world_crash();
	world.limits.running_most = 4;
	world.unreadable = 1;
	world_boot();
	world_settle();
	CHECK(stands("a", QUEUE_WAITING));
	CHECK_INT(world.count, 2);
	CHECK(!call_to(1));
	world.unreadable = 0;
	world_pass(INT64_C(61) * 1000000);
	world_settle();
	CHECK(call_of("a") != NULL);
	CHECK(call_of("b") != NULL);
	end();
}

static void calls_of_a_removed_version_fail(void)
{
	begin();
	world.limits.running_most = 1;
	enqueue_to(&version, "runs", "{}");
	enqueue_to(&version, "waits", "{}");
	enqueue_to(&version, "taken", "{}");
	world_settle();
	CHECK(call_of("runs") != NULL);
	enqueue("taken");
	world_settle();
	world.version_gone = true;
	queue_remove_target(world.queue, &version);
	world_settle();
	CHECK(stands("waits", QUEUE_FAILED));
	CHECK(strstr(world_row("waits")->answer, "Removed") != NULL);
	CHECK(stands("runs", QUEUE_RUNNING));
	end_call("runs", OUTCOME_FUNCTION_ERROR, "{}");
	CHECK(stands("runs", QUEUE_FAILED));
	CHECK(!stands("taken", QUEUE_FAILED)); /* the function's own */
	CHECK_INT(world.count, 4);             /* the other one has its request id for a name */
	world_crash();
	world_boot();
	CHECK(stands("waits", QUEUE_FAILED) && stands("runs", QUEUE_FAILED));
	end();
}

static void functions_take_all_along(void)
{
	begin();
	enqueue("a");
	enqueue_to(&version, "b", "{}");
	world_settle();
	queue_remove_function(world.queue, 1);
	world_settle();
	CHECK_INT(world.count, 0);
	while (call_of("a"))
		world_end(call_of("a"), OUTCOME_CANCELED, "");
	end();
}

static void results_go_after_a_day(void)
{
	begin();
	enqueue("a");
	world_settle();
	end_call("a", OUTCOME_SUCCESS, "");
	world_crash();
	world_boot();
	for (int i = 0; i < 24 * 60 - 1; i++)
		world_pass(60 * SECOND);
	world_settle();
	CHECK(stands("a", QUEUE_RESULT));
	for (int i = 0; i < 3; i++)
		world_pass(60 * SECOND);
	world_settle();
	CHECK(!world_row("a"));
	end();
}

static void a_call_that_ends_daemons_is_given_up(void)
{
	begin();
	enqueue("a");
	for (int i = 0; i < 16; i++) {
		world_settle();
		REQUIRE(call_of("a"));
		world_crash();
		world_boot();
	}
	world_settle();
	CHECK(!call_of("a") && stands("a", QUEUE_FAILED));
	end();
}

/* --- written as files -------------------------------------------------------------------------- */

static uint64_t draft(const char *name)
{
	uint64_t id = 0;

	REQUIRE(queue_draft_new(world.queue, &target, name, 0, 0, 0644, &id, NULL) == 0);
	REQUIRE(queue_draft_open(world.queue, id) == 0);
	return id;
}

static void write_draft(uint64_t id, const char *text, off_t offset)
{
	CHECK_INT(queue_draft_write(world.queue, id, text, strlen(text), offset, NULL), 0);
}

static void a_written_file_is_a_call_when_closed(void)
{
	uint64_t id;

	begin();
	id = draft("a");
	CHECK_INT(queue_draft_flush(world.queue, id, false, done, NULL), 0); /* a shell's first */
	write_draft(id, "{\"n\":1}", 0);
	CHECK_INT(queue_draft_open(world.queue, id), -EEXIST);
	CHECK_INT(queue_draft_flush(world.queue, id, false, done, NULL), 1);
	CHECK(!told);
	world_settle();
	CHECK(told == 1 && !call_of("a"));
	queue_draft_close(world.queue, id);
	world_settle();
	CHECK(call_of("a") && strcmp(call_of("a")->event, "{\"n\":1}") == 0);
	end();
}

static void a_killed_writer_made_no_call(void)
{
	uint64_t id;

	begin();
	id = draft("a");
	write_draft(id, "{\"n\":", 0);
	queue_draft_flush(world.queue, id, true, done, NULL);
	queue_draft_close(world.queue, id);
	world_settle();
	CHECK_INT(world.count, 0);
	id = draft("a"); /* the name is free */
	write_draft(id, "1", 0);
	queue_draft_flush(world.queue, id, false, done, NULL);
	write_draft(id, "{\"half", 1);
	queue_draft_flush(world.queue, id, true, done, NULL);
	queue_draft_close(world.queue, id);
	world_settle();
	CHECK(call_of("a") && strcmp(call_of("a")->event, "1") == 0);
	end();
}

static void an_empty_file_is_a_call(void)
{
	uint64_t id;

	begin();
	id = draft("a");
	queue_draft_flush(world.queue, id, false, done, NULL);
	queue_draft_close(world.queue, id);
	world_settle();
	CHECK(call_of("a") && strcmp(call_of("a")->event, "{}") == 0);
	id = draft("b");
	CHECK_INT(queue_draft_flush(world.queue, id, false, done, NULL), 0);
	CHECK_INT(queue_draft_flush(world.queue, id, false, done, NULL), 1);
	queue_draft_close(world.queue, id);
	world_settle();
	CHECK(call_of("b") != NULL);
	end();
}

static void a_dot_name_is_nobodys(void)
{
	uint64_t id;

	begin();
	id = draft(".a");
	write_draft(id, "{\"n\":1}", 0);
	CHECK_INT(queue_draft_flush(world.queue, id, false, done, NULL), 0);
	queue_draft_close(world.queue, id);
	world_settle();
	CHECK(!world.count && !call_of(".a"));
	enqueue("taken");
	CHECK_INT(queue_draft_rename(world.queue, id, "taken", done, NULL, NULL), -EEXIST);
	CHECK_INT(queue_draft_rename(world.queue, id, "a", done, NULL, NULL), 1);
	world_settle();
	CHECK(call_of("a") && strcmp(call_of("a")->event, "{\"n\":1}") == 0);
	CHECK_INT(queue_draft_rename(world.queue, id, "b", done, NULL, NULL), -EPERM);
	id = draft(".b");
	queue_draft_close(world.queue, id);
	world_pass(3601 * SECOND);
	world_settle();
	CHECK(!stands(".b", QUEUE_WAITING));
	end();
}

static void a_full_disk_is_told_and_nothing_stays(void)
{
	uint64_t id;

	begin();
	id = draft("a");
	write_draft(id, "{}", 0);
	queue_draft_flush(world.queue, id, false, done, NULL);
	world_refuse(-ENOSPC);
	CHECK(told == 1 && last_status == -ENOSPC);
	queue_draft_close(world.queue, id);
	world_settle();
	CHECK(!world.count && !call_of("a") && !stands("a", QUEUE_WAITING));
	enqueue("b");
	world_refuse(-ENOSPC);
	CHECK(told == 2 && last_status == -ENOSPC && !stands("b", QUEUE_WAITING));
	/* A result that does not fit is written later, and the call is not made again. */
	enqueue("c");
	world_settle();
	world_end(call_of("c"), OUTCOME_SUCCESS, "yes");
	world_refuse(-ENOSPC);
	CHECK(stands("c", QUEUE_RUNNING) && !call_of("c"));
	world_pass(2 * SECOND);
	world_settle();
	CHECK(stands("c", QUEUE_RESULT) && strcmp(world_row("c")->answer, "yes") == 0);
	end();
}

static void too_much_is_no_call(void)
{
	static char much[1 << 20];
	uint64_t id;
	int r = 0;

	begin();
	memset(much, ' ', sizeof(much));
	id = draft("a");
	for (int i = 0; r == 0 && i < 8; i++)
		r = queue_draft_write(world.queue, id, much, sizeof(much), (off_t)i << 20, NULL);
	CHECK_INT(r, -EFBIG);
	CHECK_INT(queue_draft_flush(world.queue, id, false, done, NULL), -EFBIG);
	queue_draft_close(world.queue, id);
	world_settle();
	CHECK(!world.count && !call_of("a"));
	end();
}

static void names_follow_the_rule(void)
{
	char name[202];

	CHECK_INT(queue_name_check("order-17 \xc3\xa9", NULL), 0);
	CHECK_INT(queue_name_check("", NULL), -EINVAL);
	CHECK_INT(queue_name_check(".a", NULL), -EINVAL);
	CHECK_INT(queue_name_check("a.error", NULL), -EINVAL);
	CHECK_INT(queue_name_check("a\nb", NULL), -EINVAL);
	CHECK_INT(queue_name_check("a\x7f", NULL), -EINVAL);
	CHECK_INT(queue_name_check("\xff", NULL), -EINVAL);
	CHECK_INT(queue_name_check("\xc2\x85", NULL), -EINVAL);
	CHECK_INT(queue_name_check("a/b", NULL), -EINVAL);
	memset(name, 'x', 201);
	name[201] = 0;
	CHECK_INT(queue_name_check(name, NULL), -ENAMETOOLONG);
	name[200] = 0;
	CHECK_INT(queue_name_check(name, NULL), 0);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
	        TEST(runs_and_has_a_result),
	        TEST(a_name_is_one_call),
	        TEST(tries_again_and_fails),
	        TEST(delays_double),
	        TEST(a_refusal_is_no_try),
	        TEST(a_disabled_one_waits_until_too_old),
	        TEST(oldest_first_and_fair),
	        TEST(long_calls_make_room),
	        TEST(what_runs_can_be_cancelled),
	        TEST(postponed_calls_wait),
	        TEST(a_full_queue_refuses),
	        TEST(destinations_and_loops),
	        TEST(a_record_waits_for_its_destination),
	        TEST(a_topic_gets_the_record),
	        TEST(a_start_keeps_what_it_cannot_read),
	        TEST(calls_of_a_removed_version_fail),
	        TEST(functions_take_all_along),
	        TEST(results_go_after_a_day),
	        TEST(a_call_that_ends_daemons_is_given_up),
	        TEST(a_written_file_is_a_call_when_closed),
	        TEST(a_killed_writer_made_no_call),
	        TEST(an_empty_file_is_a_call),
	        TEST(a_dot_name_is_nobodys),
	        TEST(a_full_disk_is_told_and_nothing_stays),
	        TEST(too_much_is_no_call),
	        TEST(names_follow_the_rule),
	        {},
	};

	return test_main(tests, argc, argv);
}
