/* SPDX-License-Identifier: Apache-2.0 */
/* What is to be written, gathered: copies, for the thread that writes comes later. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/entries.h"

struct entry_commit *entry_commit_new(void (*done)(void *userdata, int status), void *userdata)
{
	struct entry_commit *commit = calloc(1, sizeof(*commit));

	if (!commit)
		return NULL;
	list_init(&commit->link);
	commit->done = done;
	commit->userdata = userdata;
	return commit;
}

struct entry_commit *entry_commit_free(struct entry_commit *commit)
{
	if (!commit)
		return NULL;
	list_unlink(&commit->link);
	for (size_t i = 0; i < commit->count; i++) {
		struct entry_write *change = &commit->writes[i];

		free((char *)change->row.name);
		free((char *)change->row.request_id);
		free((char *)change->row.source);
		buf_deinit(&change->request);
		buf_deinit(&change->answer);
	}
	free(commit->writes);
	free(commit);
	return NULL;
}

static struct entry_write *add(struct entry_commit *commit)
{
	size_t capacity = commit->capacity ? commit->capacity * 2 : 1;
	struct entry_write *more;

	if (commit->count == commit->capacity) {
		more = realloc(commit->writes, capacity * sizeof(*more));
		if (!more) {
			commit->failed = true;
			return NULL;
		}
		commit->writes = more;
		commit->capacity = capacity;
	}
	memset(&commit->writes[commit->count], 0, sizeof(struct entry_write));
	return &commit->writes[commit->count++];
}

static void move_body(
        struct entry_commit *commit, struct buf *from, struct buf *to, enum entry_body *verb)
{
	if (!from)
		return;
	commit->failed |= from->failed;
	commit->bytes += from->length;
	*to = *from;
	buf_init(from);
	*verb = ENTRY_SET;
}

void entry_commit_put(struct entry_commit *commit, const struct entry_row *row, struct buf *request,
        struct buf *answer)
{
	struct entry_write *change = add(commit);

	if (!change)
		return;
	change->verb = ENTRY_PUT;
	change->row = *row;
	change->row.name = strdup(row->name);
	change->row.request_id = strdup(row->request_id);
	change->row.source = strdup(row->source);
	if (!change->row.name || !change->row.request_id || !change->row.source)
		commit->failed = true;
	move_body(commit, request, &change->request, &change->request_is);
	move_body(commit, answer, &change->answer, &change->answer_is);
}

void entry_commit_drop(struct entry_commit *commit, uint64_t id)
{
	struct entry_write *change = add(commit);

	if (!change)
		return;
	change->verb = ENTRY_DROP;
	change->row.id = id;
}

void entry_commit_remove_request(struct entry_commit *commit)
{
	if (commit->count)
		commit->writes[commit->count - 1].request_is = ENTRY_REMOVE;
}

void entry_commit_remove_answer(struct entry_commit *commit)
{
	if (commit->count)
		commit->writes[commit->count - 1].answer_is = ENTRY_REMOVE;
}
