/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes many functions with code in a state directory that no daemon has: what a hundred thousand of mkdir
 * and cp would leave, in seconds. Each is ready, as one that was tried before the daemon ended.
 *
 *   bench_populate STATE COUNT FILE [NAME]    functions f000000, f000001 ..., each with a copy of
 *                                             FILE as code/NAME (else FILE's own name)
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "store/store.h"

struct sample {
	struct buf data;
	const char *name;
	mode_t mode;
};

static int complain(const char *what)
{
	fprintf(stderr, "bench_populate: %s: %s\n", what, strerror(errno));
	return -1;
}

static int sample_read(struct sample *sample, const char *path)
{
	CLEANUP(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *place;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return complain(path);
	sample->mode = st.st_mode & 0777;
	place = buf_reserve(&sample->data, (size_t)st.st_size + 1);
	n = place ? read(fd, place, (size_t)st.st_size) : -1;
	if (n != st.st_size)
		return complain(path);
	buf_added(&sample->data, (size_t)n);
	return 0;
}

static int write_file(int directory, const char *name, const char *data, size_t length, mode_t mode)
{
	CLEANUP(close_p)
	int fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	return fd < 0 || write(fd, data, length) != (ssize_t)length ? complain(name) : 0;
}

/* As the daemon lays it out: engine/function_state.c, and the verdict that its code loads. */
static int write_function(int functions, uint64_t id, const struct sample *sample)
{
	CLEANUP(close_p) int directory = -1, code = -1;
	char name[32];

	snprintf(name, sizeof(name), "%" PRIu64, id);
	if (mkdirat(functions, name, 0700) < 0)
		return complain(name);
	directory = openat(functions, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0 || mkdirat(directory, "code", 0755) < 0)
		return complain(name);
	code = openat(directory, "code", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (code < 0 || write_file(directory, "verdict", "", 0, 0600) < 0)
		return complain(name);
	return write_file(code, sample->name, sample->data.data, sample->data.length, sample->mode);
}

static int populate(
        struct store *store, int functions, unsigned long count, const struct sample *sample)
{
	char name[32];

	for (unsigned long i = 0; i < count; i++) {
		struct command command = {COMMAND_FUNCTION_CREATE, .name = name, .uid = getuid(),
		        .gid = getgid(), .time_us = clock_wall_us(&clock_system)};
		struct command_result made;
		int r;

		snprintf(name, sizeof(name), "f%06lu", i);
		r = store_apply(store, &command, &made);
		if (r < 0) {
			errno = -r;
			return complain(name);
		}
		if (write_function(functions, made.object, sample) < 0)
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	CLEANUP(close_p) int state = -1, functions = -1;
	struct sample sample = {};
	struct store *store = NULL;
	unsigned long count;
	int r;

	if (argc < 4 || argc > 5 || !(count = strtoul(argv[2], NULL, 10)))
		return fprintf(stderr, "usage: bench_populate STATE COUNT FILE [NAME]\n"), 2;
	umask(0);
	if (sample_read(&sample, argv[3]) < 0)
		return 1;
	sample.name = argc > 4 ? argv[4] : basename(argv[3]);
	mkdir(argv[1], 0700);
	state = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (state >= 0)
		mkdirat(state, "functions", 0700);
	functions = state < 0 ? -1 : openat(state, "functions", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (functions < 0)
		return complain(argv[1]), 1;
	r = store_open(&store, argv[1]);
	if (r == 0)
		r = populate(store, functions, count, &sample);
	store_close(store);
	buf_deinit(&sample.data);
	return r < 0;
}
