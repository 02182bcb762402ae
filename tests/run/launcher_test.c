/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes begin, say something, and end; and when they have, nothing of them is left, whoever dies
 * first. A user would lose: output, exit codes, and with each crash some of the machine.
 */
#include "trial.h"

#include <dirent.h>
#include <glob.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "base/cleanup.h"

static void reports_exit_and_signal(void)
{
	struct yard yard;
	struct trial trial;

	yard_open(&yard);
	trial_run(&trial, &yard, "echo hello; exit 3");
	CHECK_INT(trial.end.exit_status, 3);
	CHECK_INT(trial.end.signal, 0);
	CHECK_INT(trial.end.failed_to_start, false);
	CHECK_INT(trial.end.out_of_memory, false);
	CHECK(trial.end.memory_peak_bytes > 0);
	CHECK(trial.end.cpu_us > 0);
	CHECK_STR(trial.text.data, "hello\n");
	trial_deinit(&trial);
	trial_run(&trial, &yard, "exit 137");
	CHECK_INT(trial.end.exit_status, 137);
	CHECK_INT(trial.end.signal, 0);
	trial_deinit(&trial);
	trial_run(&trial, &yard, "kill -SEGV $$");
	CHECK_INT(trial.end.exit_status, -1);
	CHECK_INT(trial.end.signal, SIGSEGV);
	trial_deinit(&trial);
	yard_close(&yard);
}

static void carries_the_channel(void)
{
	struct yard yard;
	struct trial trial;
	struct launch launch;
	char text[16] = "";

	yard_open(&yard);
	launch = yard_launch(&yard, "read word <&3; echo \"$word back\" >&4");
	REQUIRE(trial_start(&trial, &yard, &launch) == 0);
	CHECK_INT(write(trial.to, "there\n", 6), 6);
	CHECK_INT(read(trial.from, text, sizeof(text) - 1), 11);
	CHECK_STR(text, "there back\n");
	trial_wait(&trial);
	CHECK_INT(trial.end.exit_status, 0);
	trial_deinit(&trial);
	yard_close(&yard);
}

/* Nobody but the runtime holds its descriptors: closed by it, they are closed. */
static void lets_go_of_descriptors(void)
{
	struct yard yard;
	struct trial trial;
	struct launch launch;
	char text[16];
	struct pollfd output;

	yard_open(&yard);
	launch = yard_launch(&yard, "exec 1>&- 2>&- 4>&- 3<&-; exec sleep 1000");
	REQUIRE(trial_start(&trial, &yard, &launch) == 0);
	CHECK_INT(read(trial.from, text, sizeof(text)), 0);
	output = (struct pollfd){.fd = trial.output, .events = POLLIN};
	CHECK_INT(poll(&output, 1, 10000), 1);
	CHECK(output.revents & POLLHUP);
	signal(SIGPIPE, SIG_IGN);
	CHECK_INT(write(trial.to, "x", 1), -1);
	CHECK_INT(errno, EPIPE);
	trial_deinit(&trial);
	yard_close(&yard);
}

static const char family[] = "setsid sh -c '(sleep 77001 & sleep 77001) & exec sleep 77001' & "
                             "sh -c 'sleep 77001 & exit 0'; sleep 0.1; echo up; sleep 77001";

/* Whole trees end: sessions of their own, orphans, grandchildren. */
static void kills_children_of_children(void)
{
	struct yard yard;
	struct trial trial;
	struct launch launch;

	yard_open(&yard);
	launch = yard_launch(&yard, family);
	REQUIRE(trial_start(&trial, &yard, &launch) == 0);
	trial_expect(&trial, "up");
	CHECK(count_processes("77001") >= 5);
	process_kill(trial.process);
	trial_wait(&trial);
	CHECK_INT(trial.end.signal, SIGKILL);
	CHECK_INT(trial.end.exit_status, -1);
	CHECK_INT(trial.end.failed_to_start, false);
	CHECK_INT(count_processes("77001"), 0);
	trial_deinit(&trial);
	yard_close(&yard);
}

/* An instance ends with its first process. */
static void leaves_no_orphans(void)
{
	struct yard yard;
	struct trial trial;

	yard_open(&yard);
	trial_run(&trial, &yard, "setsid sleep 77002 & (sleep 77002 &) ; sleep 0.1; exit 5");
	CHECK_INT(trial.end.exit_status, 5);
	CHECK_INT(count_processes("77002"), 0);
	trial_deinit(&trial);
	yard_close(&yard);
}

