/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Watching a new version beside an old one, by what `aliases/ALIAS/metrics/VERSION/` says of both:
 * the share of calls that failed since the watching began, and p99. It is judged on enough calls
 * only: WATCHING_CALLS of the new version for the share, WATCHING_CALLS_P99 of both for p99. The
 * old version is judged by its calls meanwhile, or, where it gets too few any more, by all it ever
 * had under the alias.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "target.h"

enum {
	WATCHING_CALLS = 20,
	WATCHING_CALLS_P99 = 100,
};

struct watching {
	const struct target *target;
	const char *alias;
	const char *version;
	const char *old;         /* NULL: there is none; then only failures count */
	uint64_t generation;     /* of the routes that are watched */
	int64_t time_ms;         /* how long */
	double error_share_most; /* above that of the old one, in points of 100 */
	double p99_most;         /* times that of the old one */
};

enum verdict {
	VERDICT_GOOD,
	VERDICT_BAD,
	VERDICT_TOO_FEW,  /* calls, when the time was over */
	VERDICT_REROUTED, /* somebody else has changed the routes */
	VERDICT_UNABLE,   /* the metrics cannot be read; said */
};

/*
 * Watches until there is a verdict; `why` gets what it rests on. A line on a terminal shows the
 * figures meanwhile.
 */
enum verdict watching_run(const struct watching *watching, struct buf *why);

/* The number of the routes in force; false when it cannot be read. */
bool watching_generation(const struct target *target, const char *alias, uint64_t *generation);
