/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files about functions share: the set, and how a change is told. */
#include "model/function.h"
#include "store/store.h"

struct functions {
	struct store *store;
	struct functions_events events;
	void *userdata;
	struct map by_id; /* of those in memory, as all that follows */
	struct names by_name;
	struct list loaded;   /* those asked for last are last; some that are used are in no list */
	struct map variables; /* of all owners, by id */
	struct map versions;  /* of all functions, by id; published */
	struct map aliases;   /* of all functions, by id */
	size_t count;         /* in memory or not */
	size_t kept_most;     /* in memory, before functions_trim() is asked for */
	bool unloading;       /* what is freed stays in the store */
	struct packages *packages; /* set by themselves, while they are there */
	struct triggers *triggers; /* likewise */
};

/* Memory only. The name is found when there is room for it, the rest when it is added. */
struct function *function_new(
        struct functions *functions, const char *name, uid_t uid, gid_t gid, int64_t created_us);
struct function *function_free(struct function *function);
int function_reserve(struct function *function); /* function_add() cannot fail then */
void function_add(struct function *function, uint64_t id);
void function_drop(struct function *function);

/* From `parts` (versions, aliases, variables), once the function it belongs to is loaded. NULL: there is none. */
void *functions_part(struct functions *functions, const struct map *parts, uint64_t id);

/* The owner's id is set when it has one. */
void settings_init(struct settings *settings, struct function *function, struct version *version);
void settings_deinit(struct settings *settings);

/* -EROFS and a sentence when they are a version's, unless this one `stays` writable. */
int settings_check_writable(
        const struct settings *settings, const char *what, bool stays, struct buf *why);

/* Settings or environment (key -1) changed: counts it when instances must follow, and tells. */
void settings_changed(struct settings *settings, int key);

/* All that `from` says, but min_instances; then, once it is stored, the ids follow the owner's. 0 or -ENOMEM. */
int settings_copy(struct settings *settings, const struct settings *from);
int settings_copy_variables(struct settings *settings, const struct settings *from);
int settings_copy_dependencies(
        struct settings *settings, const struct settings *from, struct buf *why); /* -ENOENT too */
void settings_own(struct settings *settings, uint64_t owner);
size_t settings_own_variables(struct settings *settings); /* a part of it; how many there are */

/* From the store; the version is published. 0, -ENOMEM. */
int version_load(struct function *function, const struct store_version_row *row);
int alias_load(struct function *function, const struct store_alias_row *row);
int alias_load_setting(struct alias *alias, const char *name, const char *value);

/* The function's are gone from the store: told and freed. */
void versions_removed(struct function *function);
void aliases_removed(struct function *function);
void triggers_removed(struct function *function);

/* At the end of it all, without a word. Aliases first. */
void versions_free(struct function *function);
void aliases_free(struct function *function);

/* From the store: a variable whose owner is known. 0 or -ENOMEM. */
int settings_variable_load(
        struct settings *settings, uint64_t id, const char *key, const char *value);
void settings_variables_free(struct settings *settings);
