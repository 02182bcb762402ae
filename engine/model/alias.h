/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * An alias: a name of a function under which calls go to its versions as the routes say. A change of routes is whole:
 * stored first, then the next call is routed by it. Each change has a number; what was before is kept as a text.
 * While routes name a version it cannot be removed. Loop thread only.
 */
#include <stdint.h>

#include "base/buf.h"

struct function;
struct functions;
struct routes;
struct routes_target;

struct alias {
	uint64_t id;
	char *name;
	struct function *function;
	struct routes *routes; /* NULL when what was stored cannot be read: no call is routed */
	char *text;            /* of the routes, canonical */
	char *previous;        /* the text before; "" at first */
	uint64_t generation;   /* of the routes, 1 at first */
	char *description;
	int64_t created_us;  /* wall time */
	void *runtime_state; /* belongs to the layers above; NULL at first */
};

/* All calls go to the newest version. -ENOENT when none is published; -EINVAL, -ENAMETOOLONG, -EEXIST; the store's. */
int alias_create(struct function *function, const char *name, struct alias **out, struct buf *why);
int alias_rename(struct alias *alias, const char *name, struct buf *why);
/* -EBUSY and the trigger that calls it, in a sentence; else 0. */
int alias_check_unused(const struct alias *alias, struct buf *why);
int alias_remove(struct alias *alias, struct buf *why); /* checks that first */

/* -EINVAL: the sentence names the line. The same in other words changes nothing. */
int alias_set_routes(struct alias *alias, const char *text, struct buf *why);
int alias_set_description(struct alias *alias, const char *text, struct buf *why);

/* Who takes the next call: a version and its name, NULL for `latest`; valid until the routes change. NULL: no
 * routes. The event is looked at only when a rule or a key asks for it. */
const struct routes_target *alias_choose(struct alias *alias, const char *event, size_t length);

struct alias *aliases_get(struct functions *functions, uint64_t id);
struct alias *aliases_find(const struct function *function, const char *name);
struct alias *aliases_next(const struct function *function, uint64_t after_id); /* by id */
size_t aliases_count(const struct function *function);
