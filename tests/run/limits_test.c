/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory, processes and processor time are bounded, by control groups where there are some and by sampling
 * where there are none; each test runs with what this machine offers and again with sampling forced. A
 * user would lose: the machine, to one leak or one fork bomb.
 */
#include "trial.h"

static void in_both_ways(void (*check)(struct yard *yard))
{
	struct yard yard;

	yard_open(&yard);
	check(&yard);
	yard_close(&yard);
	setenv("FNFS_LIMITS", "poll", 1);
	yard_open(&yard);
	CHECK_INT(launcher_limits(yard.launcher), LIMITS_POLL);
	check(&yard);
	yard_close(&yard);
	unsetenv("FNFS_LIMITS");
}

static void run_out(struct yard *yard, const char *script)
{
	struct trial trial;

	trial_run(&trial, yard, script);
	CHECK_INT(trial.end.out_of_memory, true);
	CHECK_INT(trial.end.failed_to_start, false);
	CHECK(trial.end.memory_peak_bytes > 48 << 20);
	CHECK_INT(count_processes("77101"), 0);
	trial_deinit(&trial);
}

static void eat(struct yard *yard)
{
	run_out(yard, "exec /opt/fnfs/runtime/probe eat 300");
}

static void ends_who_eats_memory(void)
{
	in_both_ways(eat);
}

static void eat_in_child(struct yard *yard)
{
	run_out(yard, "setsid sleep 77101 & /opt/fnfs/runtime/probe eat 300 & exec sleep 77101");
}

/* A child is killed for memory while the first process lives on: the whole instance goes. */
static void ends_with_its_hungry_child(void)
{
	in_both_ways(eat_in_child);
}

static void eat_together(struct yard *yard)
{
	run_out(yard,
	        "for i in 1 2 3 4; do /opt/fnfs/runtime/probe eat 25 & done; exec sleep 77101");
}

static void counts_all_processes_together(void)
{
	in_both_ways(eat_together);
}

static void eat_files(struct yard *yard)
{
	struct trial trial;

	trial_run(&trial, yard,
	        "dd if=/dev/zero of=/tmp/x bs=1M count=300 2>/dev/null; echo $(stat -c %s /tmp/x)");
	CHECK(trial.end.out_of_memory || atoi(trial.text.data) <= 64 << 20);
	trial_deinit(&trial);
}

/* What is written to /tmp is memory too. */
static void counts_temporary_files(void)
{
	in_both_ways(eat_files);
}

static void stay_below(struct yard *yard)
{
	struct trial trial;

	trial_run(&trial, yard,
	        "/opt/fnfs/runtime/probe eat 40 >/tmp/said & until grep -q ate /tmp/said; do sleep "
	        "0.02; done; kill $!; exit 3");
	CHECK_INT(trial.end.out_of_memory, false);
	CHECK_INT(trial.end.exit_status, 3);
	CHECK(trial.end.memory_peak_bytes >= 36 << 20); /* the kernel counts in lots */
	trial_deinit(&trial);
}

static void leaves_the_modest_alone(void)
{
	in_both_ways(stay_below);
}

static void fork_until_refused(struct yard *yard)
{
	struct trial trial, neighbour;
	struct launch launch = yard_launch(yard, "exec /opt/fnfs/runtime/probe fork");
	int count;

	launch.max_processes = 20;
	REQUIRE(trial_start(&trial, yard, &launch) == 0);
	trial_wait(&trial);
	count = trial.text.data ? atoi(trial.text.data + strlen("forked ")) : -1;
	CHECK_INT(count, 19); /* and the one that forks */
	CHECK(strstr(trial.text.data, "temporarily unavailable"));
	trial_deinit(&trial);
	/* Each has its own count, though all have one user. */
	launch = yard_launch(yard, "/opt/fnfs/runtime/probe fork; exec sleep 77102");
	launch.max_processes = 20;
	REQUIRE(trial_start(&trial, yard, &launch) == 0);
	trial_expect(&trial, "forked");
	launch = yard_launch(yard, "true & true & wait; echo fine");
	launch.max_processes = 20;
	REQUIRE(trial_start(&neighbour, yard, &launch) == 0);
	trial_wait(&neighbour);
	CHECK_STR(neighbour.text.data, "fine\n");
	trial_deinit(&neighbour);
	trial_deinit(&trial);
}

