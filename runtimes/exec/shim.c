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
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "call.h"
#include "frames.h"
#include "program.h"
#include "settings.h"

#define CHANNEL_IN  3
#define CHANNEL_OUT 4
#define READ_SIZE   (64u << 10)

struct shim {
	struct settings settings;
	struct program program;
	struct calls calls;
	struct buf in;
	bool initialised, stopping;
};

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
	frame_send_error(FRAME_FAILED, 0, 0, kind, message.data ?: "", NULL);
	_exit(1);
}

static void initialise(struct shim *shim, const struct frame *frame)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	const char *kind = "FunctionLoadError";

	if (shim->initialised || settings_init(&shim->settings, frame->payload, frame->length) < 0)
		frame_refuse("FRAME_INIT is not what it should be");
	shim->initialised = true;
	if (program_init(&shim->program, shim->settings.code, shim->settings.handler, &why, &kind) <
	        0)
		fail_start("entry", kind, &why);
	if (*shim->settings.initializer)
		initializer_run(shim, &why, &kind);
	if (why.length)
		fail_start("initialization", kind, &why);
	shim->calls.several = shim->settings.concurrency > 1;
	frame_send(FRAME_READY, 0, 0, "", 0);
}

static void frame_take(struct shim *shim, const struct frame *frame)
{
	if (frame->type == FRAME_INIT)
		initialise(shim, frame);
	else if (frame->type == FRAME_STOP)
		shim->stopping = true;
	else if (!shim->initialised)
		frame_refuse("a call before FRAME_INIT");
	else if (frame->type == FRAME_CALL)
		call_begin(&shim->calls, frame);
	else
		call_cancel(&shim->calls, frame->call);
}

static void channel_read(struct shim *shim)
{
	char *place = buf_reserve(&shim->in, READ_SIZE);
	ssize_t n = place ? read(CHANNEL_IN, place, READ_SIZE) : -1;
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
		frame_refuse("a frame that the contract does not have");
	buf_consume(&shim->in, used);
}

static void serve(struct shim *shim)
{
	struct watch channel = {NULL, 0, CHANNEL_IN};
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &channel}, events[64];
	int epoll = shim->calls.epoll;

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, CHANNEL_IN, &event) < 0)
		_exit(1);
	while (!shim->stopping || !list_empty(&shim->calls.running)) {
		int count = epoll_wait(epoll, events, (int)ARRAY_SIZE(events), -1);

		for (int i = 0; i < count; i++) {
			struct watch *watch = events[i].data.ptr;

			if (watch->call)
				call_event(&shim->calls, watch);
			else
				channel_read(shim);
		}
		calls_free_over(&shim->calls);
		if (shim->stopping)
			epoll_ctl(epoll, EPOLL_CTL_DEL, CHANNEL_IN, NULL);
	}
}

int main(void)
{
	struct shim shim = {.in = BUF_INIT};

	calls_init(&shim.calls, &shim.program);
	signal(SIGPIPE, SIG_IGN);
	if (shim.calls.epoll < 0 || fcntl(CHANNEL_IN, F_SETFD, FD_CLOEXEC) < 0 ||
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
