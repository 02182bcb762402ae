/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Which paths of the tree differ from which slots (copies of the tree, numbered 0 to 63): one trie for
 * all slots, a bit for each. What has no mark is the same in the slot as in the tree, so that bringing
 * a slot up to date costs what changed and not what is there. When memory is short, or marks are
 * many, a coarser mark stands for finer ones.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "store/worktree_ranges.h"

struct mark_part {
	struct mark_part *next;
	unsigned slot;
	struct ranges ranges;
};

struct mark {
	struct mark *parent;
	struct names children;
	uint64_t self;       /* existence, type, content or target */
	uint64_t attributes; /* mode and times */
	uint64_t deep;       /* everything below, too */
	uint64_t partly;     /* some bytes of the content: see `parts` */
	uint64_t below;      /* whatever marks stand below have */
	struct mark_part *parts;
	char name[];
};

struct marks {
	struct mark *root;
	size_t count;
};

int marks_init(struct marks *marks); /* -ENOMEM */
void marks_deinit(struct marks *marks);

static inline uint64_t mark_own(const struct mark *mark)
{
	return mark->self | mark->attributes | mark->deep | mark->partly;
}

static inline uint64_t mark_any(const struct mark *mark)
{
	return mark_own(mark) | mark->below;
}

/* NULL when there is none. */
struct mark *mark_child(const struct mark *mark, const char *name);
/* Made when there is none. Without memory the parent is marked deep for `slots`: NULL. */
struct mark *marks_make(struct marks *marks, struct mark *parent, const char *name, uint64_t slots);

void mark_add_self(struct mark *mark, uint64_t slots);
void mark_add_attributes(struct mark *mark, uint64_t slots);
void mark_add_deep(struct mark *mark, uint64_t slots); /* self as well */
void mark_add_ranges(struct mark *mark, uint64_t slots, const struct ranges *ranges);
const struct ranges *mark_ranges(const struct mark *mark, unsigned slot); /* NULL: none */

/* Removes the mark with all below it. */
void marks_remove(struct marks *marks, struct mark *mark);
/* The mark, with all below it, now stands under another parent and name; what stood there is gone. */
void marks_move(struct marks *marks, struct mark *mark, struct mark *parent, const char *name,
        uint64_t slots);

/* The slot is as the tree is. */
void marks_clear(struct marks *marks, unsigned slot);
/* Slot `to` becomes a copy of slot `from`. */
void marks_copy(struct marks *marks, unsigned from, unsigned to);
/* A trie of its own with the marks of these slots only, e.g. for another thread. -ENOMEM. */
int marks_clone(const struct marks *marks, uint64_t slots, struct marks *clone);
