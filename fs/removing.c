/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/removing.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "fs/fs.h"
#include "fs/request.h"

#define AT_ONCE   64        /* removals under way; the one that rested longest is forgotten */
#define WITHIN_US 120000000 /* between two steps */

struct removal {
	uint64_t function; /* 0: free */
	struct caller caller;
	int64_t last_us;
	struct node *later;
	unsigned count;
};

struct removing {
	struct removal removals[AT_ONCE];
};

static void forget(struct removal *removal)
{
	free(removal->later);
	*removal = (struct removal){};
}

struct removing *removing_free(struct removing *removing)
{
	for (unsigned i = 0; removing && i < AT_ONCE; i++)
		forget(&removing->removals[i]);
	free(removing);
	return NULL;
}

static int64_t now_us(const struct request *request)
{
	return clock_monotonic_us(request->fs->clock);
}

/* Callers of another process namespace have no number here: they cannot be told apart. */
static bool is_by(const struct removal *removal, const struct request *request)
{
	return removal->function && request->caller.pid &&
	       removal->caller.pid == request->caller.pid &&
	       removal->caller.uid == request->caller.uid &&
	       now_us(request) - removal->last_us < WITHIN_US;
}

static struct removal *find(const struct request *request, uint64_t function)
{
	struct removing *removing = request->fs->removing;

	for (unsigned i = 0; removing && function && i < AT_ONCE; i++)
		if (removing->removals[i].function == function &&
		        is_by(&removing->removals[i], request))
			return &removing->removals[i];
	return NULL;
}

static struct removal *replace_oldest(struct removing *removing)
{
	struct removal *oldest = removing->removals;

	for (unsigned i = 1; i < AT_ONCE; i++)
		if (removing->removals[i].last_us < oldest->last_us)
			oldest = &removing->removals[i];
	forget(oldest);
	return oldest;
}

void removing_note(struct request *request, uint64_t function)
{
	struct fs *fs = request->fs;
	struct removal *removal = find(request, function);

	if (!request->caller.pid)
		return;
	if (!fs->removing)
		fs->removing = calloc(1, sizeof(*fs->removing));
	if (!fs->removing)
		return;
	if (!removal) {
		removal = replace_oldest(fs->removing);
		removal->function = function;
		removal->caller = request->caller;
	}
	removal->last_us = now_us(request);
}

bool removing_is(const struct request *request, uint64_t function)
{
	struct removal *removal = find(request, function);

	if (removal)
		removal->last_us = now_us(request);
	return removal;
}

void removing_refresh(const struct request *request)
{
	struct removing *removing = request->fs->removing;

	for (unsigned i = 0; removing && i < AT_ONCE; i++)
		if (is_by(&removing->removals[i], request))
			removing->removals[i].last_us = now_us(request);
}

void removing_stop(const struct request *request, uint64_t function)
{
	struct removal *removal = find(request, function);

	if (removal)
		forget(removal);
}

void removing_gone(struct fs *fs, uint64_t function)
{
	for (unsigned i = 0; fs->removing && i < AT_ONCE; i++)
		if (fs->removing->removals[i].function == function)
			forget(&fs->removing->removals[i]);
}

int removing_later(struct request *request, uint64_t function, const struct node *child)
{
	struct removal *removal = find(request, function);
	struct node *more = NULL;

	for (unsigned i = 0; removal && i < removal->count; i++)
		if (removal->later[i].ino == child->ino)
			return 0;
	if (removal)
		more = realloc(removal->later, (removal->count + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	removal->later = more;
	removal->later[removal->count++] = *child;
	return 0;
}

static bool one_goes(struct request *request, struct removal *removal,
        int (*remove)(struct request *request, const struct node *child))
{
	for (unsigned i = 0; i < removal->count; i++) {
		int r = remove(request, &removal->later[i]);

		if (r < 0 && r != -ENOENT)
			continue;
		removal->later[i] = removal->later[--removal->count];
		return true;
	}
	return false;
}

void removing_go_on(struct request *request, uint64_t function,
        int (*remove)(struct request *request, const struct node *child))
{
	struct removal *removal = find(request, function);

	while (removal && one_goes(request, removal, remove))
		continue;
}
