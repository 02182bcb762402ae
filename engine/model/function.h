/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What exists: functions with their settings and environment, in memory and in the store. Every
 * change is one command applied in one transaction (store/store.h) before the memory follows; a
 * refused change leaves both as they were. Ids are never reused. Only the loop thread calls here.
 *
 * A function that nobody asked for is in the store alone. `struct functions` owns every `struct function`
 * in memory: with a runtime_state, a trigger or a version being published it stays until it is removed, which
 * `removed` tells; any other may go when the loop turns (functions_trim), so keep ids, not pointers.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/caller.h"
#include "base/list.h"
#include "base/map.h"
#include "base/ordered.h"
#include "model/settings.h"
#include "store/store.h"

struct alias;
struct store;

struct function {
	uint64_t id;
	char *name;
	uid_t uid; /* the owner: who instances run as */
	gid_t gid;
	int64_t created_us;       /* wall time */
	struct settings settings; /* of `latest` */
	struct ordered versions;  /* by id; published */
	struct names versions_by_name;
	struct list drafts;     /* versions that are being published */
	struct ordered aliases; /* by id */
	struct names aliases_by_name;
	struct ordered triggers; /* by id */
	struct names triggers_by_name;
	struct functions *functions;
	struct list link;    /* functions.loaded */
	void *runtime_state; /* belongs to the layers above; NULL at first */
};

/*
 * Told after the change is stored. Any may be NULL. What was removed is freed after the event returns. With a function go
 * its triggers (model/trigger.h), then its aliases, then its versions (drafts too), each with its own event, then itself.
 */
struct functions_events {
	void (*created)(void *userdata, struct function *function);
	void (*configured)(
	        void *userdata, struct function *function, int key); /* config_key, -1 = env */
	void (*renamed)(void *userdata, struct function *function);
	void (*removed)(void *userdata, struct function *function);
	void (*version_created)(void *userdata, struct version *version); /* it is published */
	void (*version_configured)(void *userdata, struct version *version, int key);
	void (*version_removed)(void *userdata, struct version *version); /* or a draft */
	void (*alias_created)(void *userdata, struct alias *alias);
	void (*alias_routed)(void *userdata, struct alias *alias); /* new routes are in force */
	void (*alias_renamed)(void *userdata, struct alias *alias);
	void (*alias_removed)(void *userdata, struct alias *alias);
	/* More are in memory than need to be: wants functions_trim() on a later turn. */
	void (*crowded)(void *userdata);
};

struct functions;

int functions_new(struct functions **out, struct store *store,
        const struct functions_events *events, void *userdata);
struct functions *functions_free(struct functions *functions);

/* In memory after it. 0; -ENOENT; -ENOMEM, -EIO. The three below say NULL for all of these. */
int functions_load(struct functions *functions, uint64_t id, struct function **out);
struct function *functions_get(struct functions *functions, uint64_t id);
struct function *functions_find(struct functions *functions, const char *name);
struct function *functions_next(struct functions *functions, uint64_t after_id); /* by id */
size_t functions_count(const struct functions *functions); /* in memory or not */

/* The same without loading anything: a look at the row, of one, or by id of all behind `after` (as store.h says). */
int functions_find_id(struct functions *functions, const char *name, uint64_t *id);
int functions_look(struct functions *functions, uint64_t id,
        int (*each)(void *userdata, const struct store_function_row *row), void *userdata);
int functions_each_after(struct functions *functions, uint64_t after,
        int (*each)(void *userdata, const struct store_function_row *row), void *userdata);
bool functions_have_version(struct functions *functions, uint64_t id); /* a failure to look: yes */

/* Frees what is in memory and not used, the longest unasked first, beyond a number. Nobody holds a pointer. */
void functions_trim(struct functions *functions);
void functions_keep(struct functions *functions, size_t most); /* that number; 1000 at first */
size_t functions_loaded(const struct functions *functions);

/* 0, -EINVAL (name out of rule), -ENAMETOOLONG, -EEXIST, -EIO, -ENOSPC. `why` gets a sentence. */
int functions_create(struct functions *functions, const char *name, const struct caller *owner,
        struct function **out, struct buf *why);

/* -ENOTEMPTY and a sentence while it has versions, aliases or triggers; else 0. */
int function_check_empty(const struct function *function, struct buf *why);
int function_rename(struct function *function, const char *name, struct buf *why);
int function_remove(
        struct function *function, struct buf *why); /* whoever calls checked emptiness */
int function_set_owner(struct function *function, uid_t uid, gid_t gid);

enum { FUNCTION_NAME_LONGEST = 60 };

/* The name rule of functions, and with another length of aliases, triggers, topics, packages. */
int name_check(const char *name, size_t longest, struct buf *why);
