/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing with linear probing; removal shifts the following run back, so no tombstones. */
#include "base/map.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdULL;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ULL;
	return x ^ (x >> 33);
}

static uint64_t hash_string(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325ULL; /* FNV-1a */

	while (*text)
		hash = (hash ^ (unsigned char)*text++) * 0x100000001b3ULL;
	return mix(hash);
}

/* Whether a slot whose home is `home` may move from `from` to the hole before it. */
static int may_fill(size_t hole, size_t home, size_t from, size_t mask)
{
	return ((from - home) & mask) >= ((from - hole) & mask);
}

void map_init(struct map *map)
{
	memset(map, 0, sizeof(*map));
}

void map_deinit(struct map *map)
{
	free(map->slots);
	map_init(map);
}

static struct map_slot *map_slot(const struct map *map, uint64_t key)
{
	size_t mask = map->capacity - 1;
	size_t i = mix(key) & mask;

	while (map->slots[i].value && map->slots[i].key != key)
		i = (i + 1) & mask;
	return &map->slots[i];
}

static int map_grow(struct map *map)
{
	struct map bigger = {.capacity = map->capacity ? map->capacity * 2 : 16};
	size_t i;

	bigger.slots = calloc(bigger.capacity, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (i = 0; i < map->capacity; i++)
		if (map->slots[i].value)
			*map_slot(&bigger, map->slots[i].key) = map->slots[i];
	free(map->slots);
	map->slots = bigger.slots;
	map->capacity = bigger.capacity;
	return 0;
}

void *map_get(const struct map *map, uint64_t key)
{
	return map->capacity ? map_slot(map, key)->value : NULL;
}

int map_reserve_more(struct map *map, size_t more)
{
	int r = 0;

	while (r == 0 && more && (map->count + more - 1) * 4 >= map->capacity * 3)
		r = map_grow(map);
	return r;
}

int map_reserve(struct map *map)
{
	return map_reserve_more(map, 1);
}

int map_put(struct map *map, uint64_t key, void *value)
{
	struct map_slot *slot;
	int r = map_reserve(map);

	assert(value);
	if (r < 0)
		return r;
	slot = map_slot(map, key);
	map->count += !slot->value;
	slot->key = key;
	slot->value = value;
	return 0;
}

void *map_remove(struct map *map, uint64_t key)
{
	size_t mask = map->capacity - 1, hole, i;
	void *value;

	if (!map->capacity)
		return NULL;
	hole = (size_t)(map_slot(map, key) - map->slots);
	value = map->slots[hole].value;
	if (!value)
		return NULL;
	map->count--;
	for (i = (hole + 1) & mask; map->slots[i].value; i = (i + 1) & mask) {
		if (may_fill(hole, mix(map->slots[i].key) & mask, i, mask)) {
			map->slots[hole] = map->slots[i];
			hole = i;
		}
	}
	map->slots[hole].value = NULL;
	return value;
}

void *map_next(const struct map *map, size_t *cursor)
{
	while (*cursor < map->capacity) {
		void *value = map->slots[(*cursor)++].value;
		if (value)
			return value;
	}
	return NULL;
}

void names_init(struct names *names)
{
	memset(names, 0, sizeof(*names));
}

void names_deinit(struct names *names)
{
	free(names->slots);
	names_init(names);
}

static struct names_slot *names_slot(const struct names *names, uint64_t hash, const char *key)
{
	size_t mask = names->capacity - 1;
	size_t i = hash & mask;

	while (names->slots[i].value &&
	        (names->slots[i].hash != hash || strcmp(names->slots[i].key, key) != 0))
		i = (i + 1) & mask;
	return &names->slots[i];
}

static int names_grow(struct names *names)
{
	struct names bigger = {.capacity = names->capacity ? names->capacity * 2 : 16};
	size_t i;

	bigger.slots = calloc(bigger.capacity, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (i = 0; i < names->capacity; i++)
		if (names->slots[i].value)
			*names_slot(&bigger, names->slots[i].hash, names->slots[i].key) =
			        names->slots[i];
	free(names->slots);
	names->slots = bigger.slots;
	names->capacity = bigger.capacity;
	return 0;
}

void *names_get(const struct names *names, const char *key)
{
	return names->capacity ? names_slot(names, hash_string(key), key)->value : NULL;
}

int names_put(struct names *names, const char *key, void *value)
{
	uint64_t hash = hash_string(key);
	struct names_slot *slot;

	assert(value);
	if (names->count * 4 >= names->capacity * 3) {
		int r = names_grow(names);
		if (r < 0)
			return r;
	}
	slot = names_slot(names, hash, key);
	names->count += !slot->value;
	*slot = (struct names_slot){hash, key, value};
	return 0;
}

void *names_remove(struct names *names, const char *key)
{
	size_t mask = names->capacity - 1, hole, i;
	void *value;

	if (!names->capacity)
		return NULL;
	hole = (size_t)(names_slot(names, hash_string(key), key) - names->slots);
	value = names->slots[hole].value;
	if (!value)
		return NULL;
	names->count--;
	for (i = (hole + 1) & mask; names->slots[i].value; i = (i + 1) & mask) {
		if (may_fill(hole, names->slots[i].hash & mask, i, mask)) {
			names->slots[hole] = names->slots[i];
			hole = i;
		}
	}
	names->slots[hole].value = NULL;
	return value;
}

void *names_next(const struct names *names, size_t *cursor)
{
	while (*cursor < names->capacity) {
		void *value = names->slots[(*cursor)++].value;
		if (value)
			return value;
	}
	return NULL;
}
