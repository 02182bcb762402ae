/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's side. Orders go out as they are given, and wait in the outbox when the guardian is busy;
 * what it answers is handed on from the loop. A process is freed after its `ended` has run. When the
 * guardian dies its sandboxes die with it: all processes are reported as ended and a new guardian is
 * started, at once, or when the next process is to be started if that one died young.
 */
#include "run/launcher.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/map.h"
#include "run/guardian_child.h"
#include "run/guardian_message.h"
#include "run/launcher_order.h"
#include "run/process_tree.h"

enum {
	NOBODY = 65534,
	HELLO_TIMEOUT_MS = 10000,
	GOODBYE_TIMEOUT_MS = 5000,
};

struct launcher {
	uv_loop_t *loop;
	char *guardian_path, *state_dir;
	pid_t guardian; /* 0: there is none */
	int socket;
	uv_poll_t *poll; /* NULL: there is no guardian */
	bool young;      /* it has not said hello yet */
	struct outbox outbox;
	struct map processes;
	uint64_t last_id;
	struct limits limits;
	bool has_layers;
	uint64_t started_ahead; /* processes whose sandbox had been waiting */
	struct buf message;
	char *incoming;
};

struct process {
	struct launcher *launcher;
	uint64_t id;
	char *group;
	process_end_fn ended;
	process_taken_fn taken;
	void *userdata;
	pid_t pid;
	bool killed;
	int64_t memory_seen; /* the most that was told of it */
};

static void hear_guardian(uv_poll_t *poll, int status, int events);

static void process_free(struct process *process)
{
	free(process->group);
	free(process);
}

static void free_poll(uv_handle_t *handle)
{
	free(handle);
}

static void watch_guardian(struct launcher *launcher)
{
	int events = UV_READABLE | (list_empty(&launcher->outbox.waiting) ? 0 : UV_WRITABLE);

	if (launcher->poll)
		uv_poll_start(launcher->poll, events, hear_guardian);
}

static int start_guardian(struct launcher *launcher)
{
	CLEANUP(close_p) int socket = -1;
	CLEANUP(free_p) uv_poll_t *handle = malloc(sizeof(*handle));
	int error;

	if (!handle)
		return fail(-ENOMEM, "starting the guardian");
	error = guardian_spawn(
	        launcher->guardian_path, launcher->state_dir, &socket, &launcher->guardian);
	if (error)
		return error;
	error = uv_poll_init(launcher->loop, handle, socket);
	if (error) {
		guardian_reap(launcher->guardian, 0);
		return fail(error, "watching the guardian");
	}
	handle->data = launcher;
	launcher->socket = take_fd(socket);
	launcher->poll = take(handle);
	launcher->young = true;
	watch_guardian(launcher);
	return 0;
}

static void drop_guardian(struct launcher *launcher, int patience_ms)
{
	if (!launcher->poll)
		return;
	uv_poll_stop(launcher->poll);
	uv_close((uv_handle_t *)take(launcher->poll), free_poll);
	launcher->socket = close_fd(launcher->socket);
	guardian_reap(launcher->guardian, patience_ms);
	launcher->guardian = 0;
	outbox_deinit(&launcher->outbox);
}

/* Where the guardian looks now and then it may have missed what was told here. */
static void end_process(struct process *process, const struct process_end *end)
{
	struct process_end known = *end;

	if (known.memory_peak_bytes < process->memory_seen && !known.failed_to_start)
		known.memory_peak_bytes = process->memory_seen;
	map_remove(&process->launcher->processes, process->id);
	process->ended(process->userdata, &known);
	process_free(process);
}

/* Swapped out first: the callbacks may start processes anew. */
static void end_all(struct launcher *launcher)
{
	struct map processes = launcher->processes;
	struct process *process;

	map_init(&launcher->processes);
	map_each(process, &processes, cursor) {
		struct process_end end = {.exit_status = -1,
		        .signal = SIGKILL,
		        .failed_to_start = !process->pid && !process->killed,
		        .memory_peak_bytes = -1,
		        .cpu_us = -1,
		        .reason = "the guardian of all instances died"};

		process->ended(process->userdata, &end);
		process_free(process);
	}
	map_deinit(&processes);
}

static void lose_guardian(struct launcher *launcher)
{
	bool young = launcher->young;

	fail(-EPIPE, "the guardian died, and all instances with it");
	drop_guardian(launcher, 0);
	if (!young)
		start_guardian(launcher);
	end_all(launcher);
}

static void take_hello(struct launcher *launcher, const char *body, size_t length)
{
	struct message_hello hello = {0};

	limits_deinit(&launcher->limits);
	if (length >= sizeof(hello))
		memcpy(&hello, body, sizeof(hello));
	launcher->has_layers = hello.overlays;
	if (length < sizeof(hello) ||
	        limits_load(&launcher->limits, body + sizeof(hello), length - sizeof(hello)) < 0)
		fail(-EPROTO, "the guardian's hello");
	launcher->young = false;
}

static void take_end(struct process *process, const char *body, size_t length)
{
	struct process_end end;

	if (length != sizeof(end))
		return;
	memcpy(&end, body, sizeof(end));
	end_process(process, &end);
}

