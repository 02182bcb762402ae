/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a sandbox costs: from launcher_start() to the first byte of the smallest program in it, to the news
 * that it runs, and from its last act to the news of its end; beside a bare vfork and exec of the same
 * program. With directories merged over the code as well. `launcher_bench [ROUNDS]`.
 */
#include <spawn.h>
#include <sys/wait.h>

#include "trial.h"

struct series {
	const char *name;
	double *milliseconds;
	int count;
};

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b)
{
	const double *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

static void add(struct series *series, double milliseconds)
{
	series->milliseconds[series->count++] = milliseconds;
}

static void show(struct series *series)
{
	qsort(series->milliseconds, (size_t)series->count, sizeof(double), compare);
	printf("%-34s %8.2f %8.2f %8.2f\n", series->name, series->milliseconds[0],
	        series->milliseconds[series->count / 2],
	        series->milliseconds[series->count * 99 / 100]);
	free(series->milliseconds);
}

static struct series series_new(const char *name, int rounds)
{
	return (struct series){name, calloc((size_t)rounds, sizeof(double)), 0};
}

static void note_end(void *userdata, const struct process_end *end)
{
	double *ended = userdata;

	*ended = now_ms();
	if (end->failed_to_start)
		fprintf(stderr, "%s\n", end->reason);
}

/* `probe identity` prints a line and ends. */
static void start_once(struct yard *yard, bool host_network, const char *const *layers,
        struct series *first_byte, struct series *running, struct series *end)
{
	static const char *const argv[] = {"/opt/fnfs/runtime/probe", "nothing", NULL};
	struct launch launch = yard_launch(yard, NULL);
	struct process *process;
	double begun, read_at, running_at = 0, ended_at = 0;
	int in[2], out[2], output[2];
	char text[64];

	REQUIRE(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0 &&
	        pipe2(output, O_CLOEXEC) == 0);
	launch.argv = argv;
	launch.host_network = host_network;
	launch.layers = layers;
	launch.channel_in = in[0];
	launch.channel_out = out[1];
	launch.output = output[1];
	begun = now_ms();
	REQUIRE(launcher_start(yard->launcher, &launch, note_end, &ended_at, &process) == 0);
	close(in[0]);
	close(out[1]);
	close(output[1]);
	REQUIRE(read(output[0], text, sizeof(text)) > 0);
	read_at = now_ms();
	while (!ended_at) {
		if (!running_at && process_pid(process))
			running_at = now_ms();
		uv_run(&yard->loop, UV_RUN_ONCE);
	}
	add(first_byte, read_at - begun);
	add(running, running_at ? running_at - begun : read_at - begun);
	add(end, ended_at - read_at);
	close(in[1]);
	close(out[0]);
	close(output[0]);
}

static void spawn_once(struct series *bare)
{
	char *argv[] = {PROBE, "nothing", NULL};
	double begun = now_ms();
	posix_spawn_file_actions_t files;
	pid_t pid;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
	REQUIRE(posix_spawn(&pid, PROBE, &files, NULL, argv, environ) == 0);
	waitpid(pid, NULL, 0);
	posix_spawn_file_actions_destroy(&files);
	add(bare, now_ms() - begun);
}

enum { LAYERS_MOST = 100, KINDS = 4 };

static const int layer_counts[KINDS] = {0, 1, 10, LAYERS_MOST};

/* One list for each kind, NULL for none. */
static void make_layers(struct yard *yard, const char *lists[KINDS][LAYERS_MOST + 1])
{
	char *path;

	for (int i = 0; i < LAYERS_MOST; i++) {
		REQUIRE(asprintf(&path, "%s/layer%d", yard->state, i) > 0);
		REQUIRE(mkdir(path, 0755) == 0);
		for (int kind = 0; kind < KINDS; kind++)
			if (i < layer_counts[kind])
				lists[kind][i] = path;
	}
}

static void measure_layers(struct yard *yard, int rounds)
{
	static const char *lists[KINDS][LAYERS_MOST + 1];
	struct series first[KINDS], end[KINDS], unused = series_new("", KINDS * rounds);
	char names[2 * KINDS][64];

	make_layers(yard, lists);
	for (int kind = 0; kind < KINDS; kind++) {
		snprintf(names[kind], 64, "start to first byte, %d layers", layer_counts[kind]);
		snprintf(names[KINDS + kind], 64, "to its end, %d layers", layer_counts[kind]);
		first[kind] = series_new(names[kind], rounds);
		end[kind] = series_new(names[KINDS + kind], rounds);
	}
	for (int i = 0; i < rounds; i++)
		for (int kind = 0; kind < KINDS; kind++)
			start_once(yard, false, layer_counts[kind] ? lists[kind] : NULL,
			        &first[kind], &unused, &end[kind]);
	for (int kind = 0; kind < KINDS; kind++)
		show(&first[kind]);
	for (int kind = 0; kind < KINDS; kind++)
		show(&end[kind]);
	free(unused.milliseconds);
	for (int i = 0; i < LAYERS_MOST; i++)
		free((char *)lists[KINDS - 1][i]);
}

static void measure(struct yard *yard, int rounds)
{
	struct series bare = series_new("vfork, exec and wait, no sandbox", rounds);
	struct series first = series_new("start to first byte", rounds);
	struct series running = series_new("start to the news that it runs", rounds);
	struct series end = series_new("first byte to the news of its end", rounds);
	struct series shared = series_new("start to first byte, host network", rounds);
	struct series unused = series_new("", 2 * rounds), unused2 = series_new("", 2 * rounds);

	for (int i = 0; i < rounds; i++) {
		spawn_once(&bare);
		start_once(yard, false, NULL, &first, &running, &end);
		start_once(yard, true, NULL, &shared, &unused, &unused2);
	}
	printf("%-34s %8s %8s %8s\n", "milliseconds", "least", "p50", "p99");
	show(&bare);
	show(&first);
	show(&running);
	show(&end);
	show(&shared);
	free(unused.milliseconds);
	free(unused2.milliseconds);
}

int main(int argc, char **argv)
{
	struct yard yard;

	yard_open(&yard);
	measure(&yard, argc > 1 ? atoi(argv[1]) : 200);
	if (launcher_has_layers(yard.launcher))
		measure_layers(&yard, argc > 1 ? atoi(argv[1]) : 200);
	yard_close(&yard);
	return 0;
}
