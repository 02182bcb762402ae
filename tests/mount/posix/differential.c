/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is the mount a file system? This program asks the local disk: it makes the same sequences of system
 * calls in a directory of the mount and in one of the disk, in the same run, as several processes and
 * several users, and compares every answer, errno, stat, listing and content.
 *
 *	differential [OPTION...] MOUNT DISK [CASES...]
 *
 * The files of cases are played first, then generated sequences, group after group of calls. A sequence
 * that differs is cut down to the steps it needs and printed with its seed; `--seed S --only N`
 * plays it again. With --sabotage the mount's side is lied about in every sequence: a run that
 * finds no difference then has failed.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "cases.h"
#include "generate.h"
#include "sequence.h"

struct run {
	struct scene_options options;
	uint64_t seed;
	int sequences;
	int steps;
	int only;
	unsigned told; /* so many failures are told in full */
	bool shrink;
	unsigned played, made, skipped, failed;
	unsigned long steps_made;
};

static void judge(struct run *run, struct sequence *sequence, struct verdict *verdict)
{
	run->steps_made += verdict->steps;
	if (verdict->equal)
		return;
	run->failed++;
	if (run->failed > run->told)
		return;
	if (run->shrink)
		sequence_shrink(sequence, &run->options, verdict);
	printf("DIFFERENT %s\n", sequence->name);
	sequence_print(stdout, sequence, verdict);
	fflush(stdout);
}

static void play_case(void *userdata, const struct sequence *sequence)
{
	static struct sequence copy;
	static struct verdict verdict;
	struct run *run = userdata;

	run->options.dense = run->options.strict = true;
	run->played++;
	copy = *sequence;
	sequence_play(&copy, &run->options, &verdict);
	judge(run, &copy, &verdict);
}

static void play_generated(struct run *run, int number)
{
	static struct sequence sequence;
	static struct verdict verdict;
	struct generator generator = {.state = run->seed + (uint64_t)number * 1000003,
	        .group = &groups[number % groups_count],
	        .users = run->options.privileged,
	        .wordy = number / groups_count % 2 == 0,
	        .licence = run->options.licence};

	run->options.strict = false;
	run->options.dense = number / groups_count % 3 == 1;
	run->made++;
	snprintf(sequence.name, sizeof(sequence.name), "%s: --seed %" PRIu64 " --only %d%s",
	        generator.group->name, run->seed, number, run->options.dense ? " (dense)" : "");
	sequence_generate(&sequence, &generator, run->steps, &run->options, &verdict);
	judge(run, &sequence, &verdict);
}

static bool parse_licence(struct licence *licence, char *text)
{
	const struct {
		const char *name;
		bool *place;
	} words[] = {{"device", &licence->device}, {"tmpfile", &licence->tmpfile},
	        {"xattr", &licence->xattr}, {"collapse", &licence->collapse},
	        {"late", &licence->late}, {"seek", &licence->seek}, {"setgid", &licence->setgid}};
	char *rest, *word;
	size_t i;

	for (word = strtok_r(text, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (strcmp(word, words[i].name) == 0)
				break;
		if (i == sizeof(words) / sizeof(words[0]))
			return false;
		*words[i].place = true;
	}
	return true;
}

static bool parse_sabotage(enum sabotage *sabotage, const char *word)
{
	int i;

	for (i = 0; i < SABOTAGES; i++)
		if (strcmp(sabotage_names[i], word) == 0) {
			*sabotage = i;
			return true;
		}
	return false;
}

static int usage(void)
{
	fprintf(stderr, "differential [--seed N] [--sequences N] [--steps N] [--only N] [--told N] "
	                "[--whole] "
	                "[--trace]\n"
	                "             [--licence device,tmpfile,xattr,collapse,late,seek] "
	                "[--sabotage KIND]\n"
	                "             MOUNT DISK [CASES...]\n");
	return 2;
}

static bool parse_option(struct run *run, int option)
{
	switch (option) {
	case 's':
		run->seed = strtoull(optarg, NULL, 0);
		return true;
	case 'n':
		run->sequences = atoi(optarg);
		return true;
	case 't':
		run->steps = atoi(optarg);
		return true;
	case 'o':
		run->only = atoi(optarg);
		return true;
	case 'T':
		run->told = atoi(optarg);
		return true;
	case 'w':
		run->shrink = false;
		return true;
	case 'v':
		return run->options.trace = true;
	case 'l':
		return parse_licence(&run->options.licence, optarg);
	case 'b':
		return parse_sabotage(&run->options.sabotage, optarg);
	default:
		return false;
	}
}

static bool parse_options(struct run *run, int argc, char **argv)
{
	static const struct option options[] = {{"seed", required_argument, NULL, 's'},
	        {"sequences", required_argument, NULL, 'n'},
	        {"steps", required_argument, NULL, 't'}, {"only", required_argument, NULL, 'o'},
	        {"whole", no_argument, NULL, 'w'}, {"told", required_argument, NULL, 'T'},
	        {"trace", no_argument, NULL, 'v'}, {"licence", required_argument, NULL, 'l'},
	        {"sabotage", required_argument, NULL, 'b'}, {}};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0)
		if (!parse_option(run, option))
			return false;
	return argc - optind >= 2;
}

static int play_cases(struct run *run, char **paths)
{
	struct case_needs given = {
	        .privileged = run->options.privileged, .licence = run->options.licence};
	int result = 0;

	if (run->only >= 0)
		return 0;
	for (; *paths && result == 0; paths++)
		result = cases_read(*paths, &given, play_case, run, &run->skipped);
	return result;
}

static void play_sequences(struct run *run)
{
	int i;

	if (run->only >= 0)
		play_generated(run, run->only);
	for (i = 0; run->only < 0 && i < run->sequences; i++)
		play_generated(run, i);
}

int main(int argc, char **argv)
{
	struct run run = {.options = {.timeout_ms = 30000, .privileged = geteuid() == 0},
	        .seed = (uint64_t)time(NULL),
	        .sequences = 400,
	        .steps = 40,
	        .only = -1,
	        .told = 12,
	        .shrink = true};

	if (!parse_options(&run, argc, argv))
		return usage();
	umask(022);
	run.options.directories[MOUNT] = realpath(argv[optind], NULL);
	run.options.directories[DISK] = realpath(argv[optind + 1], NULL);
	if (!run.options.directories[MOUNT] || !run.options.directories[DISK])
		return perror("differential"), 2;
	printf("--seed %" PRIu64 "\n", run.seed);
	if (play_cases(&run, argv + optind + 2) < 0)
		return 2;
	play_sequences(&run);
	free((char *)run.options.directories[MOUNT]);
	free((char *)run.options.directories[DISK]);
	printf("%u cases (%u not for this user or mount), %u sequences of %d groups, %lu steps, "
	       "%u different\n",
	        run.played, run.skipped, run.made, groups_count, run.steps_made, run.failed);
	return run.failed || !run.steps_made ? 1 : 0;
}
