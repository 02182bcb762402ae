/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The one door to SQLite: `STATE/fnfs.db`, WAL. Every change of what exists is a `struct command`,
 * applied in one transaction by store_apply(); later a replicated log can order the same commands for
 * several machines. What store_apply() acknowledged survives a crash of the daemon; commands marked
 * `durable` also a power cut. What it refused left nothing, in the file or in the result. Reading is
 * by walks at start-up: the layers above keep what they read. Ids come from one sequence for every
 * kind of object, are never reused and stay below 2^48. Loop thread only.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct store;

enum command_kind {
	COMMAND_FUNCTION_CREATE, /* name, uid, gid, time_us -> object: the new id */
	COMMAND_FUNCTION_RENAME, /* object, name */
	COMMAND_FUNCTION_OWN,    /* object, uid, gid */
	COMMAND_FUNCTION_REMOVE, /* object; its settings, variables and attributes go too */
	COMMAND_SETTING_SET,  /* object, name (setting), value; NULL value = back to the default */
	COMMAND_VARIABLE_SET, /* object (function), name, value -> child: the variable's id */
	COMMAND_VARIABLE_RENAME,   /* object, child, name */
	COMMAND_VARIABLE_UNSET,    /* object, child */
	COMMAND_ATTRIBUTES_SET,    /* ino, mode/uid/gid/time_us as `set` says */
	COMMAND_ATTRIBUTES_FORGET, /* object */
	COMMAND_KINDS,
};

/* Bits of `set`; the same as ATTRIBUTE_* of model/attributes.h. */
enum { COMMAND_SET_MODE = 1, COMMAND_SET_UID = 2, COMMAND_SET_GID = 4, COMMAND_SET_MTIME = 8 };

struct command {
	enum command_kind kind;
	uint64_t object;
	uint64_t child;
	uint64_t ino;
	const char *name;
	const char *value;
	unsigned set;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	int64_t time_us;
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
int store_each_setting(struct store *store,
        int (*each)(void *userdata, uint64_t function, const char *name, const char *value),
        void *userdata);
int store_each_variable(struct store *store,
        int (*each)(
                void *userdata, uint64_t function, uint64_t id, const char *key, const char *value),
        void *userdata);
int store_each_attributes(struct store *store,
        int (*each)(void *userdata, uint64_t ino, unsigned set, mode_t mode, uid_t uid, gid_t gid,
                int64_t mtime_us),
        void *userdata);
