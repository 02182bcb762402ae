/* SPDX-License-Identifier: Apache-2.0 */
#include "run/guardian_ward.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fail.h"

#define BUBBLEWRAP_PROCESSES 2 /* itself and init; they count in the control group */
#define WORDS_MAX            2048
#define GROUP_PATIENCE_US    10000000 /* for a control group to become empty */

struct ward *ward_free(struct ward *ward)
{
	if (!ward)
		return NULL;
	list_unlink(&ward->link);
	close_fd(ward->status);
	close_fd(ward->other_status);
	close_fd(ward->memory_event);
	close_fd(ward->network);
	outbound_free(ward->outbound);
	buf_deinit(&ward->words);
	free(ward->group);
	free(ward);
	return NULL;
}

struct ward *ward_new(uint64_t id, const char *name, int64_t memory_limit)
{
	struct ward *ward = calloc(1, sizeof(*ward));

	if (!ward)
		return NULL;
	list_init(&ward->link);
	ward->id = id;
	ward->status = ward->other_status = ward->memory_event = ward->network = -1;
	ward->usage = (struct limits_usage){-1, -1, -1, -1};
	ward->memory_limit = memory_limit;
	if (asprintf(&ward->group, "%s", name) < 0)
		ward->group = NULL;
	return ward->group ? ward : ward_free(ward);
}

int ward_open_status(int pair[2])
{
	int one = 1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one));
	return 0;
}

void ward_limits(const struct order *order, struct limits_values *values)
{
	values->memory_bytes = order->numbers.memory_bytes;
	values->cpu_millicores = order->numbers.cpu_millicores;
	values->max_processes = order->numbers.max_processes + BUBBLEWRAP_PROCESSES;
}

/* What is in /tmp counts as memory where that is counted by control groups. */
int64_t ward_tmp_bytes(const struct limits *limits, int64_t memory_bytes)
{
	return limits_has(limits, LIMITS_MEMORY) || memory_bytes > SANDBOX_TMP_BYTES
	               ? SANDBOX_TMP_BYTES
	               : memory_bytes;
}

static pid_t fork_ward(const struct order *order, struct sandbox *sandbox,
        const struct limits *limits, const char *group, int status, const int *descriptors)
{
	const struct message_start *numbers = &order->numbers;
	const struct sandbox_start start = {
	        .sandbox = sandbox,
	        .limits = limits,
	        .group = group,
	        .view = {.root = sandbox->root.path,
	                .code = order->code,
	                .is_image = numbers->image,
	                .uid = numbers->image ? numbers->inside_uid : SANDBOX_ID,
	                .gid = numbers->image ? numbers->inside_gid : SANDBOX_ID,
	                .layers = order->layers,
	                .writable = numbers->writable,
	                .runtime = *order->runtime ? order->runtime : NULL,
	                .init = sandbox->init,
	                .hostname = order->name,
	                .working_directory = order->directory,
	                .environment = order->environment,
	                .host_network = numbers->host_network,
	                .outbound = numbers->outbound,
	                .tmp_bytes = ward_tmp_bytes(limits, numbers->memory_bytes)},
	        .argv = order->argv,
	        .uid = sandbox_owner(numbers->uid, numbers->function_id),
	        .gid = sandbox_owner_group(numbers->uid, numbers->gid, numbers->function_id),
	        .sockets = numbers->sockets,
	        .process_limit = limits_has(limits, LIMITS_PIDS) ? 0 : numbers->max_processes,
	        .status = status,
	        .channel_in = descriptors[0],
	        .channel_out = descriptors[1],
	        .output = descriptors[2],
	};
	pid_t guardian = getpid(), pid = fork();

	if (pid == 0)
		sandbox_enter(&start, guardian);
	return pid;
}

