/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the text to what is chosen by. One function per piece of the grammar:
 *
 *	line  = VERSION "if" tests | VERSION [WEIGHT] [ "sticky" key ]
 *	tests = test { ("and" | "or") test }
 *	test  = key ( "=" VALUE | "in" VALUE { "," VALUE } )
 *	key   = "header" NAME | "field" MEMBER { "." MEMBER }
 *
 * What is half parsed is whole enough to be freed.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "base/utf8.h"
#include "model/routes_private.h"
#include "model/routes_text.h"
#include "model/why.h"

struct parsing {
	struct routes_reader reader;
	struct routes *routes;
	routes_resolve_fn resolve;
	void *userdata;
	struct buf word;
};

/* One more zeroed element at the end, or NULL. There are few: no need to grow in steps. */
static void *add_element(void *array_pointer, size_t *count, size_t size)
{
	void **array = array_pointer;
	char *longer = realloc(*array, (*count + 1) * size);

	if (!longer)
		return NULL;
	*array = longer;
	memset(longer + *count * size, 0, size);
	return longer + (*count)++ * size;
}

#define ADD(array, count) ((__typeof__(array))add_element(&(array), &(count), sizeof(*(array))))

static int no_memory(void)
{
	return fail(-ENOMEM, "reading routes");
}

static int add_text(char ***texts, size_t *count, const char *text)
{
	char **place = ADD(*texts, *count);

	if (!place || !(*place = strdup(text)))
		return no_memory();
	return 0;
}

static void free_texts(char **texts, size_t count)
{
	while (count)
		free(texts[--count]);
	free(texts);
}

/* --- versions ------------------------------------------------------------------------------- */

static uint64_t hash_name(const char *text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	while (*text)
		hash = (hash ^ (unsigned char)*text++) * UINT64_C(0x100000001b3);
	return hash;
}

static int add_target(struct parsing *parsing, struct version *version, size_t *target)
{
	struct routes *routes = parsing->routes;
	struct routes_target *place = ADD(routes->targets, routes->targets_count);

	if (!place || !(place->name = strdup(parsing->word.data)))
		return no_memory();
	place->version = version;
	place->name_hash = hash_name(place->name);
	*target = routes->targets_count - 1;
	return 0;
}

static int read_version(struct parsing *parsing, size_t *target)
{
	struct routes *routes = parsing->routes;
	struct version *version = NULL;
	size_t i;
	int r = routes_read_word(&parsing->reader, ROUTES_WORD_PLAIN, &parsing->word);

	if (r < 0)
		return r;
	for (i = 0; i < routes->targets_count; i++) {
		if (strcmp(routes->targets[i].name, parsing->word.data) == 0) {
			*target = i;
			return 0;
		}
	}
	r = parsing->resolve(parsing->userdata, parsing->word.data, &version);
	if (r == -ENOENT)
		return routes_refuse_word(
		        &parsing->reader, "there is no version ", parsing->word.data);
	return r < 0 ? r : add_target(parsing, version, target);
}

/* --- keys ----------------------------------------------------------------------------------- */

static bool is_header_name(const char *name)
{
	return !name[strspn(name, "abcdefghijklmnopqrstuvwxyz"
	                          "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")];
}

static int read_header(struct parsing *parsing, struct routes_key *key)
{
	int r = routes_read_word(&parsing->reader, ROUTES_WORD_HEADER, &parsing->word);

	key->is_header = true;
	if (r < 0)
		return r;
	if (!is_header_name(parsing->word.data))
		return routes_refuse_word(&parsing->reader,
		        "the name of a header is letters, digits, - and _; not ",
		        parsing->word.data);
	return add_text(&key->segments, &key->segments_count, parsing->word.data);
}

static int read_path(struct parsing *parsing, struct routes_key *key)
{
	int r;

	do {
		if (key->segments_count && routes_at_end(&parsing->reader))
			return routes_refuse(&parsing->reader, "a path ends with a dot");
		r = routes_read_word(&parsing->reader, ROUTES_WORD_MEMBER, &parsing->word);
		if (r == 0)
			r = add_text(&key->segments, &key->segments_count, parsing->word.data);
		if (r < 0)
			return r;
	} while (parsing->reader.at < parsing->reader.end && *parsing->reader.at == '.' &&
	         parsing->reader.at++);
	return 0;
}

static bool is_same_key(const struct routes_key *a, const struct routes_key *b)
{
	size_t i;

	if (a->is_header != b->is_header || a->segments_count != b->segments_count)
		return false;
	for (i = 0; i < a->segments_count; i++)
		if ((a->is_header ? strcasecmp : strcmp)(a->segments[i], b->segments[i]) != 0)
			return false;
	return true;
}

