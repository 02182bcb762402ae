/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a function must not see or do. A user would lose: their files, their network, other functions'
 * secrets, in the end the machine.
 */
#include "trial.h"

#include <sys/wait.h>

static void probe(const char *script)
{
	struct yard yard;
	struct trial trial;

	yard_open(&yard);
	trial_run(&trial, &yard, script);
	CHECK_INT(trial.end.exit_status, 0);
	if (!CHECK(trial.text.data && strstr(trial.text.data, "probed ") &&
	            !strstr(trial.text.data, "BAD")))
		fprintf(stderr, "%s", trial.text.data ? trial.text.data : trial.end.reason);
	trial_deinit(&trial);
	yard_close(&yard);
}

static void is_nobody_inside(void)
{
	probe("/opt/fnfs/runtime/probe identity");
}

static void has_five_descriptors(void)
{
	probe("exec /opt/fnfs/runtime/probe descriptors");
}

/* Shell scripts do it all the time; the pipe was made by the daemon, and is the owner's now. */
static void opens_its_output_by_name(void)
{
	struct yard yard;
	struct trial trial;

	yard_open(&yard);
	trial_run(&trial, &yard, "echo out >/dev/stdout; echo err >/dev/stderr");
	CHECK_STR(trial.text.data, "out\nerr\n");
	trial_deinit(&trial);
	yard_close(&yard);
}

static void sees_no_other_process(void)
{
	probe("/opt/fnfs/runtime/probe processes && echo still here");
}

static void writes_only_to_tmp(void)
{
	probe("/opt/fnfs/runtime/probe files");
}

static void is_denied_dangerous_calls(void)
{
	probe("/opt/fnfs/runtime/probe calls");
}

static void is_denied_strange_sockets(void)
{
	probe("/opt/fnfs/runtime/probe sockets");
}

static void has_only_the_loopback(void)
{
	probe("/opt/fnfs/runtime/probe network");
}

static void sees_nothing_of_the_host(void)
{
	struct yard yard;
	struct trial trial;
	char script[512], directory[256];

	yard_open(&yard);
	REQUIRE(getcwd(directory, sizeof(directory)));
	snprintf(script, sizeof(script), "/opt/fnfs/runtime/probe hidden %s %s /tmp/code",
	        yard.state, GUARDIAN);
	trial_run(&trial, &yard, script);
	CHECK_STR(trial.text.data, "probed hidden\n");
	trial_deinit(&trial);
	yard_close(&yard);
}

static uid_t owner_of(pid_t pid)
{
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	return stat(path, &st) == 0 ? st.st_uid : 0;
}

/* Of a function of root an id of its own, of others theirs; bubblewrap outside as well as inside. */
static void is_never_root_on_the_host(void)
{
	struct yard yard;
	struct trial trial;
	struct launch launch;

	yard_open(&yard);
	launch = yard_launch(&yard, "echo up; exec sleep 1000");
	REQUIRE(trial_start(&trial, &yard, &launch) == 0);
	trial_expect(&trial, "up");
	CHECK_INT(owner_of(process_pid(trial.process)), geteuid() ? geteuid() : 1900000007);
	trial_deinit(&trial);
	if (geteuid() == 0) {
		launch.uid = launch.gid = 4711;
		REQUIRE(trial_start(&trial, &yard, &launch) == 0);
		trial_expect(&trial, "up");
		CHECK_INT(owner_of(process_pid(trial.process)), 4711);
		trial_deinit(&trial);
	}
	yard_close(&yard);
}

static void check_begins(const char *text, const char *beginning)
{
	if (!CHECK(!strncmp(text, beginning, strlen(beginning))))
		fprintf(stderr, "%s", text);
}