static int launch(struct ward *ward, const struct order *order, struct sandbox *sandbox,
        const struct limits *limits, const int *descriptors, struct buf *why)
{
	struct limits_values values;
	CLEANUP(close_p) int ours = -1;
	CLEANUP(close_p) int theirs = -1;
	int pair[2], error = ward_open_status(pair);

	if (error) {
		buf_printf(why, "opening a socket: %s", strerror(-error));
		return error;
	}
	ours = pair[0];
	theirs = pair[1];
	error = sandbox_root_refresh(&sandbox->root);
	if (error) {
		buf_printf(why, "making the sandboxes' root: %s", strerror(-error));
		return error;
	}
	ward_limits(order, &values);
	error = limits_create(limits, ward->group, &values);
	if (error) {
		buf_printf(why, "making the control group: %s", strerror(-error));
		return error;
	}
	ward->memory_event = limits_watch_memory(limits, ward->group);
	ward->bubblewrap = fork_ward(order, sandbox, limits, ward->group, theirs, descriptors);
	if (ward->bubblewrap < 0) {
		error = -errno;
		buf_printf(why, "starting a process: %s", strerror(-error));
		limits_remove(limits, ward->group);
		return error;
	}
	ward->status = take_fd(ours);
	if (order->keeps_status)
		ward->other_status = take_fd(theirs);
	return 0;
}

static bool plan_outbound(struct ward *ward, const struct order *order,
        const struct sandbox *sandbox, struct buf *why)
{
	const struct message_start *numbers = &order->numbers;

	if (!outbound_find()) {
		buf_puts(why, OUTBOUND_NEEDS);
		return false;
	}
	ward->outbound = outbound_new(ward->group,
	        sandbox->is_root ? sandbox_owner(numbers->uid, numbers->function_id) : geteuid(),
	        sandbox_owner_group(numbers->uid, numbers->gid, numbers->function_id),
	        sandbox->is_root);
	if (!ward->outbound)
		buf_puts(why, "out of memory");
	return ward->outbound;
}

int ward_start(struct ward **out, struct sandbox *sandbox, const struct limits *limits, uint64_t id,
        const struct order *order, const int descriptors[MESSAGE_DESCRIPTORS], struct buf *why)
{
	struct ward *ward = ward_new(id, order->name, order->numbers.memory_bytes);
	int error = ward ? 0 : -ENOMEM;

	for (size_t i = 0; i < MESSAGE_DESCRIPTORS && !error; i++)
		if (descriptors[i] < 0)
			error = -EMFILE;
	if (error)
		buf_printf(why, "reading the order: %s", strerror(-error));
	else if (order->numbers.outbound && !plan_outbound(ward, order, sandbox, why))
		error = -ENOEXEC;
	else
		error = launch(ward, order, sandbox, limits, descriptors, why);
	*out = error ? ward_free(ward) : ward;
	return error;
}

static void take_network(struct ward *ward, struct cmsghdr *part)
{
	close_fd(ward->network);
	memcpy(&ward->network, CMSG_DATA(part), sizeof(ward->network));
}

/* One packet; 0 when there is none now. */
static ssize_t receive_packet(struct ward *ward, char *text, size_t size, pid_t *sender)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec io = {.iov_base = text, .iov_len = size - 1};
	struct msghdr header = {.msg_iov = &io,
	        .msg_iovlen = 1,
	        .msg_control = &control,
	        .msg_controllen = sizeof(control)};
	ssize_t length = recvmsg(ward->status, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *part = length > 0 ? CMSG_FIRSTHDR(&header) : NULL;
	struct ucred credentials = {0};

	if (length <= 0)
		return 0;
	text[length] = 0;
	for (; part; part = CMSG_NXTHDR(&header, part))
		if (part->cmsg_type == SCM_CREDENTIALS)
			memcpy(&credentials, CMSG_DATA(part), sizeof(credentials));
		else if (part->cmsg_type == SCM_RIGHTS)
			take_network(ward, part);
	*sender = credentials.pid;
	return length;
}

