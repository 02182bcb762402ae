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
#include "model/config.h"

struct store;

struct variable { /* one environment variable: config/env/KEY */
	uint64_t id;
	char *key;
	char *value;      /* any bytes but zero */
	struct list link; /* function.variables, by id */
};

struct function {
	uint64_t id;
	char *name;
	uid_t uid; /* the owner: who instances run as */
	gid_t gid;
	int64_t created_us; /* wall time */
	struct config config;
	uint64_t
	        config_generation; /* counts changes of settings and environment that need a redeploy */
	struct list variables;
	struct functions *functions;
	void *runtime_state; /* belongs to the layers above; NULL at first */
};

/* Told after the change is stored. Any may be NULL. */
struct functions_events {
	void (*created)(void *userdata, struct function *function);
	void (*configured)(
	        void *userdata, struct function *function, int key); /* config_key, -1 = env */
	void (*renamed)(void *userdata, struct function *function);
	void (*removed)(void *userdata, struct function *function); /* freed after it returns */
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
int function_rename(struct function *function, const char *name, struct buf *why);
int function_remove(
        struct function *function, struct buf *why); /* whoever calls checked emptiness */
int function_set_owner(struct function *function, uid_t uid, gid_t gid);

int function_set(struct function *function, enum config_key key, const char *text, struct buf *why);

/*
 * Environment. Keys: letters, digits, `_`, a letter first, not a reserved one: else -EINVAL. A value has
 * at most 64 KiB (-EFBIG), all of a function 1 MiB and 1000 variables (-ENOSPC with a sentence).
 * What is renamed over another variable replaces it. Setting what is there already changes nothing.
 */
struct variable *function_variable(const struct function *function, uint64_t id);
struct variable *function_variable_find(const struct function *function, const char *key);
int function_variable_set(struct function *function, const char *key, const char *value,
        struct variable **out, struct buf *why); /* creates or replaces */
int function_variable_rename(
        struct function *function, struct variable *variable, const char *key, struct buf *why);
int function_variable_unset(struct function *function, struct variable *variable);

/* The name rule of functions, and with another length of aliases, triggers, topics, packages. */
int name_check(const char *name, size_t longest, struct buf *why);
