/* SPDX-License-Identifier: Apache-2.0 */
#include "events/child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fail.h"
#include "base/list.h"
#include "run/alarm.h"
#include "run/launcher.h"
#include "run/watch.h"

#define DEAF_US INT64_C(3000000)
enum { READ_SIZE = 64 << 10, LINE_MOST = 512, LAST_READS = 1024 };

struct child {
	struct process *process;
	struct child_events events;
	void *userdata, *whole;
	char program[64];
	bool held;    /* its owner takes nothing now */
	bool over;    /* there is nothing more to read */
	bool let_go;  /* its owner hears no more of it */
	bool handing; /* the owner is at it */
	int fd;       /* what it says; a socket: what it is told, too */
	struct watch *watch;
	struct buf heard, unsent;
	int errors; /* -1: there are none */
	struct watch *errors_watch;
	struct buf line;
	struct alarms *alarms;
	struct alarm killing;
};

static void child_free(struct child *child)
{
	alarm_clear(child->alarms, &child->killing);
	watch_free(child->watch);
	watch_free(child->errors_watch);
	close_fd(child->fd);
	close_fd(child->errors);
	buf_deinit(&child->heard);
	buf_deinit(&child->unsent);
	buf_deinit(&child->line);
	free(child);
}

static void child_free_p(struct child **child)
{
	if (*child)
		child_free(*child);
}

static void look(struct child *child)
{
	bool reads = !child->over && (!child->held || child->let_go);

	watch_events(
	        child->watch, (reads ? UV_READABLE : 0) | (child->unsent.length ? UV_WRITABLE : 0));
}

/* --- what it says ----------------------------------------------------------------------------- */

static void hand_on(struct child *child)
{
	size_t taken = 1;

	if (child->handing)
		return;
	child->handing = true;
	while (taken && !child->held && !child->let_go && child->heard.length) {
		taken = child->events.heard(
		        child->userdata, child->heard.data, child->heard.length);
		if (!child->let_go)
			buf_consume(&child->heard, taken);
	}
	child->handing = false;
}

static void patience_ends(struct alarm *alarm)
{
	struct child *child = container_of(alarm, struct child, killing);

	process_kill(child->process);
}

static void kill_later(struct child *child, int64_t patience_us)
{
	if (alarm_set(child->alarms, &child->killing, patience_us, patience_ends) < 0)
		process_kill(child->process);
}

/* False: there is nothing to read now. */
static bool read_some(struct child *child)
{
	char data[READ_SIZE];
	ssize_t n = read(child->fd, data, sizeof(data));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n > 0 && !child->let_go)
		buf_append(&child->heard, data, (size_t)n);
	if (n <= 0 || child->heard.failed) {
		/* The end of the process is told soon; one that only does not talk any more is of no use. */
		child->over = true;
		kill_later(child, DEAF_US);
		return false;
	}
	return true;
}

static void send_some(struct child *child)
{
	ssize_t n = send(
	        child->fd, child->unsent.data, child->unsent.length, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0)
		buf_clear(&child->unsent); /* nobody reads it */
	else
		buf_consume(&child->unsent, (size_t)n);
}

static void ready(void *userdata, int events)
{
	struct child *child = userdata;

	if (child->unsent.length && events & (UV_WRITABLE | UV_DISCONNECT)) {
		send_some(child);
		if (!child->unsent.length && !child->let_go && child->events.sent)
			child->events.sent(child->userdata);
	}
	if (!child->over && (!child->held || child->let_go) && read_some(child))
		hand_on(child);
	look(child);
}

static void add_to_line(struct child *child, const char *data, size_t length)
{
	size_t room = LINE_MOST - child->line.length;

	buf_append(&child->line, data, length < room ? length : room);
}

static void end_line(struct child *child)
{
	if (child->line.length && !child->line.failed && !child->let_go && child->events.said)
		child->events.said(child->userdata, child->line.data);
	buf_clear(&child->line);
}

/* Of what comes at once the last line is enough. */
static ssize_t read_errors(struct child *child)
{
	char data[4096];
	ssize_t n = read(child->errors, data, sizeof(data));
	const char *begin = data, *end = n > 0 ? memrchr(data, '\n', (size_t)n) : NULL, *before;

	if (n <= 0)
		return n;
	if (end) {
		while (end > data && end[-1] == '\n')
			end--;
		before = memrchr(data, '\n', (size_t)(end - data));
		if (before) {
			buf_clear(&child->line);
			begin = before + 1;
		}
		add_to_line(child, begin, (size_t)(end - begin));
		end_line(child);
		begin = (const char *)memrchr(data, '\n', (size_t)n) + 1;
	}
	add_to_line(child, begin, (size_t)(data + n - begin));
	return n;
}

static void errors_ready(void *userdata, int events)
{
	struct child *child = userdata;

	ssize_t n = read_errors(child);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		watch_events(child->errors_watch, 0);
}

/* --- life ------------------------------------------------------------------------------------- */

