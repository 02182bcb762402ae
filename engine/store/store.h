/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The one door to SQLite: `STATE/fnfs.db`, WAL. Every change of what exists is a `struct command`,
 * applied in one transaction by store_apply(); later a replicated log can order the same commands for
 * several machines. What store_apply() acknowledged survives a crash of the daemon; commands marked
 * `durable` also a power cut. What it refused left nothing, in the file or in the result. What there
 * is much of, functions and all that is theirs, is read one by one when it is asked for; the rest by walks
 * at start-up, and the layers above keep it. Ids come from one sequence for every kind of object, are
 * never reused and stay below 2^48. Loop thread only.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct store;

enum command_kind {
	COMMAND_FUNCTION_CREATE, /* name, uid, gid, time_us -> object: the new id */
	COMMAND_FUNCTION_RENAME, /* object, name */
	COMMAND_FUNCTION_OWN,    /* object, uid, gid */
	COMMAND_FUNCTION_REMOVE, /* object; all that belongs to it goes too, attributes as well */
	COMMAND_SETTING_SET,  /* object (function, version, alias, trigger), name (setting), value;
	                            NULL value = back to the default */
	COMMAND_VARIABLE_SET, /* object (function, version), name, value -> child: its id */
	COMMAND_VARIABLE_RENAME,   /* object, child, name */
	COMMAND_VARIABLE_UNSET,    /* object, child */
	COMMAND_ATTRIBUTES_SET,    /* ino, mode/uid/gid/time_us as `set` says */
	COMMAND_ATTRIBUTES_FORGET, /* object */
	COMMAND_VERSION_BEGIN,     /* object (function), name, time_us -> object; see below */
	COMMAND_VERSION_FINISH,    /* object, snapshot; make it durable */
	COMMAND_VERSION_REMOVE,    /* object; its settings, variables and attributes go too */
	COMMAND_VERSIONS_SWEEP,    /* removes every version that was begun and not finished */
	COMMAND_ALIAS_CREATE,      /* object (function), name, value (routes), time_us -> object */
	COMMAND_ALIAS_RENAME,      /* object, name */
	COMMAND_ALIAS_ROUTE,  /* object, value; the old routes become `previous`, generation + 1 */
	COMMAND_ALIAS_REMOVE, /* object; its attributes and settings go too */
	COMMAND_PACKAGE_CREATE,    /* name, uid, gid, time_us -> object */
	COMMAND_PACKAGE_RENAME,    /* object, name */
	COMMAND_PACKAGE_OWN,       /* object, uid, gid */
	COMMAND_PACKAGE_DESCRIBE,  /* object, value */
	COMMAND_PACKAGE_SOURCE,    /* object, value */
	COMMAND_PACKAGE_PUBLISH,   /* object, snapshot, value (source), name (sha256), time_us ->
	                            child: the version's id; its number is the next. Make it durable */
	COMMAND_PACKAGE_WITHDRAW,  /* object (package version); -ENOENT also while it is bound */
	COMMAND_PACKAGE_REMOVE,    /* object; its versions go too; -ENOENT also while it is bound */
	COMMAND_DEPENDENCY_BIND,   /* object (function), name, target (package or package version)
	                            -> child */
	COMMAND_DEPENDENCY_RENAME, /* child, name; another one of that name and owner goes */
	COMMAND_DEPENDENCY_UNBIND, /* child */
	COMMAND_BUILD_KEEP,     /* object (function, version), name (digest), time_us; snapshot, as
	                            `set` says, or value (why it failed); what was kept there goes */
	COMMAND_BUILD_USE,      /* object, name, time_us */
	COMMAND_BUILD_DROP,     /* object, name */
	COMMAND_TOKEN_CREATE,   /* name, value, time_us -> object */
	COMMAND_TOKEN_SET,      /* object, value */
	COMMAND_TOKEN_RENAME,   /* object, name */
	COMMAND_TOKEN_REMOVE,   /* object */
	COMMAND_TOPIC_CREATE,   /* name, uid, gid, time_us -> object */
	COMMAND_TOPIC_RENAME,   /* object, name */
	COMMAND_TOPIC_OWN,      /* object, uid, gid */
	COMMAND_TOPIC_COUNT,    /* object, fired: events published so far */
	COMMAND_TOPIC_REMOVE,   /* object; -ENOENT also while a source names it */
	COMMAND_TRIGGER_CREATE, /* object (function), name, time_us -> object */
	COMMAND_TRIGGER_RENAME, /* object, name */
	COMMAND_TRIGGER_TARGET, /* object, child (version) or target (alias); 0 and 0 = latest */
	COMMAND_TRIGGER_FIRED,  /* object, time_us (the last event), fired, errors, from_us */
	COMMAND_TRIGGER_REMOVE, /* object; its source, settings and attributes go too */
	COMMAND_SOURCE_CREATE,  /* object (trigger), name (kind) -> child; -EEXIST: it has one */
	COMMAND_SOURCE_SET,     /* child, value, target (topic, or 0), uid, gid, groups, time_us;
	                            what was watched is forgotten */
	COMMAND_SOURCE_REMOVE,  /* child */
	COMMAND_WATCHED_SET,    /* child (source), value: a JSON array of [name, stamp] */
	COMMAND_WATCHED_FORGET, /* child (source), value: a JSON array of names */
	COMMAND_KINDS,
};