static int share_key(struct parsing *parsing, struct routes_key *key, size_t *number)
{
	struct routes *routes = parsing->routes;
	struct routes_key *place;

	for (*number = 0; *number < routes->keys_count; ++*number)
		if (is_same_key(&routes->keys[*number], key))
			return 0;
	if (routes->keys_count == ROUTES_KEYS_MOST)
		return routes_refuse(&parsing->reader,
		        "routes ask for at most %d different headers and fields", ROUTES_KEYS_MOST);
	place = ADD(routes->keys, routes->keys_count);
	if (!place)
		return no_memory();
	*place = *key;
	*key = (struct routes_key){0};
	return 0;
}

static int read_key(struct parsing *parsing, size_t *number)
{
	struct routes_key key = {0};
	int r = routes_read_word(&parsing->reader, ROUTES_WORD_PLAIN, &parsing->word);

	if (r < 0)
		return r;
	if (strcmp(parsing->word.data, "header") == 0)
		r = read_header(parsing, &key);
	else if (strcmp(parsing->word.data, "field") == 0)
		r = read_path(parsing, &key);
	else
		r = routes_refuse_word(&parsing->reader, "it takes header NAME or field PATH, not ",
		        parsing->word.data);
	if (r == 0)
		r = share_key(parsing, &key, number);
	free_texts(key.segments, key.segments_count);
	return r;
}

/* --- rules ---------------------------------------------------------------------------------- */

static int read_values(struct parsing *parsing, struct routes_test *test)
{
	int r;

	do {
		r = routes_read_word(&parsing->reader, ROUTES_WORD_VALUE, &parsing->word);
		if (r == 0)
			r = add_text(&test->values, &test->values_count, parsing->word.data);
	} while (r == 0 && test->is_list && routes_take(&parsing->reader, ','));
	return r;
}

static int read_test(struct parsing *parsing, struct routes_test *test)
{
	int r = read_key(parsing, &test->key);

	if (r < 0)
		return r;
	if (routes_take(&parsing->reader, '='))
		return read_values(parsing, test);
	test->is_list = routes_peek_word(&parsing->reader, "in");
	if (!test->is_list)
		return routes_refuse(
		        &parsing->reader, "after a header or field comes = VALUE or in A, B, C");
	parsing->reader.at += strlen("in");
	return read_values(parsing, test);
}

static int read_rule(struct parsing *parsing, size_t target)
{
	struct routes_rule *rule = ADD(parsing->routes->rules, parsing->routes->rules_count);
	struct routes_test *test;
	bool begins = true;
	int r;

	if (!rule)
		return no_memory();
	rule->target = target;
	for (;;) {
		test = ADD(rule->tests, rule->tests_count);
		if (!test)
			return no_memory();
		test->begins_group = begins;
		r = read_test(parsing, test);
		if (r < 0 || routes_at_end(&parsing->reader))
			return r;
		begins = routes_peek_word(&parsing->reader, "or");
		if (!begins && !routes_peek_word(&parsing->reader, "and"))
			return routes_refuse(&parsing->reader, "between two tests comes and or or");
		parsing->reader.at += strlen(begins ? "or" : "and");
	}
}

/* --- shares --------------------------------------------------------------------------------- */

static int read_weight(struct parsing *parsing, struct routes_share *share)
{
	int r = routes_read_word(&parsing->reader, ROUTES_WORD_PLAIN, &parsing->word);

	if (r < 0)
		return r;
	if (routes_weight_parse(parsing->word.data, &share->numerator, &share->denominator) < 0)
		return routes_refuse_word(&parsing->reader,
		        "a weight is a number above 0, like 90, 2.5 or 100/3, of at most 12 digits "
		        "(who gets nothing has no line); not ",
		        parsing->word.data);
	return 0;
}

static int read_sticky(struct parsing *parsing, struct routes_share *share)
{
	struct routes *routes = parsing->routes;
	size_t key;
	int r;

	parsing->reader.at += strlen("sticky");
	r = read_key(parsing, &key);
	if (r < 0)
		return r;
	if (routes->sticky_key != ROUTES_NO_KEY && routes->sticky_key != (int)key)
		return routes_refuse(&parsing->reader,
		        "one sticky key serves all lines, and another one stands above");
	routes->sticky_key = (int)key;
	share->is_sticky = true;
	return 0;
}

