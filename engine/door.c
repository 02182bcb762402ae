/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gateway's process: started with one end of a socket and nothing else; over it, first of all, come the
 * sockets it listens on and what TLS takes. It is believed as little as whoever speaks to it: what does not
 * fit the protocol ends it. A daemon of root's runs it as nobody.
 */
#include "engine/door.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "base/log.h"
#include "engine/door_private.h"
#include "engine/engine_state.h"
#include "run/launcher.h"
#include "run/watch.h"

enum {
	PROCESSES_MAX = 16,
	PEM_MOST = 30 << 10,
	SECOND_US = 1000 * 1000,
	PAUSE_FIRST_US = 10 * 1000,
	PAUSE_MOST_US = 10 * SECOND_US,
};
#define MEMORY_BYTES (INT64_C(1) << 30)
#define UNSENT_MOST  ((size_t)256 << 20) /* it does not read: something is wrong with it */

static void start(struct door *door);

/* --- its socket ------------------------------------------------------------------------------- */

static void close_link(struct door *door)
{
	door->ready = false;
	door->watch = watch_free(door->watch);
	wire_link_deinit(&door->link);
	door_calls_cancel(door);
}

/* The process follows its socket, if it has not gone before. */
static void give_up(struct door *door, const char *trouble)
{
	if (door->link.fd < 0)
		return;
	snprintf(door->trouble, sizeof(door->trouble), "%s", trouble);
	close_link(door);
	if (door->process)
		process_kill(door->process);
}

static void send_kept(struct door *door)
{
	int r;

	if (door->link.fd < 0 || !wire_link_unsent(&door->link))
		return;
	r = wire_link_flush(&door->link);
	if (r == -ENOMEM || wire_link_unsent(&door->link) > UNSENT_MOST)
		shutdown(door->link.fd, SHUT_RDWR); /* reading tells */
	watch_events(door->watch, UV_READABLE | (r == -EAGAIN ? UV_WRITABLE : 0));
}

/* Before the loop waits again: what was answered in one turn goes out together, and wakes the gateway once. */
static void about_to_wait(uv_prepare_t *prepare)
{
	uv_prepare_stop(prepare);
	send_kept(prepare->data);
}

void door_flush(struct door *door)
{
	uv_prepare_start(door->prepare, about_to_wait);
}

static void prepare_closed(uv_handle_t *prepare)
{
	free(prepare);
}

static int prepare_new(struct door *door)
{
	door->prepare = calloc(1, sizeof(*door->prepare));
	if (!door->prepare)
		return -ENOMEM;
	uv_prepare_init(door->engine->host.loop, door->prepare);
	uv_unref((uv_handle_t *)door->prepare);
	door->prepare->data = door;
	return 0;
}

static bool frame_came(void *userdata, const struct wire_frame *frame)
{
	struct door *door = userdata;

	switch (frame->type) {
	case WIRE_READY:
		door->ready = true;
		door->trouble[0] = 0;
		return true;
	case WIRE_NOTE:
		log_line(LOG_WARNING, "gateway: %.*s", (int)frame->length, frame->payload);
		return true;
	default:
		if (door_call_frame(door, frame))
			return true;
		give_up(door, "the gateway asked for what cannot be");
		return false;
	}
}

static void link_ready(void *userdata, int events)
{
	struct door *door = userdata;
	int r = 0;

	if (events & UV_WRITABLE)
		send_kept(door);
	if (events & UV_READABLE)
		r = wire_link_receive(&door->link, frame_came, door);
	if (r == -EPROTO)
		give_up(door, "the gateway spoke garbage");
	else if (r < 0)
		give_up(door, "the gateway ended");
}

/* --- its start -------------------------------------------------------------------------------- */

static int put_file(struct buf *out, enum wire_field tag, const char *path)
{
	char text[PEM_MOST];
	CLEANUP(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));

	if (n < 0)
		return -errno;
	if (n > 0 && n < (ssize_t)sizeof(text) && !memchr(text, 0, (size_t)n))
		wire_put_bytes(out, tag, text, (size_t)n);
	else
		n = -EINVAL;
	explicit_bzero(text, sizeof(text));
	return n < 0 ? -EINVAL : 0;
}