static void take_packet(struct ward *ward, const char *text, size_t length, pid_t sender)
{
	if (text[0] != 1) {
		if (!ward->running && ward->words.length < WORDS_MAX)
			buf_append(&ward->words, text, length);
		return;
	}
	switch (text[1]) {
	case 'n':
		return; /* the descriptor beside it says it all */
	case 'p':
		ward->runtime = sender;
		return;
	case 'b':
		if (ward->born || sender <= 0)
			return;
		ward->runtime = sender;
		ward->inside = (pid_t)atoi(text + 2);
		ward->born = ward->running = true;
		return;
	case 'r':
	case 'w':
		if (sender <= 0 || (ward->init && ward->init != sender))
			return;
		ward->init = sender;
		ward->running = text[1] == 'r';
		ward->waiting = text[1] == 'w';
		return;
	case 'e':
		ward->end = atoi(text + 2);
		ward->has_end = true;
		return;
	}
}

bool ward_listen(struct ward *ward, const struct limits *limits)
{
	bool was_running = ward->running;
	char text[1024];
	ssize_t length;
	pid_t sender;

	while ((length = receive_packet(ward, text, sizeof(text), &sender)) > 0)
		take_packet(ward, text, (size_t)length, sender);
	if (was_running || !ward->running)
		return false;
	/* Killed while bubblewrap was at work: what it made since goes now. */
	if (ward->doomed)
		ward_kill(ward, limits);
	return !ward->doomed;
}

/*
 * Init ends with everything in its namespace, and bubblewrap then by itself, so that its being reaped
 * means that all is over. Before init is known, bubblewrap goes first, lest it make more.
 */
void ward_kill(struct ward *ward, const struct limits *limits)
{
	ward->doomed = true;
	if (ward->init)
		kill(ward->init, SIGKILL);
	else if (ward->bubblewrap > 0)
		kill(ward->bubblewrap, SIGKILL);
	limits_kill(limits, ward->group);
	outbound_kill(ward->outbound, limits);
}

void ward_terminate(struct ward *ward)
{
	if (ward->init && ward->bubblewrap && !ward->has_end)
		kill(ward->init, SIGTERM);
}

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

void ward_used(struct ward *ward, const struct limits_usage *now)
{
	struct limits_usage *usage = &ward->usage;

	usage->memory_bytes = now->memory_bytes;
	usage->memory_peak_bytes = larger(usage->memory_peak_bytes, now->memory_peak_bytes);
	usage->cpu_us = larger(usage->cpu_us, now->cpu_us);
	usage->oom_kills = larger(usage->oom_kills, now->oom_kills);
}

static int64_t microseconds(const struct timeval *time)
{
	return (int64_t)time->tv_sec * 1000000 + time->tv_usec;
}

/* It said something before it became the program, or it has become it. */
static void errand_ended(struct ward *ward, int status)
{
	char text[1024];
	ssize_t length;
	pid_t sender;

	while ((length = receive_packet(ward, text, sizeof(text), &sender)) > 0)
		take_packet(ward, text, (size_t)length, sender);
	ward->running = !ward->words.length;
	ward->has_end = true;
	ward->end = status;
}

/* `counted`: its group knows the memory better, of which it shares much with others. */
static void note_usage(struct ward *ward, const struct rusage *usage, bool counted)
{
	ward_used(ward,
	        &(struct limits_usage){
	                .memory_bytes = -1,
	                .memory_peak_bytes = counted ? -1 : (int64_t)usage->ru_maxrss * 1024,
	                .cpu_us = microseconds(&usage->ru_utime) + microseconds(&usage->ru_stime),
	                .oom_kills = -1,
	        });
}

void ward_program_reaped(struct ward *ward, int status, const struct rusage *usage, bool counted)
{
	note_usage(ward, usage, counted);
	ward->born_reaped = ward->has_end = true;
	ward->end = status;
	kill(ward->init, SIGKILL);
}

void ward_reaped(struct ward *ward, int status, const struct rusage *usage)
{
	ward->bubblewrap = 0;
	note_usage(ward, usage, false);
	ward->sandbox_end = status;
	if (ward->errand)
		errand_ended(ward, status);
}

static bool init_is_gone(const struct ward *ward)
{
	return !ward->init || waitpid(ward->init, NULL, WNOHANG) != 0;
}

