/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What `cat invoke` reads: the responses of finished write-only calls, kept by who made them. A reader
 * gets the last one of its *family*: of a writer that is its own process, its parent, a child of that
 * parent, or its own child (a shell that reads by itself), of the same user and POSIX session; start
 * times are compared, because process ids are reused. In memory only, bounded in number and bytes; the
 * oldest go first.
 */
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/list.h"

/* Who somebody is, as far as families go. */
struct kin {
	uid_t uid;
	pid_t session;
	pid_t process;
	pid_t parent;
	uint64_t process_start;
	uint64_t parent_start;
};

/* 0, or -ESRCH when the thread is gone or cannot be seen. Costs some 50 us. */
int kin_look(struct kin *kin, uid_t uid, pid_t thread);

/* The end of a call, shared by those who read it. */
struct answer {
	unsigned references;
	uint64_t object;
	struct kin writer;
	struct buf response; /* with the error's body behind it */
	int error;           /* what a read gets where the response would have ended; 0 = the end */
	struct buf why;      /* the sentence for last_error */
	struct list link;
};

struct answers {
	struct list kept; /* oldest first */
	unsigned count;
	size_t bytes;
};

void answers_init(struct answers *answers);
void answers_deinit(struct answers *answers);

/* Takes over the reference; replaces what the same process left for this function. */
void answers_keep(struct answers *answers, struct answer *answer);

/* The last answer for a reader's family, referenced, or NULL. */
struct answer *answers_find(struct answers *answers, uint64_t object, const struct kin *reader);

struct answer *answer_unref(struct answer *answer); /* NULL */
