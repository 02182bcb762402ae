/* SPDX-License-Identifier: Apache-2.0 */
#include "events/watch_child.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/escape.h"
#include "base/fail.h"
#include "run/launcher.h"
#include "run/watch.h"

enum { READ_SIZE = 16 << 10, HELD_MOST = 64 << 10, PROCESSES_MOST = 4 };
#define MEMORY_BYTES (INT64_C(64) << 20)

struct watch_child {
	struct process *process;
	struct watch_child_events events;
	void *userdata, *whole;
	bool stopped, held; /* held: the owner does not take what stands first */
	int output;
	struct watch *watch;
	struct buf said;
};

static void child_free(struct watch_child *child)
{
	watch_free(child->watch);
	close_fd(child->output);
	buf_deinit(&child->said);
	free(child);
}

static void child_free_p(struct watch_child **child)
{
	if (*child)
		child_free(*child);
}

/* --- lines ------------------------------------------------------------------------------------ */

/* One line, if there is a whole one; false: none, or it is not taken. */
static bool take_line(struct watch_child *child)
{
	const char *data = child->said.data, *end;
	char text[HELD_MOST];
	struct watch_line line;
	size_t length;

	end = child->said.length ? memchr(data, '\n', child->said.length) : NULL;
	if (!end)
		return false;
	length = (size_t)(end - data);
	if (length < sizeof(text)) {
		memcpy(text, data, length);
		text[length] = 0;
		watch_line_parse(&line, text);
		child->held = !child->events.line(child->userdata, &line);
	}
	if (!child->held && !child->stopped)
		buf_consume(&child->said, length + 1);
	return !child->held && !child->stopped;
}

static void take_lines(struct watch_child *child)
{
	while (take_line(child))
		; /* the next one */
	if (child->stopped)
		return;
	watch_events(child->watch, child->held ? 0 : UV_READABLE);
	/* Half a line of that length is none of ours. */
	if (!child->held && child->said.length > HELD_MOST)
		buf_clear(&child->said);
}

static void output_ready(void *userdata, int events)
{
	struct watch_child *child = userdata;
	char data[READ_SIZE];
	ssize_t n = read(child->output, data, sizeof(data));

	if (n > 0)
		buf_append(&child->said, data, (size_t)n);
	if (child->said.failed || n == 0)
		watch_events(child->watch, 0); /* the end of the process is told soon */
	else
		take_lines(child);
}

void watch_child_resume(struct watch_child *child)
{
	if (!child->held)
		return;
	child->held = false;
	take_lines(child);
}

/* --- life ------------------------------------------------------------------------------------- */

static void process_ended(void *userdata, const struct process_end *end)
{
	CLEANUP(child_free_p) struct watch_child *child = userdata;
	char why[320];

	if (end->failed_to_start)
		snprintf(why, sizeof(why), "fnfs-watch does not start: %s", end->reason);
	else if (end->exit_status < 0)
		snprintf(why, sizeof(why), "fnfs-watch was ended by signal %d", end->signal);
	else
		snprintf(why, sizeof(why), "fnfs-watch ended with status %d", end->exit_status);
	if (!child->stopped)
		child->events.ended(child->userdata, why);
	child->events.gone(child->whole);
}

static int write_job(const struct watch_job *job)
{
	CLEANUP(close_p) int fd = memfd_create("job", MFD_CLOEXEC);
	CLEANUP(buf_deinit) struct buf text = BUF_INIT;
	struct stat st;

	if (fd < 0 || fstat(job->state_directory, &st) < 0)
		return -errno;
	buf_puts(&text, "directory ");
	escape_name(&text, job->directory);
	if (job->glob) {
		buf_puts(&text, "\nglob ");
		escape_name(&text, job->glob);
	}
	buf_printf(&text, "\nstate %" PRIu64 " %" PRIu64 "\n", (uint64_t)st.st_dev,
	        (uint64_t)st.st_ino);
	if (text.failed || write(fd, text.data, text.length) != (ssize_t)text.length ||
	        lseek(fd, 0, SEEK_SET) < 0)
		return -ENOMEM;
	return take_fd(fd);
}

static struct watch_child *child_new(uv_loop_t *loop, int *theirs)
{
	CLEANUP(child_free_p) struct watch_child *child = calloc(1, sizeof(*child));
	int ends[2];

	if (!child)
		return NULL;
	child->output = -1;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return NULL;
	child->output = ends[0];
	*theirs = ends[1];
	fcntl(child->output, F_SETFL, O_NONBLOCK);
	child->watch = watch_new(loop, child->output, output_ready, child);
	if (!child->watch)
		return NULL;
	watch_events(child->watch, UV_READABLE);
	return take(child);
}

static int run(struct watch_child *child, struct launcher *launcher, const struct watch_job *job,
        int input, int output)
{
	const char *const arguments[] = {job->program, NULL}, *const environment[] = {NULL};
	const struct errand errand = {
	        .name = "watch",
	        .argv = arguments,
	        .environment = environment,
	        .uid = job->uid,
	        .gid = job->gid,
	        .groups = job->groups,
	        .group_count = job->group_count,
	        .memory_bytes = MEMORY_BYTES,
	        .max_processes = PROCESSES_MOST,
	        .input = input,
	        .output = output,
	        .directory = input,
	};

	return launcher_run(launcher, &errand, process_ended, child, &child->process);
}

int watch_child_start(struct watch_child **out, uv_loop_t *loop, struct launcher *launcher,
        const struct watch_job *job, const struct watch_child_events *events, void *userdata,
        void *whole)
{
	CLEANUP(child_free_p) struct watch_child *child = NULL;
	CLEANUP(close_p) int output = -1;
	CLEANUP(close_p) int input = write_job(job);
	int r;

	if (input < 0)
		return input;
	child = child_new(loop, &output);
	if (!child)
		return fail(-ENOMEM, "starting fnfs-watch");
	child->events = *events;
	child->userdata = userdata;
	child->whole = whole;
	r = run(child, launcher, job, input, output);
	if (r == 0)
		*out = take(child);
	return r;
}

void watch_child_stop(struct watch_child *child)
{
	child->stopped = true;
	watch_events(child->watch, 0);
	process_kill(child->process);
}
