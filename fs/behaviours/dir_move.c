/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rename of an object that goes from one directory to another: it is answered when that is on the disk. The
 * kernel holds both directories meanwhile, which is for one wait for the disk and no longer.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/behaviours/dir.h"
#include "fs/fs.h"

struct moving {
	struct request *request;
	struct node to;
	char *name; /* the request's, whose own goes with the kernel's message */
};

static void free_moving(struct moving *moving)
{
	free(moving->name);
	free(moving);
}

static void note_both(struct request *request, const struct node *to)
{
	struct node from = request->node;

	dir_note_change(request);
	request->node = *to;
	dir_note_change(request);
	request->node = from;
}

static void moved(void *userdata, int status)
{
	struct moving *moving = userdata;

	if (status == 0)
		note_both(moving->request, &moving->to);
	request_end(moving->request, status);
	free_moving(moving);
}

int dir_move(struct request *request, const struct node *source, const struct node *to_directory,
        const char *to_name)
{
	struct moving *moving = calloc(1, sizeof(*moving));
	struct subject subject, directory;
	int r = moving ? 0 : -ENOMEM;

	if (r == 0)
		*moving = (struct moving){request, *to_directory, strdup(request->name)};
	if (r == 0 && !moving->name)
		r = -ENOMEM;
	if (r == 0)
		r = node_subject(request->fs, source, &request->caller, &subject);
	if (r == 0)
		r = node_subject(request->fs, to_directory, &request->caller, &directory);
	if (r == 0)
		r = source->row->each->move(
		        &subject, &directory, to_name, moved, moving, &request->why);
	if (r > 0) {
		request->name = moving->name;
		return request_adopt(request, NULL, NULL);
	}
	if (r == 0)
		note_both(request, to_directory);
	if (moving)
		free_moving(moving);
	return r;
}