/* Bits of `set`; the same as ATTRIBUTE_* of model/attributes.h. */
enum { COMMAND_SET_MODE = 1, COMMAND_SET_UID = 2, COMMAND_SET_GID = 4, COMMAND_SET_MTIME = 8 };
enum { COMMAND_SET_SNAPSHOT = 16 };

/*
 * A publish is two commands, for the tree takes its time to reach the disk. BEGIN reserves the name and copies
 * all settings (but min_instances) and variables of the function as they are at that moment; the copies of
 * the variables get the ids that follow the version's, in the order of the originals; the copies of the
 * dependencies follow those, in their order, and what was bound to the latest version of a package is
 * bound to that version now (whoever asks has seen to it that there is one). FINISH names the snapshot,
 * and the version exists. What a crash left begun is shown by the walk without a snapshot, to be swept.
 */
enum { STORE_SNAPSHOT_ID_SIZE = 32 };

struct store_snapshot {
	unsigned char root[STORE_SNAPSHOT_ID_SIZE]; /* names all its content */
	uint64_t files, directories;
	uint64_t bytes;       /* of its files */
	uint64_t added_bytes; /* that it took on disk */
};

struct command {
	enum command_kind kind;
	uint64_t object;
	uint64_t child;
	uint64_t ino;
	uint64_t target;
	const char *name;
	const char *value;
	unsigned set;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	int64_t time_us;
	int64_t from_us;
	uint64_t fired, errors;
	const char *groups; /* numbers with blanks between them */
	struct store_snapshot snapshot;
	int durable;
};

struct command_result {
	uint64_t object; /* 0 unless the command says it makes one */
	uint64_t child;
};

/*
 * Opens or creates and migrates. -EBUSY: another daemon holds it; -EPROTO: a newer schema; -EROFS,
 * -EACCES, -ENOENT: the directory; -ENOSPC; -ENOMEM; -EIO: the disk fails, or the file is damaged.
 */
int store_open(struct store **out, const char *state_dir);
struct store *store_close(struct store *store);

/*
 * 0; refused: -EEXIST (name taken), -ENOENT (no such object); failed and logged: -ENOSPC, -EROFS,
 * -ENOMEM, -EIO. `result` may be NULL; it is written only on success.
 */
int store_apply(struct store *store, const struct command *command, struct command_result *result);

/*
 * Walks, in the order of ids. What `each` returns other than 0 ends the walk and is handed on. Texts
 * are borrowed for the call. 0, -ENOMEM, -EIO.
 */
struct store_function_row {
	uint64_t id;
	const char *name;
	uid_t uid;
	gid_t gid;
	int64_t created_us;
};
int store_each_function(struct store *store,
        int (*each)(void *userdata, const struct store_function_row *row), void *userdata);
struct store_version_row {
	uint64_t id;
	uint64_t function;
	const char *name;
	const struct store_snapshot *snapshot; /* NULL: begun, and never finished */
	int64_t created_us;
};
int store_each_version(struct store *store,
        int (*each)(void *userdata, const struct store_version_row *row), void *userdata);
struct store_alias_row {
	uint64_t id;
	uint64_t function;
	const char *name;
	const char *routes;
	const char *previous; /* "" at first */
	uint64_t generation;  /* 1 at first */
	int64_t created_us;
};
int store_each_alias(struct store *store,
        int (*each)(void *userdata, const struct store_alias_row *row), void *userdata);
struct store_package_row {
	uint64_t id;
	const char *name;
	uid_t uid;
	gid_t gid;
	const char *description; /* "" at first */
	const char *source;      /* "" at first */
	uint64_t next;           /* number of the version that will be published next */
	int64_t created_us;
};
int store_each_package(struct store *store,
        int (*each)(void *userdata, const struct store_package_row *row), void *userdata);
struct store_package_version_row {
	uint64_t id;
	uint64_t package;
	uint64_t number;
	struct store_snapshot snapshot;
	const char *source; /* "" = its files */
	const char *sha256; /* of the archive; "" */
	int64_t created_us;
};
int store_each_package_version(struct store *store,
        int (*each)(void *userdata, const struct store_package_version_row *row), void *userdata);
struct store_dependency_row {
	uint64_t id;
	uint64_t owner; /* a function or version */
	const char *name;
	uint64_t package;
	uint64_t version; /* a package version's id; 0 = the latest */
};
int store_each_dependency(struct store *store,
        int (*each)(void *userdata, const struct store_dependency_row *row), void *userdata);
