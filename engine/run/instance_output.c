/* SPDX-License-Identifier: Apache-2.0 */
/* What the code prints to its standard output and error: one pipe, read as far as the log can take. */
#include "run/instance_private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "run/host.h"
#include "run/invocation.h"
#include "run/pool.h"
#include "run/watch.h"

/* What a pipe holds that nobody has widened. */
#define OUTPUT_MOST (64u * 1024)

/* Where much is printed the two sides need not take turns for every bit. */
#define PIPE_WIDE (256 * 1024)

/*
 * A turn of the loop takes so much of one instance as it takes lines out of in about this time, and then it is
 * the turn of others. Who prints more is slowed down by its own full pipe.
 */
#define TURN_NS    50000
#define TURN_FIRST (16u * 1024)
#define TURN_LEAST (4u * 1024)

/*
 * While calls of others come, one after the other within this time, it gets one turn of TURN_FIRST in each millisecond:
 * what prints, what takes lines out of it and what writes them would else keep all processors busy, and each call
 * would wait for the end of their slices.
 */
#define OTHERS_US (INT64_C(2) * 1000)
#define PAUSE_US  (INT64_C(1) * 1000)

static struct invocation *only_invocation(struct instance *instance)
{
	return instance->running_count == 1
	               ? list_first(&instance->running, struct invocation, link)
	               : NULL;
}

/* How much there was, 0: nothing yet, or -EPIPE at the end. */
static ssize_t take_once(struct instance *instance, size_t most)
{
	struct pool *pool = instance->pool;
	char data[OUTPUT_MOST];
	ssize_t n = read(instance->output, data, most);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -EPIPE;
	if (n == 0)
		return -EPIPE;
	pool->events->output(pool->userdata, instance, only_invocation(instance), data, (size_t)n);
	return n;
}

static bool is_congested(struct instance *instance)
{
	struct pool *pool = instance->pool;

	if (!pool->events->congested(pool->userdata))
		return false;
	watch_events(instance->output_watch, 0);
	return true;
}

/* What is there now: who goes on printing is not waited for. */
void instance_read_output(struct instance *instance)
{
	int left;

	if (ioctl(instance->output, FIONREAD, &left) < 0)
		return;
	while (left > 0) {
		size_t most = left < (int)OUTPUT_MOST ? (size_t)left : OUTPUT_MOST;
		ssize_t n = take_once(instance, most);

		if (n < (ssize_t)most)
			return; /* that was all */
		left -= (int)n;
	}
}

/* Of a process that is gone: the pipe is bounded, and nobody else holds its other end. */
void instance_take_all_output(struct instance *instance)
{
	int waiting = 0;

	do
		instance_read_output(instance);
	while (ioctl(instance->output, FIONREAD, &waiting) == 0 && waiting > 0);
}

/* What follows from how long it took: lines may be short or long, plain or not. */
static size_t next_turn(size_t taken, uint64_t took_ns)
{
	size_t wanted = took_ns ? taken * TURN_NS / took_ns : OUTPUT_MOST;
	size_t next = (taken + wanted) / 2;

	return next < TURN_LEAST ? TURN_LEAST : next > OUTPUT_MOST ? OUTPUT_MOST : next;
}

static bool others_call(const struct instance *instance)
{
	const struct host *host = instance->pool->host;

	return host->called_us && host->called != instance->pool &&
	       alarm_now_us() - host->called_us < OTHERS_US;
}

static void pause_over(struct alarm *alarm)
{
	watch_events(container_of(alarm, struct instance, output_pause)->output_watch, UV_READABLE);
}

/* Much is there, and the next turn may wait. */
static void rest(struct instance *instance)
{
	if (alarm_set(&instance->pool->host->alarms, &instance->output_pause, PAUSE_US,
	            pause_over) == 0)
		watch_events(instance->output_watch, 0);
}

static void output_ready(void *userdata, int events)
{
	struct instance *instance = userdata;
	size_t most = instance->output_turn ? instance->output_turn : TURN_FIRST;
	bool others = others_call(instance);
	uint64_t begun_ns = uv_hrtime();
	ssize_t n;

	if (is_congested(instance))
		return;
	if (others && most > TURN_FIRST)
		most = TURN_FIRST;
	n = take_once(instance, most);
	if (n < 0)
		watch_events(instance->output_watch, 0);
	if (n < (ssize_t)most)
		return;
	if (!instance->output_turn) /* the first time; refused, it stays as it is */
		fcntl(instance->output, F_SETPIPE_SZ, PIPE_WIDE);
	instance->output_turn = next_turn(most, uv_hrtime() - begun_ns);
	if (others)
		rest(instance);
}

void instance_resume_output(struct instance *instance)
{
	if (instance->output_watch)
		watch_events(instance->output_watch, UV_READABLE);
	if (instance->channel.paused)
		channel_pause(&instance->channel, false);
}

int instance_open_output(struct instance *instance, int *runtimes)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	*runtimes = ends[1];
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	return instance_take_output_from(instance, ends[0]);
}

void instance_close_output(struct instance *instance)
{
	alarm_clear(&instance->pool->host->alarms, &instance->output_pause);
	instance->output_watch = watch_free(instance->output_watch);
	instance->output = close_fd(instance->output);
}

int instance_take_output_from(struct instance *instance, int output)
{
	instance_close_output(instance);
	instance->output = output;
	instance->output_watch =
	        watch_new(instance->pool->host->loop, instance->output, output_ready, instance);
	if (!instance->output_watch)
		return -ENOMEM;
	watch_events(instance->output_watch, UV_READABLE);
	return 0;
}