static int put_certificate(const struct door *door, struct buf *out, struct buf *why)
{
	int r;

	if (!door->certificate)
		return 0;
	r = put_file(out, FIELD_CERTIFICATE, door->certificate);
	if (r < 0) {
		buf_printf(why, "the certificate %s: %s", door->certificate, strerror(-r));
		return r;
	}
	r = put_file(out, FIELD_PRIVATE_KEY, door->private_key);
	if (r < 0)
		buf_printf(why, "the private key %s: %s", door->private_key, strerror(-r));
	return r;
}

/* The first frame, with descriptors; the socket is empty, and takes it as a whole. */
static int send_setup(const struct door *door, int fd, struct buf *why)
{
	CLEANUP(buf_deinit) struct buf fields = BUF_INIT;
	CLEANUP(buf_deinit) struct buf frame = BUF_INIT;
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(DOOR_LISTENERS_MOST * sizeof(int))];
	} control = {0};
	struct iovec io;
	struct msghdr header = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = &control};
	int r = put_certificate(door, &fields, why);

	if (r < 0)
		return r;
	for (size_t i = 0; i < door->listener_count; i++) {
		wire_put(&fields, FIELD_LISTENER, door->listeners[i].kind);
		memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &door->listeners[i].fd,
		        sizeof(int));
	}
	wire_encode(&frame, WIRE_SETUP, 0, fields.data, fields.length);
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(door->listener_count * sizeof(int));
	header.msg_controllen = CMSG_SPACE(door->listener_count * sizeof(int));
	io = (struct iovec){frame.data, frame.length};
	if (fields.failed || frame.failed)
		return -ENOMEM;
	return sendmsg(fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)frame.length ? 0
	                                                                                  : -EIO;
}

static void ended(void *userdata, const struct process_end *end)
{
	struct door *door = userdata;
	bool lasted = alarm_now_us() - door->started_us > PAUSE_MOST_US;

	door->process = NULL;
	give_up(door, "the gateway ended");
	if (door->stopping) {
		engine_settle(door->engine);
		return;
	}
	if (end->failed_to_start)
		snprintf(door->trouble, sizeof(door->trouble), "%s", end->reason);
	else
		snprintf(door->trouble, sizeof(door->trouble), "the gateway ended: %s %d",
		        end->signal ? "signal" : "status",
		        end->signal ? end->signal : end->exit_status);
	log_line(LOG_WARNING, "%s; it is started again", door->trouble);
	door->pause_us = lasted                               ? PAUSE_FIRST_US
	                 : door->pause_us * 4 > PAUSE_MOST_US ? PAUSE_MOST_US
	                                                      : door->pause_us * 4;
	start(door);
}

static int run(struct door *door, int theirs)
{
	const char *const argv[] = {door->gateway_path, NULL};
	const struct errand errand = {
	        .name = "gateway",
	        .argv = argv,
	        .memory_bytes = MEMORY_BYTES,
	        .max_processes = PROCESSES_MAX,
	        .input = theirs,
	};

	return launcher_run_alone(door->engine->launcher, &errand, ended, door, &door->process);
}

static int start_process(struct door *door, struct buf *why)
{
	CLEANUP(close_p) int theirs = -1;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	theirs = pair[1];
	wire_link_init(&door->link, pair[0], WIRE_TO_DAEMON);
	door->watch = watch_new(door->engine->host.loop, pair[0], link_ready, door);
	r = door->watch ? send_setup(door, pair[0], why) : -ENOMEM;
	if (r == 0)
		r = run(door, theirs);
	if (r < 0) {
		close_link(door);
		return r;
	}
	watch_events(door->watch, UV_READABLE);
	door->starts++;
	door->started_us = alarm_now_us();
	return 0;
}

static void start_now(struct alarm *alarm)
{
	struct door *door = container_of(alarm, struct door, again);
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	int r = start_process(door, &why);

	if (r == 0)
		return;
	snprintf(door->trouble, sizeof(door->trouble), "%s", why.length ? why.data : strerror(-r));
	log_line(LOG_ERROR, "the gateway does not start: %s", door->trouble);
	door->pause_us = PAUSE_MOST_US;
	start(door);
}