/* At any moment of the start; `ended` comes once and nothing is left. */
static void kills_what_has_hardly_begun(void)
{
	struct yard yard;
	struct trial trial;
	struct launch launch;

	yard_open(&yard);
	launch = yard_launch(&yard, "exec sleep 77003");
	for (int delay_us = 0; delay_us < 12000; delay_us += 200) {
		REQUIRE(trial_start(&trial, &yard, &launch) == 0);
		usleep((useconds_t)delay_us);
		process_kill(trial.process);
		process_kill(trial.process);
		trial_wait(&trial);
		CHECK_INT(trial.ends, 1);
		CHECK_INT(trial.end.signal, SIGKILL);
		CHECK_INT(trial.end.failed_to_start, false);
		trial_deinit(&trial);
	}
	CHECK_INT(count_processes("77003"), 0);
	yard_close(&yard);
}

/* What that guardian has made for the roots of its sandboxes. */
static size_t count_roots(const struct yard *yard, pid_t guardian)
{
	char pattern[4096], in_state[4000];
	const char *const homes[] = {"/run/fnfs-sandbox", "/dev/shm/fnfs-sandbox", in_state};
	size_t count = 0;
	glob_t found;

	snprintf(in_state, sizeof(in_state), "%s/sandbox", yard->state);
	for (size_t i = 0; i < ARRAY_SIZE(homes); i++) {
		snprintf(pattern, sizeof(pattern), "%s/%d.*", homes[i], (int)guardian);
		if (glob(pattern, 0, NULL, &found) == 0)
			count += found.gl_pathc;
		globfree(&found);
	}
	return count;
}

