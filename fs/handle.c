/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/handle.h"

#include <assert.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "fs/fs.h"
#include "fs/peer.h"

#define HANDLES_KEPT 256

struct handles {
	struct list free;
	unsigned free_count;
	struct list open;
};

struct handles *handles_new(void)
{
	struct handles *handles = calloc(1, sizeof(*handles));

	if (!handles)
		return NULL;
	list_init(&handles->free);
	list_init(&handles->open);
	return handles;
}

struct handles *handles_free(struct handles *handles)
{
	if (!handles)
		return NULL;
	assert(list_empty(&handles->open));
	while (!list_empty(&handles->free)) {
		struct handle *handle = list_first(&handles->free, struct handle, link);

		list_unlink(&handle->link);
		free(handle);
	}
	free(handles);
	return NULL;
}

struct handle *handle_new(
        struct fs *fs, const struct node *node, const struct caller *opener, int flags)
{
	struct handles *handles = fs->handles;
	struct handle *handle = list_first(&handles->free, struct handle, link);

	if (handle) {
		list_unlink(&handle->link);
		handles->free_count--;
	} else {
		handle = malloc(sizeof(*handle));
	}
	if (!handle)
		return NULL;
	*handle = (struct handle){.fs = fs, .node = *node, .flags = flags, .opener = *opener};
	list_init(&handle->link);
	list_append(&handles->open, &handle->all);
	return handle;
}

struct handle *handle_free(struct handle *handle)
{
	struct handles *handles;

	if (!handle)
		return NULL;
	handles = handle->fs->handles;
	assert(list_empty(&handle->link));
	handle_set_poll(handle, NULL);
	list_unlink(&handle->all);
	if (handles->free_count == HANDLES_KEPT) {
		free(handle);
		return NULL;
	}
	handles->free_count++;
	list_append(&handles->free, &handle->link);
	return NULL;
}

struct handle *handles_first(struct handles *handles)
{
	return list_first(&handles->open, struct handle, all);
}

void handle_set_poll(struct handle *handle, struct fuse_pollhandle *poll)
{
	if (handle->poll)
		fuse_pollhandle_destroy(handle->poll);
	handle->poll = poll;
}

void handle_wake(struct handle *handle)
{
	if (!handle->poll)
		return;
	fuse_lowlevel_notify_poll(handle->poll);
	handle_set_poll(handle, NULL);
}

bool handle_is_opener(const struct handle *handle, const struct caller *caller)
{
	return peer_same_process(handle->opener.pid, caller->pid);
}
