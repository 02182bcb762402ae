/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long instances are kept by their history. A user would lose: the start that was paid for again and
 * again although everybody could see when the next call comes, or the memory that nobody needs.
 */
#include "run/keep_alive.h"

#include <errno.h>
#include <math.h>

#include "base/cleanup.h"
#include "test.h"

#define SECOND_US INT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)
#define HOUR_US   (60 * MINUTE_US)
#define DAY_US    (24 * HOUR_US)

/* Calls that take no time, one after the other; `now_us` goes along. */
static void idle(struct keep_alive *keep_alive, int64_t *now_us, unsigned depth, int64_t idle_us)
{
	keep_alive_needed(keep_alive, depth, depth - 1, *now_us);
	*now_us += idle_us;
	keep_alive_needed(keep_alive, depth - 1, depth, *now_us);
}

static struct keep_alive after(unsigned times, unsigned depth, int64_t idle_us, int64_t start_us)
{
	struct keep_alive keep_alive = {};
	int64_t now_us = 1;

	keep_alive_started(&keep_alive, start_us);
	for (unsigned i = 0; i < times; i++)
		idle(&keep_alive, &now_us, depth, idle_us);
	return keep_alive;
}

static int64_t kept_us(const struct keep_alive *keep_alive, unsigned depth)
{
	struct keep_alive_plan plan;

	keep_alive_ask(keep_alive, depth, &plan);
	return plan.end_us;
}

/* Of the last instance, which may also come back; of another one, which does not. */
static struct keep_alive_plan plan_after(int64_t idle_us, int64_t start_us)
{
	struct keep_alive keep_alive = after(20, 1, idle_us, start_us);
	struct keep_alive_plan plan;

	keep_alive_ask(&keep_alive, 1, &plan);
	return plan;
}

static int64_t second_kept_us(int64_t idle_us, int64_t start_us)
{
	struct keep_alive keep_alive = after(20, 2, idle_us, start_us);

	return kept_us(&keep_alive, 2);
}

/* --- the rule --------------------------------------------------------------------------------- */

static void holds_a_minute_until_it_knows(void)
{
	struct keep_alive keep_alive =
	        after(KEEP_ALIVE_ENOUGH - 1, 1, 2 * MINUTE_US, 3 * SECOND_US);
	int64_t now_us = DAY_US;

	CHECK_INT(kept_us(NULL, 1), KEEP_ALIVE_US);
	CHECK(!keep_alive_knows(NULL, 1));
	CHECK_INT(kept_us(&keep_alive, 1), KEEP_ALIVE_US);
	CHECK(!keep_alive_knows(&keep_alive, 1));
	idle(&keep_alive, &now_us, 1, 2 * MINUTE_US);
	CHECK(keep_alive_knows(&keep_alive, 1));
	CHECK(kept_us(&keep_alive, 1) > 2 * MINUTE_US);
	/* Of others than the last one nothing is known yet. */
	CHECK(!keep_alive_knows(&keep_alive, 2) && !keep_alive_knows(&keep_alive, 0));
	CHECK_INT(kept_us(&keep_alive, 2), KEEP_ALIVE_US);
	CHECK_INT(kept_us(&keep_alive, KEEP_ALIVE_DEPTHS + 1), KEEP_ALIVE_US);
}

static void what_is_cheap_to_start_goes_early(void)
{
	struct keep_alive_plan plan = plan_after(10 * MINUTE_US, 5000);

	CHECK_INT(plan.end_us, KEEP_ALIVE_LEAST_US);
	CHECK_INT(plan.back_us, 0); /* and nobody has to start it ahead */
	CHECK_INT(plan_after(2 * MINUTE_US, 5000).end_us, KEEP_ALIVE_LEAST_US);
	CHECK(plan_after(30 * SECOND_US, 5000).end_us > 30 * SECOND_US);
	CHECK(plan_after(30 * SECOND_US, 5000).end_us < 35 * SECOND_US);
}