static void take_start(struct process *process, const char *body, size_t length, int descriptors[])
{
	struct message_started started;
	char *group;

	if (length <= sizeof(started) || body[length - 1])
		return;
	memcpy(&started, body, sizeof(started));
	process->pid = started.pid;
	process->launcher->started_ahead += started.waited;
	group = strdup(body + sizeof(started));
	if (group) {
		free(process->group);
		process->group = group;
	}
	if (descriptors[0] < 0 || !process->taken)
		return;
	process->taken(process->userdata, descriptors);
	for (size_t i = 0; i < MESSAGE_DESCRIPTORS; i++)
		descriptors[i] = -1;
}

/* Descriptors that are not taken over are closed by the caller. */
static void take_message(
        struct launcher *launcher, const char *data, size_t length, int descriptors[])
{
	const char *body = data + sizeof(struct message);
	struct message message;
	struct process *process;

	if (length < sizeof(message))
		return;
	memcpy(&message, data, sizeof(message));
	length -= sizeof(message);
	process = map_get(&launcher->processes, message.process);
	switch (message.type) {
	case MESSAGE_HELLO:
		take_hello(launcher, body, length);
		break;
	case MESSAGE_LOG:
		log_line(LOG_WARNING, "guardian: %.*s", (int)length, body);
		break;
	case MESSAGE_STARTED:
		if (process)
			take_start(process, body, length, descriptors);
		break;
	case MESSAGE_ENDED:
		if (process)
			take_end(process, body, length);
		break;
	}
}

/* One message: its length, 0 when the guardian is gone, or -EAGAIN. */
static ssize_t receive(struct launcher *launcher)
{
	int descriptors[MESSAGE_DESCRIPTORS];
	ssize_t length = message_receive(launcher->socket, launcher->incoming, descriptors);

	if (length <= 0)
		return length;
	take_message(launcher, launcher->incoming, (size_t)length, descriptors);
	for (size_t i = 0; i < MESSAGE_DESCRIPTORS; i++)
		close_fd(descriptors[i]);
	return length;
}

/* A callback may free nothing of the launcher, but the guardian may be lost meanwhile. */
static void hear_guardian(uv_poll_t *poll, int status, int events)
{
	struct launcher *launcher = poll->data;
	ssize_t length = -EAGAIN;

	if (events & UV_WRITABLE)
		outbox_flush(&launcher->outbox, launcher->socket);
	while (launcher->poll == poll && (length = receive(launcher)) > 0)
		continue;
	if (launcher->poll != poll)
		return;
	if (length != -EAGAIN)
		lose_guardian(launcher);
	else
		watch_guardian(launcher);
}

/* The first hello is waited for: launcher_limits() is to be true from the beginning. */
static int await_hello(struct launcher *launcher)
{
	struct pollfd poll_for = {.fd = launcher->socket, .events = POLLIN};

	while (launcher->young) {
		if (poll(&poll_for, 1, HELLO_TIMEOUT_MS) == 0)
			return fail(-ETIMEDOUT, "waiting for the guardian");
		if (receive(launcher) == 0)
			return fail(-EPIPE, "the guardian died at its start");
	}
	return 0;
}

static void launcher_free_p(struct launcher **launcher)
{
	launcher_free(*launcher);
}

int launcher_new(
        struct launcher **out, uv_loop_t *loop, const char *guardian_path, const char *state_dir)
{
	CLEANUP(launcher_free_p) struct launcher *launcher = calloc(1, sizeof(*launcher));
	int error;

	if (!launcher)
		return fail(-ENOMEM, "making the launcher");
	launcher->loop = loop;
	launcher->socket = -1;
	launcher->limits.kind = LIMITS_POLL;
	outbox_init(&launcher->outbox);
	map_init(&launcher->processes);
	launcher->guardian_path = strdup(guardian_path);
	launcher->state_dir = strdup(state_dir);
	launcher->incoming = malloc(MESSAGE_SIZE_MAX);
	if (!launcher->guardian_path || !launcher->state_dir || !launcher->incoming)
		return fail(-ENOMEM, "making the launcher");
	error = start_guardian(launcher);
	if (!error)
		error = await_hello(launcher);
	if (error)
		return error;
	*out = take(launcher);
	return 0;
}

struct launcher *launcher_free(struct launcher *launcher)
{
	if (!launcher)
		return NULL;
	assert(launcher->processes.count == 0);
	drop_guardian(launcher, GOODBYE_TIMEOUT_MS);
	outbox_deinit(&launcher->outbox);
	map_deinit(&launcher->processes);
	limits_deinit(&launcher->limits);
	buf_deinit(&launcher->message);
	free(launcher->incoming);
	free(launcher->guardian_path);
	free(launcher->state_dir);
	free(launcher);
	return NULL;
}

enum limits_kind launcher_limits(const struct launcher *launcher)
{
	return launcher->limits.kind;
}

bool launcher_has_layers(const struct launcher *launcher)
{
	return launcher->has_layers;
}

