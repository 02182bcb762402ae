/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/fs.h"
#include "fs/attention.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "fs/behaviour.h"
#include "fs/behaviours/call.h"
#include "fs/behaviours/code.h"
#include "fs/behaviours/files.h"
#include "fs/behaviours/snapshot.h"
#include "fs/news.h"
#include "fs/scratch.h"
#include "fs/teller.h"
#include "fs/removing.h"
#include "fs/texts.h"

static void fs_free_p(struct fs **fs)
{
	fs_free(*fs);
}

int fs_new(struct fs **out, const struct fs_options *options)
{
	CLEANUP(fs_free_p) struct fs *fs = calloc(1, sizeof(*fs));
	int r;

	if (!fs)
		return fail(-ENOMEM, "making the file system");
	fs->engine = options->engine;
	fs->loop = options->loop;
	fs->clock = options->clock;
	fs->state_fd = options->state_fd;
	fs->started_us = clock_wall_us(fs->clock);
	fs->gid = getgid();
	tree_index(&fs->tree);
	r = requests_new(&fs->requests, fs);
	if (r < 0)
		return r;
	r = teller_new(&fs->teller, fs->loop);
	if (r < 0)
		return r;
	fs->attention = attention_new(fs->loop);
	fs->handles = handles_new();
	fs->texts = texts_new(fs);
	fs->scratch = scratch_new(fs);
	fs->files = files_new(fs);
	if (!fs->attention || !fs->handles || !fs->texts || !fs->scratch || !fs->files)
		return fail(-ENOMEM, "making the file system");
	r = code_new(&fs->code, fs);
	if (r == 0)
		r = snapshots_new(&fs->snapshots);
	if (r < 0)
		return r;
	engine_set_front(fs->engine, &news_front, fs);
	*out = take(fs);
	return 0;
}

void fs_stop(struct fs *fs)
{
	struct handle *handle;

	requests_interrupt_all(fs->requests);
	while ((handle = handles_first(fs->handles))) {
		const struct behaviour *behaviour = handle->node.row->behaviour;

		if (behaviour->release)
			behaviour->release(handle);
		handle_free(handle);
	}
}

bool fs_idle(const struct fs *fs)
{
	return teller_idle(fs->teller) && requests_idle(fs->requests);
}

struct fs *fs_free(struct fs *fs)
{
	if (!fs)
		return NULL;
	engine_set_front(fs->engine, NULL, NULL);
	fs->code = code_free(fs->code);
	fs->snapshots = snapshots_free(fs->snapshots);
	call_deinit(fs);
	fs->files = files_free(fs->files);
	fs->texts = texts_free(fs->texts);
	fs->scratch = scratch_free(fs->scratch);
	fs->handles = handles_free(fs->handles);
	fs->requests = requests_free(fs->requests);
	fs->attention = attention_free(fs->attention);
	fs->teller = teller_free(fs->teller);
	fs->removing = removing_free(fs->removing);
	map_deinit(&fs->generations);
	map_deinit(&fs->changed_us);
	free(fs);
	return NULL;
}