static void what_is_dear_to_start_is_kept_as_long_as_it_pays(void)
{
	struct keep_alive_plan plan = plan_after(2 * MINUTE_US, 3 * SECOND_US);

	CHECK(plan.end_us > 2 * MINUTE_US && plan.end_us < 140 * SECOND_US);
	CHECK_INT(plan.back_us, 0); /* it never went */
	/* 3 s are worth half an hour, and no more. */
	CHECK(second_kept_us(10 * MINUTE_US, 3 * SECOND_US) > 10 * MINUTE_US);
	CHECK(second_kept_us(29 * MINUTE_US, 3 * SECOND_US) > 29 * MINUTE_US);
	CHECK_INT(second_kept_us(HOUR_US, 3 * SECOND_US), KEEP_ALIVE_LEAST_US);
	CHECK_INT(second_kept_us(10 * MINUTE_US, 500 * 1000), KEEP_ALIVE_LEAST_US);
	CHECK_INT(second_kept_us(DAY_US, HOUR_US), KEEP_ALIVE_LEAST_US);
}

static void what_comes_regularly_is_back_before_it_is_called(void)
{
	static const int64_t idles_us[] = {10 * MINUTE_US, 29 * MINUTE_US, HOUR_US};

	for (size_t i = 0; i < ARRAY_SIZE(idles_us); i++) {
		struct keep_alive_plan plan = plan_after(idles_us[i], 2 * SECOND_US);

		CHECK_INT(plan.end_us, KEEP_ALIVE_LEAST_US);
		CHECK(plan.back_us < idles_us[i] - 2 * SECOND_US);
		CHECK(plan.back_us > idles_us[i] * 8 / 10 - 10 * SECOND_US);
		CHECK(plan.until_us > idles_us[i] && plan.until_us < idles_us[i] * 12 / 10);
	}
	CHECK_INT(plan_after(DAY_US, 2 * SECOND_US).back_us, 0);
}

/* Some calls after a quarter of a minute, then the next in half an hour: both at once. */
static void stays_for_the_first_and_is_back_for_the_others(void)
{
	struct keep_alive keep_alive = {};
	struct keep_alive_plan plan;
	int64_t now_us = 1;

	keep_alive_started(&keep_alive, SECOND_US);
	for (unsigned i = 0; i < 60; i++)
		idle(&keep_alive, &now_us, 1, i % 3 ? 15 * SECOND_US : 30 * MINUTE_US);
	keep_alive_ask(&keep_alive, 1, &plan);
	CHECK(plan.end_us > 15 * SECOND_US && plan.end_us < 20 * SECOND_US);
	CHECK(plan.back_us > 20 * MINUTE_US && plan.until_us > 30 * MINUTE_US);
	/* Where they come whenever they like there is nothing to be back for. */
	for (unsigned i = 0; i < 64; i++)
		idle(&keep_alive, &now_us, 1, (1 + i * 37 % 64) * 3 * MINUTE_US);
	keep_alive_ask(&keep_alive, 1, &plan);
	CHECK_INT(plan.back_us, 0);
}

/* A call a second, and nine long breaks: of the calls nothing is left that would hide the breaks. */
static void short_idle_times_hide_nothing(void)
{
	struct keep_alive keep_alive = {};
	int64_t now_us = 1;

	keep_alive_started(&keep_alive, 3 * SECOND_US);
	for (unsigned i = 0; i < 9; i++) {
		for (unsigned call = 0; call < 1000; call++)
			idle(&keep_alive, &now_us, 1, SECOND_US);
		idle(&keep_alive, &now_us, 1, 2 * MINUTE_US);
	}
	CHECK(kept_us(&keep_alive, 1) > 2 * MINUTE_US);
}

static void old_idle_times_are_forgotten(void)
{
	struct keep_alive keep_alive = after(1000, 2, 20 * MINUTE_US, 3 * SECOND_US);
	int64_t now_us = 30 * DAY_US;

	CHECK(kept_us(&keep_alive, 2) > 20 * MINUTE_US);
	for (unsigned i = 0; i < KEEP_ALIVE_LAST; i++)
		idle(&keep_alive, &now_us, 2, 20 * SECOND_US);
	CHECK(kept_us(&keep_alive, 2) < 30 * SECOND_US);
}

