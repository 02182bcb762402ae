/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "frames.h"

#define RESPONSE_MAX  (6u << 20)
#define PIECE         (64u << 10)
#define TAIL_BYTES    4096
#define WORTH_PASSING (16 << 10)
#define PIPE_WIDE     (256 << 10) /* of who prints much */

static void watch_close(struct watch *watch)
{
	watch->fd = close_fd(watch->fd);
}

static int watch_begin(struct calls *calls, struct watch *watch)
{
	struct epoll_event event = {
	        .events = watch->stream == STDIN ? EPOLLOUT : EPOLLIN, .data.ptr = watch};

	if (watch->fd < 0)
		return 0; /* closed already */
	return epoll_ctl(calls->epoll, EPOLL_CTL_ADD, watch->fd, &event) < 0 ? -errno : 0;
}

static void event_write(struct call *call)
{
	struct watch *watch = &call->watches[STDIN];
	size_t left = call->event.length - call->event_sent;
	ssize_t n = left ? write(watch->fd, call->event.data + call->event_sent, left) : 0;

	if (n > 0)
		call->event_sent += (size_t)n;
	if ((n < 0 && errno != EAGAIN && errno != EINTR) || call->event_sent == call->event.length)
		watch_close(watch); /* all is sent, or it does not read */
}

static void response_take(struct call *call, const char *data, size_t length)
{
	call->response_length += length;
	if (call->too_large || call->cancelled)
		return;
	if (call->response_length > RESPONSE_MAX) {
		call->too_large = true;
		kill(-call->pid, SIGKILL);
		return;
	}
	frame_send(FRAME_DATA, 0, call->id, data, length);
}

static void log_send(struct call *call, const char *text, size_t length)
{
	CLEANUP(buf_deinit) struct buf record = BUF_INIT;
	char level = LOG_INFO;

	buf_append(&record, &level, 1);
	buf_append(&record, text, length);
	if (!record.failed)
		frame_send(FRAME_LOG, 0, call->id, record.data, record.length);
}

static void log_lines(struct call *call, bool all)
{
	struct buf *line = &call->line;
	char *newline;

	while (line->length && (newline = memchr(line->data, '\n', line->length))) {
		log_send(call, line->data, (size_t)(newline - line->data));
		buf_consume(line, (size_t)(newline + 1 - line->data));
	}
	if (line->length && (all || line->length > PIECE)) {
		log_send(call, line->data, line->length);
		buf_clear(line);
	}
}

static void log_take(struct calls *calls, struct call *call, const char *data, size_t length)
{
	size_t kept = length < TAIL_BYTES ? length : TAIL_BYTES;

	if (call->tail.length + kept > TAIL_BYTES)
		buf_consume(&call->tail, call->tail.length + kept - TAIL_BYTES);
	buf_append(&call->tail, data + length - kept, kept);
	if (calls->several) {
		buf_append(&call->line, data, length);
		log_lines(call, false);
		return;
	}
	while (length) {
		ssize_t n = write(2, data, length);

		if (n < 0 && errno != EINTR)
			return;
		data += n < 0 ? 0 : n;
		length -= n < 0 ? 0 : (size_t)n;
	}
}

/*
 * A program that prints much: all but the end of what is there goes on to the daemon's pipe as the pages it lies in.
 * The end is read and written as ever, for an error may tell it. Where that cannot be, all of it is.
 */
static void log_pass(const struct calls *calls, struct call *call)
{
	const struct watch *watch = &call->watches[STDERR];
	int waiting = 0;

	if (calls->several || ioctl(watch->fd, FIONREAD, &waiting) < 0 || waiting < WORTH_PASSING)
		return;
	if (!call->wide) /* refused, it stays as it is */
		fcntl(watch->fd, F_SETPIPE_SZ, PIPE_WIDE);
	call->wide = true;
	splice(watch->fd, NULL, 2, NULL, (size_t)waiting - TAIL_BYTES, SPLICE_F_MOVE);
}

/* Reads once; false when nothing more is there for now. */
static bool stream_read(struct calls *calls, struct call *call, enum stream stream)
{
	struct watch *watch = &call->watches[stream];
	char data[PIECE];
	ssize_t n;

	if (watch->fd < 0)
		return false;
	if (stream == STDERR)
		log_pass(calls, call);
	n = read(watch->fd, data, sizeof(data));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		watch_close(watch);
		return false;
	}
	if (stream == STDOUT)
		response_take(call, data, (size_t)n);
	else
		log_take(calls, call, data, (size_t)n);
	return true;
}

static void call_free(struct call *call)
{
	list_unlink(&call->link);
	for (int i = 0; i < STREAMS; i++)
		watch_close(&call->watches[i]);
	buf_deinit(&call->event);
	buf_deinit(&call->line);
	buf_deinit(&call->tail);
	free(call);
}

static void call_answer(struct call *call, int wait_status)
{
	CLEANUP(buf_deinit) struct buf message = BUF_INIT;

	if (call->cancelled) {
		frame_send_error(FRAME_ERROR, 0, call->id, "Cancelled",
		        "function invocation canceled", NULL);
	} else if (call->too_large) {
		buf_printf(&message, "Response body size '%zu' larger than max value '%u'.",
		        call->response_length, RESPONSE_MAX);
		frame_send_error(FRAME_ERROR, FRAME_ERROR_TOO_LARGE, call->id,
		        "FunctionResponseTooLarge", message.data ?: "", NULL);
	} else if (wait_status) {
		program_describe_end(wait_status, &message);
		frame_send_error(
		        FRAME_ERROR, 0, call->id, "ExitError", message.data ?: "", &call->tail);
	} else {
		frame_send(FRAME_END, 0, call->id, "", 0);
	}
}

