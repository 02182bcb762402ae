/* SPDX-License-Identifier: Apache-2.0 */
/* Timers fire when people who know cron expect them to, whatever the clock on the wall does. */
#include "events/schedule.h"

#include <errno.h>
#include <time.h>

#include "base/cleanup.h"
#include "events/time_zone.h"
#include "test.h"

#define SECOND INT64_C(1000000)

/* "2026-03-29 01:59:59" UTC */
static int64_t at(const char *text)
{
	struct tm tm = {};
	char *end = strptime(text, "%Y-%m-%d %H:%M:%S", &tm);

	REQUIRE(end && !*end);
	return (int64_t)timegm(&tm) * SECOND;
}

static struct schedule *parsed(const char *text)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	struct schedule *schedule = NULL;
	int r = schedule_parse(&schedule, text, &why);

	if (r < 0)
		printf("%s: %s\n", text, why.data);
	REQUIRE(r == 0);
	return schedule;
}

/* Fires after `after` at each of the NULL-ended times, all UTC, and not in between. */
static void check_fires(const char *text, const char *after, const char *const *times)
{
	struct schedule *schedule = parsed(text);
	int64_t now = at(after);

	for (; *times; times++) {
		int64_t next = schedule_next_us(schedule, 0, now);

		if (next != at(*times))
			printf("%s, expected %s\n", text, *times);
		CHECK_INT(next / SECOND, at(*times) / SECOND);
		now = next;
	}
	schedule_free(schedule);
}

#define FIRES(text, after, ...) check_fires(text, after, (const char *const[]){__VA_ARGS__, NULL})

static void fields_say_when(void)
{
	FIRES("* * * * *", "2026-01-01 00:00:00", "2026-01-01 00:01:00", "2026-01-01 00:02:00");
	FIRES("*/15 * * * *", "2026-01-01 00:31:00", "2026-01-01 00:45:00", "2026-01-01 01:00:00");
	FIRES("30 4 1,15 * ?", "2026-01-01 04:30:00", "2026-01-15 04:30:00", "2026-02-01 04:30:00");
	FIRES("0 9-17/4 * * MON-FRI", "2026-11-20 13:00:00", "2026-11-20 17:00:00",
	        "2026-11-23 09:00:00");
	FIRES("0 0 * * 7", "2026-11-23 00:00:00", "2026-11-29 00:00:00");
	FIRES("0 0 * * sun", "2026-11-23 00:00:00", "2026-11-29 00:00:00");
	FIRES("0 0 * * fri-7", "2026-11-23 00:00:00", "2026-11-27 00:00:00", "2026-11-28 00:00:00",
	        "2026-11-29 00:00:00", "2026-12-04 00:00:00");
	FIRES("0 0 29 2 *", "2026-01-01 00:00:00", "2028-02-29 00:00:00", "2032-02-29 00:00:00");
	FIRES("0 0 29 FEB ?", "2096-03-01 00:00:00", "2104-02-29 00:00:00");
	FIRES("59 23 31 dec *", "2025-12-31 23:59:00", "2026-12-31 23:59:00");
	FIRES("  5\t0 * * *  ", "2026-01-01 00:00:00", "2026-01-01 00:05:00");
	FIRES("7/20 * * * *", "2026-01-01 00:00:00", "2026-01-01 00:07:00", "2026-01-01 00:27:00",
	        "2026-01-01 00:47:00", "2026-01-01 01:07:00");
}

static void six_fields_begin_with_seconds(void)
{
	FIRES("*/20 * * * * *", "2026-01-01 00:00:05", "2026-01-01 00:00:20", "2026-01-01 00:00:40",
	        "2026-01-01 00:01:00");
	FIRES("0 15 2 * * ?", "2026-01-01 03:00:00", "2026-01-02 02:15:00");
	FIRES("30 0 0 1 JAN *", "2026-01-01 00:00:30", "2027-01-01 00:00:30");
}

/* Either will do when both are given; `*` and `?` leave it to the other. */
static void two_kinds_of_days(void)
{
	FIRES("0 0 13 * FRI", "2026-11-01 00:00:00", "2026-11-06 00:00:00", "2026-11-13 00:00:00",
	        "2026-11-20 00:00:00", "2026-11-27 00:00:00", "2026-12-04 00:00:00",
	        "2026-12-11 00:00:00", "2026-12-13 00:00:00");
	FIRES("0 0 13 * ?", "2026-11-14 00:00:00", "2026-12-13 00:00:00");
	FIRES("0 0 ? * FRI", "2026-11-14 00:00:00", "2026-11-20 00:00:00");
	FIRES("0 0 */2 * FRI", "2026-11-14 00:00:00", "2026-11-27 00:00:00");
}

