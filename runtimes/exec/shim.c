/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime for any program; the contract is runtimes/README.md. Each call starts the handler's file
 * once: the request goes to its standard input, its standard output comes back piece by piece, standard
 * error is the log. One thread, one epoll; several calls are several children.
 *
 * A call is over when its program has ended, not when its output has: a process that it left in the
 * background would hold the pipes open. What is in the pipes by then is the response; then the
 * program's process group is killed.
 *
 * Exit statuses: 0 after FRAME_STOP or the end of the stream, 1 after FRAME_FAILED or when the daemon
 * is gone, 70 when the daemon said something the contract does not allow.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/list.h"
#include "base/log.h"
#include "program.h"
#include "run/protocol.h"
#include "settings.h"

#define CHANNEL_IN   3
#define CHANNEL_OUT  4
#define RESPONSE_MAX (6u << 20)
#define PIECE        (64u << 10)
#define TAIL_BYTES   4096
#define TAIL_LINES   20

enum stream { STDIN, STDOUT, STDERR, END, STREAMS };

/* What an epoll event points to; the channel's own has no call. */
struct watch {
	struct call *call;
	enum stream stream;
	int fd; /* -1 = closed */
};

struct call {
	struct list link;
	uint64_t id;
	pid_t pid;
	struct watch watches[STREAMS];
	struct buf event;
	size_t event_sent;
	size_t response_length;
	struct buf line; /* the beginning of a line of the log, when several calls share it */
	struct buf tail; /* the end of standard error */
	bool cancelled, too_large, over;
};

struct shim {
	struct settings settings;
	struct program program;
	struct list calls, ended;
	struct buf in;
	int epoll;
	bool initialised, stopping;
};

/* ---- frames out ---- */

static void send_frame(uint8_t type, uint8_t flags, uint64_t call, const void *data, size_t length)
{
	char header[PROTOCOL_HEADER_SIZE];
	struct iovec parts[] = {{header, sizeof(header)}, {(void *)data, length}};
	struct iovec *part = parts;

	protocol_encode_header(header, type, flags, call, length);
	while (parts[0].iov_len + parts[1].iov_len) {
		ssize_t n = writev(CHANNEL_OUT, part, (int)(parts + 2 - part));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			_exit(1); /* nobody can be told */
		for (; part < parts + 2 && (size_t)n >= part->iov_len; part++) {
			n -= (ssize_t)part->iov_len;
			part->iov_len = 0;
		}
		if (part < parts + 2) {
			part->iov_base = (char *)part->iov_base + n;
			part->iov_len -= (size_t)n;
		}
	}
}

static _Noreturn void refuse(const char *why)
{
	dprintf(2, "fnfs: %s\n", why);
	_exit(70);
}

static void quote_lines(struct buf *out, const struct buf *tail)
{
	const char *end = tail->data + tail->length, *start = end;
	bool first = true;

	for (int lines = 0; start > tail->data && lines < TAIL_LINES; lines++)
		for (start--; start > tail->data && start[-1] != '\n'; start--)
			;
	while (start < end) {
		const char *newline = memchr(start, '\n', (size_t)(end - start)) ?: end;

		buf_puts(out, first ? "" : ",");
		json_quote(out, start, (size_t)(newline - start));
		first = false;
		start = newline + 1;
	}
}

static void send_error(uint8_t type, uint8_t flags, uint64_t call, const char *kind,
        const char *message, const struct buf *tail)
{
	CLEANUP(buf_deinit) struct buf json = BUF_INIT;

	buf_puts(&json, "{\"errorMessage\":");
	json_quote(&json, message, strlen(message));
	buf_printf(&json, ",\"errorType\":\"%s\",\"stackTrace\":[", kind);
	if (tail && tail->length)
		quote_lines(&json, tail);
	buf_puts(&json, "]}");
	send_frame(type, flags, call, json.data, json.failed ? 0 : json.length);
}

/* ---- the streams of a call ---- */

static void watch_close(struct watch *watch)
{
	watch->fd = close_fd(watch->fd);
}

