/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads, writes and maps files at random beside a model of them in memory, and stops at the first byte
 * that differs:
 *
 *	exerciser [--steps N] [--seed N] [--size BYTES] [--files N] DIRECTORY
 *
 * Each file has two descriptors for reading and writing, one that appends, and two shared mappings, so
 * that what one of them does must be seen by the others; it is closed, opened again, renamed, unlinked
 * and linked again, and the pages the kernel keeps of it are given up now and then. A mismatch is
 * printed with the seed, the place, the step that wrote there last, and the last steps.
 */
#include "exercise.h"
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void describe_mismatch(const struct exercise *exercise, const struct mismatch *mismatch)
{
	unsigned long step;

	printf("MISMATCH at step %lu: %s\n", exercise->step, mismatch->what);
	if (mismatch->length > 0)
		printf("  from byte %zu, %zu bytes are wrong: %02x instead of %02x; written last "
		       "by step "
		       "%u\n",
		        mismatch->place, mismatch->length, mismatch->found, mismatch->expected,
		        mismatch->writer);
	for (step = exercise->step > EXERCISE_HISTORY ? exercise->step - EXERCISE_HISTORY + 1 : 1;
	        step <= exercise->step; step++)
		printf("  %lu %s\n", step, exercise->history[step % EXERCISE_HISTORY]);
}

static int usage(void)
{
	fprintf(stderr, "exerciser [--steps N] [--seed N] [--size BYTES] [--files N] [--lie] "
	                "DIRECTORY\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"steps", required_argument, NULL, 'n'},
	        {"seed", required_argument, NULL, 's'}, {"size", required_argument, NULL, 'z'},
	        {"files", required_argument, NULL, 'f'}, {"lie", no_argument, NULL, 'l'}, {}};
	struct exercise_plan plan = {.seed = (uint64_t)time(NULL), .size = 262144, .files = 2};
	struct exercise *exercise;
	struct mismatch mismatch = {};
	unsigned long steps = 1000000;
	int option, result;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 'n')
			steps = strtoul(optarg, NULL, 0);
		else if (option == 's')
			plan.seed = strtoull(optarg, NULL, 0);
		else if (option == 'z')
			plan.size = strtoul(optarg, NULL, 0);
		else if (option == 'f')
			plan.files = atoi(optarg);
		else if (option == 'l')
			plan.lie = true;
		else
			return usage();
	}
	if (argc - optind != 1 || plan.size < 65536 || plan.files < 1)
		return usage();
	plan.directory = argv[optind];
	printf("--seed %" PRIu64 " --steps %lu\n", plan.seed, steps);
	exercise = exercise_new(&plan);
	result = exercise ? exercise_run(exercise, steps, &mismatch) : -errno;
	if (result < 0)
		fprintf(stderr, "exerciser: %s\n", strerror(-result));
	else if (result > 0)
		describe_mismatch(exercise, &mismatch);
	else
		printf("%lu steps on %d files, no byte differs (%lu bytes compared)\n", steps,
		        plan.files, exercise->compared);
	exercise_free(exercise);
	return result ? 1 : 0;
}