/* What it wrote before it ended, and nobody looked at yet. */
static void hear_the_rest(struct child *child)
{
	for (int i = 0; i < LAST_READS && !child->held && !child->over && !child->let_go; i++)
		if (read_some(child))
			hand_on(child);
		else
			break;
	if (child->errors >= 0) {
		for (int i = 0; i < LAST_READS && read_errors(child) > 0; i++)
			; /* the next piece */
		end_line(child);
	}
}

static void process_ended(void *userdata, const struct process_end *end)
{
	CLEANUP(child_free_p) struct child *child = userdata;
	char why[384];

	child->process = NULL;
	if (!child->let_go)
		hear_the_rest(child);
	if (end->failed_to_start)
		snprintf(why, sizeof(why), "%s does not start: %s", child->program, end->reason);
	else if (end->out_of_memory)
		snprintf(why, sizeof(why), "%s used too much memory", child->program);
	else if (end->exit_status < 0)
		snprintf(
		        why, sizeof(why), "%s was ended by signal %d", child->program, end->signal);
	else
		snprintf(why, sizeof(why), "%s ended with status %d", child->program,
		        end->exit_status);
	if (!child->let_go) {
		child->let_go = true;
		child->events.ended(child->userdata, why);
	}
	child->events.gone(child->whole);
}

/* Their ends, for as long as the process is started. */
struct ends {
	int output, errors;
};

static void ends_close(struct ends *ends)
{
	close_fd(ends->output);
	close_fd(ends->errors);
}

static int open_channel(struct child *child, bool talks, struct ends *theirs)
{
	int pair[2];

	if (talks ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0
	          : pipe2(pair, O_CLOEXEC) < 0)
		return -errno;
	child->fd = pair[0];
	theirs->output = pair[1];
	if (fcntl(child->fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	if (!talks)
		return 0;
	if (pipe2(pair, O_CLOEXEC) < 0)
		return -errno;
	child->errors = pair[0];
	theirs->errors = pair[1];
	return fcntl(child->errors, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int watch_channel(struct child *child, uv_loop_t *loop)
{
	child->watch = watch_new(loop, child->fd, ready, child);
	if (!child->watch)
		return -ENOMEM;
	look(child);
	if (child->errors < 0)
		return 0;
	child->errors_watch = watch_new(loop, child->errors, errors_ready, child);
	if (!child->errors_watch)
		return -ENOMEM;
	watch_events(child->errors_watch, UV_READABLE);
	return 0;
}

static int child_new(struct child **out, const struct child_place *place,
        const struct errand *errand, bool talks, struct ends *theirs)
{
	CLEANUP(child_free_p) struct child *child = calloc(1, sizeof(*child));
	const char *slash = strrchr(errand->argv[0], '/');
	int r;

	if (!child)
		return -ENOMEM;
	child->fd = child->errors = -1;
	child->alarms = place->alarms;
	snprintf(child->program, sizeof(child->program), "%s", slash ? slash + 1 : errand->argv[0]);
	r = open_channel(child, talks, theirs);
	if (r == 0)
		r = watch_channel(child, place->loop);
	if (r == 0)
		*out = take(child);
	return r;
}

int child_start(struct child **out, const struct child_place *place, const struct errand *errand,
        bool talks, const struct child_events *events, void *userdata, void *whole)
{
	CLEANUP(ends_close) struct ends theirs = {-1, -1};
	CLEANUP(child_free_p) struct child *child = NULL;
	struct errand order = *errand;
	int r = child_new(&child, place, errand, talks, &theirs);

	if (r < 0)
		return fail(r, "starting %s", errand->argv[0]);
	child->events = *events;
	child->userdata = userdata;
	child->whole = whole;
	order.output = theirs.output;
	if (talks) {
		order.input = theirs.output;
		order.directory = -1;
		order.errors = theirs.errors;
	}
	r = launcher_run(place->launcher, &order, process_ended, child, &child->process);
	if (r == 0)
		*out = take(child);
	return r;
}

void child_hold(struct child *child, bool hold)
{
	if (child->held == hold)
		return;
	child->held = hold;
	hand_on(child);
	look(child);
}

void child_send(struct child *child, const char *data, size_t length)
{
	bool waits = child->unsent.length;

	if (!child->process)
		return;
	buf_append(&child->unsent, data, length);
	if (child->unsent.failed)
		child_kill(child); /* half of it would be worse than nothing */
	else if (!waits)
		send_some(child);
	look(child);
}

size_t child_unsent(const struct child *child)
{
	return child->unsent.length;
}

void child_kill(struct child *child)
{
	process_kill(child->process);
}

void child_stop(struct child *child)
{
	child->let_go = child->over = true;
	look(child);
	process_kill(child->process);
}

void child_finish(struct child *child, int64_t patience_us)
{
	child->let_go = true;
	buf_clear(&child->heard);
	buf_clear(&child->unsent);
	shutdown(child->fd, SHUT_WR);
	look(child);
	kill_later(child, patience_us);
}
