/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/publish_wait.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/snapshot.h"

struct publish_wait {
	struct list link;
	publish_done_fn done;
	void *userdata;
};

int publish_wait_join(
        struct list *waits, publish_done_fn done, void *userdata, struct publish_wait **out)
{
	struct publish_wait *wait = calloc(1, sizeof(*wait));

	if (!wait)
		return -ENOMEM;
	wait->done = done;
	wait->userdata = userdata;
	list_append(waits, &wait->link);
	*out = wait;
	return 0;
}

void publish_waits_tell(struct list *waits, int status, uint64_t version, const char *why)
{
	struct publish_wait *wait;
	struct list told;

	list_move_all(waits, &told);
	while ((wait = list_first(&told, struct publish_wait, link))) {
		list_unlink(&wait->link);
		wait->done(wait->userdata, status, version, why);
		free(wait);
	}
}

void publish_wait_leave(struct publish_wait *wait)
{
	list_unlink(&wait->link);
	free(wait);
}

struct store_snapshot publish_snapshot(const struct snapshot_summary *summary)
{
	struct store_snapshot snapshot = {
	        .files = summary->files,
	        .directories = summary->directories,
	        .bytes = summary->bytes,
	        .added_bytes = summary->added_bytes,
	};

	_Static_assert(sizeof(snapshot.root) == sizeof(summary->root.bytes), "one kind of id");
	memcpy(snapshot.root, summary->root.bytes, sizeof(snapshot.root));
	return snapshot;
}
