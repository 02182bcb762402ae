/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The lines fnfs-fetch says (fetch/report.h), as bytes come. What it does not know it passes over. */
#include "base/buf.h"
#include "run/fetch.h"

struct fetch_answer {
	struct buf line; /* begun, not ended */
	struct fetch_progress progress;
	struct fetch_end end;
	bool done; /* `done` was said */
};

void fetch_answer_init(struct fetch_answer *answer);
void fetch_answer_deinit(struct fetch_answer *answer);

/* True when there is news of progress. */
bool fetch_answer_take(struct fetch_answer *answer, const char *data, size_t length);
