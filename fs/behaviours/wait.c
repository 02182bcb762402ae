/* SPDX-License-Identifier: Apache-2.0 */
/*
 * results/.wait: write the name of a call, and the read waits until it has ended. It answers with one line, where
 * the call is found: `results/NAME`, `failed/NAME`, or `gone` when it was cancelled or removed. Nobody
 * polls: the queue tells.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "events/queue.h"
#include "fs/access.h"
#include "fs/behaviour.h"
#include "fs/fs.h"
#include "fs/row_ids.h"
#include "fs/views/queue.h"

struct waiting {
	struct handle *handle;
	char name[QUEUE_NAME_LONGEST + 1];
	struct queue_watch watch;
	bool asked, ended;
	size_t given; /* bytes of the answer that were read */
	struct buf answer;
	struct list readers; /* struct reader, parked */
};

struct reader {
	struct list link;
	struct request *request;
	size_t size;
};

static int check_access(const struct subject *subject)
{
	return access_row(subject,
	        &(struct access_place){.row = subject->alias     ? ROW_ALIAS_RESULTS
	                                      : subject->version ? ROW_VERSION_RESULTS
	                                                         : ROW_RESULTS,
	                .object = subject->object,
	                .mode = 0755,
	                .uid = subject->uid,
	                .gid = subject->gid},
	        ACCESS_READ | ACCESS_SEARCH);
}

static int open_wait(struct request *request, struct handle *handle, struct fuse_file_info *info)
{
	struct waiting *waiting;
	struct subject subject;
	int r = node_subject(request->fs, &handle->node, &request->caller, &subject);

	if (r == 0)
		r = check_access(&subject);
	if (r < 0)
		return r;
	waiting = calloc(1, sizeof(*waiting));
	if (!waiting)
		return -ENOMEM;
	waiting->handle = handle;
	list_init(&waiting->readers);
	list_init(&waiting->watch.link);
	handle->state = waiting;
	info->direct_io = 1;
	info->nonseekable = 1;
	info->noflush = 1;
	return 0;
}

/* --- the answer ------------------------------------------------------------------------------- */

static int give(struct waiting *waiting, struct request *request, size_t size)
{
	size_t left = waiting->answer.length - waiting->given;
	size_t length = left < size ? left : size;
	int r = request_data(
	        request, waiting->answer.data ? waiting->answer.data + waiting->given : "", length);

	waiting->given += length;
	return r;
}

static void tell(struct waiting *waiting, enum queue_place place)
{
	struct reader *reader;

	if (place == QUEUE_GONE)
		buf_puts(&waiting->answer, "gone\n");
	else
		buf_printf(&waiting->answer, "%s/%s\n",
		        place == QUEUE_RESULT ? "results" : "failed", waiting->name);
	waiting->ended = true;
	while ((reader = list_first(&waiting->readers, struct reader, link))) {
		list_unlink(&reader->link);
		give(waiting, reader->request, reader->size);
		free(reader);
	}
	handle_wake(waiting->handle);
}

static void ended(struct queue_watch *watch, enum queue_place place)
{
	tell(container_of(watch, struct waiting, watch), place);
}

/* --- the conversation ------------------------------------------------------------------------- */

static int take_name(struct waiting *waiting, const char *data, size_t size)
{
	while (size && (data[size - 1] == '\n' || data[size - 1] == ' '))
		size--;
	if (!size || size > QUEUE_NAME_LONGEST || memchr(data, 0, size))
		return -EINVAL;
	memcpy(waiting->name, data, size);
	waiting->name[size] = 0;
	return 0;
}

static int watch(struct waiting *waiting, struct queue *queue, const struct queue_target *target)
{
	struct queue_info info;
	int r = queue_find(queue, target, waiting->name, &info);

	if (r < 0)
		return r;
	waiting->asked = true;
	waiting->watch.ended = ended;
	r = queue_watch(queue, info.entry, &waiting->watch);
	if (r > 0)
		tell(waiting, info.place);
	return r < 0 ? r : 0;
}

static int write_wait(
        struct request *request, struct handle *handle, const char *data, size_t size, off_t offset)
{
	struct waiting *waiting = handle->state;
	struct queue_target target;
	struct subject subject;
	int r = node_subject(request->fs, &handle->node, &request->caller, &subject);

	if (r == 0 && waiting->asked)
		r = -EBUSY;
	if (r == 0)
		r = take_name(waiting, data, size);
	if (r < 0)
		return r;
	target = queue_target_of(&subject);
	r = watch(waiting, engine_queue(request->fs->engine), &target);
	if (r == -ENOENT)
		buf_puts(&request->why, "there is no call of this name");
	return r;
}

static void interrupted(struct request *request, void *userdata)
{
	struct reader *reader = userdata;

	list_unlink(&reader->link);
	free(reader);
	request_end(request, -EINTR);
}

static int read_wait(struct request *request, struct handle *handle, size_t size, off_t offset)
{
	struct waiting *waiting = handle->state;
	struct reader *reader;

	if (!waiting->asked || waiting->ended)
		return give(waiting, request, size);
	if (request_nonblocking(request))
		return -EAGAIN;
	reader = malloc(sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	*reader = (struct reader){.request = request, .size = size};
	list_append(&waiting->readers, &reader->link);
	return request_adopt(request, interrupted, reader);
}

static unsigned poll_wait(struct handle *handle)
{
	const struct waiting *waiting = handle->state;

	return POLLOUT | POLLWRNORM | (!waiting->asked || waiting->ended ? POLLIN | POLLRDNORM : 0);
}

static void release_wait(struct handle *handle)
{
	struct waiting *waiting = handle->state;
	struct reader *reader;

	while ((reader = list_first(&waiting->readers, struct reader, link)))
		interrupted(reader->request, reader);
	queue_unwatch(&waiting->watch);
	buf_deinit(&waiting->answer);
	free(waiting);
}

const struct behaviour wait_behaviour = {
        .name = "wait",
        .open = open_wait,
        .read = read_wait,
        .write = write_wait,
        .poll = poll_wait,
        .release = release_wait,
};
