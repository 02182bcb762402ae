/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which version takes a call: the first rule that holds; else the key, where there is one; else the split.
 *
 * The split is R. Tijdeman's solution of the chairman assignment problem (Discrete Mathematics 32, 1980). Each version is
 * owed its weight with every call, and a whole call is taken off when it gets one. Of those that are owed enough, more
 * than W/(2k-2) with k versions, the one gets the call whose credit would be the first to reach the bound.
 * Then no version is ever further from its share than 1 - 1/(2k-2) of a call, above or below, after every call
 * from the first on. Smooth weighted round-robin, which takes whoever is owed most, has no such bound: with many
 * versions of different weights it strays by more than a call.
 *
 * A key chooses by weighted rendezvous hashing: each version draws a number from the key and its own name, scaled
 * by its weight, and the best one wins. When weights change, only those keys move that have to: from versions that
 * lost some of their share to those that won, in proportion.
 */
#include <math.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/routes_private.h"

typedef __int128 wide;

/* Values are looked up once for a call, and only when asked for. */
struct asking {
	const struct routes *routes;
	const char *event;
	size_t length;
	bool looked[ROUTES_KEYS_MOST];
	struct routes_value values[ROUTES_KEYS_MOST];
};

static const struct routes_value *ask(struct asking *asking, size_t key)
{
	if (!asking->looked[key])
		routes_event_find(asking->event, asking->length, &asking->routes->keys[key],
		        &asking->values[key]);
	asking->looked[key] = true;
	return &asking->values[key];
}

static void asking_end(struct asking *asking)
{
	size_t i;

	for (i = 0; i < asking->routes->keys_count; i++)
		buf_deinit(&asking->values[i].text);
}

static bool test_holds(struct asking *asking, const struct routes_test *test)
{
	const struct routes_value *value = ask(asking, test->key);
	size_t i;

	for (i = 0; i < test->values_count; i++)
		if (routes_value_is(value, test->values[i]))
			return true;
	return false;
}

static bool rule_holds(struct asking *asking, const struct routes_rule *rule)
{
	bool holds = false; /* of the group so far */
	size_t i;

	for (i = 0; i < rule->tests_count; i++) {
		if (rule->tests[i].begins_group && holds)
			return true;
		if (rule->tests[i].begins_group || holds)
			holds = test_holds(asking, &rule->tests[i]);
	}
	return holds;
}

/* Every bit of the result depends on every bit of both (the finish of splitmix64). */
static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static uint64_t hash_key(const char *text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	while (*text)
		hash = (hash ^ (unsigned char)*text++) * UINT64_C(0x100000001b3);
	return mix(hash);
}

static size_t choose_by_key(const struct routes *routes, const char *key)
{
	uint64_t hash = hash_key(key);
	double best = -1, draw, score;
	size_t i, chosen = 0;

	for (i = 0; i < routes->shares_count; i++) {
		const struct routes_share *share = &routes->shares[i];

		/* 53 bits, and never 0 or 1 */
		draw = ((double)(mix(hash ^ routes->targets[share->target].name_hash) >> 11) +
		               0.5) *
		       0x1p-53;
		score = (double)share->weight / -log(draw);
		if (score > best) {
			best = score;
			chosen = i;
		}
	}
	return chosen;
}

/* How far a version may still go without the call before it is out of bounds, in calls of its own rate. */
static bool is_more_urgent(const struct routes *routes, const struct routes_share *one,
        const struct routes_share *other, int64_t scale)
{
	wide all = (wide)routes->weight_of_all * (scale - 1);
	wide left = all - (wide)one->credit * scale;
	wide other_left = all - (wide)other->credit * scale;

	return left * other->weight < other_left * one->weight;
}

static size_t choose_by_split(struct routes *routes)
{
	int64_t scale = 2 * (int64_t)routes->shares_count - 2;
	struct routes_share *chosen = NULL, *share;
	size_t i;

	if (scale == 0)
		return 0;
	for (i = 0; i < routes->shares_count; i++) {
		share = &routes->shares[i];
		share->credit += (int64_t)share->weight;
		if (share->credit * scale < (int64_t)routes->weight_of_all)
			continue;
		if (!chosen || is_more_urgent(routes, share, chosen, scale))
			chosen = share;
	}
	chosen->credit -= (int64_t)routes->weight_of_all;
	return (size_t)(chosen - routes->shares);
}

static size_t choose(struct routes *routes, struct asking *asking)
{
	const struct routes_value *value;
	size_t i;

	for (i = 0; i < routes->rules_count; i++)
		if (rule_holds(asking, &routes->rules[i]))
			return routes->rules[i].target;
	if (routes->sticky_key != ROUTES_NO_KEY) {
		value = ask(asking, (size_t)routes->sticky_key);
		if (value->is_there)
			return routes->shares[choose_by_key(routes, value->text.data)].target;
	}
	return routes->shares[choose_by_split(routes)].target;
}

size_t routes_choose(struct routes *routes, const char *event, size_t length)
{
	struct asking asking;
	size_t chosen;

	if (!routes->keys_count) /* nothing to ask */
		return routes->shares[choose_by_split(routes)].target;
	memset(&asking, 0, sizeof(asking));
	asking.routes = routes;
	asking.event = event;
	asking.length = length;
	chosen = choose(routes, &asking);
	asking_end(&asking);
	return chosen;
}
