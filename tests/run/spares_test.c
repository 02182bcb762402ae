/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is started in a sandbox that waited finds everything as if it had been made for it. A user would lose: a
 * variable, a limit, or the wall between two functions, now and then, depending on who called before.
 */
#include "trial.h"

#include <poll.h>
#include <sys/stat.h>

/* What a program can see of where it is. Numbers of processes, inodes and mounts are each start's own. */
#define LOOK \
	"env | sort; pwd; ls -la code /var/task/ /opt/fnfs/runtime | grep -v total; id; " \
	"hostname | sed 's/[0-9]*$//'; ulimit -a; umask; set -- /proc/self/fd/*; echo $#; " \
	"grep -E '^(Cap|NoNew|Seccomp|Groups|Sig|Uid|Gid|NStgid|Cpus_allowed:)' " \
	"/proc/self/status; " \
	"awk '{ for (i = 7; i < NF; i++) if ($i == \"-\") print $5, $6, $(i + 1) }' " \
	"/proc/self/mountinfo | sort; set -- /proc/[0-9]*; echo $#; cat " \
	"/proc/self/oom_score_adj; " \
	"cat /proc/net/dev | sed 's/:.*//'; ls -a / /opt/function /tmp; echo x > code/new; echo " \
	"x > /tmp/new; " \
	"echo $?; readlink /proc/self/cwd; cat code/index.txt"

static unsigned starts_ahead(struct yard *yard)
{
	struct buf text = BUF_INIT;
	unsigned count = 0;
	const char *line;

	launcher_describe(yard->launcher, &text);
	line = strstr(text.data, "starts_ahead ");
	REQUIRE(line && sscanf(line, "starts_ahead %u", &count) == 1);
	buf_deinit(&text);
	return count;
}

static void write_code(const char *directory, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/index.txt", directory);
	file = fopen(path, "w");
	REQUIRE(file && fputs(text, file) >= 0);
	fclose(file);
}

static void run(struct trial *trial, struct yard *yard, struct launch *launch)
{
	REQUIRE(trial_start(trial, yard, launch) == 0);
	trial_wait(trial);
	buf_append(&trial->text, "", 1);
}

/* The first start says what is wanted; soon there is one of it. */
static void run_ahead(struct trial *trial, struct yard *yard, struct launch *launch)
{
	for (int tries = 0; tries < 200; tries++) {
		unsigned before = starts_ahead(yard);

		run(trial, yard, launch);
		if (starts_ahead(yard) > before)
			return;
		trial_deinit(trial);
		poll(NULL, 0, 50);
	}
	REQUIRE(!"none waits");
}

static struct launch look(struct yard *yard)
{
	static const char *const environment[] = {
	        "PATH=/usr/bin:/bin", "HOME=/tmp", "GREETING=hello = there", "EMPTY=", NULL};
	struct launch launch = yard_launch(yard, LOOK);

	launch.environment = environment;
	return launch;
}

static void compare(bool layered)
{
	struct yard yard;
	struct trial fresh, ahead;
	char path[256];
	const char *layers[] = {path, NULL};
	struct launch launch;

	setenv("FNFS_SPARES", "0", 1);
	yard_open(&yard);
	unsetenv("FNFS_SPARES");
	write_code(yard.code, "the code\n");
	snprintf(path, sizeof(path), "%s/layer", yard.state);
	REQUIRE(mkdir(path, 0755) == 0);
	write_code(path, "the layer's\n");
	launch = look(&yard);
	launch.layers = layered ? layers : NULL;
	run(&fresh, &yard, &launch);
	CHECK_INT((int)starts_ahead(&yard), 0);
	yard_close(&yard);
	yard_open(&yard);
	write_code(yard.code, "the code\n");
	snprintf(path, sizeof(path), "%s/layer", yard.state);
	REQUIRE(mkdir(path, 0755) == 0);
	write_code(path, "the layer's\n");
	launch = look(&yard);
	launch.layers = layered ? layers : NULL;
	run_ahead(&ahead, &yard, &launch);
	CHECK(strstr(fresh.text.data, layered ? "the layer's\n" : "the code\n"));
	CHECK_STR(ahead.text.data, fresh.text.data);
	trial_deinit(&fresh);
	trial_deinit(&ahead);
	yard_close(&yard);
}

static void looks_the_same(void)
{
	compare(false);
}

static void has_the_same_layers(void)
{
	struct yard yard;
	bool can;

	yard_open(&yard);
	can = launcher_has_layers(yard.launcher);
	yard_close(&yard);
	if (can)
		compare(true);
}

