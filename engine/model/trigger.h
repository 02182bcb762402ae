/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A trigger: what calls a function when something happens elsewhere. It has settings, a target (`latest`, a
 * version or an alias of its function, which cannot be removed meanwhile) and at most one source, which says
 * where its events come from. A source is an object of its own: made empty, then set; one that is empty gives
 * way to another, and does not outlive the daemon. Whether its value makes sense is for the layer above (events/sources.h) to say.
 *
 * Every change is stored before the memory follows. A trigger goes with its function. Loop thread only.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/list.h"
#include "model/topic.h"
#include "model/trigger_settings.h"
#include "store/store.h"

struct alias;
struct function;
struct functions;
struct store;
struct triggers;
struct version;

enum source_kind { /* stored by name */
	SOURCE_TIMER,
	SOURCE_HTTP,
	SOURCE_WATCH,
	SOURCE_TOPIC,
	SOURCE_PROGRAM, /* of any other name: a program brings the events (docs/sources.md) */
	SOURCE_KINDS,
};

#define SOURCE_KIND_LONGEST 20

struct trigger_source {
	uint64_t id;
	enum source_kind kind;
	char kind_name[SOURCE_KIND_LONGEST + 1];
	char *value;         /* canonical; "" = not set yet */
	struct topic *topic; /* NULL: none */
	uid_t uid;           /* who set it */
	gid_t gid;
	gid_t *groups;
	size_t group_count;
	int64_t start_us; /* wall time: when it was set */
	int64_t from_us;  /* nothing that was due until then is due any more */
	bool hidden;      /* empty, and the only value it was given was refused: nobody sees it */
	struct trigger *trigger;
	struct list topic_link;
};

struct trigger {
	uint64_t id;
	char *name;
	struct function *function;
	struct trigger_settings settings;
	struct version *version; /* both NULL: latest */
	struct alias *alias;
	struct trigger_source *source; /* NULL: none yet */
	int64_t last_us;               /* wall time of the last event; 0 = none yet */
	uint64_t fired, errors;        /* events that were queued, and that could not be */
	int64_t created_us;            /* wall time */
	struct triggers *triggers;
	void *runtime_state; /* belongs to the layers above; NULL at first */
};

/* Told after a change is stored. */
struct triggers_events {
	void (*changed)(
	        void *userdata, struct trigger *trigger); /* settings, target, source, name */
	void (*removed)(void *userdata, struct trigger *trigger); /* freed after it */
	void (*topic_removed)(void *userdata, struct topic *topic);
};

/* After the functions are loaded, and freed before them. Has the topics too. 0, -ENOMEM, -EIO. */
int triggers_new(struct triggers **out, struct store *store, struct functions *functions,
        const struct triggers_events *events, void *userdata);
struct triggers *triggers_free(struct triggers *triggers);

/* A name out of rule; -EEXIST; the store's. */
int trigger_create(
        struct function *function, const char *name, struct trigger **out, struct buf *why);
int trigger_rename(struct trigger *trigger, const char *name, struct buf *why);
int trigger_remove(struct trigger *trigger, struct buf *why);

int trigger_set(struct trigger *trigger, enum trigger_key key, const char *text, struct buf *why);
/* `latest`, or the name of an alias or a version: else -EINVAL. */
int trigger_set_target(struct trigger *trigger, const char *name, struct buf *why);
const char *trigger_target_name(const struct trigger *trigger);
/* What its events are made in: never FORMAT_DEFAULT. */
enum event_format trigger_format(const struct trigger *trigger);

/* Counts and times as they are now in memory. `durable`: it waits for the disk. */
int trigger_store_fired(struct trigger *trigger, bool durable);

const char *source_kind_name(enum source_kind kind); /* "" of SOURCE_PROGRAM: it has many */
/* Whether a program's kind can have the name: `a-z`, digits and `-`, a letter first, and none of the others' names. */
bool source_kind_is_program(const char *name);

/* -EEXIST: it has one that is set. */
int trigger_source_create(struct trigger *trigger, enum source_kind kind,
        struct trigger_source **out, struct buf *why);
int trigger_source_create_program(struct trigger *trigger, const char *kind_name,
        struct trigger_source **out, struct buf *why);
struct source_setter {
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t group_count;
	int64_t time_us;
};
int trigger_source_set(struct trigger_source *source, const char *value, struct topic *topic,
        const struct source_setter *by, struct buf *why);
int trigger_source_remove(struct trigger_source *source, struct buf *why);

/* What a source has seen, name by name, for later daemons. JSON as the store has it: COMMAND_WATCHED_SET or _FORGET. */
int trigger_source_watched(struct trigger_source *source, enum command_kind kind, const char *json);
int trigger_source_each_watched(struct trigger_source *source,
        int (*each)(void *userdata, const char *name, const char *stamp), void *userdata);

struct trigger *triggers_get(const struct triggers *triggers, uint64_t id);
struct trigger_source *triggers_source(const struct triggers *triggers, uint64_t id);
struct trigger *triggers_find(const struct function *function, const char *name);
struct trigger *triggers_next(const struct function *function, uint64_t after_id); /* by id */
struct trigger *triggers_next_of_all(const struct triggers *triggers, uint64_t after_id);
size_t triggers_count(const struct function *function);

/* A trigger of the function that calls the version, or the alias; NULL: none. */
struct trigger *triggers_using(
        const struct function *function, const struct version *version, const struct alias *alias);