static void start(struct door *door)
{
	alarm_set(&door->engine->host.alarms, &door->again, door->pause_us, start_now);
}

/* --- life ------------------------------------------------------------------------------------- */

static int copy(char **out, const char *text)
{
	*out = text ? strdup(text) : NULL;
	return text && !*out ? -ENOMEM : 0;
}

int door_new(struct door **out, struct engine *engine, const struct door_options *options,
        struct buf *why)
{
	struct door *door = calloc(1, sizeof(*door));
	int r;

	if (!door)
		return -ENOMEM;
	door->engine = engine;
	door->link.fd = -1;
	door->pause_us = PAUSE_FIRST_US;
	map_init(&door->calls);
	r = prepare_new(door);
	if (r == 0)
		r = copy(&door->gateway_path, options->gateway_path);
	if (r == 0)
		r = copy(&door->certificate, options->certificate);
	if (r == 0)
		r = copy(&door->private_key, options->private_key);
	if (r == 0)
		r = door_listen(door, options, why);
	if (r == 0 && door->listener_count)
		r = start_process(door, why);
	if (r < 0) {
		door_free(door);
		return r;
	}
	*out = door;
	return 0;
}

void door_stop(struct door *door)
{
	if (!door || door->stopping)
		return;
	door->stopping = true;
	alarm_clear(&door->engine->host.alarms, &door->again);
	if (door->link.fd < 0)
		return;
	wire_link_send(&door->link, WIRE_STOP, 0, NULL, 0);
	send_kept(door);
}

void door_end(struct door *door)
{
	if (door)
		give_up(door, "the daemon ends");
}

bool door_idle(const struct door *door)
{
	return !door || (door->stopping && !door->process && !door->pinned);
}

struct door *door_free(struct door *door)
{
	if (!door)
		return NULL;
	alarm_clear(&door->engine->host.alarms, &door->again);
	close_link(door);
	door_close_listeners(door);
	if (door->prepare)
		uv_close((uv_handle_t *)door->prepare, prepare_closed);
	map_deinit(&door->calls);
	free(door->gateway_path);
	free(door->certificate);
	free(door->private_key);
	free(door);
	return NULL;
}

/* --- what is shown ---------------------------------------------------------------------------- */

void door_show_address(const struct door *door, struct buf *out)
{
	for (size_t i = 0; door && i < door->listener_count; i++)
		buf_printf(out, "%s\n", door->listeners[i].address);
}

static const char *state_of(const struct door *door)
{
	return door->stopping ? "stopping" : door->ready ? "ready" : "starting";
}

void door_show_status(const struct door *door, struct buf *out)
{
	if (!door) {
		buf_puts(out, "state absent\n");
		return;
	}
	buf_printf(out, "state %s\n", state_of(door));
	if (door->trouble[0])
		buf_printf(out, "why %s\n", door->trouble);
	buf_printf(out, "pid %d\n", door->process ? (int)process_pid(door->process) : 0);
	buf_printf(out, "starts %" PRIu64 "\n", door->starts);
	buf_printf(out, "calls %" PRIu64 "\n", door->accepted);
	buf_printf(out, "refused %" PRIu64 "\n", door->refused);
	buf_printf(out, "running %zu\n", door->calls.count);
	for (size_t i = 0; i < door->listener_count; i++)
		buf_printf(out, "listens %s%s\n", door->listeners[i].address,
		        strcmp(door->listeners[i].kind, "token") == 0 ? " (by token)" : "");
}

/* --- as the engine has it ---------------------------------------------------------------------- */

int engine_open_door(struct engine *engine, const struct door_options *options, struct buf *why)
{
	return door_new(&engine->door, engine, options, why);
}

void engine_show_gateway_address(struct engine *engine, struct buf *out)
{
	door_show_address(engine->door, out);
}

void engine_show_gateway_status(struct engine *engine, struct buf *out)
{
	door_show_status(engine->door, out);
}

struct tokens *engine_tokens(struct engine *engine)
{
	return engine->tokens;
}