static void names_have_a_meaning(void)
{
	FIRES("@hourly", "2026-01-01 00:30:00", "2026-01-01 01:00:00");
	FIRES("@daily", "2026-01-01 00:30:00", "2026-01-02 00:00:00");
	FIRES("@weekly", "2026-11-24 00:30:00", "2026-11-29 00:00:00");
	FIRES("@monthly", "2026-01-01 00:30:00", "2026-02-01 00:00:00");
	FIRES("CRON_TZ=Asia/Tokyo @yearly", "2026-06-01 00:30:00", "2026-12-31 15:00:00");
}

static void every_counts_from_its_start(void)
{
	struct schedule *schedule = parsed("@every 1h30m");
	int64_t start = at("2026-01-01 00:10:00");

	CHECK_INT(schedule_next_us(schedule, start, start), at("2026-01-01 01:40:00"));
	CHECK_INT(schedule_next_us(schedule, start, start - 1), at("2026-01-01 01:40:00"));
	CHECK_INT(schedule_next_us(schedule, start, start + 5000 * SECOND),
	        at("2026-01-01 01:40:00"));
	CHECK_INT(schedule_next_us(schedule, start, at("2026-01-01 01:40:00")),
	        at("2026-01-01 03:10:00"));
	schedule_free(schedule);
	schedule = parsed("@every 1.5s");
	CHECK_INT(schedule_next_us(schedule, 0, 0), 1500000);
	schedule_free(schedule);
	schedule_free(parsed("@every 366d"));
	schedule_free(parsed("CRON_TZ=Europe/Berlin @every 5m"));
}

static void zones_have_their_own_midnight(void)
{
	FIRES("CRON_TZ=Asia/Shanghai 0 0 * * *", "2026-11-24 00:00:00", "2026-11-24 16:00:00");
	FIRES("CRON_TZ=America/New_York 30 8 * * *", "2026-01-15 00:00:00", "2026-01-15 13:30:00");
	FIRES("CRON_TZ=America/New_York 30 8 * * *", "2026-07-15 00:00:00", "2026-07-15 12:30:00");
	FIRES("CRON_TZ=Asia/Kathmandu 0 0 * * *", "2026-07-15 00:00:00", "2026-07-15 18:15:00");
	FIRES("CRON_TZ=UTC 0 0 * * *", "2026-07-15 00:00:00", "2026-07-16 00:00:00");
}

/* Berlin: on 2026-03-29 at 01:00 UTC 02:00 becomes 03:00. */
static void forward_leaves_nothing_out(void)
{
	FIRES("CRON_TZ=Europe/Berlin 30 2 * * *", "2026-03-28 00:00:00", "2026-03-28 01:30:00",
	        "2026-03-29 01:00:00", "2026-03-30 00:30:00");
	FIRES("CRON_TZ=Europe/Berlin 15,45 2 * * *", "2026-03-28 12:00:00", "2026-03-29 01:00:00",
	        "2026-03-30 00:15:00", "2026-03-30 00:45:00");
	FIRES("CRON_TZ=Europe/Berlin 0 3 * * *", "2026-03-28 12:00:00", "2026-03-29 01:00:00",
	        "2026-03-30 01:00:00");
	FIRES("CRON_TZ=Europe/Berlin 30 * * * *", "2026-03-28 23:30:00", "2026-03-29 00:30:00",
	        "2026-03-29 01:30:00");
	FIRES("CRON_TZ=Europe/Berlin */20 2 * * *", "2026-03-28 12:00:00", "2026-03-30 00:00:00",
	        "2026-03-30 00:20:00");
}

/* And on 2026-10-25 at 01:00 UTC 03:00 becomes 02:00. */
static void back_repeats_nothing(void)
{
	FIRES("CRON_TZ=Europe/Berlin 30 2 * * *", "2026-10-24 12:00:00", "2026-10-25 00:30:00",
	        "2026-10-26 01:30:00");
	FIRES("CRON_TZ=Europe/Berlin 0 2,3 * * *", "2026-10-24 12:00:00", "2026-10-25 00:00:00",
	        "2026-10-25 02:00:00", "2026-10-26 01:00:00");
	FIRES("CRON_TZ=Europe/Berlin 30 * * * *", "2026-10-24 23:30:00", "2026-10-25 00:30:00",
	        "2026-10-25 01:30:00", "2026-10-25 02:30:00");
	/* Asked in the middle of the second hour. */
	FIRES("CRON_TZ=Europe/Berlin 30 2 * * *", "2026-10-25 01:10:00", "2026-10-26 01:30:00");
}

