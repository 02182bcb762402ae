/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/behaviours/answers.h"

#include <stdbool.h>
#include <stdlib.h>

#include "fs/peer.h"

#define ANSWERS_MAX 256
#define BYTES_MAX   ((size_t)64 << 20)

int kin_look(struct kin *kin, uid_t uid, pid_t thread)
{
	struct peer peer, parent = {0};
	int r = peer_look(thread, &peer);

	if (r < 0)
		return r;
	peer_look(peer.parent, &parent); /* an invisible parent has start 0 */
	*kin = (struct kin){
	        .uid = uid,
	        .session = peer.session,
	        .process = peer.process,
	        .parent = peer.parent,
	        .process_start = peer.start,
	        .parent_start = parent.start,
	};
	return 0;
}

static bool related(const struct kin *writer, const struct kin *reader)
{
	if (writer->uid != reader->uid || writer->session != reader->session)
		return false;
	if (writer->process == reader->process && writer->process_start == reader->process_start)
		return true;
	if (writer->process == reader->parent && writer->process_start == reader->parent_start)
		return true;
	/* `cp event invoke; read answer < invoke`: the shell itself reads what its child called. */
	if (writer->parent == reader->process && writer->parent_start == reader->process_start)
		return true;
	return reader->parent > 0 && writer->parent == reader->parent &&
	       writer->parent_start == reader->parent_start;
}

struct answer *answer_unref(struct answer *answer)
{
	if (answer && --answer->references == 0) {
		buf_deinit(&answer->response);
		buf_deinit(&answer->why);
		free(answer);
	}
	return NULL;
}

static void drop(struct answers *answers, struct answer *answer)
{
	answers->count--;
	answers->bytes -= answer->response.length;
	list_unlink(&answer->link);
	answer_unref(answer);
}

void answers_init(struct answers *answers)
{
	*answers = (struct answers){0};
	list_init(&answers->kept);
}

void answers_deinit(struct answers *answers)
{
	while (!list_empty(&answers->kept))
		drop(answers, list_first(&answers->kept, struct answer, link));
}

void answers_keep(struct answers *answers, struct answer *answer)
{
	struct answer *old, *following;

	list_each_safe(old, following, &answers->kept, link)
		if (old->object == answer->object &&
		        old->writer.process == answer->writer.process &&
		        old->writer.process_start == answer->writer.process_start)
			drop(answers, old);
	list_append(&answers->kept, &answer->link);
	answers->count++;
	answers->bytes += answer->response.length;
	while (answers->count > ANSWERS_MAX || answers->bytes > BYTES_MAX)
		drop(answers, list_first(&answers->kept, struct answer, link));
}

struct answer *answers_find(struct answers *answers, uint64_t object, const struct kin *reader)
{
	struct answer *answer, *last = NULL;

	list_each(answer, &answers->kept, link)
		if (answer->object == object && related(&answer->writer, reader))
			last = answer;
	if (last)
		last->references++;
	return last;
}