/* Reaped before its word was heard, it was nobody's then. */
static bool born_is_gone(const struct ward *ward)
{
	return !ward->born || ward->born_reaped || waitpid(ward->runtime, NULL, WNOHANG) != 0;
}

/* What it said itself, of which the last may have come with its end, is better than how it ended. */
static void say_why(const struct ward *ward, char *reason, size_t size)
{
	if (ward->words.length)
		snprintf(reason, size, "%s", ward->words.data);
	else if (WIFEXITED(ward->sandbox_end))
		snprintf(reason, size, "the sandbox ended with status %d",
		        WEXITSTATUS(ward->sandbox_end));
	else
		snprintf(reason, size, "the sandbox was killed while it was made");
	reason[strcspn(reason, "\n")] = 0;
}

static void fill_end(const struct ward *ward, struct process_end *end)
{
	const struct limits_usage *usage = &ward->usage;

	*end = (struct process_end){.exit_status = -1, .signal = SIGKILL};
	end->memory_peak_bytes = usage->memory_peak_bytes;
	end->cpu_us = usage->cpu_us;
	end->out_of_memory = ward->out_of_memory || usage->oom_kills > 0;
	end->lost_network = ward->outbound && ward->outbound->broken;
	end->failed_to_start =
	        !ward->running && (!ward->doomed || end->out_of_memory || end->lost_network);
	if (ward->has_end && WIFEXITED(ward->end)) {
		end->exit_status = WEXITSTATUS(ward->end);
		end->signal = 0;
	} else if (ward->has_end) {
		end->signal = WTERMSIG(ward->end);
	}
	if (end->lost_network)
		snprintf(end->reason, sizeof(end->reason), "%s", ward->outbound->why);
	else if (end->failed_to_start)
		say_why(ward, end->reason, sizeof(end->reason));
}

static bool patience_is_over(struct ward *ward)
{
	int64_t now = clock_monotonic_us(&clock_system);

	if (!ward->busy_since_us)
		ward->busy_since_us = now;
	return now - ward->busy_since_us > GROUP_PATIENCE_US;
}

bool ward_over(struct ward *ward, const struct limits *limits, struct process_end *end)
{
	struct limits_usage last;

	if (ward->bubblewrap || !init_is_gone(ward) || !born_is_gone(ward))
		return false;
	ward_listen(ward, limits);
	outbound_kill(ward->outbound, limits);
	if (ward->outbound && !outbound_over(ward->outbound, limits) && !patience_is_over(ward))
		return false;
	/* The counters go with the group. */
	limits_read(limits, ward->group, &last);
	ward_used(ward, &last);
	if (limits_remove(limits, ward->group) == -EBUSY) {
		limits_kill(limits, ward->group);
		if (!patience_is_over(ward))
			return false;
		fail(-EBUSY, "removing the control group %s", ward->group);
	}
	fill_end(ward, end);
	return true;
}

bool ward_ran_out(struct ward *ward, const struct limits *limits)
{
	struct limits_usage now;

	limits_read(limits, ward->group, &now);
	if (now.oom_kills > 0)
		ward->out_of_memory = true;
	return ward->out_of_memory;
}

bool ward_connect(struct ward *ward, const struct limits *limits)
{
	int network = ward->network;

	if (network < 0)
		return false;
	ward->network = -1;
	if (ward->outbound && !ward->outbound->pid && !ward->doomed)
		outbound_start(ward->outbound, limits, network);
	close(network);
	ward_look_at_outbound(ward, limits);
	return ward->outbound && ward->outbound->pid;
}

void ward_look_at_outbound(struct ward *ward, const struct limits *limits)
{
	struct outbound *outbound = ward->outbound;

	if (!outbound)
		return;
	if (outbound_listen(outbound) &&
	        send(ward->status, "g", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		ward_kill(ward, limits);
	outbound_look_at_clock(outbound);
	if (outbound->broken && !ward->doomed)
		ward_kill(ward, limits);
}