void launcher_describe(const struct launcher *launcher, struct buf *out)
{
	buf_printf(out, "limits %s\n", limits_kind_name(launcher->limits.kind));
	if (launcher->limits.why[0])
		buf_printf(out, "limits_why %s\n", launcher->limits.why);
	buf_printf(out, "overlays %s\n", launcher->has_layers ? "yes" : "no");
	buf_printf(out, "guardian %d\n", (int)launcher->guardian);
	buf_printf(out, "processes %zu\n", launcher->processes.count);
	buf_printf(out, "starts %" PRIu64 "\n", launcher->last_id);
	buf_printf(out, "starts_ahead %" PRIu64 "\n", launcher->started_ahead);
}

static struct process *process_new(
        struct launcher *launcher, const char *name, process_end_fn ended, void *userdata)
{
	struct process *process = calloc(1, sizeof(*process));

	if (!process)
		return NULL;
	process->launcher = launcher;
	process->id = ++launcher->last_id;
	process->ended = ended;
	process->memory_seen = -1;
	process->userdata = userdata;
	process->group = order_group(name, process->id);
	if (process->group && map_put(&launcher->processes, process->id, process) == 0)
		return process;
	process_free(process);
	return NULL;
}

static struct process *process_drop(struct process *process)
{
	map_remove(&process->launcher->processes, process->id);
	process_free(process);
	return NULL;
}

/* The order is in launcher->message. */
static int send_order(struct launcher *launcher, struct process *process, const int *descriptors)
{
	int error =
	        outbox_send(&launcher->outbox, launcher->socket, &launcher->message, descriptors);

	/* A guardian that just died is heard of on the loop, and this process with all others. */
	if (error == -EPIPE)
		error = 0;
	if (!error)
		watch_guardian(launcher);
	return error;
}

int launcher_start(struct launcher *launcher, const struct launch *launch, process_end_fn ended,
        void *userdata, struct process **out)
{
	const int descriptors[MESSAGE_DESCRIPTORS] = {
	        launch->channel_in, launch->channel_out, launch->output};
	struct process *process;
	int error = launcher->poll ? 0 : start_guardian(launcher);

	if (error)
		return error;
	process = process_new(launcher, launch->name, ended, userdata);
	if (!process)
		return -ENOMEM;
	process->taken = launch->taken;
	order_write_start(&launcher->message, process->id, process->group, launch);
	error = send_order(launcher, process, descriptors);
	*out = error ? process_drop(process) : process;
	return error;
}

int launcher_run(struct launcher *launcher, const struct errand *errand, process_end_fn ended,
        void *userdata, struct process **out)
{
	const int descriptors[MESSAGE_DESCRIPTORS] = {errand->input, errand->output,
	        errand->directory >= 0 ? errand->directory : errand->errors};
	struct process *process;
	int error;

	if (geteuid() != 0 && errand->uid != geteuid())
		return -EPERM;
	error = launcher->poll ? 0 : start_guardian(launcher);
	if (error)
		return error;
	process = process_new(launcher, errand->name, ended, userdata);
	if (!process)
		return -ENOMEM;
	order_write_run(&launcher->message, process->id, process->group, errand);
	error = send_order(launcher, process, descriptors);
	*out = error ? process_drop(process) : process;
	return error;
}

int launcher_run_alone(struct launcher *launcher, const struct errand *errand, process_end_fn ended,
        void *userdata, struct process **out)
{
	const char *const environment[] = {NULL};
	CLEANUP(close_p) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct errand alone = *errand;

	if (null < 0)
		return -errno;
	alone.environment = environment;
	alone.uid = geteuid() == 0 ? NOBODY : geteuid();
	alone.gid = geteuid() == 0 ? NOBODY : getegid();
	alone.output = alone.directory = null;
	return launcher_run(launcher, &alone, ended, userdata, out);
}

static void send_wish(struct process *process, enum message_type wish)
{
	struct launcher *launcher = process->launcher;

	message_begin(&launcher->message, wish, process->id);
	outbox_send(&launcher->outbox, launcher->socket, &launcher->message, NULL);
	watch_guardian(launcher);
}

void process_kill(struct process *process)
{
	struct launcher *launcher = process ? process->launcher : NULL;

	if (!process || process->killed || launcher->socket < 0)
		return;
	process->killed = true;
	send_wish(process, MESSAGE_KILL);
}

void process_terminate(struct process *process)
{
	if (process && !process->killed && process->launcher->socket >= 0)
		send_wish(process, MESSAGE_TERMINATE);
}

pid_t process_pid(const struct process *process)
{
	return process ? process->pid : 0;
}

void process_usage(struct process *process, struct process_usage *usage)
{
	struct process_tree tree = {.root = process->pid};

	limits_read(&process->launcher->limits, process->group, &tree.usage);
	if (tree.usage.memory_bytes < 0 && process->pid)
		process_tree_sample(&tree, 1);
	if (process->memory_seen < tree.usage.memory_bytes)
		process->memory_seen = tree.usage.memory_bytes;
	*usage = (struct process_usage){
	        tree.usage.memory_bytes, tree.usage.memory_peak_bytes, tree.usage.cpu_us};
}
