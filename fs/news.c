/* SPDX-License-Identifier: Apache-2.0 */
/* A directory that goes takes with it all that the kernel knows below it. */
#include "fs/news.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "fs/fs.h"
#include "fs/node.h"
#include "fs/row_ids.h"
#include "fs/teller.h"

struct news {
	struct telling telling;
	struct fuse_session *fuse;
	uint64_t directory;
	struct buf names;
	void (*done)(void *userdata);
	void *userdata;
};

static const uint16_t rows[] = {
        [ENTRIES_OF_FUNCTIONS] = ROW_FUNCTIONS,
        [ENTRIES_OF_ALIASES] = ROW_ALIASES,
        [ENTRIES_OF_CODE] = ROW_CODE,
};

static void notify(struct telling *telling)
{
	struct news *news = container_of(telling, struct news, telling);
	const char *name = news->names.data, *end = name + news->names.length;

	for (; name < end; name += strlen(name) + 1)
		fuse_lowlevel_notify_inval_entry(news->fuse, news->directory, name, strlen(name));
	fuse_lowlevel_notify_inval_inode(news->fuse, news->directory, -1, 0);
}

static void notified(struct telling *telling)
{
	struct news *news = container_of(telling, struct news, telling);

	news->done(news->userdata);
	buf_deinit(&news->names);
	free(news);
}

static void changed(void *userdata, enum engine_entries where, uint64_t object,
        const struct buf *names, void (*done)(void *userdata), void *done_userdata)
{
	struct fs *fs = userdata;
	struct news *news = fs->fuse ? calloc(1, sizeof(*news)) : NULL;

	if (!news) {
		done(done_userdata);
		return;
	}
	news->telling = (struct telling){.tell = notify, .told = notified};
	list_init(&news->telling.link);
	news->fuse = fs->fuse;
	news->directory = node_of(fs->tree.rows[rows[where]], object).ino;
	buf_append(&news->names, names->data, names->length);
	news->done = done;
	news->userdata = done_userdata;
	if (news->names.failed || teller_add(fs->teller, &news->telling) < 0) {
		fail(-ENOMEM, "telling the kernel what changed");
		buf_deinit(&news->names);
		free(news);
		done(done_userdata);
	}
}

const struct engine_front news_front = {changed};