static void further_instances_have_a_history_of_their_own(void)
{
	struct keep_alive keep_alive = {};
	int64_t now_us = 1;

	/* Four at once every ten minutes, one alone each minute. */
	keep_alive_started(&keep_alive, 3 * SECOND_US);
	for (unsigned i = 0; i < 100; i++) {
		unsigned needed = i % 10 ? 1 : 4;

		keep_alive_needed(&keep_alive, 0, needed, now_us);
		keep_alive_needed(&keep_alive, needed, 0, now_us + SECOND_US);
		now_us += MINUTE_US;
	}
	CHECK(kept_us(&keep_alive, 1) < 70 * SECOND_US);
	CHECK(kept_us(&keep_alive, 2) > 9 * MINUTE_US);
	CHECK(kept_us(&keep_alive, 4) > 9 * MINUTE_US);
	CHECK(!keep_alive_knows(&keep_alive, 5)); /* never needed */
	CHECK_INT(kept_us(&keep_alive, 100), KEEP_ALIVE_US);
}

static void a_start_is_what_starts_took_of_late(void)
{
	struct keep_alive keep_alive = {};

	keep_alive_started(&keep_alive, 8000);
	CHECK_INT(keep_alive.start_us, 8000);
	keep_alive_started(&keep_alive, 4000);
	CHECK_INT(keep_alive.start_us, 7000);
	for (unsigned i = 0; i < 100; i++)
		keep_alive_started(&keep_alive, 4000);
	CHECK(keep_alive.start_us >= 4000 && keep_alive.start_us < 4010);
	keep_alive_started(&keep_alive, 0);
	CHECK(keep_alive.start_us > 0);
}

/* --- whatever comes --------------------------------------------------------------------------- */

static uint64_t dice;

static double uniform(void)
{
	dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return ((double)(dice >> 11) + 0.5) / 9007199254740992.0;
}

static int64_t any_us(void)
{
	return (int64_t)exp(uniform() * log((double)(3 * DAY_US)));
}

static void check_bounds(const struct keep_alive_plan *plan)
{
	CHECK(plan->end_us >= KEEP_ALIVE_LEAST_US && plan->end_us <= KEEP_ALIVE_MOST_US);
	if (!plan->back_us) {
		CHECK_INT(plan->until_us, 0);
		return;
	}
	CHECK(plan->back_us > plan->end_us && plan->until_us > plan->back_us);
	CHECK(plan->until_us <= KEEP_ALIVE_MOST_US);
}

static void stays_within_its_bounds(void)
{
	unsigned differ = 0, back = 0;

	dice = 1;
	for (unsigned round = 0; round < 2000; round++) {
		struct keep_alive keep_alive = {};
		unsigned needed = 0, times = (unsigned)(uniform() * 300);
		int64_t now_us = 1;

		keep_alive_started(&keep_alive, any_us());
		while (times--) {
			unsigned next = (unsigned)(uniform() * 12);

			now_us += any_us();
			keep_alive_needed(&keep_alive, needed, next, now_us);
			needed = next;
		}
		for (unsigned depth = 0; depth < 15; depth++) {
			struct keep_alive_plan plan;

			keep_alive_ask(&keep_alive, depth, &plan);
			check_bounds(&plan);
			if (!keep_alive_knows(&keep_alive, depth))
				CHECK_INT(plan.end_us, KEEP_ALIVE_US);
			differ += plan.end_us != KEEP_ALIVE_US;
			back += plan.back_us != 0;
		}
	}
	CHECK(differ > 1000 && back > 10);
}

static void every_time_is_within_a_sixteenth(void)
{
	/* Kept for what it is, and at most two bins more. */
	for (int64_t us = KEEP_ALIVE_LEAST_US; us < KEEP_ALIVE_MOST_US; us += us / 37) {
		int64_t kept = second_kept_us(us, HOUR_US);

		CHECK(kept > us && kept <= us + us / 8 + SECOND_US);
	}
	CHECK_INT(second_kept_us(KEEP_ALIVE_MOST_US, HOUR_US), KEEP_ALIVE_MOST_US);
	CHECK_INT(second_kept_us(KEEP_ALIVE_MOST_US + 1, HOUR_US), KEEP_ALIVE_LEAST_US);
}

/* --- what is saved ---------------------------------------------------------------------------- */