struct store_build_row {
	uint64_t owner; /* a function or version */
	const char *digest;
	const unsigned char *root; /* STORE_SNAPSHOT_ID_SIZE bytes; NULL: it failed */
	uint64_t bytes;
	const char *error; /* NULL: it did not fail */
	int64_t used_us;
};
int store_each_build(struct store *store,
        int (*each)(void *userdata, const struct store_build_row *row), void *userdata);
struct store_token_row {
	uint64_t id;
	const char *name;
	const char *value;
	int64_t created_us;
};
int store_each_token(struct store *store,
        int (*each)(void *userdata, const struct store_token_row *row), void *userdata);
struct store_topic_row {
	uint64_t id;
	const char *name;
	uid_t uid;
	gid_t gid;
	uint64_t published;
	int64_t created_us;
};
int store_each_topic(struct store *store,
        int (*each)(void *userdata, const struct store_topic_row *row), void *userdata);
struct store_trigger_row {
	uint64_t id;
	uint64_t function;
	const char *name;
	uint64_t version, alias; /* 0 = not one; both = latest */
	int64_t last_us;         /* 0 = never */
	uint64_t fired, errors;
	int64_t created_us;
};
int store_each_trigger(struct store *store,
        int (*each)(void *userdata, const struct store_trigger_row *row), void *userdata);
struct store_source_row {
	uint64_t id;
	uint64_t trigger;
	const char *kind;
	const char *value; /* "" = not set yet */
	uint64_t topic;    /* 0 = none */
	uid_t uid;         /* who set it */
	gid_t gid;
	const char *groups;
	int64_t start_us, from_us;
};
int store_each_source(struct store *store,
        int (*each)(void *userdata, const struct store_source_row *row), void *userdata);
/* Of one source, by name. */
int store_each_watched(struct store *store, uint64_t source,
        int (*each)(void *userdata, const char *name, const char *stamp), void *userdata);
/* A name that no other state directory has, but a copy of this: 16 hexadecimal digits. */
#define STORE_IDENTITY_SIZE 17
int store_identity(struct store *store, char out[STORE_IDENTITY_SIZE]);
/* Of all owners but triggers; and of those. */
int store_each_setting(struct store *store,
        int (*each)(void *userdata, uint64_t owner, const char *name, const char *value),
        void *userdata);
int store_each_trigger_setting(struct store *store,
        int (*each)(void *userdata, uint64_t owner, const char *name, const char *value),
        void *userdata);
int store_each_variable(struct store *store,
        int (*each)(
                void *userdata, uint64_t owner, uint64_t id, const char *key, const char *value),
        void *userdata);
int store_each_attributes(struct store *store,
        int (*each)(void *userdata, uint64_t ino, unsigned set, mode_t mode, uid_t uid, gid_t gid,
                int64_t mtime_us),
        void *userdata);

/*
 * One by one: found by an index. `each` as above; from within it the same question cannot be asked again.
 * 0; -ENOENT where one thing is asked for; -ENOMEM, -EIO.
 */
int store_get_function(struct store *store, uint64_t id,
        int (*each)(void *userdata, const struct store_function_row *row), void *userdata);
int store_find_function(struct store *store, const char *name,
        int (*each)(void *userdata, const struct store_function_row *row), void *userdata);
int store_each_function_after(struct store *store, uint64_t after,
        int (*each)(void *userdata, const struct store_function_row *row), void *userdata);
int store_count_functions(struct store *store, size_t *count); /* walks: for the start alone */

/* The function that a version, an alias or a variable belongs to. */
int store_function_of(struct store *store, uint64_t id, uint64_t *function);
int store_has_version(struct store *store, uint64_t id); /* a finished one; 0 or -ENOENT */
int store_has_draft(struct store *store);                /* of any function; 0 or -ENOENT */

/* All that belongs to one function: drafts too, without a snapshot; settings and variables also of its versions, and settings of its aliases. */
int store_each_version_of(struct store *store, uint64_t function,
        int (*each)(void *userdata, const struct store_version_row *row), void *userdata);
int store_each_alias_of(struct store *store, uint64_t function,
        int (*each)(void *userdata, const struct store_alias_row *row), void *userdata);
int store_each_setting_of(struct store *store, uint64_t function,
        int (*each)(void *userdata, uint64_t owner, const char *name, const char *value),
        void *userdata);
int store_each_variable_of(struct store *store, uint64_t function,
        int (*each)(
                void *userdata, uint64_t owner, uint64_t id, const char *key, const char *value),
        void *userdata);

/* Of whoever has it set: `build`, `image` or `min_instances`, which alone are found by their name. */
int store_each_setting_named(struct store *store, const char *name,
        int (*each)(void *userdata, uint64_t owner, const char *name, const char *value),
        void *userdata);
