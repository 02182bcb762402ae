/* SPDX-License-Identifier: Apache-2.0 */
#include "store/worktree_marks.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MARKS_MOST  50000 /* beyond, all is marked at the root */
#define RANGES_MOST 256

static struct mark *mark_new(struct mark *parent, const char *name)
{
	size_t size = strlen(name) + 1;
	struct mark *mark = calloc(1, sizeof(*mark) + size);

	if (!mark)
		return NULL;
	memcpy(mark->name, name, size);
	mark->parent = parent;
	if (parent && names_put(&parent->children, mark->name, mark) < 0) {
		free(mark);
		return NULL;
	}
	return mark;
}

static void free_parts(struct mark *mark)
{
	struct mark_part *part;

	while ((part = mark->parts)) {
		mark->parts = part->next;
		ranges_deinit(&part->ranges);
		free(part);
	}
}

/* Frees a mark that its parent does not know any more, with all below; returns how many. */
static size_t mark_free(struct mark *mark)
{
	struct mark *child;
	size_t count = 1, cursor = 0;

	while ((child = names_next(&mark->children, &cursor)))
		count += mark_free(child);
	names_deinit(&mark->children);
	free_parts(mark);
	free(mark);
	return count;
}

int marks_init(struct marks *marks)
{
	marks->root = mark_new(NULL, "");
	marks->count = 1;
	return marks->root ? 0 : -ENOMEM;
}

void marks_deinit(struct marks *marks)
{
	if (marks->root)
		mark_free(marks->root);
	*marks = (struct marks){0};
}

struct mark *mark_child(const struct mark *mark, const char *name)
{
	return names_get(&mark->children, name);
}

static void tell_parents(struct mark *mark, uint64_t slots)
{
	while ((mark = mark->parent) && (mark->below & slots) != slots)
		mark->below |= slots;
}

static void collapse(struct marks *marks)
{
	uint64_t all = mark_any(marks->root);
	struct mark *child;
	size_t cursor = 0;

	while ((child = names_next(&marks->root->children, &cursor)))
		marks->count -= mark_free(child);
	names_deinit(&marks->root->children);
	marks->root->below = 0;
	mark_add_deep(marks->root, all);
}

struct mark *marks_make(struct marks *marks, struct mark *parent, const char *name, uint64_t slots)
{
	struct mark *mark = mark_child(parent, name);

	if (mark)
		return mark;
	if (marks->count < MARKS_MOST)
		mark = mark_new(parent, name);
	if (mark) {
		marks->count++;
		return mark;
	}
	mark_add_deep(parent, slots);
	if (marks->count >= MARKS_MOST)
		collapse(marks);
	return NULL;
}

void mark_add_self(struct mark *mark, uint64_t slots)
{
	mark->self |= slots;
	tell_parents(mark, slots);
}

void mark_add_attributes(struct mark *mark, uint64_t slots)
{
	mark->attributes |= slots;
	tell_parents(mark, slots);
}

void mark_add_deep(struct mark *mark, uint64_t slots)
{
	mark->deep |= slots;
	mark_add_self(mark, slots);
}

static struct mark_part *part_of(struct mark *mark, unsigned slot)
{
	struct mark_part *part = mark->parts;

	while (part && part->slot != slot)
		part = part->next;
	if (part)
		return part;
	part = calloc(1, sizeof(*part));
	if (!part)
		return NULL;
	part->slot = slot;
	part->next = mark->parts;
	mark->parts = part;
	return part;
}

void mark_add_ranges(struct mark *mark, uint64_t slots, const struct ranges *ranges)
{
	uint64_t left = slots & ~mark->self;

	while (left) {
		unsigned slot = (unsigned)__builtin_ctzll(left);
		struct mark_part *part = part_of(mark, slot);
		left &= left - 1;
		if (!part || ranges_add_all(&part->ranges, ranges) < 0)
			mark->self |= UINT64_C(1) << slot;
		else
			ranges_coarsen(&part->ranges, RANGES_MOST);
		mark->partly |= UINT64_C(1) << slot;
	}
	tell_parents(mark, slots);
}

const struct ranges *mark_ranges(const struct mark *mark, unsigned slot)
{
	const struct mark_part *part = mark->parts;

	while (part && part->slot != slot)
		part = part->next;
	return part ? &part->ranges : NULL;
}

static void detach(struct mark *mark)
{
	names_remove(&mark->parent->children, mark->name);
	if (mark->parent->children.count == 0)
		names_deinit(&mark->parent->children);
	mark->parent = NULL;
}

