/* SPDX-License-Identifier: Apache-2.0 */
#include "events/watch_child.h"

#include <errno.h>
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

enum { HELD_MOST = 64 << 10, PROCESSES_MOST = 4 };
#define MEMORY_BYTES (INT64_C(64) << 20)

struct watch_child {
	struct child *child;
	struct watch_child_events events;
	void *userdata, *whole;
	bool stopped;
};

/* --- lines ------------------------------------------------------------------------------------ */

/* How many bytes of it are taken: 0 when it is no whole line, or the owner does not take it. */
static size_t take_line(struct watch_child *child, const char *data, size_t length)
{
	const char *end = memchr(data, '\n', length);
	char text[HELD_MOST];
	struct watch_line line;

	/* Half a line of that length is none of ours. */
	if (!end)
		return length > HELD_MOST ? length : 0;
	length = (size_t)(end - data);
	if (length < sizeof(text)) {
		memcpy(text, data, length);
		text[length] = 0;
		watch_line_parse(&line, text);
		if (!child->events.line(child->userdata, &line)) {
			if (!child->stopped)
				child_hold(child->child, true);
			return 0;
		}
	}
	return length + 1;
}

static size_t heard(void *userdata, const char *data, size_t length)
{
	struct watch_child *child = userdata;
	size_t taken = 0, line = 1;

	while (line && taken < length && !child->stopped) {
		line = take_line(child, data + taken, length - taken);
		taken += line;
	}
	return taken;
}

void watch_child_resume(struct watch_child *child)
{
	child_hold(child->child, false);
}

/* --- life ------------------------------------------------------------------------------------- */

static void ended(void *userdata, const char *why)
{
	struct watch_child *child = userdata;

	child->events.ended(child->userdata, why);
}

static void gone(void *whole)
{
	CLEANUP(free_p) struct watch_child *child = whole;

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

int watch_child_start(struct watch_child **out, const struct child_place *place,
        const struct watch_job *job, const struct watch_child_events *events, void *userdata,
        void *whole)
{
	static const struct child_events child_events = {
	        .heard = heard, .ended = ended, .gone = gone};
	CLEANUP(free_p) struct watch_child *child = calloc(1, sizeof(*child));
	CLEANUP(close_p) int input = write_job(job);
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
	        .directory = input,
	};
	int r;

	if (input < 0)
		return input;
	if (!child)
		return fail(-ENOMEM, "starting fnfs-watch");
	*child = (struct watch_child){.events = *events, .userdata = userdata, .whole = whole};
	r = child_start(&child->child, place, &errand, false, &child_events, child, child);
	if (r == 0)
		*out = take(child);
	return r;
}

void watch_child_stop(struct watch_child *child)
{
	child->stopped = true;
	child_stop(child->child);
}