/* Takes over the descriptor. 0 or -errno. */
static int watch_open(struct shim *shim, struct call *call, enum stream stream, int fd)
{
	struct watch *watch = &call->watches[stream];
	struct epoll_event event = {
	        .events = stream == STDIN ? EPOLLOUT : EPOLLIN, .data.ptr = watch};

	watch->fd = fd;
	if (stream != END && fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	return epoll_ctl(shim->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
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
	send_frame(FRAME_DATA, 0, call->id, data, length);
}

static void log_send(struct call *call, const char *text, size_t length)
{
	CLEANUP(buf_deinit) struct buf record = BUF_INIT;
	char level = LOG_INFO;

	buf_append(&record, &level, 1);
	buf_append(&record, text, length);
	if (!record.failed)
		send_frame(FRAME_LOG, 0, call->id, record.data, record.length);
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

static void log_take(struct shim *shim, struct call *call, const char *data, size_t length)
{
	size_t kept = length < TAIL_BYTES ? length : TAIL_BYTES;

	if (call->tail.length + kept > TAIL_BYTES)
		buf_consume(&call->tail, call->tail.length + kept - TAIL_BYTES);
	buf_append(&call->tail, data + length - kept, kept);
	if (shim->settings.concurrency > 1) {
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

/* Reads once; false when nothing more is there for now. */
static bool stream_read(struct shim *shim, struct call *call, enum stream stream)
{
	struct watch *watch = &call->watches[stream];
	char data[PIECE];
	ssize_t n;

	if (watch->fd < 0)
		return false;
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
		log_take(shim, call, data, (size_t)n);
	return true;
}

/* ---- calls ---- */

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
		send_error(FRAME_ERROR, 0, call->id, "Cancelled", "function invocation canceled",
		        NULL);
	} else if (call->too_large) {
		buf_printf(&message, "Response body size '%zu' larger than max value '%u'.",
		        call->response_length, RESPONSE_MAX);
		send_error(FRAME_ERROR, FRAME_ERROR_TOO_LARGE, call->id, "FunctionResponseTooLarge",
		        message.data ?: "", NULL);
	} else if (wait_status) {
		program_describe_end(wait_status, &message);
		send_error(FRAME_ERROR, 0, call->id, "ExitError", message.data ?: "", &call->tail);
	} else {
		send_frame(FRAME_END, 0, call->id, "", 0);
	}
}

static void call_ended(struct shim *shim, struct call *call)
{
	int status = 0;

	if (waitpid(call->pid, &status, 0) < 0)
		refuse("a child is not ours");
	kill(-call->pid, SIGKILL); /* what it left in the background */
	while (stream_read(shim, call, STDERR))
		;
	while (stream_read(shim, call, STDOUT))
		;
	log_lines(call, true);
	call_answer(call, status);
	call->over = true;
	list_unlink(&call->link);
	list_append(&shim->ended, &call->link);
}

static struct call *call_find(struct shim *shim, uint64_t id)
{
	struct call *call;

	list_each(call, &shim->calls, link)
		if (call->id == id)
			return call;
	return NULL;
}

/* The variables of a call, from the lines of its head; each is allocated. */
static int head_variables(const char *head, size_t length, char *variables[5])
{
	static const char *const names[] = {
	        "RUNTIME_REQUEST_ID", "RUNTIME_DEADLINE_MS", "RUNTIME_SOURCE", "RUNTIME_ALIAS"};

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

/* Starts the program with a pipe at each of its three descriptors; ours go into the watches. */
static int call_start(struct shim *shim, struct call *call, char *const variables[])
{
	int pipes[3][2] = {{-1, -1}, {-1, -1}, {-1, -1}}, theirs[3], r = 0;

	for (int i = 0; i < 3 && !r; i++)
		r = pipe2(pipes[i], O_CLOEXEC) < 0 ? -errno : 0;
	for (int i = 0; i < 3; i++)
		theirs[i] = pipes[i][i == STDIN ? 0 : 1];
	if (!r) {
		call->pid = program_start(&shim->program, theirs, variables);
		r = call->pid < 0 ? call->pid : 0;
	}
	for (int i = 0; i < 3; i++) {
		close_fd(theirs[i]);
		if (!r)
			r = watch_open(shim, call, (enum stream)i, pipes[i][i == STDIN ? 1 : 0]);
		else
			close_fd(pipes[i][i == STDIN ? 1 : 0]);
	}
	if (!r)
		r = watch_open(shim, call, END, (int)syscall(SYS_pidfd_open, call->pid, 0));
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

static void call_begin(struct shim *shim, const struct frame *frame)
{
	size_t head = (uint8_t)frame->payload[0] | (size_t)(uint8_t)frame->payload[1] << 8;
	struct call *call = calloc(1, sizeof(*call));
	char *variables[5] = {NULL};
	int r;

	if (!call)
		_exit(1);
	call->id = frame->call;
	list_append(&shim->calls, &call->link);
	for (int i = 0; i < STREAMS; i++)
		call->watches[i] = (struct watch){call, (enum stream)i, -1};
	event_set(&call->event, frame->payload + 2 + head, frame->length - 2 - head);
	r = head_variables(frame->payload + 2, head, variables);
	if (r == -EPROTO)
		refuse("a call without a whole head");
	if (!r)
		r = call->event.failed ? -ENOMEM : call_start(shim, call, variables);
	for (int i = 0; i < 4; i++)
		free(variables[i]);
	if (r < 0) {
		send_error(FRAME_ERROR, 0, call->id, "StartError", strerror(-r), NULL);
		call_free(call);
	}
}

static void call_cancel(struct shim *shim, uint64_t id)
{
	struct call *call = call_find(shim, id);

	if (!call)
		return; /* it has just been answered */
	call->cancelled = true;
	kill(-call->pid, SIGKILL);
}

/* ---- the life of an instance ---- */

static void initializer_run(struct shim *shim, struct buf *why, const char **kind)
{
	CLEANUP(program_deinit) struct program program = {NULL};
	CLEANUP(close_p) int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char *nothing[] = {NULL};
	int status = 0;
	pid_t pid;

	if (program_init(&program, shim->settings.code, shim->settings.initializer, why, kind) < 0)
		return;
	pid = program_start(&program, (int[]){null, 1, 2}, nothing);
	*kind = pid < 0 ? "StartError" : "ExitError";
	if (pid < 0)
		buf_puts(why, strerror(-pid));
	else if (waitpid(pid, &status, 0) < 0 || status)
		program_describe_end(status, why);
}

static void fail_start(const char *prefix, const char *kind, const struct buf *why)
{
	CLEANUP(buf_deinit) struct buf message = BUF_INIT;

	buf_printf(
	        &message, "function %s exception, error: %s", prefix, why->data ?: "out of memory");
	send_error(FRAME_FAILED, 0, 0, kind, message.data ?: "", NULL);
	_exit(1);
}

static void initialise(struct shim *shim, const struct frame *frame)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	const char *kind = "FunctionLoadError";

	if (shim->initialised || settings_init(&shim->settings, frame->payload, frame->length) < 0)
		refuse("FRAME_INIT is not what it should be");
	shim->initialised = true;
	if (program_init(&shim->program, shim->settings.code, shim->settings.handler, &why, &kind) <
	        0)
		fail_start("entry", kind, &why);
	if (*shim->settings.initializer)
		initializer_run(shim, &why, &kind);
	if (why.length)
		fail_start("initialization", kind, &why);
	send_frame(FRAME_READY, 0, 0, "", 0);
}

static void frame_take(struct shim *shim, const struct frame *frame)
{
	if (frame->type == FRAME_INIT)
		initialise(shim, frame);
	else if (frame->type == FRAME_STOP)
		shim->stopping = true;
	else if (!shim->initialised)
		refuse("a call before FRAME_INIT");
	else if (frame->type == FRAME_CALL)
		call_begin(shim, frame);
	else
		call_cancel(shim, frame->call);
}

static void channel_read(struct shim *shim)
{
	char *place = buf_reserve(&shim->in, PIECE);
	ssize_t n = place ? read(CHANNEL_IN, place, PIECE) : -1;
	size_t used = 0, missing;
	struct frame frame;
	long taken;

	if (n < 0 && place && errno == EINTR)
		return;
	if (n < 0)
		_exit(1);
	if (!n)
		shim->stopping = true;
	buf_added(&shim->in, (size_t)n);
	while ((taken = protocol_decode(PROTOCOL_TO_RUNTIME, shim->in.data + used,
	                shim->in.length - used, &frame, &missing)) > 0) {
		frame_take(shim, &frame);
		used += (size_t)taken;
	}
	if (taken < 0)
		refuse("a frame that the contract does not have");
	buf_consume(&shim->in, used);
}

static void watch_event(struct shim *shim, struct watch *watch)
{
	struct call *call = watch->call;

	if (!call)
		channel_read(shim);
	else if (call->over || watch->fd < 0)
		return; /* an earlier event of the same batch closed it */
	else if (watch->stream == STDIN)
		event_write(call);
	else if (watch->stream == END)
		call_ended(shim, call);
	else
		stream_read(shim, call, watch->stream);
}

static void serve(struct shim *shim)
{
	struct watch channel = {NULL, 0, CHANNEL_IN};
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &channel}, events[64];
	struct call *call, *following;

	if (epoll_ctl(shim->epoll, EPOLL_CTL_ADD, CHANNEL_IN, &event) < 0)
		_exit(1);
	while (!shim->stopping || !list_empty(&shim->calls)) {
		int count = epoll_wait(shim->epoll, events, (int)ARRAY_SIZE(events), -1);

		for (int i = 0; i < count; i++)
			watch_event(shim, events[i].data.ptr);
		list_each_safe(call, following, &shim->ended, link)
			call_free(call);
		if (shim->stopping)
			epoll_ctl(shim->epoll, EPOLL_CTL_DEL, CHANNEL_IN, NULL);
	}
}

int main(void)
{
	struct shim shim = {.epoll = epoll_create1(EPOLL_CLOEXEC)};

	list_init(&shim.calls);
	list_init(&shim.ended);
	signal(SIGPIPE, SIG_IGN);
	if (shim.epoll < 0 || fcntl(CHANNEL_IN, F_SETFD, FD_CLOEXEC) < 0 ||
	        fcntl(CHANNEL_OUT, F_SETFD, FD_CLOEXEC) < 0) {
		fprintf(stderr,
		        "fnfs: this program is started by fnfs, with descriptors 3 and 4\n");
		return 70;
	}
	serve(&shim);
	buf_deinit(&shim.in);
	program_deinit(&shim.program);
	settings_deinit(&shim.settings);
	return 0;
}