static void survives_saving(void)
{
	struct keep_alive keep_alive = after(100, 1, 20 * MINUTE_US, 3 * SECOND_US), loaded = {};
	CLEANUP(buf_deinit) struct buf saved = BUF_INIT, again = BUF_INIT;
	int64_t now_us = DAY_US;

	for (unsigned i = 0; i < 100; i++)
		idle(&keep_alive, &now_us, 1 + i % 7, KEEP_ALIVE_LEAST_US + i * 200 * SECOND_US);
	keep_alive_save(&keep_alive, &saved);
	loaded.since_us[3] = 17; /* what goes on stays */
	REQUIRE(keep_alive_load(&loaded, saved.data) == 0);
	CHECK_INT(loaded.since_us[3], 17);
	keep_alive_save(&loaded, &again);
	CHECK_STR(again.data, saved.data);
	for (unsigned depth = 1; depth <= KEEP_ALIVE_DEPTHS; depth++)
		CHECK_INT(kept_us(&loaded, depth), kept_us(&keep_alive, depth));
	CHECK(saved.length < 3000);
}

static void refuses_other_texts(void)
{
	static const char *const texts[] = {"", "x", "fnfs-keep-alive 1\n",
	        "fnfs-keep-alive 2\nstart 1\nend\n", "fnfs-keep-alive 1\nstart -1\nend\n",
	        "fnfs-keep-alive 1\nstart 1 2\nend\n", "fnfs-keep-alive 1\nstart\nend\n",
	        "fnfs-keep-alive 1\nstart 1\nend", "fnfs-keep-alive 1\nstart 1\nend\nend\n",
	        "fnfs-keep-alive 1\ndepth 0 20000\nend\n",
	        "fnfs-keep-alive 1\ndepth 9 20000\nend\n", "fnfs-keep-alive 1\ndepth 1 x\nend\n",
	        "fnfs-keep-alive 1\ndepth 1  2\nend\n",
	        "fnfs-keep-alive 1\ndepth 1 99999999999999999999999\nend\n",
	        "fnfs-keep-alive 1\nwidth 1\nend\n"};
	CLEANUP(buf_deinit) struct buf saved = BUF_INIT;
	struct keep_alive keep_alive = after(20, 1, 20 * MINUTE_US, 3 * SECOND_US), before;

	before = keep_alive;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (!CHECK_INT(keep_alive_load(&keep_alive, texts[i]), -EBADMSG))
			fprintf(stderr, "%s\n", texts[i]);
	keep_alive_save(&keep_alive, &saved);
	while (saved.length) {
		saved.data[--saved.length] = 0; /* cut anywhere */
		CHECK_INT(keep_alive_load(&keep_alive, saved.data), -EBADMSG);
	}
	CHECK(memcmp(&before, &keep_alive, sizeof(before)) == 0);
	CHECK_INT(keep_alive_load(&keep_alive, "fnfs-keep-alive 1\nend\n"), 0);
}

/* --- beside constants ------------------------------------------------------------------------- */

static int64_t every_ten_minutes(void)
{
	return 10 * MINUTE_US + (int64_t)((uniform() - 0.5) * 12 * SECOND_US);
}

static int64_t at_random(void)
{
	return (int64_t)(-log(uniform()) * 5 * MINUTE_US);
}

static int64_t at_random_rarely(void)
{
	return (int64_t)(-log(uniform()) * 2 * HOUR_US);
}

/* Twenty calls some seconds apart, then a quarter of an hour to an hour of nothing. */
static int64_t in_bursts(void)
{
	static unsigned call;

	if (++call % 20)
		return (int64_t)(uniform() * 20 * SECOND_US);
	return 15 * MINUTE_US + (int64_t)(uniform() * 45 * MINUTE_US);
}

static int64_t once_a_day(void)
{
	return DAY_US - HOUR_US + (int64_t)(uniform() * 2 * HOUR_US);
}

static int64_t every_second(void)
{
	return (int64_t)(uniform() * 2 * SECOND_US);
}

/* Of a person at work: seconds, minutes, lunch, the night. */
static int64_t by_hand(void)
{
	double kind = uniform();

	return kind < 0.6    ? (int64_t)(uniform() * 40 * SECOND_US)
	       : kind < 0.95 ? MINUTE_US + (int64_t)(uniform() * 10 * MINUTE_US)
	                     : HOUR_US + (int64_t)(uniform() * 15 * HOUR_US);
}

struct sum {
	unsigned cold, ahead;
	double idle_s;
};

