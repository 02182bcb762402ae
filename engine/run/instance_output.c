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

#define OUTPUT_READ_SIZE (64 * 1024)

static struct invocation *only_invocation(struct instance *instance)
{
	return instance->running_count == 1
	               ? list_first(&instance->running, struct invocation, link)
	               : NULL;
}

/* Reads what is there; false at its end. With `all` it goes on although the log is congested. */
bool instance_take_output(struct instance *instance, bool all)
{
	struct pool *pool = instance->pool;
	char data[OUTPUT_READ_SIZE];
	int turn;

	for (turn = 0; turn < 16; turn++) {
		ssize_t n;

		if (!all && pool->events->congested(pool->userdata)) {
			watch_events(instance->output_watch, 0);
			return true;
		}
		n = read(instance->output, data, sizeof(data));
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		if (!n)
			return false;
		pool->events->output(
		        pool->userdata, instance, only_invocation(instance), data, (size_t)n);
		if (n < (ssize_t)sizeof(data))
			return true;
	}
	return true;
}

/* Of a process that is gone: the pipe is bounded, and nobody else holds its other end. */
void instance_take_all_output(struct instance *instance)
{
	int waiting = 0;

	do
		instance_take_output(instance, true);
	while (ioctl(instance->output, FIONREAD, &waiting) == 0 && waiting > 0);
}

static void output_ready(void *userdata, int events)
{
	struct instance *instance = userdata;

	if (!instance_take_output(instance, false))
		watch_events(instance->output_watch, 0);
}

void instance_read_output(struct instance *instance)
{
	instance_take_output(instance, false);
}

void instance_resume_output(struct instance *instance)
{
	if (instance->output_watch)
		watch_events(instance->output_watch, UV_READABLE);
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

int instance_take_output_from(struct instance *instance, int output)
{
	instance->output_watch = watch_free(instance->output_watch);
	close_fd(instance->output);
	instance->output = output;
	instance->output_watch =
	        watch_new(instance->pool->host->loop, instance->output, output_ready, instance);
	if (!instance->output_watch)
		return -ENOMEM;
	watch_events(instance->output_watch, UV_READABLE);
	return 0;
}
