/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mkdir that takes its time: a publish. The kernel holds the directory meanwhile, so at most three seconds;
 * then it fails with EAGAIN, the work goes on, and the same mkdir again succeeds when it is done.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "engine/engine.h"
#include "fs/behaviours/dir.h"
#include "fs/fs.h"
#include "fs/removing.h"

#define PATIENCE_MS 3000

struct making {
	struct request *request; /* NULL: it was answered */
	char *name;              /* the request's, whose own goes with the kernel's message */
	struct fs *fs;
	const struct row *maker;
	mode_t mode;
	void *wait;
	uv_timer_t patience;
	bool done; /* before anybody waited */
	int status;
	uint64_t object;
};

/* On a later turn: until then whoever answers the request may still say its name. */
static void free_making(uv_handle_t *handle)
{
	struct making *making = handle->data;

	free(making->name);
	free(making);
}

static void let_go(struct making *making)
{
	making->request = NULL;
	making->wait = NULL;
	uv_close((uv_handle_t *)&making->patience, free_making);
}

static int finish(struct making *making, struct fuse_entry_param *entry)
{
	struct request *request = making->request;
	struct node child = node_of(making->maker, making->object);
	struct node_attributes changed = {.set = ATTRIBUTE_MODE, .mode = making->mode & 07777};
	int r = 0;

	dir_note_change(request);
	if ((making->mode & 07777) != (making->maker->mode & 07777))
		r = attributes_set(engine_attributes(making->fs->engine), child.ino, &changed);
	return r < 0 ? r : node_entry(request, &child, entry);
}

static void made(void *userdata, int status, uint64_t object, const char *why)
{
	struct making *making = userdata;
	struct request *request = making->request;
	struct fuse_entry_param entry;

	making->status = status;
	making->object = object;
	if (status < 0)
		buf_puts(&request->why, why);
	if (!making->wait) {
		making->done = true;
		return;
	}
	if (status == 0)
		status = finish(making, &entry);
	let_go(making);
	if (status < 0)
		request_end(request, status);
	else
		request_entry(request, &entry);
}

static void leave(struct making *making, int error)
{
	struct request *request = making->request;

	making->maker->each->leave(making->wait);
	let_go(making);
	request_end(request, error);
}

static void interrupted(struct request *request, void *userdata)
{
	leave(userdata, -EINTR);
}

static void out_of_patience(uv_timer_t *timer)
{
	struct making *making = timer->data;

	buf_puts(&making->request->why,
	        "it is not on the disk yet, and goes on: do it again, or use `fnfs publish`");
	leave(making, -EAGAIN);
}

int dir_make_later(struct request *request, const struct row *maker, const char *name, mode_t mode,
        struct fuse_entry_param *entry)
{
	struct making *making = calloc(1, sizeof(*making));
	struct subject subject;
	int r;

	if (!making)
		return -ENOMEM;
	*making = (struct making){.request = request,
	        .name = strdup(name),
	        .fs = request->fs,
	        .maker = maker,
	        .mode = mode};
	if (!making->name) {
		free(making);
		return -ENOMEM;
	}
	uv_timer_init(request->fs->loop, &making->patience);
	making->patience.data = making;
	r = node_subject(request->fs, &request->node, &request->caller, &subject);
	if (r == 0)
		removing_stop(request, subject.function ? subject.function->id : 0);
	subject.row = maker;
	if (r == 0)
		r = maker->each->make_later(
		        &subject, name, made, making, &making->wait, &request->why);
	if (r == 0 && making->wait) {
		request->name = making->name;
		uv_timer_start(&making->patience, out_of_patience, PATIENCE_MS, 0);
		return request_adopt(request, interrupted, making);
	}
	if (r == 0)
		r = making->status < 0 ? making->status : finish(making, entry);
	let_go(making);
	return r;
}