/* What the rule says that it minimizes, in seconds of an idle instance. */
static double cost(const struct sum *sum, int64_t start_us)
{
	double start_s = (double)start_us / 1e6;

	return sum->idle_s + start_s * (600 * sum->cold + 60 * sum->ahead);
}

static void add_idle(struct sum *sum, int64_t us)
{
	sum->idle_s += (double)us / 1e6;
}

static void add(struct sum *sum, int64_t idle_us, int64_t start_us, struct keep_alive_plan plan)
{
	if (idle_us <= plan.end_us) {
		add_idle(sum, idle_us);
		return;
	}
	add_idle(sum, plan.end_us);
	if (!plan.back_us || idle_us < plan.back_us + start_us) {
		sum->cold++;
		return;
	}
	sum->ahead++;
	sum->cold += idle_us > plan.until_us;
	add_idle(sum, (idle_us < plan.until_us ? idle_us : plan.until_us) - plan.back_us);
}

#define CALLS 1000

/* Of a hundred calls, how many waited for a start; how long an instance was idle for each; what was started ahead. */
static void print(const char *name, int64_t start_us, const struct sum sums[3])
{
	printf("%-22s %6.3f s", name, (double)start_us / 1e6);
	for (unsigned i = 0; i < 3; i++)
		printf(" | %5.1f%% %6.1f s", sums[i].cold * 100.0 / CALLS, sums[i].idle_s / CALLS);
	printf(" | %5.1f%%\n", sums[2].ahead * 100.0 / CALLS);
}

static void simulate(const char *name, int64_t (*next_us)(void), int64_t start_us)
{
	struct keep_alive keep_alive = {};
	struct sum sums[3] = {}; /* a minute, ten minutes, ours */
	struct keep_alive_plan plan;
	int64_t now_us = 1;
	double best;

	dice = 7;
	keep_alive_started(&keep_alive, start_us);
	for (unsigned i = 0; i < CALLS; i++) {
		int64_t idle_us = next_us();

		keep_alive_ask(&keep_alive, 1, &plan);
		add(&sums[0], idle_us, start_us, (struct keep_alive_plan){.end_us = MINUTE_US});
		add(&sums[1], idle_us, start_us,
		        (struct keep_alive_plan){.end_us = 10 * MINUTE_US});
		add(&sums[2], idle_us, start_us, plan);
		idle(&keep_alive, &now_us, 1, idle_us);
	}
	print(name, start_us, sums);
	/* As good as the better constant, whichever that is; what it learns from costs a little. */
	best = fmin(cost(&sums[0], start_us), cost(&sums[1], start_us));
	CHECK(cost(&sums[2], start_us) <= best * 1.1 + 1000);
}

static void costs_no_more_than_the_better_constant(void)
{
	static const struct {
		const char *name;
		int64_t (*next_us)(void);
	} traces[] = {{"every ten minutes", every_ten_minutes}, {"at random, 5 min", at_random},
	        {"at random, 2 h", at_random_rarely}, {"in bursts", in_bursts},
	        {"once a day", once_a_day}, {"every second", every_second}, {"by hand", by_hand}};
	static const int64_t starts_us[] = {5000, 500 * 1000, 3 * SECOND_US};

	printf("calls                     start |     a minute    |   ten minutes   |"
	       "   by history    | ahead\n");
	for (size_t i = 0; i < ARRAY_SIZE(traces); i++)
		for (size_t s = 0; s < ARRAY_SIZE(starts_us); s++)
			simulate(traces[i].name, traces[i].next_us, starts_us[s]);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
	        TEST(holds_a_minute_until_it_knows),
	        TEST(what_is_cheap_to_start_goes_early),
	        TEST(what_is_dear_to_start_is_kept_as_long_as_it_pays),
	        TEST(what_comes_regularly_is_back_before_it_is_called),
	        TEST(stays_for_the_first_and_is_back_for_the_others),
	        TEST(short_idle_times_hide_nothing),
	        TEST(old_idle_times_are_forgotten),
	        TEST(further_instances_have_a_history_of_their_own),
	        TEST(a_start_is_what_starts_took_of_late),
	        TEST(stays_within_its_bounds),
	        TEST(every_time_is_within_a_sixteenth),
	        TEST(survives_saving),
	        TEST(refuses_other_texts),
	        TEST(costs_no_more_than_the_better_constant),
	        {},
	};

	return test_main(tests, argc, argv);
}
