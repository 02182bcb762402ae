/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures one warm call after another between a bare C program and a runtime's shim, without daemon
 * and sandbox: what the channel and the shim cost, the floor below everything else.
 *
 *	roundtrip RUNTIMES NAME CODE pipe|socketpair CALLS BYTES
 *
 * RUNTIMES is a search path; CODE a directory with the runtime's sample or an echo in it.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "run/protocol.h"
#include "run/runtime.h"

struct shim {
	pid_t pid;
	int to, from;
	struct buf in;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void channel(int theirs[2], int ours[2], const char *kind)
{
	int a[2], b[2];

	if (strcmp(kind, "pipe") == 0) {
		if (pipe2(a, O_CLOEXEC) < 0 || pipe2(b, O_CLOEXEC) < 0)
			die("pipe");
		theirs[0] = a[0], ours[1] = a[1], ours[0] = b[0], theirs[1] = b[1];
		return;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, a) < 0)
		die("socketpair");
	theirs[0] = theirs[1] = a[0];
	ours[0] = ours[1] = a[1];
}

static void child(const struct runtime *runtime, const int theirs[2])
{
	static const char seen_at[] = "/opt/fnfs/runtime";
	char paths[16][4096], *argv[17] = {NULL};
	int in = fcntl(theirs[0], F_DUPFD_CLOEXEC, 100),
	    out = fcntl(theirs[1], F_DUPFD_CLOEXEC, 100);

	for (int i = 0; i < 16 && runtime->argv[i]; i++) {
		const char *tail = strncmp(runtime->argv[i], seen_at, strlen(seen_at)) == 0
		                           ? runtime->argv[i] + strlen(seen_at)
		                           : NULL;

		snprintf(paths[i], sizeof(paths[i]), "%s%s", tail ? runtime->path : "",
		        tail ? tail : runtime->argv[i]);
		argv[i] = paths[i];
	}
	if (dup2(in, 3) < 0 || dup2(out, 4) < 0)
		die("dup2");
	execv(argv[0], argv);
	die(argv[0]);
}

/* Reads until a whole frame is there and consumes it. */
static void receive(struct shim *shim, uint8_t *type)
{
	struct frame frame;
	size_t missing;

	for (;;) {
		long taken = protocol_decode(PROTOCOL_FROM_RUNTIME, shim->in.data ?: "",
		        shim->in.length, &frame, &missing);
		char *place;
		ssize_t n;

		if (taken < 0) {
			fprintf(stderr, "the shim speaks garbage\n");
			exit(1);
		}
		if (taken > 0) {
			*type = frame.type;
			if (frame.type == FRAME_FAILED || frame.type == FRAME_ERROR) {
				fprintf(stderr, "%.*s\n", (int)frame.length, frame.payload);
				exit(1);
			}
			buf_consume(&shim->in, (size_t)taken);
			return;
		}
		place = buf_reserve(&shim->in, 64 << 10);
		n = read(shim->from, place, 64 << 10);
		if (n <= 0)
			die("read");
		buf_added(&shim->in, (size_t)n);
	}
}

static void write_all(int fd, const struct buf *buf)
{
	for (size_t done = 0; done < buf->length;) {
		ssize_t n = write(fd, buf->data + done, buf->length - done);

		if (n < 0)
			die("write");
		done += (size_t)n;
	}
}

static double call(struct shim *shim, uint64_t id, const char *event)
{
	struct call_head head = {.request_id = "3f2b1c9e-0000-4000-8000-000000000000",
	        .deadline_ms = INT64_C(4102444800000),
	        .source = "sync",
	        .alias = "",
	        .name = ""};
	struct buf out = BUF_INIT;
	double start = now_us();
	uint8_t type;

	protocol_encode_call(&out, id, &head, strlen(event));
	buf_puts(&out, event);
	write_all(shim->to, &out);
	do
		receive(shim, &type);
	while (type != FRAME_END);
	buf_deinit(&out);
	return now_us() - start;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void start(struct shim *shim, const struct runtime *runtime, const char *kind, char *code)
{
	int theirs[2], ours[2];
	struct buf init = BUF_INIT, out = BUF_INIT;
	uint8_t type;

	channel(theirs, ours, kind);
	shim->pid = fork();
	if (shim->pid < 0)
		die("fork");
	if (!shim->pid)
		child(runtime, theirs);
	close(theirs[0]);
	if (theirs[1] != theirs[0])
		close(theirs[1]);
	shim->from = ours[0];
	shim->to = ours[1];
	buf_printf(&init, "{\"function\":\"f\",\"handler\":\"%s\",\"code\":\"%s\"}",
	        runtime->default_handler, code);
	protocol_encode(&out, FRAME_INIT, 0, 0, init.data, init.length);
	write_all(shim->to, &out);
	receive(shim, &type);
	buf_deinit(&init);
	buf_deinit(&out);
}

int main(int argc, char **argv)
{
	struct shim shim = {.in = BUF_INIT};
	struct runtimes *runtimes;
	const struct runtime *runtime;
	int calls = argc > 5 ? atoi(argv[5]) : 0, size = argc > 6 ? atoi(argv[6]) : 0;
	double *times = calloc((size_t)calls + 1, sizeof(*times)), began;
	char *event = calloc(1, (size_t)size + 32);

	if (argc != 7 || calls < 1 || !times || !event || runtimes_load(&runtimes, argv[1]) < 0) {
		fprintf(stderr,
		        "usage: roundtrip RUNTIMES NAME CODE pipe|socketpair CALLS BYTES\n");
		return 2;
	}
	runtime = runtimes_find(runtimes, argv[2]);
	if (!runtime || !runtime->available) {
		fprintf(stderr, "%s\n", runtime ? runtime->missing : "no such runtime");
		return 2;
	}
	sprintf(event, "{\"n\":1,\"pad\":\"%*s\"}", size, "");
	signal(SIGPIPE, SIG_IGN);
	began = now_us();
	start(&shim, runtime, argv[4], argv[3]);
	printf("%s %s: ready after %.1f ms", argv[2], argv[4], (now_us() - began) / 1e3);
	for (int i = 0; i < calls / 10; i++)
		call(&shim, (uint64_t)i + 1, event);
	for (int i = 0; i < calls; i++)
		times[i] = call(&shim, (uint64_t)i + 1, event);
	qsort(times, (size_t)calls, sizeof(*times), compare);
	printf("; %d calls of %zu bytes: p50 %.1f us, p99 %.1f us, least %.1f us\n", calls,
	        strlen(event), times[calls / 2], times[calls * 99 / 100], times[0]);
	close(shim.to);
	kill(shim.pid, SIGKILL);
	waitpid(shim.pid, NULL, 0);
	buf_deinit(&shim.in);
	runtimes_free(runtimes);
	free(times);
	free(event);
	return 0;
}