static int read_share(struct parsing *parsing, size_t target)
{
	struct routes *routes = parsing->routes;
	struct routes_share *share;
	size_t i;
	int r = 0;

	for (i = 0; i < routes->shares_count; i++)
		if (routes->shares[i].target == target)
			return routes_refuse(&parsing->reader, "%s has a share already",
			        routes->targets[target].name);
	share = ADD(routes->shares, routes->shares_count);
	if (!share)
		return no_memory();
	share->target = target;
	if (!routes_at_end(&parsing->reader) && !routes_peek_word(&parsing->reader, "sticky"))
		r = read_weight(parsing, share);
	if (r == 0 && routes_peek_word(&parsing->reader, "sticky"))
		r = read_sticky(parsing, share);
	if (r < 0)
		return r;
	if (!routes_at_end(&parsing->reader))
		return routes_refuse(&parsing->reader,
		        "a line is VERSION, VERSION WEIGHT, VERSION WEIGHT sticky field PATH, or "
		        "VERSION if ...");
	if (routes->shares_count > 1 && (!share->numerator || !routes->shares[0].numerator))
		return routes_refuse(
		        &parsing->reader, "with more than one version each needs a weight");
	return 0;
}

/* --- all ------------------------------------------------------------------------------------ */

static int read_line(struct parsing *parsing)
{
	size_t target = 0;
	int r = read_version(parsing, &target);

	if (r < 0)
		return r;
	if (!routes_peek_word(&parsing->reader, "if"))
		return read_share(parsing, target);
	parsing->reader.at += strlen("if");
	return read_rule(parsing, target);
}

static int settle(struct routes *routes, struct buf *why)
{
	if (!routes->shares_count) {
		why_say(why, routes->rules_count
		                     ? "one line has to say where calls go that no rule takes, "
		                       "like: latest"
		                     : "routes are lines like: 1.0.0 90");
		return -EINVAL;
	}
	if (!routes->shares[0].numerator)
		routes->shares[0].numerator = routes->shares[0].denominator = 1;
	if (routes_weights_settle(routes) == 0)
		return 0;
	why_say(why, "the weights are too unlike: as whole numbers their sum is above 2^33");
	return -EINVAL;
}

static int check_text(const char *text, struct buf *why)
{
	size_t length = strlen(text), i;

	if (length > ROUTES_TEXT_MOST) {
		why_say(why, "routes have at most %dK in %d lines", ROUTES_TEXT_MOST / 1024,
		        ROUTES_LINES_MOST);
		return -EINVAL;
	}
	for (i = 0; i < length; i++)
		if ((unsigned char)text[i] == 0x7f ||
		        ((unsigned char)text[i] < ' ' && !strchr("\t\r\n", text[i])))
			break;
	if (i == length && utf8_valid(text, length))
		return 0;
	why_say(why, "routes are lines of text in UTF-8, without control characters");
	return -EINVAL;
}

static int read_lines(struct parsing *parsing)
{
	int r = 0;

	while (r == 0 && routes_next_line(&parsing->reader)) {
		if (parsing->routes->rules_count + parsing->routes->shares_count ==
		        ROUTES_LINES_MOST)
			return routes_refuse(&parsing->reader, "routes have at most %d lines",
			        ROUTES_LINES_MOST);
		r = read_line(parsing);
	}
	return r;
}

static void routes_free_p(struct routes **routes)
{
	routes_free(*routes);
}

int routes_parse(struct routes **out, const char *text, routes_resolve_fn resolve, void *userdata,
        struct buf *why)
{
	CLEANUP(routes_free_p) struct routes *routes = calloc(1, sizeof(*routes));
	struct parsing parsing = {.reader = {.at = text, .end = text, .why = why},
	        .routes = routes,
	        .resolve = resolve,
	        .userdata = userdata};
	int r = routes ? check_text(text, why) : no_memory();

	if (r < 0)
		return r;
	routes->sticky_key = ROUTES_NO_KEY;
	r = read_lines(&parsing);
	buf_deinit(&parsing.word);
	if (r == 0)
		r = settle(routes, why);
	if (r == 0)
		*out = take(routes);
	return r;
}

static void free_rule(struct routes_rule *rule)
{
	while (rule->tests_count) {
		struct routes_test *test = &rule->tests[--rule->tests_count];

		free_texts(test->values, test->values_count);
	}
	free(rule->tests);
}

struct routes *routes_free(struct routes *routes)
{
	size_t i;

	if (!routes)
		return NULL;
	for (i = 0; i < routes->targets_count; i++)
		free(routes->targets[i].name);
	for (i = 0; i < routes->rules_count; i++)
		free_rule(&routes->rules[i]);
	for (i = 0; i < routes->keys_count; i++)
		free_texts(routes->keys[i].segments, routes->keys[i].segments_count);
	free(routes->targets);
	free(routes->rules);
	free(routes->shares);
	free(routes->keys);
	free(routes);
	return NULL;
}