/* Half an hour of summer time, midnight that does not exist, and a day that was left out. */
static void strange_zones(void)
{
	FIRES("CRON_TZ=Australia/Lord_Howe 15 2 * * *", "2026-10-03 12:00:00",
	        "2026-10-03 15:30:00", "2026-10-04 15:15:00");
	FIRES("CRON_TZ=Africa/Cairo 0 0 * * *", "2026-04-23 12:00:00", "2026-04-23 22:00:00",
	        "2026-04-24 21:00:00");
	FIRES("CRON_TZ=Pacific/Apia 0 12 * * *", "2011-12-29 12:00:00", "2011-12-29 22:00:00",
	        "2011-12-30 10:00:00", "2011-12-30 22:00:00");
	FIRES("CRON_TZ=Europe/Berlin 0 12 * * *", "2050-07-01 00:00:00", "2050-07-01 10:00:00");
}

static void refused(const char *text, const char *part)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	struct schedule *schedule = NULL;

	CHECK_INT(schedule_parse(&schedule, text, &why), -EINVAL);
	CHECK(schedule == NULL);
	if (!why.data || !strstr(why.data, part))
		printf("%s: %s\n", text, why.data ? why.data : "(nothing)");
	CHECK(why.data && strstr(why.data, part));
}

static void what_is_wrong_is_said(void)
{
	char text[400];

	refused("", "five fields");
	refused("* * * *", "five fields");
	refused("* * * * * * *", "more than 6");
	refused("61 * * * *", "61 is no minute");
	refused("* 24 * * *", "24 is no hour");
	refused("* * 0 * *", "0 is no day of the month");
	refused("* * * 13 *", "13 is no month");
	refused("* * * * 8", "8 is no day of the week");
	refused("60 * * * * *", "60 is no second");
	refused("5-1 * * * *", "5-1 is no minute");
	refused("*/0 * * * *", "*/0 is no minute");
	refused("1,,2 * * * *", "1,,2 is no minute");
	refused("1, * * * *", "1, is no minute");
	refused("a * * * *", "a is no minute");
	refused("? * * * *", "? is no minute");
	refused("-1 * * * *", "-1 is no minute");
	refused("* * L * *", "L is no day");
	refused("* * * * MONDAY", "MONDAY is no day");
	refused("99999999999999999999 * * * *", "is no minute");
	refused("0 0 31 2 *", "never");
	refused("0 0 30 2 ?", "never");
	refused("0 0 31 4,6,9,11 *", "never");
	refused("CRON_TZ=Middle/Earth 0 0 * * *", "no time zone Middle/Earth");
	refused("CRON_TZ=../../../etc/passwd 0 0 * * *", "no time zone");
	refused("CRON_TZ=/etc/localtime 0 0 * * *", "no time zone");
	refused("CRON_TZ= 0 0 * * *", "no time zone");
	refused("CRON_TZ=UTC", "five fields");
	refused("@every", "duration");
	refused("@every 5", "duration");
	refused("@every -5m", "duration");
	refused("@every 0s", "duration");
	refused("@every 999ms", "duration");
	refused("@every 367d", "duration");
	refused("@every 1e99h", "duration");
	refused("@every 0x10s", "duration");
	refused("@every 1e1s", "duration");
	refused("@every nanm", "duration");
	refused("@every 5m 3", "duration");
	refused("@reboot", "@every");
	refused("@hourlyy", "@every");
	memset(text, '*', sizeof(text));
	text[sizeof(text) - 1] = 0;
	refused(text, "255");
}

/* Every moment is found, and none twice: by looking at each minute of a year in three zones. */
static bool matches(const struct schedule *schedule, int64_t utc)
{
	return schedule_next_us(schedule, 0, utc * SECOND - SECOND) == utc * SECOND;
}

static void nothing_is_skipped(void)
{
	static const char *const texts[] = {"CRON_TZ=America/Sao_Paulo */7 * * * *",
	        "CRON_TZ=Europe/Dublin 5 1,2,3 * * *", "CRON_TZ=Australia/Lord_Howe */10 * * * *"};
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct schedule *schedule = parsed(texts[i]);
		int64_t begin = at("2018-01-01 00:00:00") / SECOND, t;
		int64_t next = schedule_next_us(schedule, 0, begin * SECOND) / SECOND;
		unsigned fired = 0;

		for (t = begin + 60; t < begin + 366 * 86400; t += 60) {
			bool fires = matches(schedule, t);

			CHECK(fires == (t == next));
			if (!fires)
				continue;
			next = schedule_next_us(schedule, 0, t * SECOND) / SECOND;
			fired++;
		}
		CHECK(fired > 300);
		schedule_free(schedule);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(fields_say_when),
	        TEST(six_fields_begin_with_seconds), TEST(two_kinds_of_days),
	        TEST(names_have_a_meaning), TEST(every_counts_from_its_start),
	        TEST(zones_have_their_own_midnight), TEST(forward_leaves_nothing_out),
	        TEST(back_repeats_nothing), TEST(strange_zones), TEST(what_is_wrong_is_said),
	        TEST(nothing_is_skipped), {}};

	return test_main(tests, argc, argv);
}