void marks_remove(struct marks *marks, struct mark *mark)
{
	assert(mark != marks->root);
	detach(mark);
	marks->count -= mark_free(mark);
}

/* A mark's name is part of it, so a moved one is made anew and takes over all else. */
void marks_move(struct marks *marks, struct mark *mark, struct mark *parent, const char *name,
        uint64_t slots)
{
	struct mark *there = mark_child(parent, name), *child;
	size_t cursor = 0;

	if (there)
		marks_remove(marks, there);
	detach(mark);
	there = marks_make(marks, parent, name, slots);
	if (there) {
		there->children = mark->children;
		names_init(&mark->children);
		while ((child = names_next(&there->children, &cursor)))
			child->parent = there;
		there->self = mark->self;
		there->attributes = mark->attributes;
		there->deep = mark->deep;
		there->partly = mark->partly;
		there->below = mark->below;
		there->parts = mark->parts;
		mark->parts = NULL;
		tell_parents(there, mark_any(there));
	}
	marks->count -= mark_free(mark);
}

static void drop_part(struct mark *mark, unsigned slot)
{
	struct mark_part **at = &mark->parts, *part;

	while ((part = *at) && part->slot != slot)
		at = &part->next;
	if (!part)
		return;
	*at = part->next;
	ranges_deinit(&part->ranges);
	free(part);
}

/*
 * True when nothing is left of the mark. Empty children are strung together by their parent pointers
 * first and removed afterwards: a map must not change while it is walked.
 */
static bool clear(struct marks *marks, struct mark *mark, unsigned slot)
{
	uint64_t bit = UINT64_C(1) << slot;
	struct mark *child, *empty = NULL, *next;
	size_t cursor = 0;

	drop_part(mark, slot);
	mark->self &= ~bit;
	mark->attributes &= ~bit;
	mark->deep &= ~bit;
	mark->partly &= ~bit;
	if (!(mark->below & bit))
		return mark_any(mark) == 0;
	mark->below = 0;
	while ((child = names_next(&mark->children, &cursor))) {
		if (!clear(marks, child, slot)) {
			mark->below |= mark_any(child);
			continue;
		}
		child->parent = empty;
		empty = child;
	}
	for (; empty; empty = next) {
		next = empty->parent;
		empty->parent = mark;
		marks_remove(marks, empty);
	}
	return mark_any(mark) == 0;
}

void marks_clear(struct marks *marks, unsigned slot)
{
	clear(marks, marks->root, slot);
}

static void copy_bit(uint64_t *slots, unsigned from, unsigned to)
{
	if (*slots >> from & 1)
		*slots |= UINT64_C(1) << to;
}

static void copy_mark(struct mark *mark, unsigned from, unsigned to)
{
	const struct ranges *ranges = mark_ranges(mark, from);
	struct mark *child;
	size_t cursor = 0;

	copy_bit(&mark->self, from, to);
	copy_bit(&mark->attributes, from, to);
	copy_bit(&mark->deep, from, to);
	if (ranges)
		mark_add_ranges(mark, UINT64_C(1) << to, ranges);
	if (!(mark->below >> from & 1))
		return;
	copy_bit(&mark->below, from, to);
	while ((child = names_next(&mark->children, &cursor)))
		copy_mark(child, from, to);
}

void marks_copy(struct marks *marks, unsigned from, unsigned to)
{
	copy_mark(marks->root, from, to);
}

static int clone_into(
        const struct mark *mark, uint64_t slots, struct marks *marks, struct mark *copy)
{
	const struct mark_part *part;
	struct mark *child, *made;
	size_t cursor = 0;
	int r = 0;

	copy->self = mark->self & slots;
	copy->attributes = mark->attributes & slots;
	copy->deep = mark->deep & slots;
	copy->below = mark->below & slots;
	for (part = mark->parts; part; part = part->next)
		if (slots >> part->slot & 1)
			mark_add_ranges(copy, UINT64_C(1) << part->slot, &part->ranges);
	while (r == 0 && (mark->below & slots) && (child = names_next(&mark->children, &cursor))) {
		if (!(mark_any(child) & slots))
			continue;
		made = mark_new(copy, child->name);
		marks->count += made != NULL;
		r = made ? clone_into(child, slots, marks, made) : -ENOMEM;
	}
	return r;
}

int marks_clone(const struct marks *marks, uint64_t slots, struct marks *clone)
{
	int r = marks_init(clone);

	if (r == 0)
		r = clone_into(marks->root, slots, clone, clone->root);
	if (r < 0)
		marks_deinit(clone);
	return r;
}
