/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * An intrusive, circular, doubly linked list. The head and every link are a `struct list`; an
 * unlinked link points to itself, so unlinking twice is harmless.
 */
#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next;
	struct list *previous;
};

#define LIST_INIT(head) \
	{ \
		&(head), &(head) \
	}

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

static inline void list_init(struct list *list)
{
	list->next = list->previous = list;
}

static inline bool list_empty(const struct list *list)
{
	return list->next == list;
}

static inline void list_append(struct list *head, struct list *link)
{
	link->previous = head->previous;
	link->next = head;
	head->previous->next = link;
	head->previous = link;
}

static inline void list_prepend(struct list *head, struct list *link)
{
	list_append(head->next, link);
}

static inline void list_unlink(struct list *link)
{
	link->previous->next = link->next;
	link->next->previous = link->previous;
	list_init(link);
}

/* Moves all of `from` to the empty head `to`: "swap the ready list, then drain it". */
static inline void list_move_all(struct list *from, struct list *to)
{
	list_init(to);
	if (list_empty(from))
		return;
	*to = *from;
	to->next->previous = to;
	to->previous->next = to;
	list_init(from);
}

static inline size_t list_count(const struct list *head)
{
	const struct list *at;
	size_t count = 0;

	for (at = head->next; at != head; at = at->next)
		count++;
	return count;
}

#define list_first(head, type, member) \
	(list_empty(head) ? NULL : container_of((head)->next, type, member))
#define list_last(head, type, member) \
	(list_empty(head) ? NULL : container_of((head)->previous, type, member))

#define list_each(item, head, member) \
	for (item = container_of((head)->next, __typeof__(*item), member); \
	        &item->member != (head); \
	        item = container_of(item->member.next, __typeof__(*item), member))

/* As list_each, and `item` may be unlinked and freed in the body; no other item may be. */
#define list_each_safe(item, following, head, member) \
	for (item = container_of((head)->next, __typeof__(*item), member), \
	    following = container_of(item->member.next, __typeof__(*item), member); \
	        &item->member != (head); item = following, \
	    following = container_of(item->member.next, __typeof__(*item), member))
