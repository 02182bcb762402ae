/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fnfs-guardian: parent of all sandboxes of one daemon. Single-threaded, and small for its whole life, so
 * that forking costs nothing; in a session of its own, so that a Ctrl-C meant for a foreground daemon
 * does not reach it; subreaper, so that nothing below it gets away.
 *
 *	daemon --START--> guardian --fork--> bwrap --clone--> init --vfork--> runtime
 *	       <-STARTED-                       (status packets) <---- 'p' 'r' 'e'
 *	       --KILL--->
 *	       <--ENDED--   when nothing of it is left
 *
 * Descriptor 3 is the socket to the daemon. When it ends, the daemon is gone, and all this goes too. It
 * polls nothing while it is idle; it looks again after some milliseconds only while something ends,
 * and samples memory only where control groups cannot be had.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "base/log.h"
#include "run/guardian.h"

enum {
	CHANNEL = 3,
	LOOK_AGAIN_MS = 5,
};

enum source {
	FROM_DAEMON,
	FROM_SIGNAL,
	FROM_STATUS,
	FROM_MEMORY,
	FROM_OUTBOUND,
	FROM_PRESSURE,
	SOURCE_BITS = 3,
};

static void watch(
        struct guardian *guardian, int fd, uint32_t events, enum source source, uint64_t id)
{
	struct epoll_event event = {.events = events, .data.u64 = id << SOURCE_BITS | source};