static void stops_fork_bombs(void)
{
	in_both_ways(fork_until_refused);
}

static void bomb(struct yard *yard)
{
	struct trial trial;
	/* A shell that cannot fork gives up, and leaves those that it has started. */
	struct launch launch = yard_launch(
	        yard, "(while :; do sleep 77103 & done) 2>/dev/null & echo up; exec sleep 77103");

	launch.max_processes = 200;
	REQUIRE(trial_start(&trial, yard, &launch) == 0);
	trial_expect(&trial, "up");
	while (count_processes("77103") < 100)
		usleep(10000);
	process_kill(trial.process);
	trial_wait(&trial);
	CHECK_INT(trial.ends, 1);
	CHECK_INT(trial.end.signal, SIGKILL);
	CHECK_INT(count_processes("77103"), 0);
	trial_deinit(&trial);
}

/* One that explodes for as long as it can is gone at once when it is killed. */
static void kills_fork_bombs(void)
{
	in_both_ways(bomb);
}

static long read_group_number(pid_t pid, const char *controller, const char *file)
{
	char command[512];
	FILE *output;
	long number = -1;

	snprintf(command, sizeof(command),
	        "path=$(grep -E '^[0-9]+:([^:]*,)?%s(,[^:]*)?:' /proc/%d/cgroup | cut -d: -f3); "
	        "cat /sys/fs/cgroup/%s$path/%s /sys/fs/cgroup$path/%s 2>/dev/null",
	        controller, (int)pid, controller, file, file);
	output = popen(command, "r");
	if (!output || fscanf(output, "%ld", &number) != 1)
		number = -1;
	pclose(output);
	return number;
}

static void bounds_the_processor(void)
{
	struct yard yard;
	struct trial trial;
	struct launch launch;
	struct buf text = BUF_INIT;
	bool limited;
	long quota;

	yard_open(&yard);
	launcher_describe(yard.launcher, &text);
	limited = !strstr(text.data, "cpu is not limited");
	buf_deinit(&text);
	launch = yard_launch(&yard, "echo up; exec sleep 1000");
	launch.cpu_millicores = 250;
	REQUIRE(trial_start(&trial, &yard, &launch) == 0);
	trial_expect(&trial, "up");
	quota = read_group_number(process_pid(trial.process),
	        launcher_limits(yard.launcher) == LIMITS_CGROUP2 ? "" : "cpu",
	        launcher_limits(yard.launcher) == LIMITS_CGROUP2 ? "cpu.max" : "cpu.cfs_quota_us");
	if (limited)
		CHECK_INT(quota, 25000);
	else
		printf("skipped: processor time is not limited here\n");
	trial_deinit(&trial);
	yard_close(&yard);
}

static void counts_processor_time(struct yard *yard)
{
	struct trial trial;

	trial_run(&trial, yard, "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; exit 1");
	CHECK_INT(trial.end.exit_status, 1);
	CHECK(trial.end.cpu_us > 50000);
	trial_deinit(&trial);
}

static void tells_processor_time(void)
{
	in_both_ways(counts_processor_time);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(ends_who_eats_memory),
	        TEST(ends_with_its_hungry_child), TEST(counts_all_processes_together),
	        TEST(counts_temporary_files), TEST(leaves_the_modest_alone), TEST(stops_fork_bombs),
	        TEST(kills_fork_bombs), TEST(bounds_the_processor), TEST(tells_processor_time), {}};

	return test_main(tests, argc, argv);
}
