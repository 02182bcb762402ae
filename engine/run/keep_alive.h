/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * How long idle instances are kept, by what their function's calls were like: a histogram of its last idle
 * times, and what a start takes. An idle time is how long fewer than `depth` instances were needed (1: none
 * was needed), whether or not one was there meanwhile; so it does not depend on what was decided before.
 *
 * The rule: what would have cost least over the idle times of late, where a second that a call waits for a
 * start costs as much as an instance that is idle for ten minutes. The last instance of a function whose
 * start takes long may also end early and be back just before the next call is expected, where that costs less.
 * None is kept for less than KEEP_ALIVE_LEAST_US or more than KEEP_ALIVE_MOST_US; before there are
 * KEEP_ALIVE_ENOUGH idle times, KEEP_ALIVE_US. Idle times below the least say nothing, and are not counted.
 *
 * A plain value without a clock: whoever has one says what time it is (in us, never 0).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define KEEP_ALIVE_US       (INT64_C(60) * 1000 * 1000)
#define KEEP_ALIVE_LEAST_US (INT64_C(10) * 1000 * 1000)
#define KEEP_ALIVE_MOST_US  (INT64_C(4) * 3600 * 1000 * 1000)

#define KEEP_ALIVE_ENOUGH 8  /* idle times, before they count */
#define KEEP_ALIVE_LAST   64 /* of them are known; a power of two */
#define KEEP_ALIVE_DEPTHS 8  /* of instances needed at once; further ones have no history */
#define KEEP_ALIVE_LEVELS 4  /* histograms: of depth 1, 2, 3 and 4, 5 to 8 */

/* What takes less to start is never started ahead of a call. */
#define KEEP_ALIVE_AHEAD_LEAST_US (INT64_C(250) * 1000)

/* What is charged for a start, whatever it took: who calls a new instance first often waits for more. */
#define KEEP_ALIVE_START_LEAST_US (INT64_C(100) * 1000)

/* The last idle times in a ring, as numbers of bins: to count one forgets the oldest, and neither searches. */
struct idle_times {
	uint8_t bins[KEEP_ALIVE_LAST];
	uint8_t next, count;
};

/* In us since an instance is not needed. */
struct keep_alive_plan {
	int64_t end_us;            /* kept so long */
	int64_t back_us, until_us; /* then one is started again, and kept until; 0: none is */
};

struct keep_alive {
	struct idle_times levels[KEEP_ALIVE_LEVELS];
	int64_t start_us; /* what a start takes, smoothed; 0: not known */
	int64_t since_us
	        [KEEP_ALIVE_DEPTHS]; /* fewer than depth + 1 are needed; 0: not, or unknown */
	uint64_t changes;            /* rises with each idle time: then it is worth saving */
};

/* So many instances are needed from now on, instead of `before`. */
void keep_alive_needed(
        struct keep_alive *keep_alive, unsigned before, unsigned needed, int64_t now_us);

/* A start succeeded: from the order to the instance that takes calls, so imports and initializer too. */
void keep_alive_started(struct keep_alive *keep_alive, int64_t start_us);

/* What is done with the last of `depth` instances; looks at all that is known. NULL: nothing is. */
void keep_alive_ask(
        const struct keep_alive *keep_alive, unsigned depth, struct keep_alive_plan *plan);
bool keep_alive_knows(const struct keep_alive *keep_alive, unsigned depth); /* enough of history */

/* Text, a thing a line. Loading answers 0, or -EBADMSG: it is no such text, and nothing changed. */
void keep_alive_save(const struct keep_alive *keep_alive, struct buf *out);
int keep_alive_load(struct keep_alive *keep_alive, const char *text);
