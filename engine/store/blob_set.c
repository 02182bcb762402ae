/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open addressing with linear probing, at most three quarters full; removal shifts the following run
 * back. An id is its own hash. The id of zeros marks an empty place and is counted apart.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/blob_set.h"

static const struct blob_id zeros;

static size_t home_of(const struct blob_set *set, const struct blob_id *id)
{
	uint64_t key;

	memcpy(&key, id->bytes, sizeof(key));
	return (size_t)key & (set->capacity - 1);
}

static bool is_zeros(const struct blob_id *id)
{
	return blob_id_equal(id, &zeros);
}

/* Where it is, or the empty place where it would be. */
static struct blob_id *place_of(const struct blob_set *set, const struct blob_id *id)
{
	size_t i = home_of(set, id);

	while (!is_zeros(&set->ids[i]) && !blob_id_equal(&set->ids[i], id))
		i = (i + 1) & (set->capacity - 1);
	return &set->ids[i];
}

struct blob_set *blob_set_new(void)
{
	return calloc(1, sizeof(struct blob_set));
}

void blob_set_deinit(struct blob_set *set)
{
	free(set->ids);
	memset(set, 0, sizeof(*set));
}

struct blob_set *blob_set_free(struct blob_set *set)
{
	if (!set)
		return NULL;
	blob_set_deinit(set);
	free(set);
	return NULL;
}

static int grow(struct blob_set *set)
{
	struct blob_set bigger = {.capacity = set->capacity ? set->capacity * 2 : 64};
	size_t i;

	bigger.ids = calloc(bigger.capacity, sizeof(*bigger.ids));
	if (!bigger.ids)
		return -ENOMEM;
	for (i = 0; i < set->capacity; i++)
		if (!is_zeros(&set->ids[i]))
			*place_of(&bigger, &set->ids[i]) = set->ids[i];
	free(set->ids);
	set->ids = bigger.ids;
	set->capacity = bigger.capacity;
	return 0;
}

int blob_set_add(struct blob_set *set, const struct blob_id *id)
{
	if (blob_set_has(set, id))
		return 0;
	if (is_zeros(id)) {
		set->has_zeros = true;
		return 1;
	}
	if ((set->count + 1) * 4 > set->capacity * 3 && grow(set) < 0)
		return -ENOMEM;
	*place_of(set, id) = *id;
	set->count++;
	return 1;
}

bool blob_set_has(const struct blob_set *set, const struct blob_id *id)
{
	if (is_zeros(id))
		return set->has_zeros;
	return set->count && !is_zeros(place_of(set, id));
}

/* Whether the id at `from` may move to the hole before it. */
static bool may_fill(const struct blob_set *set, size_t hole, size_t from)
{
	size_t mask = set->capacity - 1;

	return ((from - home_of(set, &set->ids[from])) & mask) >= ((from - hole) & mask);
}

bool blob_set_remove(struct blob_set *set, const struct blob_id *id)
{
	size_t hole, i;

	if (!blob_set_has(set, id))
		return false;
	if (is_zeros(id)) {
		set->has_zeros = false;
		return true;
	}
	hole = (size_t)(place_of(set, id) - set->ids);
	for (i = (hole + 1) & (set->capacity - 1); !is_zeros(&set->ids[i]);
	        i = (i + 1) & (set->capacity - 1)) {
		if (may_fill(set, hole, i)) {
			set->ids[hole] = set->ids[i];
			hole = i;
		}
	}
	set->ids[hole] = zeros;
	set->count--;
	return true;
}

size_t blob_set_count(const struct blob_set *set)
{
	return set->count + set->has_zeros;
}

int blob_set_add_all(struct blob_set *set, const struct blob_set *from)
{
	size_t i;

	set->has_zeros |= from->has_zeros;
	for (i = 0; i < from->capacity; i++)
		if (!is_zeros(&from->ids[i]) && blob_set_add(set, &from->ids[i]) < 0)
			return -ENOMEM;
	return 0;
}