static void sees_its_code_and_environment(void)
{
	static const char *const environment[] = {"GREETING=hello = there", "EMPTY=", NULL};
	struct yard yard;
	struct trial trial;
	struct launch launch;
	char path[256];
	FILE *file;

	yard_open(&yard);
	snprintf(path, sizeof(path), "%s/index.txt", yard.code);
	file = fopen(path, "w");
	fputs("the code\n", file);
	fclose(file);
	launch = yard_launch(&yard,
	        "exec 2>/dev/null; cat code/index.txt /var/task/index.txt; pwd; echo \"$GREETING\" "
	        "\"${EMPTY-unset}\" $HOME; cat /etc/hosts | grep -c localhost; whoami; hostname; "
	        "/opt/function/runtime/nodejs18.15/rtsp/nodejs/bin/env true && echo linked");
	launch.environment = environment;
	REQUIRE(trial_start(&trial, &yard, &launch) == 0);
	trial_wait(&trial);
	buf_append(&trial.text, "", 0);
	check_begins(trial.text.data,
	        "the code\nthe code\n/opt/function\nhello = there  /tmp\n2\nfunction\ntrial.");
	CHECK(strstr(trial.text.data, "linked\n"));
	trial_deinit(&trial);
	/* Secrets of the environment are on nobody's command line. */
	launch = yard_launch(&yard, "echo up; exec sleep 1000");
	launch.environment = environment;
	REQUIRE(trial_start(&trial, &yard, &launch) == 0);
	trial_expect(&trial, "up");
	CHECK_INT(count_processes("hello = there"), 0);
	trial_deinit(&trial);
	yard_close(&yard);
}

static void shares_the_network_when_told(void)
{
	struct yard yard;
	struct trial trial;
	struct launch launch;
	char inside[64] = "", host[64] = "";
	ssize_t length;

	yard_open(&yard);
	launch = yard_launch(&yard, "readlink /proc/self/ns/net");
	launch.host_network = true;
	REQUIRE(trial_start(&trial, &yard, &launch) == 0);
	trial_wait(&trial);
	length = readlink("/proc/self/ns/net", host, sizeof(host) - 1);
	REQUIRE(length > 0);
	snprintf(inside, sizeof(inside), "%s", trial.text.data ? trial.text.data : "");
	inside[strcspn(inside, "\n")] = 0;
	CHECK_STR(inside, host);
	trial_deinit(&trial);
	yard_close(&yard);
}

static void tells_why_it_does_not_start(void)
{
	static const char *const nothing[] = {"/nothing/there", NULL};
	struct yard yard;
	struct trial trial;
	struct launch launch;

	yard_open(&yard);
	launch = yard_launch(&yard, NULL);
	launch.argv = nothing;
	REQUIRE(trial_start(&trial, &yard, &launch) == 0);
	trial_wait(&trial);
	CHECK_INT(trial.end.failed_to_start, true);
	CHECK_STR(trial.end.reason, "/nothing/there: No such file or directory");
	CHECK(!trial.text.length);
	trial_deinit(&trial);
	launch = yard_launch(&yard, "exit 0");
	launch.code_path = "/nothing/there";
	REQUIRE(trial_start(&trial, &yard, &launch) == 0);
	trial_wait(&trial);
	CHECK_INT(trial.end.failed_to_start, true);
	CHECK(strstr(trial.end.reason, "/nothing/there"));
	trial_deinit(&trial);
	launch.code_path = yard.code;
	launch.working_directory = "/nothing/there";
	REQUIRE(trial_start(&trial, &yard, &launch) == 0);
	trial_wait(&trial);
	CHECK_INT(trial.end.failed_to_start, true);
	CHECK(strstr(trial.end.reason, "/nothing/there"));
	trial_deinit(&trial);
	yard_close(&yard);
}

static void tells_that_bubblewrap_is_missing(void)
{
	struct yard yard;
	struct trial trial;
	struct launch launch;

	yard_open(&yard); /* once with it, to know that the rest works */
	yard_close(&yard);
	setenv("FNFS_BUBBLEWRAP", "/nothing/there", 1);
	yard_open(&yard);
	launch = yard_launch(&yard, "exit 0");
	REQUIRE(trial_start(&trial, &yard, &launch) == 0);
	trial_wait(&trial);
	CHECK_INT(trial.end.failed_to_start, true);
	CHECK(strstr(trial.end.reason, "bubblewrap is not installed"));
	trial_deinit(&trial);
	yard_close(&yard);
	unsetenv("FNFS_BUBBLEWRAP");
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(is_nobody_inside), TEST(has_five_descriptors),
	        TEST(opens_its_output_by_name), TEST(sees_no_other_process),
	        TEST(writes_only_to_tmp), TEST(is_denied_dangerous_calls),
	        TEST(is_denied_strange_sockets), TEST(has_only_the_loopback),
	        TEST(sees_nothing_of_the_host), TEST(is_never_root_on_the_host),
	        TEST(sees_its_code_and_environment), TEST(shares_the_network_when_told),
	        TEST(tells_why_it_does_not_start), TEST(tells_that_bubblewrap_is_missing), {}};

	return test_main(tests, argc, argv);
}
