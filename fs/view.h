/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What a view sees. A view is a handful of functions that render or change one kind of engine object;
 * it is given a `struct subject` and a `struct buf` and knows nothing of FUSE, inodes or requests.
 * Everything here runs on the loop thread, inline, and must end quickly: looking is free.
 *
 * Conventions of all functions below: 0 or -errno. A refusal leaves a sentence in `why` (no newline,
 * no capital, no full stop, as in "timeout is 0.1s to 72h"), which becomes `last_error`; a refusal
 * without a sentence gets a general one made of the path and the errno.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/caller.h"

struct alias;
struct engine;
struct function;
struct metrics;
struct package;
struct package_version;
struct row;
struct topic;
struct trigger;
struct version;

/*
 * One object as seen through one row. Made anew for each operation, by the `get` of the nearest EACH
 * above the row; pointers are good for that operation only.
 */
struct subject {
	struct engine *engine;
	const struct row *row;     /* the row itself; row->key tells rows of one view apart */
	uint64_t object;           /* the 48-bit id in the inode number */
	struct function *function; /* NULL outside functions/NAME */
	struct version *version;   /* NULL outside versions/NAME */
	struct alias *alias;       /* NULL outside aliases/NAME */
	struct trigger *trigger;   /* NULL outside triggers/NAME */
	struct topic *topic;       /* NULL outside topics/NAME */
	struct metrics *metrics;   /* of a version under an alias, else NULL */
	struct package *package;   /* NULL outside dependencies/NAME */
	struct package_version *package_version; /* NULL outside versions/N of that */
	void *item; /* left here by `get`: the variable, the record ... */
	uid_t uid;  /* owner by default: of the function, else of the daemon */
	gid_t gid;
	int64_t time_us; /* wall time: when the object came to be */
	struct caller caller;
	mode_t mode; /* `make` of what is ROW_FLEETING: the permissions asked for */
};

/* TEXT and KNOB: appends the whole text, newline included. LINK: appends the target, no newline. */
typedef int (*show_fn)(const struct subject *subject, struct buf *out);

/*
 * KNOB: takes the new value, a C string without the newline at its end and without zero bytes. For
 * a value of one line white space round it is gone too and no newline is in it.
 */
typedef int (*set_fn)(const struct subject *subject, const char *text, struct buf *why);

/* Whether a row stands in its directory now (e.g. `logs/current` before the first line). */
typedef bool (*present_fn)(const struct subject *subject);

#define EACH_NAME_SIZE 256

struct each_entry {
	uint64_t object;
	char name[EACH_NAME_SIZE];
};

typedef bool (*each_found_fn)(void *userdata, const struct each_entry *entry);

/*
 * The objects in a directory: one item row (name NULL) of its table shows each of them. An object id
 * has 48 bits, is never 0 and never reused. Where ids count up per function, it is node_child() of
 * the function's id and the local one (fs/node.h). Verbs that are NULL are refused with EPERM.
 */
struct each {
	/* The first object of the directory behind `after` in the order of listing; 0 = from the start.
	 * `after` may be gone meanwhile. False at the end. */
	bool (*next)(const struct subject *directory, uint64_t after, struct each_entry *entry);

	/* All of them behind `after`, until `found` says false, where one after the other costs more;
	 * `found` asks for nothing itself. NULL: `next`, which is there always. */
	void (*walk)(const struct subject *directory, uint64_t after, each_found_fn found,
	        void *userdata);

	int (*find)(const struct subject *directory, const char *name, uint64_t *object);

	/* Fills function, item, uid, gid and time_us of a subject with engine, row, object, caller
	 * set (uid and gid are the daemon's before). -ENOENT when the object is gone. */
	int (*get)(struct subject *subject);

	/* What of that attributes take: uid, gid and time_us. NULL: `get`. */
	int (*look)(struct subject *subject);

	/* The object's name, for sentences. NULL: its id in decimal. */
	void (*name)(const struct subject *subject, char name[EACH_NAME_SIZE]);

	/* The row of the directory it is in now, where objects go from one to another (ROW_MOVES). */
	uint16_t (*stands_in)(const struct subject *subject);

	/* Whether a new object may have this name; others can be scratch files. NULL: any name. */
	bool (*claims)(const char *name);

	/* mkdir, or creat for items that are files. Everything about it stands when this returns. */
	int (*make)(const struct subject *directory, const char *name, uint64_t *object,
	        struct buf *why);
	/* The same for what takes its time: 0, and `done` comes later, on the loop, with 0 and the object or
	 * -errno and a sentence; or it came already, then *wait is NULL. `leave` is for who cannot wait. */
	int (*make_later)(const struct subject *directory, const char *name,
	        void (*done)(void *userdata, int status, uint64_t object, const char *why),
	        void *userdata, void **wait, struct buf *why);
	void (*leave)(void *wait);
	/* symlink, for items that are links. */
	int (*link)(const struct subject *directory, const char *name, const char *target,
	        uint64_t *object, struct buf *why);
	int (*remove)(const struct subject *subject, struct buf *why); /* rmdir, unlink */
	/* Asked before anything inside it is removed, which has no effect: 0 or -EBUSY. NULL: 0. */
	int (*busy)(const struct subject *subject, struct buf *why);
	int (*rename)(const struct subject *subject, const char *name, struct buf *why);
	/* Instead of `rename`: into this or another directory of rows, and it may take its time. 0; -errno, as
	 * -EXDEV where it does not belong; 1: `done` comes later, on the loop, and soon. */
	int (*move)(const struct subject *subject, const struct subject *directory,
	        const char *name, void (*done)(void *userdata, int status), void *userdata,
	        struct buf *why);
	bool replaces; /* `rename` onto another object of the directory replaces it; else -EEXIST */
	int (*own)(const struct subject *subject, uid_t uid, gid_t gid); /* chown of the item */
};

/* TAIL: a growing or large text with a true size that is read piecewise (behaviours/tail.c). */
struct tail {
	int (*open)(const struct subject *subject, void **reader);
	ssize_t (*read)(void *reader, void *data, size_t size, int64_t offset); /* 0 = end */
	void (*close)(void *reader);
	int64_t (*size)(const struct subject *subject);
	int64_t (*modified_us)(const struct subject *subject); /* NULL: subject->time_us */
};
