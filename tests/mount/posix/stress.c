/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several processes work on one tree at once: make, move, link and remove files and directories, read
 * what others made, append to one log, count under one lock, and race for names. Then the tree must
 * add up: every file whole, every link counted, every race won by exactly one.
 *
 *	stress [--seconds N] [--processes N] [--seed N] DIRECTORY
 */
#include "stress.h"
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void stress_complain(struct stress_shared *shared, const char *format, ...)
{
	va_list arguments;
	char line[400];

	if (atomic_fetch_add(&shared->errors, 1) > 30)
		return;
	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	printf("WRONG %s\n", line);
	fflush(stdout);
}

size_t stress_content(unsigned number, char *out)
{
	size_t length, i;

	length = 64 + number * 2654435761u % (number % 16 == 0 ? 65000 : 6000);
	i = snprintf(out, 64, "file %u of %zu bytes\n", number, length);
	for (; i < length; i++)
		out[i] = (char)('a' + (number + i * 7) % 26);
	return length;
}

bool stress_content_is_whole(const char *data, size_t length)
{
	static char expected[80000];
	unsigned number;

	if (sscanf(data, "file %u of", &number) != 1)
		return false;
	return stress_content(number, expected) == length && memcmp(data, expected, length) == 0;
}

static int prepare(const struct stress *stress)
{
	char path[4096];
	int i;

	for (i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/d%d", stress->directory, i);
		if (mkdir(path, 0777) < 0)
			return -errno;
	}
	snprintf(path, sizeof(path), "%s/tokens", stress->directory);
	return mkdir(path, 0777) < 0 ? -errno : 0;
}

static void start(struct stress *stress, pid_t *pids, int count, uint64_t seed)
{
	int i;

	for (i = 0; i < count; i++) {
		pids[i] = fork();
		if (pids[i] != 0)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		stress->number = i;
		stress->random = seed + i * 7919u;
		stress_work(stress);
		_exit(0);
	}
}

/* Waits until the time is over, or somebody found something wrong. */
static void run_for(struct stress_shared *shared, int seconds)
{
	struct timespec pause = {.tv_nsec = 100000000};
	int i;

	for (i = 0; i < seconds * 10 && !atomic_load(&shared->errors); i++)
		nanosleep(&pause, NULL);
	atomic_store(&shared->stop, true);
}

static void collect(struct stress_shared *shared, pid_t *pids, int count)
{
	int i, status;

	for (i = 0; i < count; i++) {
		waitpid(pids[i], &status, 0);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			stress_complain(shared, "process %d ended with status %#x", i, status);
	}
}

static int usage(void)
{
	fprintf(stderr, "stress [--seconds N] [--processes N] [--seed N] DIRECTORY\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"seconds", required_argument, NULL, 't'},
	        {"processes", required_argument, NULL, 'p'}, {"seed", required_argument, NULL, 's'},
	        {}};
	struct stress stress = {};
	uint64_t seed = (uint64_t)time(NULL);
	pid_t pids[STRESS_PROCESSES];
	int option, seconds = 10, processes = 4;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 't')
			seconds = atoi(optarg);
		else if (option == 'p')
			processes = atoi(optarg);
		else if (option == 's')
			seed = strtoull(optarg, NULL, 0);
		else
			return usage();
	}
	if (argc - optind != 1 || processes < 1 || processes > STRESS_PROCESSES)
		return usage();
	umask(0);
	stress.directory = argv[optind];
	stress.shared = mmap(NULL, sizeof(*stress.shared), PROT_READ | PROT_WRITE,
	        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	printf("--seed %" PRIu64 " --processes %d --seconds %d\n", seed, processes, seconds);
	fflush(stdout);
	if (prepare(&stress) < 0)
		return perror(stress.directory), 2;
	start(&stress, pids, processes, seed);
	run_for(stress.shared, seconds);
	collect(stress.shared, pids, processes);
	stress_check(&stress);
	printf("%lu steps of %d processes, %lu things wrong\n", stress.shared->steps, processes,
	        stress.shared->errors);
	return stress.shared->errors || !stress.shared->steps ? 1 : 0;
}
