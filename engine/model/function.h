/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What exists: functions with their settings and environment, in memory and in the store. Every
 * change is one command applied in one transaction (store/store.h) before the memory follows; a
 * refused change leaves both as they were. Ids are never reused. Only the loop thread calls here.
 * `struct functions` owns every `struct function`; pointers are valid until the function is removed
 * and told so through `removed`.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/caller.h"
#include "base/list.h"
#include "base/map.h"
#include "base/ordered.h"
#include "model/settings.h"

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
};

struct functions;

int functions_new(struct functions **out, struct store *store,
        const struct functions_events *events, void *userdata);
struct functions *functions_free(struct functions *functions);

struct function *functions_get(const struct functions *functions, uint64_t id);
struct function *functions_find(const struct functions *functions, const char *name);
struct function *functions_next(const struct functions *functions, uint64_t after_id); /* by id */
size_t functions_count(const struct functions *functions);

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
