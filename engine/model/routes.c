/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of parsed routes, and how they are shown. */
#include "model/routes.h"

#include <assert.h>

#include "model/routes_private.h"
#include "model/routes_text.h"

size_t routes_targets_count(const struct routes *routes)
{
	return routes->targets_count;
}

const struct routes_target *routes_target(const struct routes *routes, size_t number)
{
	assert(number < routes->targets_count);
	return &routes->targets[number];
}

bool routes_use(const struct routes *routes, const struct version *version)
{
	size_t i;

	for (i = 0; i < routes->targets_count; i++)
		if (routes->targets[i].version == version)
			return true;
	return false;
}

void routes_share(const struct routes *routes, size_t target, uint64_t *weight, uint64_t *all)
{
	size_t i;

	*weight = *all = 0;
	for (i = 0; i < routes->shares_count; i++) {
		if (routes->shares[i].target == target) {
			*weight = routes->shares[i].weight;
			*all = routes->weight_of_all;
		}
	}
}

static void show_key(const struct routes_key *key, struct buf *out)
{
	size_t i;

	buf_puts(out, key->is_header ? "header " : "field ");
	for (i = 0; i < key->segments_count; i++) {
		if (i)
			buf_puts(out, ".");
		routes_put_word(out, key->is_header ? ROUTES_WORD_HEADER : ROUTES_WORD_MEMBER,
		        key->segments[i]);
	}
}

static void show_test(const struct routes *routes, const struct routes_test *test, struct buf *out)
{
	size_t i;

	show_key(&routes->keys[test->key], out);
	buf_puts(out, test->is_list ? " in " : " = ");
	for (i = 0; i < test->values_count; i++) {
		if (i)
			buf_puts(out, ",");
		routes_put_word(out, ROUTES_WORD_VALUE, test->values[i]);
	}
}

static void show_rule(const struct routes *routes, const struct routes_rule *rule, struct buf *out)
{
	size_t i;

	buf_printf(out, "%s if ", routes->targets[rule->target].name);
	for (i = 0; i < rule->tests_count; i++) {
		if (i)
			buf_puts(out, rule->tests[i].begins_group ? " or " : " and ");
		show_test(routes, &rule->tests[i], out);
	}
	buf_puts(out, "\n");
}

void routes_show(const struct routes *routes, struct buf *out)
{
	size_t i;

	for (i = 0; i < routes->rules_count; i++)
		show_rule(routes, &routes->rules[i], out);
	for (i = 0; i < routes->shares_count; i++) {
		const struct routes_share *share = &routes->shares[i];

		buf_printf(out, "%s ", routes->targets[share->target].name);
		routes_weight_show(share, routes->weight_of_all, out);
		if (share->is_sticky) {
			buf_puts(out, " sticky ");
			show_key(&routes->keys[routes->sticky_key], out);
		}
		buf_puts(out, "\n");
	}
}
