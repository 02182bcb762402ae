/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes begin, say something, and end; and when they do, nothing of them is left. A user would lose:
 * output, exit codes, the machine's processes to a fork bomb, its memory to a leak.
 */
#include "trial.h"

static void reports_exit_and_signal(void)
{
	struct yard yard;
	struct trial trial;

	yard_open(&yard);
	trial_run(&trial, &yard, "echo hello; exit 3");
	CHECK_INT(trial.end.exit_status, 3);
	CHECK_INT(trial.end.signal, 0);
	CHECK_INT(trial.end.failed_to_start, false);
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

int main(int argc, char **argv)
{
	static const struct test tests[] = {
	        TEST(reports_exit_and_signal), TEST(carries_the_channel), {}};

	return test_main(tests, argc, argv);
}