static int count_entries(const char *path)
{
	DIR *directory = opendir(path);
	int count = 0;

	REQUIRE(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count - 2;
}

/* Of ours, the one that counts is counted too. */
static int count_descriptors(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	return count_entries(path);
}

static void start_eight_at_a_time(struct yard *yard, int rounds)
{
	struct launch launch = yard_launch(yard, "exit 9");
	struct trial trials[8];

	for (int round = 0; round < rounds; round++) {
		for (int i = 0; i < 8; i++)
			REQUIRE(trial_start(&trials[i], yard, &launch) == 0);
		for (int i = 0; i < 8; i++) {
			trial_wait(&trials[i]);
			CHECK_INT(trials[i].end.exit_status, 9);
			trial_deinit(&trials[i]);
		}
	}
}

/* A thousand: as many descriptors and control groups as before. */
static void starts_a_thousand_times(void)
{
	struct yard yard;
	int ours, guardians, groups;

	setenv("FNFS_SPARES", "0", 1); /* of what waits there may be more or fewer */
	yard_open(&yard);
	ours = count_descriptors(getpid());
	guardians = count_descriptors(yard_guardian(&yard));
	groups = count_groups(yard_guardian(&yard));
	start_eight_at_a_time(&yard, 125);
	CHECK_INT(count_descriptors(getpid()), ours);
	CHECK_INT(count_descriptors(yard_guardian(&yard)), guardians);
	CHECK_INT(count_groups(yard_guardian(&yard)), groups);
	CHECK_INT(count_processes(yard.state), 1); /* the guardian */
	yard_close(&yard);
	unsetenv("FNFS_SPARES");
}

/* What waits is bounded, and what was taken goes as everything else. */
static void starts_in_what_waits(void)
{
	struct yard yard;
	int ours, guardians;

	yard_open(&yard);
	ours = count_descriptors(getpid());
	guardians = count_descriptors(yard_guardian(&yard));
	start_eight_at_a_time(&yard, 50);
	CHECK_INT(count_descriptors(getpid()), ours);
	CHECK(count_descriptors(yard_guardian(&yard)) <= guardians + 8 * 4);
	yard_close(&yard);
}

static void survives_its_guardian(void)
{
	struct yard yard;
	struct trial trials[3], after;
	struct launch launch;
	pid_t guardian;

	yard_open(&yard);
	guardian = yard_guardian(&yard);
	launch = yard_launch(&yard, "echo up; exec sleep 77004");
	for (int i = 0; i < 3; i++) {
		REQUIRE(trial_start(&trials[i], &yard, &launch) == 0);
		trial_expect(&trials[i], "up");
	}
	CHECK_INT(count_roots(&yard, guardian), 1);
	kill(guardian, SIGKILL);
	for (int i = 0; i < 3; i++) {
		trial_wait(&trials[i]);
		CHECK_INT(trials[i].ends, 1);
		CHECK_INT(trials[i].end.signal, SIGKILL);
		trial_deinit(&trials[i]);
	}
	trial_run(&after, &yard, "echo again");
	CHECK_STR(after.text.data, "again\n");
	trial_deinit(&after);
	CHECK(yard_guardian(&yard) != guardian);
	/* The new one has removed what the dead one left. */
	CHECK_INT(count_roots(&yard, guardian), 0);
	CHECK_INT(count_roots(&yard, yard_guardian(&yard)), 1);
	CHECK_INT(count_groups(guardian), 0);
	CHECK_INT(count_remaining("77004"), 0);
	yard_close(&yard);
}

/* Whoever starts a process while the guardian dies hears of its end all the same. */
static void starts_while_its_guardian_dies(void)
{
	struct yard yard;
	struct trial trial;
	struct launch launch;
	int error;

	yard_open(&yard);
	launch = yard_launch(&yard, "exec sleep 77005");
	kill(yard_guardian(&yard), SIGKILL);
	usleep(20000);
	error = trial_start(&trial, &yard, &launch);
	CHECK_INT(error, 0);
	if (error == 0) {
		trial_wait(&trial);
		CHECK_INT(trial.ends, 1);
		CHECK_INT(trial.end.failed_to_start, true);
	}
	trial_deinit(&trial);
	trial_run(&trial, &yard, "exit 4");
	CHECK_INT(trial.end.exit_status, 4);
	trial_deinit(&trial);
	CHECK_INT(count_remaining("77005"), 0);
	yard_close(&yard);
}

enum { CROWD = 50 };

/* The part of a daemon, in a process of its own: starts a crowd, says so, and is killed. */
static _Noreturn void play_daemon(int tell)
{
	static struct trial trials[CROWD];
	struct yard yard;
	struct launch launch;
	pid_t guardian;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	yard_open(&yard);
	guardian = yard_guardian(&yard);
	launch = yard_launch(&yard, "setsid sleep 77006 & echo up; exec sleep 77006");
	for (int i = 0; i < CROWD; i++)
		REQUIRE(trial_start(&trials[i], &yard, &launch) == 0);
	for (int i = 0; i < CROWD; i++)
		trial_expect(&trials[i], "up");
	REQUIRE(write(tell, &guardian, sizeof(guardian)) == sizeof(guardian));
	REQUIRE(write(tell, yard.state, strlen(yard.state)) > 0);
	pause();
	_exit(1);
}

/* Mounts of sandboxes that show outside, and those that lie in the state directory. */
static int count_mounts(const char *state)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t room = 0;
	int count = 0;

	while (getline(&line, &room, file) > 0)
		count += strstr(line, " - tmpfs fnfs ") || strstr(line, state);
	free(line);
	fclose(file);
	return count;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void leaves_nothing_when_the_daemon_is_killed(void)
{
	int pair[2];
	char state[256] = "";
	pid_t daemon, guardian;
	double begun;

	REQUIRE(pipe(pair) == 0);
	fflush(stdout);
	daemon = fork();
	if (daemon == 0)
		play_daemon(pair[1]);
	close(pair[1]);
	REQUIRE(read(pair[0], &guardian, sizeof(guardian)) == sizeof(guardian));
	REQUIRE(read(pair[0], state, sizeof(state) - 1) > 0);
	CHECK(count_processes("77006") >= 2 * CROWD);
	kill(daemon, SIGKILL);
	begun = seconds();
	waitpid(daemon, NULL, 0);
	while (seconds() < begun + 20 && (count_processes("77006") || count_processes(state)))
		usleep(5000);
	printf("%d instances were gone after %.0f ms\n", CROWD, (seconds() - begun) * 1000);
	CHECK_INT(count_processes("77006"), 0);
	CHECK_INT(count_processes(state), 0);
	CHECK_INT(count_groups(guardian), 0);
	CHECK_INT(count_mounts(state), 0);
	CHECK_INT(count_entries(state), 2); /* what the yard made: code and runtime */
	test_directory_remove(strdup(state));
	close(pair[0]);
}

/* Ours: refused at once. The guardian's: told as the reason. Neither is for ever. */
static void runs_out_of_descriptors(void)
{
	struct yard yard;
	struct trial trial;
	struct launch launch;
	struct rlimit before, few;
	int spare[64], count = 0;

	yard_open(&yard);
	launch = yard_launch(&yard, "exit 6");
	REQUIRE(prlimit(yard_guardian(&yard), RLIMIT_NOFILE, NULL, &before) == 0);
	few = (struct rlimit){(rlim_t)count_descriptors(yard_guardian(&yard)) + 1, before.rlim_max};
	REQUIRE(prlimit(yard_guardian(&yard), RLIMIT_NOFILE, &few, NULL) == 0);
	REQUIRE(trial_start(&trial, &yard, &launch) == 0);
	trial_wait(&trial);
	CHECK_INT(trial.end.failed_to_start, true);
	CHECK(strstr(trial.end.reason, "Too many open files"));
	trial_deinit(&trial);
	REQUIRE(prlimit(yard_guardian(&yard), RLIMIT_NOFILE, &before, NULL) == 0);
	while (count < 64 && (spare[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		count++;
	while (count)
		close(spare[--count]);
	trial_run(&trial, &yard, "exit 6");
	CHECK_INT(trial.end.exit_status, 6);
	trial_deinit(&trial);
	yard_close(&yard);
}

static void refuses_an_order_too_large(void)
{
	static char large[300000];
	const char *const environment[] = {large, NULL};
	struct yard yard;
	struct trial trial;
	struct launch launch;

	yard_open(&yard);
	memset(large, 'x', sizeof(large) - 1);
	large[1] = '=';
	launch = yard_launch(&yard, "exit 0");
	launch.environment = environment;
	CHECK_INT(trial_start(&trial, &yard, &launch), -E2BIG);
	CHECK_INT(trial.ends, 0);
	trial_deinit(&trial);
	large[100000] = 0;
	launch = yard_launch(&yard, "echo ${#x}");
	launch.environment = environment;
	REQUIRE(trial_start(&trial, &yard, &launch) == 0);
	trial_wait(&trial);
	CHECK_STR(trial.text.data, "99998\n");
	trial_deinit(&trial);
	yard_close(&yard);
}

/* A guardian that is stopped for a while: orders wait, none is lost, nothing blocks. */
static void waits_for_a_slow_guardian(void)
{
	static struct trial trials[200];
	struct yard yard;
	struct launch launch;
	int ended = 0;

	yard_open(&yard);
	launch = yard_launch(&yard, "exit 8");
	kill(yard_guardian(&yard), SIGSTOP);
	for (int i = 0; i < 200; i++)
		REQUIRE(trial_start(&trials[i], &yard, &launch) == 0);
	for (int i = 0; i < 200; i += 2)
		process_kill(trials[i].process);
	kill(yard_guardian(&yard), SIGCONT);
	for (int i = 0; i < 200; i++) {
		trial_wait(&trials[i]);
		ended += trials[i].ends == 1 && (i % 2 == 0 || trials[i].end.exit_status == 8);
		trial_deinit(&trials[i]);
	}
	CHECK_INT(ended, 200);
	yard_close(&yard);
}

static void tells_what_it_uses(void)
{
	struct yard yard;
	struct trial trial;
	struct launch launch;
	struct process_usage usage;

	yard_open(&yard);
	launch = yard_launch(&yard, "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exec "
	                            "/opt/fnfs/runtime/probe eat 20");
	REQUIRE(trial_start(&trial, &yard, &launch) == 0);
	trial_expect(&trial, "ate");
	process_usage(trial.process, &usage);
	CHECK(usage.memory_bytes >= 20 << 20 && usage.memory_bytes < 64 << 20);
	CHECK(usage.cpu_us > 0);
	process_kill(trial.process);
	trial_wait(&trial);
	CHECK(trial.end.memory_peak_bytes >= 20 << 20 && trial.end.memory_peak_bytes < 64 << 20);
	trial_deinit(&trial);
	yard_close(&yard);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(reports_exit_and_signal),
	        TEST(carries_the_channel), TEST(lets_go_of_descriptors),
	        TEST(kills_children_of_children), TEST(leaves_no_orphans),
	        TEST(kills_what_has_hardly_begun), TEST(starts_a_thousand_times),
	        TEST(starts_in_what_waits), TEST(survives_its_guardian),
	        TEST(starts_while_its_guardian_dies),
	        TEST(leaves_nothing_when_the_daemon_is_killed), TEST(runs_out_of_descriptors),
	        TEST(refuses_an_order_too_large), TEST(waits_for_a_slow_guardian),
	        TEST(tells_what_it_uses), {}};

	return test_main(tests, argc, argv);
}
