/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Objects in the order of their ids, to be walked by a cursor that is an id: the next one is found also when the
 * one it stands for is gone. Ids mostly grow, so a new one usually goes to the end. Objects are borrowed.
 */
#include <stddef.h>
#include <stdint.h>

struct ordered_slot {
	uint64_t id;
	void *object;
};

struct ordered {
	struct ordered_slot *slots;
	size_t count;
	size_t capacity;
};

void ordered_deinit(
        struct ordered *ordered); /* frees the table, not the objects; zeroed is empty */
int ordered_reserve(struct ordered *ordered); /* room for one more: 0 or -ENOMEM */
void ordered_put(
        struct ordered *ordered, uint64_t id, void *object);     /* there is room, and no such id */
void ordered_remove(struct ordered *ordered, uint64_t id);       /* it is there */
void *ordered_after(const struct ordered *ordered, uint64_t id); /* the next one, or NULL */
void *ordered_last(const struct ordered *ordered);               /* or NULL */