/* Each gets its own code and limits, whoever came before, and nothing of theirs. */
static void belongs_to_one(void)
{
	struct yard yard;
	struct trial trial;
	struct launch launch;
	char text[32];

	yard_open(&yard);
	launch = yard_launch(&yard, "cat code/index.txt; ls /tmp; echo mine > /tmp/mine");
	for (int i = 0; i < 6; i++) {
		snprintf(text, sizeof(text), "code %d\n", i);
		write_code(yard.code, text);
		launch.memory_bytes = (i % 2 ? 64 : 128) << 20;
		run_ahead(&trial, &yard, &launch);
		CHECK_STR(trial.text.data, text);
		trial_deinit(&trial);
	}
	launch = yard_launch(&yard, "exec /opt/fnfs/runtime/probe eat 200");
	launch.memory_bytes = 32 << 20;
	run_ahead(&trial, &yard, &launch);
	CHECK(trial.end.out_of_memory);
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
	launch = yard_launch(&yard, "sleep 0.1"); /* long enough to be told of */
	run_ahead(&trial, &yard, &launch);
	trial_deinit(&trial);
	launch = yard_launch(&yard, "read word <&3; echo \"$word back\" >&4; kill -SEGV $$");
	REQUIRE(trial_start(&trial, &yard, &launch) == 0);
	CHECK_INT(write(trial.to, "there\n", 6), 6);
	CHECK_INT(read(trial.from, text, sizeof(text) - 1), 11);
	CHECK_STR(text, "there back\n");
	trial_wait(&trial);
	CHECK_INT(trial.end.signal, SIGSEGV);
	trial_deinit(&trial);
	yard_close(&yard);
}

/* --- programs that run already ------------------------------------------------------------------ */

static int taken[3];

static void take_ends(void *userdata, const int ends[3])
{
	memcpy(taken, ends, sizeof(taken));
}

/* It has not the descriptors that were given, but finds its code, and its end is told. */
static void runs_already(void)
{
	struct yard yard;
	struct trial trial;
	struct launch launch;
	char text[64] = "";
	struct pollfd answer = {.events = POLLIN};

	yard_open(&yard);
	write_code(yard.code, "the code\n");
	launch = yard_launch(&yard, "read word <&3 || exit 7; cat code/index.txt >&4; "
	                            "echo \"$word\"; exit 4");
	launch.taken = take_ends;
	for (int tries = 0; tries < 200; tries++) {
		taken[0] = -1;
		REQUIRE(trial_start(&trial, &yard, &launch) == 0);
		while (!trial.ends &&
		        !process_pid(trial.process)) /* until it is said which one it was */
			trial_turn(&trial);
		if (taken[0] >= 0)
			break;
		CHECK_INT(write(trial.to, "fresh\n", 6), 6);
		trial_wait(&trial);
		trial_deinit(&trial);
		poll(NULL, 0, 50);
	}
	REQUIRE(taken[0] >= 0);
	CHECK_INT(write(taken[0], "hello\n", 6), 6);
	answer.fd = taken[1];
	REQUIRE(poll(&answer, 1, 10000) == 1);
	CHECK_INT(read(taken[1], text, sizeof(text) - 1), 9);
	CHECK_STR(text, "the code\n");
	trial_wait(&trial);
	CHECK_INT(trial.end.exit_status, 4);
	CHECK_INT(read(taken[2], text, sizeof(text) - 1), 6);
	CHECK(memcmp(text, "hello\n", 6) == 0);
	for (int i = 0; i < 3; i++)
		close(taken[i]);
	trial_deinit(&trial);
	yard_close(&yard);
}

/* What waits may be killed by anybody who may; only who is just being put into it could notice. */
static void survives_its_end(void)
{
	struct yard yard;
	struct trial trial;
	struct launch launch;
	char command[128];

	yard_open(&yard);
	launch = yard_launch(&yard, "cat code/index.txt; sleep 0.05");
	write_code(yard.code, "the code\n");
	snprintf(command, sizeof(command), "pkill -KILL -P %d bwrap", (int)yard_guardian(&yard));
	for (int i = 0; i < 20; i++) {
		CHECK(system(command) >= 0);
		run(&trial, &yard, &launch);
		CHECK(trial.end.failed_to_start || trial.end.signal == SIGKILL ||
		        strcmp(trial.text.data, "the code\n") == 0);
		trial_deinit(&trial);
	}
	run_ahead(&trial, &yard, &launch);
	CHECK_STR(trial.text.data, "the code\n");
	trial_deinit(&trial);
	yard_close(&yard);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(looks_the_same), TEST(has_the_same_layers),
	        TEST(belongs_to_one), TEST(carries_the_channel), TEST(runs_already),
	        TEST(survives_its_end), {}};

	return test_main(tests, argc, argv);
}
