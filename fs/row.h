/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A row describes one virtual file or directory; tables of rows, ended by {}, are the tree (fs/tree.c).
 * A directory's table holds its fixed children, which are always there under their name, and item
 * rows, whose name is NULL: one entry per object of `each`. The order of the table is the order of
 * readdir. A fixed child belongs to the same object as its directory; below an item row everything
 * belongs to the item. Mode, owner, link counts, lookup and readdir all come from here.
 *
 * Ids are part of inode numbers and of stored attributes: fixed for ever, never reused, 1 to 32767.
 */
#include <stdint.h>
#include <sys/stat.h>

#include "fs/view.h"

struct behaviour;
struct follow;

enum {
	ROW_HIDDEN = 1,  /* found by name, not listed: files that wait */
	ROW_LINES = 2,   /* KNOB: a value of several lines, set as a whole at the opener's flush */
	ROW_DYNAMIC = 4, /* DIR: entries come and go without the kernel's doing: nothing cached */
	ROW_FLEETING =
	        8, /* item rows: objects do not outlive the daemon, so nobody can chmod them */
	ROW_MOVES =
	        16, /* item rows: objects go from one directory to another, each with a row of this id */
	ROW_SECRET = 32, /* item rows: made for their owner alone, whatever mode is asked for */
};

struct row {
	uint16_t id;
	const char *name; /* NULL: an item row */
	const struct behaviour *behaviour;
	mode_t mode; /* type and permissions */
	unsigned flags;
	const struct row *children; /* directories */
	const struct each *each;    /* item rows */
	show_fn show;               /* TEXT, KNOB, LINK */
	set_fn set;                 /* KNOB */
	const struct tail *tail;
	const struct follow *follow;
	present_fn present; /* NULL: always */
	int key;            /* whatever the view needs to tell its rows apart: a config_key ... */
	const char *help;   /* one line for docs/tree.md */
};

extern const struct behaviour dir_behaviour, text_behaviour, knob_behaviour, link_behaviour,
        call_behaviour, code_behaviour, snapshot_behaviour, tail_behaviour, follow_behaviour,
        publish_behaviour, files_behaviour, scratch_behaviour, upload_behaviour, entry_behaviour,
        batch_behaviour, wait_behaviour;

/* A text rendered at open and fixed until close. */
#define TEXT(row_id, row_name, row_show, row_help, ...) \
	{ \
		.id = row_id, .name = row_name, .behaviour = &text_behaviour, \
		.mode = S_IFREG | 0444, .show = row_show, .help = row_help, __VA_ARGS__ \
	}

/* A value: a whole one per write, judged by the write. */
#define KNOB(row_id, row_name, row_show, row_set, row_help, ...) \
	{ \
		.id = row_id, .name = row_name, .behaviour = &knob_behaviour, \
		.mode = S_IFREG | 0644, .show = row_show, .set = row_set, .help = row_help, \
		__VA_ARGS__ \
	}

/* One that stands where others can be set, but not this one. */
#define FIXED_KNOB(row_id, row_name, row_show, row_set, row_help, ...) \
	{ \
		.id = row_id, .name = row_name, .behaviour = &knob_behaviour, \
		.mode = S_IFREG | 0444, .show = row_show, .set = row_set, .help = row_help, \
		__VA_ARGS__ \
	}

/*
 * A directory with the given table. Writable for its owner, also where nothing can be made: else an
 * ordinary user could not remove what is in it, nor a copy of it.
 */
#define DIR(row_id, row_name, row_children, row_help, ...) \
	{ \
		.id = row_id, .name = row_name, .behaviour = &dir_behaviour, \
		.mode = S_IFDIR | 0755, .children = row_children, .help = row_help, __VA_ARGS__ \
	}

/* One directory per object. `row_help` names it for the manual: "NAME: one function". */
#define EACH(row_id, row_each, row_children, row_help, ...) \
	{ \
		.id = row_id, .behaviour = &dir_behaviour, .mode = S_IFDIR | 0755, \
		.each = row_each, .children = row_children, .help = row_help, __VA_ARGS__ \
	}

/* One value per object. */
#define EACH_KNOB(row_id, row_each, row_show, row_set, row_help, ...) \
	{ \
		.id = row_id, .behaviour = &knob_behaviour, .mode = S_IFREG | 0644, \
		.each = row_each, .show = row_show, .set = row_set, .help = row_help, __VA_ARGS__ \
	}

/* A symbolic link whose target is rendered. */
#define LINK(row_id, row_name, row_show, row_help, ...) \
	{ \
		.id = row_id, .name = row_name, .behaviour = &link_behaviour, \
		.mode = S_IFLNK | 0777, .show = row_show, .help = row_help, __VA_ARGS__ \
	}

/* A large or growing text of true size. */
#define TAIL(row_id, row_name, row_tail, row_help, ...) \
	{ \
		.id = row_id, .name = row_name, .behaviour = &tail_behaviour, \
		.mode = S_IFREG | 0444, .tail = row_tail, .help = row_help, __VA_ARGS__ \
	}

#define EACH_TAIL(row_id, row_each, row_tail, row_help, ...) \
	{ \
		.id = row_id, .behaviour = &tail_behaviour, .mode = S_IFREG | 0444, \
		.each = row_each, .tail = row_tail, .help = row_help, __VA_ARGS__ \
	}

/* Blocks at the end and delivers what comes; never listed. */
#define FOLLOW(row_id, row_name, row_follow, row_help, ...) \
	{ \
		.id = row_id, .name = row_name, .behaviour = &follow_behaviour, \
		.mode = S_IFREG | 0444, .flags = ROW_HIDDEN, .follow = row_follow, \
		.help = row_help, __VA_ARGS__ \
	}

/* A conversation: write the event, the read waits for the response. The owner calls; chmod opens it. */
#define CALL(row_id, row_name, row_help, ...) \
	{ \
		.id = row_id, .name = row_name, .behaviour = &call_behaviour, \
		.mode = S_IFREG | 0644, .help = row_help, __VA_ARGS__ \
	}

/* The root of a working tree. */
#define CODE(row_id, row_name, row_help, ...) \
	{ \
		.id = row_id, .name = row_name, .behaviour = &code_behaviour, \
		.mode = S_IFDIR | 0755, .help = row_help, __VA_ARGS__ \
	}
