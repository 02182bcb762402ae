/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/removing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "fs/fs.h"
#include "fs/request.h"

#define AT_ONCE   8         /* programs that do so at the same time; the oldest is forgotten */
#define WITHIN_US 120000000 /* between two steps: the code may be large */

struct removal {
	uint64_t function; /* 0: free */
	pid_t pid;
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

static struct removal *find(const struct request *request, uint64_t function)
{
	struct removing *removing = request->fs->removing;

	for (unsigned i = 0; removing && i < AT_ONCE; i++) {
		struct removal *removal = &removing->removals[i];

		if (removal->function == function && removal->pid == request->caller.pid &&
		        now_us(request) - removal->last_us < WITHIN_US)
			return removal;
	}
	return NULL;
}

void removing_note(struct request *request, uint64_t function)
{
	struct fs *fs = request->fs;
	struct removal *removal = find(request, function);

	if (!fs->removing)
		fs->removing = calloc(1, sizeof(*fs->removing));
	if (!fs->removing)
		return;
	if (!removal) {
		removal = fs->removing->removals;
		for (unsigned i = 1; i < AT_ONCE; i++)
			if (fs->removing->removals[i].last_us < removal->last_us)
				removal = &fs->removing->removals[i];
		forget(removal);
		removal->function = function;
		removal->pid = request->caller.pid;
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

int removing_later(struct request *request, uint64_t function, const struct node *child)
{
	struct removal *removal = find(request, function);
	struct node *more = NULL;

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
		if (remove(request, &removal->later[i]) == -EBUSY)
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
