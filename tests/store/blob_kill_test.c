/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user would lose: what was published, when the daemon is killed. A child publishes and sweeps, and tells each
 * publish that is sealed; it is killed at a random moment, and its successor must find all of them.
 */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "blob_fixture.h"
#include "test.h"

enum { EACH = 6, KEPT = 30 }; /* blobs in a publish; publishes that are referred to */

static _Noreturn void work(const char *state, uint64_t done, int pipe)
{
	struct blobs *blobs = NULL;
	uint64_t first;

	if (blobs_open(&blobs, state) < 0 || problems_of(blobs))
		_exit(2);
	for (;; done++) {
		if (publish(blobs, done * EACH, EACH) < 0)
			_exit(3);
		if (write(pipe, "p", 1) != 1)
			_exit(4);
		first = done >= KEPT ? (done - KEPT) * EACH : 0;
		if (done % 3 == 0 && sweep_keeping(blobs, first, (KEPT + 1) * EACH, NULL) < 0)
			_exit(5);
	}
}

static uint64_t live_and_die(const char *state, uint64_t done, uint64_t *random)
{
	char block[4096];
	ssize_t length;
	int ends[2], status;
	pid_t child;

	REQUIRE(pipe(ends) == 0);
	child = fork();
	if (child == 0) {
		close(ends[0]);
		work(state, done, ends[1]);
	}
	close(ends[1]);
	usleep((useconds_t)(test_random(random) % 40000)); /* the random moment */
	REQUIRE(kill(child, SIGKILL) == 0);
	while ((length = read(ends[0], block, sizeof(block))) > 0)
		done += (uint64_t)length;
	REQUIRE(waitpid(child, &status, 0) == child);
	REQUIRE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	close(ends[0]);
	return done;
}

static void keeps_what_was_sealed(void)
{
	char *state = test_directory();
	uint64_t random = test_seed(), done = 0, i;
	int life, lives = test_long() ? 5000 : 100;
	struct blobs *blobs;

	for (life = 0; life < lives; life++) {
		done = live_and_die(state, done, &random);
		REQUIRE(blobs_open(&blobs, state) == 0);
		for (i = done > KEPT ? (done - KEPT) * EACH : 0; i < done * EACH; i++)
			REQUIRE(has_content(blobs, i) == 1);
		CHECK_INT(problems_of(blobs), 0);
		CHECK_INT(count_files(state, ".tmp"), 0);
		blobs_close(blobs);
	}
	printf("%d lives, %" PRIu64 " publishes\n", lives, done);
	CHECK(done > (uint64_t)lives / 10);
	test_directory_remove(state);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(keeps_what_was_sealed), {}};

	return test_main(tests, argc, argv);
}