	if (fd >= 0 && epoll_ctl(guardian->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		fail(-errno, "watching a descriptor");
}

static void watch_outbox(struct guardian *guardian)
{
	bool waits = !list_empty(&guardian->outbox.waiting);
	struct epoll_event event = {
	        .events = EPOLLIN | (waits ? EPOLLOUT : 0), .data.u64 = FROM_DAEMON};

	epoll_ctl(guardian->epoll, EPOLL_CTL_MOD, CHANNEL, &event);
}

/* The message is in guardian->message. */
static int send_message(struct guardian *guardian, const int *descriptors)
{
	bool waited = !list_empty(&guardian->outbox.waiting);
	int error = outbox_send(&guardian->outbox, CHANNEL, &guardian->message, descriptors);

	if (error == -EPIPE)
		guardian->daemon_gone = true;
	if (waited != !list_empty(&guardian->outbox.waiting))
		watch_outbox(guardian);
	return error;
}

void guardian_tell(struct guardian *guardian, enum message_type type, uint64_t id, const void *body,
        size_t length)
{
	message_begin(&guardian->message, type, id);
	buf_append(&guardian->message, body, length);
	send_message(guardian, NULL);
}

void guardian_tell_started(struct guardian *guardian, struct ward *ward, const int *descriptors)
{
	const struct message_started started = {.pid = ward->runtime, .waited = ward->was_spare};

	message_begin(&guardian->message, MESSAGE_STARTED, ward->id);
	buf_append(&guardian->message, &started, sizeof(started));
	message_string(&guardian->message, ward->group);
	if (send_message(guardian, descriptors) < 0 && descriptors)
		ward_kill(ward, &guardian->limits); /* nobody has the ends of its pipes */
}

/* Our log is the daemon's. `TIME LEVEL ` is added there. */
static void log_to_daemon(void *userdata, const char *line, size_t length)
{
	const char *text = memchr(line, ' ', length);

	text = text ? memchr(text + 1, ' ', length - (size_t)(text + 1 - line)) : NULL;
	if (text && text[1])
		guardian_tell(
		        userdata, MESSAGE_LOG, 0, text + 1, length - (size_t)(text + 2 - line));
}

static void say_hello(struct guardian *guardian)
{
	const struct message_hello hello = {.overlays = guardian->sandbox.overlays};
	struct buf body = BUF_INIT;

	buf_append(&body, &hello, sizeof(hello));
	limits_store(&guardian->limits, &body);
	guardian_tell(guardian, MESSAGE_HELLO, 0, body.data, body.length);
	buf_deinit(&body);
}

void guardian_take_in(struct guardian *guardian, struct ward *ward, uint64_t id)
{
	list_append(&guardian->wards, &ward->link);
	map_put(&guardian->by_id, id, ward);
	watch(guardian, ward->status, EPOLLIN, FROM_STATUS, id);
	watch(guardian, ward->memory_event, EPOLLIN, FROM_MEMORY, id);
	guardian->sample_ms = 0;
	if (ward->errand)
		guardian_tell_started(guardian, ward, NULL);
}

void guardian_rename(struct guardian *guardian, struct ward *ward, uint64_t id)
{
	map_remove(&guardian->by_id, ward->id);
	list_unlink(&ward->link);
	epoll_ctl(guardian->epoll, EPOLL_CTL_DEL, ward->status, NULL);
	if (ward->memory_event >= 0)
		epoll_ctl(guardian->epoll, EPOLL_CTL_DEL, ward->memory_event, NULL);
	ward->id = id;
	guardian_take_in(guardian, ward, id);
}

static void obey(struct guardian *guardian, const char *data, size_t length,
        const int descriptors[MESSAGE_DESCRIPTORS])
{
	struct ward *ward;
	struct message message;

	if (length < sizeof(message))
		return;
	memcpy(&message, data, sizeof(message));
	if (message.type == MESSAGE_START) {
		guardian_start(guardian, message.process, data + sizeof(message),
		        length - sizeof(message), descriptors);
	} else if (message.type == MESSAGE_RUN) {
		guardian_run_errand(guardian, message.process, data + sizeof(message),
		        length - sizeof(message), descriptors);
	} else if (message.type == MESSAGE_KILL) {
		ward = map_get(&guardian->by_id, message.process);
		guardian_sample_at_last(guardian);
		if (ward)
			ward_kill(ward, &guardian->limits);
		else
			guardian_cancel(guardian, message.process);
	} else if (message.type == MESSAGE_TERMINATE) {
		ward = map_get(&guardian->by_id, message.process);
		if (ward)
			ward_terminate(ward);
	}
}

static void hear_daemon(struct guardian *guardian, uint32_t events)
{
	int descriptors[MESSAGE_DESCRIPTORS];
	ssize_t length;

	if (events & EPOLLOUT) {
		outbox_flush(&guardian->outbox, CHANNEL);
		watch_outbox(guardian);
	}
	while ((length = message_receive(CHANNEL, guardian->incoming, descriptors)) > 0) {
		obey(guardian, guardian->incoming, (size_t)length, descriptors);
		for (size_t i = 0; i < MESSAGE_DESCRIPTORS; i++)
			close_fd(descriptors[i]);
	}
	if (length != -EAGAIN)
		guardian->daemon_gone = true;
}

static void hear_status(struct guardian *guardian, struct ward *ward, uint32_t events)
{
	bool is_spare = ward->spare;

	if (ward_listen(ward, &guardian->limits) && !is_spare)
		guardian_tell_started(guardian, ward, NULL);
	if (is_spare)
		spares_hear(guardian, ward);
	if (ward_connect(ward, &guardian->limits))
		watch(guardian, ward->outbound->words, EPOLLIN, FROM_OUTBOUND, ward->id);
	/* Everybody who could say something is gone; SIGCHLD tells the rest. */
	if (events & EPOLLHUP)
		epoll_ctl(guardian->epoll, EPOLL_CTL_DEL, ward->status, NULL);
}

static void hear_outbound(struct guardian *guardian, struct ward *ward, uint32_t events)
{
	ward_look_at_outbound(ward, &guardian->limits);
	if (events & EPOLLHUP)
		epoll_ctl(guardian->epoll, EPOLL_CTL_DEL, ward->outbound->words, NULL);
}

static struct ward *find_by_pid(struct guardian *guardian, pid_t pid)
{
	struct ward *ward;

	list_each(ward, &guardian->wards, link)
		if (ward->bubblewrap == pid || (ward->born && ward->runtime == pid) ||
		        (ward->outbound && ward->outbound->pid == pid))
			return ward;
	return NULL;
}

static void reap(struct guardian *guardian)
{
	struct ward *ward;
	struct rusage usage;
	int status;
	pid_t pid;

	while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
		ward = find_by_pid(guardian, pid);
		if (ward && ward->bubblewrap == pid)
			ward_reaped(ward, status, &usage);
		else if (ward && ward->born && ward->runtime == pid)
			ward_program_reaped(
			        ward, status, &usage, limits_has(&guardian->limits, LIMITS_MEMORY));
		else if (ward)
			outbound_reaped(ward->outbound, status);
		else
			spares_reaped(guardian, pid);
	}
}

static void hear_signals(struct guardian *guardian)
{
	struct signalfd_siginfo signals[8];

	while (read(guardian->signals, signals, sizeof(signals)) > 0)
		continue;
	reap(guardian);
}

static void bury(struct guardian *guardian)
{
	struct ward *ward, *following;
	struct process_end end;
	bool of_daemon;
	uint64_t id;

	list_each_safe(ward, following, &guardian->wards, link) {
		if (!ward_over(ward, &guardian->limits, &end))
			continue;
		if (!ward->init)
			guardian_kill_orphans(guardian);
		id = ward->id;
		map_remove(&guardian->by_id, id);
		of_daemon = !ward->spare;
		if (ward->spare)
			spares_lose(guardian, ward);
		ward_free(ward); /* before it is told, which means that nothing is left */
		if (of_daemon)
			guardian_tell(guardian, MESSAGE_ENDED, id, &end, sizeof(end));
	}
}

static bool something_ends(const struct guardian *guardian)
{
	struct ward *ward;

	list_each(ward, &guardian->wards, link)
		if (!ward->bubblewrap)
			return true;
	return false;
}

static int shorter(int patience, int other)
{
	return other >= 0 && (patience < 0 || other < patience) ? other : patience;
}

static int patience_ms(const struct guardian *guardian)
{
	int patience = shorter(guardian_memory_patience_ms(guardian), spares_patience_ms(guardian));
	struct ward *ward;

	if (something_ends(guardian))
		return shorter(patience, LOOK_AGAIN_MS);
	list_each(ward, &guardian->wards, link)
		if (ward->outbound)
			patience = shorter(patience, outbound_patience_ms(ward->outbound));
	return patience;
}

static void hear(struct guardian *guardian, const struct epoll_event *event)
{
	enum source source = (enum source)(event->data.u64 & ((1 << SOURCE_BITS) - 1));
	struct ward *ward;

	if (source == FROM_DAEMON) {
		hear_daemon(guardian, event->events);
		return;
	}
	if (source == FROM_SIGNAL) {
		hear_signals(guardian);
		return;
	}
	if (source == FROM_PRESSURE) {
		spares_hear_pressure(guardian);
		return;
	}
	ward = map_get(&guardian->by_id, event->data.u64 >> SOURCE_BITS);
	if (ward && source == FROM_STATUS)
		hear_status(guardian, ward, event->events);
	else if (ward && source == FROM_OUTBOUND)
		hear_outbound(guardian, ward, event->events);
	else if (ward)
		guardian_hear_memory(guardian, ward);
}

static void look_at_outbound(struct guardian *guardian)
{
	struct ward *ward;

	list_each(ward, &guardian->wards, link)
		if (ward->outbound)
			ward_look_at_outbound(ward, &guardian->limits);
}

static void turn(struct guardian *guardian)
{
	struct epoll_event events[32];
	int count = epoll_wait(guardian->epoll, events, ARRAY_SIZE(events), patience_ms(guardian));

	for (int i = 0; i < count; i++)
		hear(guardian, &events[i]);
	guardian_look_at_memory(guardian);
	guardian_sample_memory(guardian);
	look_at_outbound(guardian);
	bury(guardian);
	spares_turn(guardian);
}

static void end_everything(struct guardian *guardian)
{
	struct ward *ward;
	int status;

	epoll_ctl(guardian->epoll, EPOLL_CTL_DEL, CHANNEL, NULL);
	spares_deinit(guardian);
	list_each(ward, &guardian->wards, link)
		ward_kill(ward, &guardian->limits);
	while (!list_empty(&guardian->wards))
		turn(guardian);
	/* No child at all: nobody is left, for what loses its parent becomes our child. */
	while (waitpid(-1, &status, WNOHANG) >= 0) {
		guardian_kill_orphans(guardian);
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
}

static int guardian_init(struct guardian *guardian, const char *state_dir)
{
	sigset_t children;

	memset(guardian, 0, sizeof(*guardian));
	list_init(&guardian->wards);
	map_init(&guardian->by_id);
	outbox_init(&guardian->outbox);
	guardian->incoming = malloc(MESSAGE_SIZE_MAX);
	guardian->epoll = epoll_create1(EPOLL_CLOEXEC);
	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	sigprocmask(SIG_BLOCK, &children, NULL);
	guardian->signals = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
	if (!guardian->incoming || guardian->epoll < 0 || guardian->signals < 0)
		return -ENOMEM;
	message_prepare_socket(CHANNEL);
	watch(guardian, CHANNEL, EPOLLIN, FROM_DAEMON, 0);
	watch(guardian, guardian->signals, EPOLLIN, FROM_SIGNAL, 0);
	log_set_sink(log_to_daemon, guardian);
	limits_find(&guardian->limits, state_dir, getppid());
	spares_init(guardian);
	watch(guardian, guardian->spares.pressure, EPOLLPRI, FROM_PRESSURE, 0);
	return sandbox_init(&guardian->sandbox, state_dir);
}

static void guardian_deinit(struct guardian *guardian)
{
	log_set_sink(NULL, NULL);
	limits_end(&guardian->limits);
	sandbox_deinit(&guardian->sandbox);
	outbox_deinit(&guardian->outbox);
	map_deinit(&guardian->by_id);
	buf_deinit(&guardian->message);
	errand_view_deinit(&guardian->view);
	close_fd(guardian->epoll);
	close_fd(guardian->signals);
	free(guardian->incoming);
}

int main(int argc, char **argv)
{
	struct guardian guardian;

	if (argc == 2 && strcmp(argv[1], "--try") == 0)
		return guardian_try_sandbox();
	if (argc != 2 || fcntl(CHANNEL, F_SETFD, FD_CLOEXEC) < 0) {
		fprintf(stderr, "fnfs-guardian is started by the daemon, never by hand\n");
		return 2;
	}
	if (guardian_init(&guardian, argv[1]) < 0)
		return 1;
	errand_view_init(&guardian.view);
	guardian_prepare_process(); /* last, for then /proc/self/exe may not be found any more */
	sandbox_try_overlays(&guardian.sandbox, argv[1]);
	say_hello(&guardian);
	while (!guardian.daemon_gone)
		turn(&guardian);
	end_everything(&guardian);
	guardian_deinit(&guardian);
	return 0;
}
