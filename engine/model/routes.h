/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Where the calls of an alias go: the value of `aliases/NAME/routes`, one line per way. Pure: a text, a
 * resolver of names, and events come in; which version takes a call comes out.
 *
 *	1.1.0 if header x-user = beta           rules, looked at first, top to bottom
 *	1.1.0 if field customer.plan in gold, platinum and field n = 3 or header x = "a b"
 *	1.0.0 90                                shares of the calls that no rule takes
 *	1.1.0 10 sticky field user.id           the same key always goes the same way
 *
 * A line `VERSION` alone is all of the traffic. `and` binds tighter than `or`. A value with blanks, commas or quotes
 * stands in "", with \" and \\ for those two. A field is a path into the event, its members separated by dots,
 * quoted where they must be (`a."b.c".0`; a number looks into a list); numbers compare as numbers, true, false and null
 * as these words, and a list or an object is like nothing. A header is a member of the event's `headers`, in any
 * case; an event without an object of that name has none. Blanks round a header's value do not count.
 *
 * A weight is a whole number, a decimal or a fraction, more than 0; there is one at most for a version. Weights are
 * shown as parts of 100: as a whole number or decimal where that is exact, else as a fraction (three equal
 * ones: `100/3` each), so that what is shown always says the same shares, and makes 100.
 *
 * The split is exact at every moment: after n calls a version with the share s had n*s of them, to within less
 * than one call, above and below, however many versions there are (routes_choose.c). Calls that rules or keys decide
 * are not counted in it. One `sticky` key serves the whole split, on whichever of its lines it stands; calls without
 * that key go by the split.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum {
	ROUTES_LINES_MOST = 1000,
	ROUTES_TEXT_MOST = 64 * 1024, /* bytes */
	ROUTES_KEYS_MOST = 32,        /* different headers and fields */
};

struct routes;
struct version;

/* 0 and the version (NULL: `latest`), or -ENOENT. */
typedef int (*routes_resolve_fn)(void *userdata, const char *name, struct version **out);

/* 0, -EINVAL with a sentence that names the line, -ENOMEM. */
int routes_parse(struct routes **out, const char *text, routes_resolve_fn resolve, void *userdata,
        struct buf *why);
struct routes *routes_free(struct routes *routes);

/* The canonical text: rules first, each line ended. It parses to routes that do the same. */
void routes_show(const struct routes *routes, struct buf *out);

struct routes_target { /* a version that is named, once */
	char *name;
	struct version *version; /* NULL: `latest` */
	uint64_t name_hash;
};
size_t routes_targets_count(const struct routes *routes);
const struct routes_target *routes_target(const struct routes *routes, size_t number);
bool routes_use(const struct routes *routes, const struct version *version);

/* The part of the split that goes to a target, as weight of all; both 0 when only rules name it. */
void routes_share(const struct routes *routes, size_t target, uint64_t *weight, uint64_t *all);

/* The number of the target that takes the next call. The event is only looked at when something asks for it. */
size_t routes_choose(struct routes *routes, const char *event, size_t length);
