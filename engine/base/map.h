/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Hash maps from a 64-bit number (`map`) or a string (`names`) to a pointer. Values are borrowed and
 * never NULL; `names` borrows its keys too: a key must live as long as its entry (it is usually a
 * member of the value). Order is undefined. Not thread-safe.
 */
#include <stddef.h>
#include <stdint.h>

struct map_slot {
	uint64_t key;
	void *value; /* NULL = empty */
};

struct map {
	struct map_slot *slots;
	size_t capacity; /* 0 or a power of two */
	size_t count;
};

void map_init(struct map *map);
void map_deinit(struct map *map);                        /* frees the table, not the values */
void *map_get(const struct map *map, uint64_t key);      /* NULL when absent */
int map_put(struct map *map, uint64_t key, void *value); /* replaces; 0 or -ENOMEM */
void *map_remove(struct map *map, uint64_t key);         /* the old value or NULL */

/* Makes room: the next map_put() of a new key cannot fail. 0 or -ENOMEM. */
int map_reserve(struct map *map);
int map_reserve_more(struct map *map, size_t more); /* nor can the next so many */

/* Walks in table order; the map must not change meanwhile. Start with *cursor = 0. */
void *map_next(const struct map *map, size_t *cursor);
#define map_each(value, map, cursor) \
	for (size_t cursor = 0; ((value) = map_next((map), &cursor)) != NULL;)

struct names_slot {
	uint64_t hash;
	const char *key;
	void *value; /* NULL = empty */
};

struct names {
	struct names_slot *slots;
	size_t capacity;
	size_t count;
};

void names_init(struct names *names);
void names_deinit(struct names *names);
void *names_get(const struct names *names, const char *key);
int names_put(struct names *names, const char *key, void *value); /* replaces; 0 or -ENOMEM */
void *names_remove(struct names *names, const char *key);
void *names_next(const struct names *names, size_t *cursor);