static void call_ended(struct calls *calls, struct call *call)
{
	int status = 0;

	if (waitpid(call->pid, &status, 0) < 0)
		frame_refuse("a child is not ours");
	kill(-call->pid, SIGKILL); /* what it left in the background */
	while (stream_read(calls, call, STDERR))
		;
	while (stream_read(calls, call, STDOUT))
		;
	log_lines(call, true);
	call_answer(call, status);
	call->over = true;
	list_unlink(&call->link);
	list_append(&calls->over, &call->link);
}

static struct call *call_find(struct calls *calls, uint64_t id)
{
	struct call *call;

	list_each(call, &calls->running, link)
		if (call->id == id)
			return call;
	return NULL;
}

enum { HEAD_LINES = 5 };

/* The variables of a call, from the lines of its head; each is allocated. */
static int head_variables(const char *head, size_t length, char *variables[HEAD_LINES + 1])
{
	static const char *const names[HEAD_LINES] = {"RUNTIME_REQUEST_ID", "RUNTIME_DEADLINE_MS",
	        "RUNTIME_SOURCE", "RUNTIME_ALIAS", "RUNTIME_IDEMPOTENCY_KEY"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *newline = memchr(head, '\n', length);

		if (!newline)
			return -EPROTO;
		if (asprintf(&variables[i], "%s=%.*s", names[i], (int)(newline - head), head) < 0)
			return -ENOMEM;
		length -= (size_t)(newline + 1 - head);
		head = newline + 1;
	}
	return 0;
}

/* A pipe for each standard descriptor: ours, which do not block, go into the watches. */
static int pipes_open(struct call *call, int theirs[3])
{
	int ends[2];

	for (int i = 0; i < 3; i++) {
		if (pipe2(ends, O_CLOEXEC) < 0)
			return -errno;
		call->watches[i].fd = ends[i == STDIN];
		theirs[i] = ends[i != STDIN];
		if (fcntl(call->watches[i].fd, F_SETFL, O_NONBLOCK) < 0)
			return -errno;
	}
	return 0;
}

static int watches_begin(struct calls *calls, struct call *call)
{
	int r = 0;

	call->watches[END].fd = (int)syscall(SYS_pidfd_open, call->pid, 0);
	if (call->watches[END].fd < 0)
		return -errno;
	for (int i = 0; i < STREAMS && !r; i++)
		r = watch_begin(calls, &call->watches[i]);
	return r;
}

static int call_start(struct calls *calls, struct call *call, char *const variables[])
{
	int theirs[3] = {-1, -1, -1}, r = pipes_open(call, theirs);

	if (!r) {
		event_write(call); /* now what fits, so that the program need not wait for us */
		call->pid = program_start(calls->program, theirs, variables);
		r = call->pid < 0 ? call->pid : 0;
	}
	for (int i = 0; i < 3; i++)
		close_fd(theirs[i]);
	if (!r)
		r = watches_begin(calls, call);
	if (r < 0 && call->pid > 0) {
		kill(-call->pid, SIGKILL);
		waitpid(call->pid, NULL, 0);
	}
	return r;
}

/* The event: white space only is {}. */
static void event_set(struct buf *event, const char *data, size_t length)
{
	size_t white = 0;

	while (white < length && memchr(" \t\r\n", data[white], 4))
		white++;
	if (white == length)
		buf_puts(event, "{}");
	else
		buf_append(event, data, length);
}

void call_begin(struct calls *calls, const struct frame *frame)
{
	size_t head = (uint8_t)frame->payload[0] | (size_t)(uint8_t)frame->payload[1] << 8;
	struct call *call = calloc(1, sizeof(*call));
	char *variables[HEAD_LINES + 1] = {NULL};
	int r;

	if (!call)
		_exit(1);
	call->id = frame->call;
	list_append(&calls->running, &call->link);
	for (int i = 0; i < STREAMS; i++)
		call->watches[i] = (struct watch){call, (enum stream)i, -1};
	event_set(&call->event, frame->payload + 2 + head, frame->length - 2 - head);
	r = head_variables(frame->payload + 2, head, variables);
	if (r == -EPROTO)
		frame_refuse("a call without a whole head");
	if (!r)
		r = call->event.failed ? -ENOMEM : call_start(calls, call, variables);
	for (int i = 0; i < HEAD_LINES; i++)
		free(variables[i]);
	if (r < 0) {
		frame_send_error(FRAME_ERROR, 0, call->id, "StartError", strerror(-r), NULL);
		call_free(call);
	}
}

void call_cancel(struct calls *calls, uint64_t id)
{
	struct call *call = call_find(calls, id);

	if (!call)
		return; /* it has just been answered */
	call->cancelled = true;
	kill(-call->pid, SIGKILL);
}

void call_event(struct calls *calls, struct watch *watch)
{
	struct call *call = watch->call;

	if (call->over || watch->fd < 0)
		return; /* an earlier event of the same batch closed it */
	if (watch->stream == STDIN)
		event_write(call);
	else if (watch->stream == END)
		call_ended(calls, call);
	else
		stream_read(calls, call, watch->stream);
}

void calls_init(struct calls *calls, const struct program *program)
{
	calls->program = program;
	calls->epoll = epoll_create1(EPOLL_CLOEXEC);
	list_init(&calls->running);
	list_init(&calls->over);
}

void calls_free_over(struct calls *calls)
{
	struct call *call, *following;

	list_each_safe(call, following, &calls->over, link)
		call_free(call);
}
