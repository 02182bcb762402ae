/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Settings and environment, of whatever has them: a function (then they are those of `latest`, and can be
 * changed), or a version (then they are a copy from the moment it was published). Embedded in their owner,
 * whose id they are stored under, so that one view shows both. Every change is stored before the memory
 * follows. Loop thread only.
 */
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "model/config.h"

struct function;
struct functions;
struct version;

struct variable { /* one environment variable: config/env/KEY */
	uint64_t id;
	char *key;
	char *value;      /* any bytes but zero */
	struct list link; /* settings.variables, by id */
	struct settings *settings;
};

struct settings {
	uint64_t owner; /* the id of the function or version */
	struct config config;
	uint64_t config_generation; /* counts changes that need a redeploy */
	struct list variables;
	struct function *function;        /* the owner, or the one whose version it is */
	struct version *version;          /* NULL: of the function itself */
	struct dependency_copies *copies; /* while a publish is stored (model/dependency.h) */
};

/* 0, -EINVAL or -ERANGE (config_parse), -EROFS (of a version), -ENOSPC, -EIO. `why` gets a sentence. */
int settings_set(struct settings *settings, enum config_key key, const char *text, struct buf *why);

/* Of a version that is being published: what its image's name stands for. 0, -EINVAL, -ENOSPC, -EIO. */
int settings_pin_image(struct settings *settings, const char *name);

/*
 * Environment. Keys: letters, digits, `_`, a letter first, not a reserved one: else -EINVAL. A value has
 * at most 64 KiB (-EFBIG), all of an owner 1 MiB and 1000 variables (-ENOSPC with a sentence).
 * Those of a version cannot be changed (-EROFS). What is renamed over another variable replaces it. Setting what is there already changes nothing.
 */
int variable_key_check(const char *key, struct buf *why);
struct variable *settings_variable(const struct settings *settings, uint64_t id);
struct variable *settings_variable_find(const struct settings *settings, const char *key);
int settings_variable_set(struct settings *settings, const char *key, const char *value,
        struct variable **out, struct buf *why); /* creates or replaces */
int settings_variable_rename(struct variable *variable, const char *key, struct buf *why);
int settings_variable_unset(struct variable *variable, struct buf *why);

/* A variable of whatever function or version, by its id. NULL: there is none. */
struct variable *functions_variable(struct functions *functions, uint64_t id);
