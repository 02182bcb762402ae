/* SPDX-License-Identifier: Apache-2.0 */
/* Alarms ring once, in order, on a later turn, and never after they were cleared. */
#include "run/alarm.h"
#include "test.h"

#define MANY 500

struct bell {
	struct alarm alarm;
	int rung;
	int64_t due_us;
};

static struct alarms alarms;
static int64_t last_due_us;
static int rung;

static void ring(struct alarm *alarm)
{
	struct bell *bell = (struct bell *)alarm;

	CHECK(!alarm_is_set(alarm));
	CHECK(alarm_now_us() >= bell->due_us);
	CHECK(bell->due_us >= last_due_us);
	last_due_us = bell->due_us;
	bell->rung++;
	rung++;
}

static void set(struct bell *bell, int64_t delay_us)
{
	REQUIRE(alarm_set(&alarms, &bell->alarm, delay_us, ring) == 0);
	bell->due_us = bell->alarm.due_us;
}

static void open_loop(uv_loop_t *loop)
{
	REQUIRE(uv_loop_init(loop) == 0);
	REQUIRE(alarms_init(&alarms, loop) == 0);
	last_due_us = 0;
	rung = 0;
}

static void close_loop(uv_loop_t *loop)
{
	alarms_deinit(&alarms);
	uv_run(loop, UV_RUN_DEFAULT);
	CHECK_INT(uv_loop_close(loop), 0);
}

/* The alarms' timer keeps no loop alive, so a turn has to be asked for. */
static void run_until_rung(uv_loop_t *loop, int count)
{
	uv_timer_t keep;

	uv_timer_init(loop, &keep);
	uv_timer_start(&keep, (uv_timer_cb)uv_update_time, 10000, 0);
	while (rung < count)
		uv_run(loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&keep, NULL);
	uv_run(loop, UV_RUN_NOWAIT);
}

static void they_ring_in_order_unless_cleared(void)
{
	static struct bell bells[MANY];
	int expected = 0, i;
	uv_loop_t loop;

	memset(bells, 0, sizeof(bells));
	open_loop(&loop);
	srand(7);
	for (i = 0; i < MANY; i++)
		set(&bells[i], rand() % 20000);
	for (i = 0; i < MANY; i += 3)
		alarm_clear(&alarms, &bells[i].alarm);
	for (i = 1; i < MANY; i += 3)
		set(&bells[i], rand() % 20000); /* moved */
	for (i = 0; i < MANY; i++)
		expected += i % 3 != 0;
	run_until_rung(&loop, expected);
	for (i = 0; i < MANY; i++)
		CHECK_INT(bells[i].rung, i % 3 != 0);
	CHECK_INT(alarms.count, 0);
	close_loop(&loop);
}

static struct bell second;

static void ring_and_set_another(struct alarm *alarm)
{
	ring(alarm);
	set(&second, 0);
	CHECK_INT(second.rung, 0);
}

static void what_is_set_while_ringing_waits_for_the_next_turn(void)
{
	struct bell first = {0};
	uv_loop_t loop;

	memset(&second, 0, sizeof(second));
	open_loop(&loop);
	REQUIRE(alarm_set(&alarms, &first.alarm, 0, ring_and_set_another) == 0);
	CHECK_INT(first.rung, 0); /* never inside alarm_set() */
	run_until_rung(&loop, 2);
	CHECK_INT(first.rung, 1);
	CHECK_INT(second.rung, 1);
	close_loop(&loop);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
	        TEST(they_ring_in_order_unless_cleared),
	        TEST(what_is_set_while_ringing_waits_for_the_next_turn),
	        {},
	};

	return test_main(tests, argc, argv);
}
