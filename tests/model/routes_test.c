/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user would lose: a canary that gets the share it was given and no other call, a key that stays with its
 * version, and the line and the reason when routes are refused.
 */
#include "model/routes.h"

#include <errno.h>

#include "heap.h"
#include "test.h"

/* Versions are told apart by their addresses only. `latest` is NULL; names with an x are unknown. */
static int resolve(void *userdata, const char *name, struct version **out)
{
	static char versions[1 << 16];
	unsigned hash = 5381;

	if (strcmp(name, "latest") == 0)
		*out = NULL;
	else if (strchr(name, 'x'))
		return -ENOENT;
	for (; strcmp(name, "latest") != 0 && *name; name++)
		*out = (struct version *)&versions[(hash = hash * 33 + (unsigned char)*name) %
		                                   sizeof(versions)];
	return 0;
}

static struct routes *parse(const char *text)
{
	struct buf why = BUF_INIT;
	struct routes *routes = NULL;
	int r = routes_parse(&routes, text, resolve, NULL, &why);

	if (r < 0)
		printf("%s\n", why.data);
	REQUIRE(r == 0);
	buf_deinit(&why);
	return routes;
}

static const char *choose(struct routes *routes, const char *event)
{
	size_t chosen = routes_choose(routes, event, strlen(event));

	return routes_target(routes, chosen)->name;
}

static void shows_canonically(void)
{
	static const struct {
		const char *text, *shown;
	} rows[] = {
	        {"1.0.0", "1.0.0 100\n"},
	        {"1.0.0 7", "1.0.0 100\n"},
	        {"  latest\t\r\n\n", "latest 100\n"},
	        {"1 90\n2 10\n", "1 90\n2 10\n"},
	        {"1 9\n2 1", "1 90\n2 10\n"},
	        {"1 1\n2 1\n3 1", "1 100/3\n2 100/3\n3 100/3\n"},
	        {"1 100/3\n2 100/3\n3 100/3", "1 100/3\n2 100/3\n3 100/3\n"},
	        {"1 2\n2 1", "1 200/3\n2 100/3\n"},
	        {"1 7\n2 1", "1 87.5\n2 12.5\n"},
	        {"1 99.99\n2 0.01", "1 99.99\n2 0.01\n"},
	        {"1 0.5\n2 1/2", "1 50\n2 50\n"},
	        {"1 1000000\n2 1", "1 100000000/1000001\n2 100/1000001\n"},
	        {"1 1\n2 if header X-User = beta", "2 if header X-User = beta\n1 100\n"},
	        {"2 if header a=b\n2 if header a=c\n1", "2 if header a = b\n2 if header a = c\n"
	                                                "1 100\n"},
	        {"2 if field a.b.c in x , \"y z\",\"\"\nlatest",
	                "2 if field a.b.c in x,\"y z\",\"\"\nlatest 100\n"},
	        {"2 if field a.\"b.c\".\"\" = \"q\\\"\\\\\" and header h = in or field "
	         "\"a\"=and\n1",
	                "2 if field a.\"b.c\".\"\" = q\"\\ and header h = in or field a = and\n"
	                "1 100\n"},
	        {"1 90\n2 10 sticky field user.id", "1 90\n2 10 sticky field user.id\n"},
	        {"1 sticky header x-key", "1 100 sticky header x-key\n"},
	        {"1 1 sticky header K\n2 1 sticky header k",
	                "1 50 sticky header K\n2 50 sticky header K\n"},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct routes *routes = parse(rows[i].text), *again;
		struct buf shown = BUF_INIT, twice = BUF_INIT;

		routes_show(routes, &shown);
		again = parse(shown.data);
		routes_show(again, &twice);
		CHECK_STR(shown.data, rows[i].shown);
		CHECK_STR(twice.data, shown.data);
		routes_free(routes);
		routes_free(again);
		buf_deinit(&shown);
		buf_deinit(&twice);
	}
}

#define WEIGHTS \
	"a weight is a number above 0, like 90, 2.5 or 100/3, of at most 12 digits " \
	"(who gets nothing has no line); not "

static void says_what_is_wrong(void)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
	        {"", "routes are lines like: 1.0.0 90"},
	        {"\n \n", "routes are lines like: 1.0.0 90"},
	        {"1 50\nx1 50", "line 2: there is no version 'x1'"},
	        {"1 50\n\n2 0", "line 3: " WEIGHTS "'0'"},
	        {"1 -5", "line 1: " WEIGHTS "'-5'"},
	        {"1 +5", "line 1: " WEIGHTS "'+5'"},
	        {"1 0.0", "line 1: " WEIGHTS "'0.0'"},
	        {"1 5/0", "line 1: " WEIGHTS "'5/0'"},
	        {"1 5.", "line 1: " WEIGHTS "'5.'"},
	        {"1 .5", "line 1: " WEIGHTS "'.5'"},
	        {"1 5%", "line 1: " WEIGHTS "'5%'"},
	        {"1 1e3", "line 1: " WEIGHTS "'1e3'"},
	        {"1 18446744073709551616", "line 1: " WEIGHTS "'18446744073709551616'"},
	        {"1 18446744073709551617", "line 1: " WEIGHTS "'18446744073709551617'"},
	        {"1 1000000000000", "line 1: " WEIGHTS "'1000000000000'"},
	        {"1 999999999999\n2 1", "the weights are too unlike: as whole numbers their sum is "
	                                "above 2^33"},
	        {"1 1/999999999999\n2 1/999999999998\n3 1/999999999997",
	                "the weights are too unlike: as whole numbers their sum is above 2^33"},
	        {"1 50\n1 50", "line 2: 1 has a share already"},
	        {"1\n2", "line 2: with more than one version each needs a weight"},
	        {"1 1\n2", "line 2: with more than one version each needs a weight"},
	        {"1\n2 1", "line 2: with more than one version each needs a weight"},
	        {"1 50 50", "line 1: a line is VERSION, VERSION WEIGHT, VERSION WEIGHT sticky "
	                    "field PATH, or VERSION if ..."},
	        {"1 if header a = b",
	                "one line has to say where calls go that no rule takes, like: "
	                "latest"},
	        {"1 if", "line 1: it ends where something has to follow"},
	        {"1 if query a = b", "line 1: it takes header NAME or field PATH, not 'query'"},
	        {"1 if header", "line 1: it ends where something has to follow"},
	        {"1 if header a", "line 1: after a header or field comes = VALUE or in A, B, C"},
	        {"1 if header a b", "line 1: after a header or field comes = VALUE or in A, B, C"},
	        {"1 if header a =", "line 1: it ends where something has to follow"},
	        {"1 if header a in", "line 1: it ends where something has to follow"},
	        {"1 if header a in b,", "line 1: it ends where something has to follow"},
	        {"1 if header a in ,b", "line 1: nothing stands before the ','"},
	        {"1 if header a = b,c", "line 1: between two tests comes and or or"},
	        {"1 if header a = b c", "line 1: between two tests comes and or or"},
	        {"1 if header a = b and", "line 1: it ends where something has to follow"},
	        {"1 if header a = b or or", "line 1: it takes header NAME or field PATH, not 'or'"},
	        {"1 if header a = \"b", "line 1: a \" is not closed"},
	        {"1 if header a:b = c", "line 1: the name of a header is letters, digits, - and _; "
	                                "not 'a:b'"},
	        {"1 if header = c", "line 1: nothing stands before the '='"},
	        {"1 if field a. = c", "line 1: nothing stands before the '='"},
	        {"1 if field a..b = c", "line 1: nothing stands before the '.'"},
	        {"1 if field a.", "line 1: a path ends with a dot"},
	        {"1 5 sticky", "line 1: it ends where something has to follow"},
	        {"1 5 sticky user", "line 1: it takes header NAME or field PATH, not 'user'"},
	        {"1 5 sticky field a b",
	                "line 1: a line is VERSION, VERSION WEIGHT, VERSION WEIGHT "
	                "sticky field PATH, or VERSION if ..."},
	        {"1 5 sticky field a\n2 5 sticky field b",
	                "line 2: one sticky key serves all lines, and another one stands above"},
	        {"1 \x01", "routes are lines of text in UTF-8, without control characters"},
	        {"1 if header a = \xff",
	                "routes are lines of text in UTF-8, without control characters"},
	};
	struct buf why = BUF_INIT;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct routes *routes = NULL;

		buf_clear(&why);
		CHECK_INT(routes_parse(&routes, rows[i].text, resolve, NULL, &why), -EINVAL);
		CHECK(!routes);
		CHECK_STR(why.data, rows[i].why);
		CHECK_INT(routes_parse(&routes, rows[i].text, resolve, NULL, NULL), -EINVAL);
	}
	buf_deinit(&why);
}

static void has_bounds(void)
{
	struct buf text = BUF_INIT, why = BUF_INIT;
	struct routes *routes = NULL;
	int i;

	for (i = 0; i < ROUTES_LINES_MOST; i++)
		buf_printf(&text, "v%d 1\n", i);
	routes = parse(text.data);
	CHECK_INT(routes_targets_count(routes), ROUTES_LINES_MOST);
	routes = routes_free(routes);
	buf_puts(&text, "more 1");
	CHECK_INT(routes_parse(&routes, text.data, resolve, NULL, &why), -EINVAL);
	CHECK_STR(why.data, "line 1001: routes have at most 1000 lines");
	for (i = 0; i < 9000; i++)
		buf_printf(&text, "\nw%d 1", i);
	CHECK_INT(routes_parse(&routes, text.data, resolve, NULL, &why), -EINVAL);
	CHECK_STR(why.data, "routes have at most 64K in 1000 lines");
	buf_clear(&text);
	for (i = 0; i <= ROUTES_KEYS_MOST; i++)
		buf_printf(&text, "1 if header k%d = 1\n1 if header K%d = 2\n", i, i);
	CHECK_INT(routes_parse(&routes, text.data, resolve, NULL, &why), -EINVAL);
	CHECK_STR(why.data, "line 65: routes ask for at most 32 different headers and fields");
	buf_deinit(&text);
	buf_deinit(&why);
}

/* Whether n calls, after each of them, were split as the weights say to within less than one call. */
static bool is_exact(struct routes *routes, uint64_t n)
{
	uint64_t counts[ROUTES_LINES_MOST] = {0}, weight, all, i;
	size_t count = routes_targets_count(routes), target;
	__int128 off;

	for (i = 1; i <= n; i++) {
		counts[routes_choose(routes, "{}", 2)]++;
		for (target = 0; target < count; target++) {
			routes_share(routes, target, &weight, &all);
			off = (__int128)counts[target] * all - (__int128)i * weight;
			if (off >= (__int128)all || -off >= (__int128)all) {
				printf("after %" PRIu64 " calls version %zu has %" PRIu64 "\n", i,
				        target, counts[target]);
				return false;
			}
		}
	}
	return true;
}

static struct routes *random_split(uint64_t *state, size_t count, uint64_t most)
{
	struct buf text = BUF_INIT;
	struct routes *routes;
	size_t i;

	for (i = 0; i < count; i++) /* some are much larger than others */
		buf_printf(&text, "v%zu %" PRIu64 "\n", i,
		        1 + test_random(state) %
		                        (test_random(state) % 3 ? most : (most + 99) / 100));
	routes = parse(text.data);
	buf_deinit(&text);
	return routes;
}

static void splits_exactly(void)
{
	static const char *const special[] = {"a 90\nb 10", "a 1\nb 1\nc 1", "a 1000000\nb 1",
	        "a 5\nb 1\nc 1", "a 999999\nb 999998\nc 1\nd 1", "a 100/3\nb 200/3",
	        "a 6\nb 6\nc 6\nd 1\ne 1", "a 99.99\nb 0.01", "a"};
	uint64_t state = test_seed();
	int i, rounds = test_long() ? 5000 : 300;
	struct routes *routes;

	for (i = 0; i < (int)(sizeof(special) / sizeof(*special)); i++) {
		routes = parse(special[i]);
		CHECK(is_exact(routes, 20000));
		routes_free(routes);
	}
	for (i = 0; i < rounds; i++) {
		routes = random_split(
		        &state, 2 + test_random(&state) % (i % 10 ? 8 : 60), i % 2 ? 100 : 100000);
		if (!CHECK(is_exact(routes, 3000))) {
			struct buf shown = BUF_INIT;

			routes_show(routes, &shown);
			printf("%s", shown.data);
			buf_deinit(&shown);
		}
		routes_free(routes);
	}
	routes = random_split(&state, ROUTES_LINES_MOST, 1000000);
	CHECK(is_exact(routes, 2000));
	routes_free(routes);
}

/* After as many calls as all weights together, everybody has had exactly his weight. */
static void comes_out_even(void)
{
	struct routes *routes = parse("a 7\nb 5\nc 3\nd 2\ne 2\nf 1");
	uint64_t counts[6] = {0}, weight, all;
	size_t i;

	for (i = 0; i < 20 * 1000; i++)
		counts[routes_choose(routes, NULL, 0)]++;
	for (i = 0; i < 6; i++) {
		routes_share(routes, i, &weight, &all);
		CHECK_INT(counts[i], weight * 1000);
	}
	routes_free(routes);
}

static void follows_rules(void)
{
	static const struct {
		const char *condition, *event;
		bool holds;
	} rows[] = {
	        {"header x-user = beta", "{\"headers\":{\"X-User\":\"beta\"}}", true},
	        {"header X-USER = beta", "{\"headers\":{\"x-user\":\" beta \"}}", true},
	        {"header x-user = beta", "{\"headers\":{\"x-user\":\"Beta\"}}", false},
	        {"header x-user = beta", "{\"headers\":{\"x-user\":[\"beta\",\"b\"]}}", true},
	        {"header x-user = beta", "{\"headers\":{\"x-user\":[]}}", false},
	        {"header x-user = beta", "{\"headers\":[\"beta\"]}", false},
	        {"header 0 = beta", "{\"headers\":[\"beta\"]}", false},
	        {"header x-user = beta", "{\"x-user\":\"beta\"}", false},
	        {"header x-user = beta", "{\"Headers\":{\"x-user\":\"beta\"}}", false},
	        {"header x-user = beta", "{\"headers\":\"beta\"}", false},
	        {"header x-user = beta", "", false},
	        {"header x-user = beta", "not json", false},
	        {"field a = 1", "{\"a\":1}", true},
	        {"field a = 1", "{\"a\":\"1\"}", true},
	        {"field a = 1", "{\"a\":1.0}", true},
	        {"field a = 1", "{\"a\": 10e-1 }", true},
	        {"field a = 1.0", "{\"a\":\"1\"}", false},
	        {"field a = 9007199254740993", "{\"a\":9007199254740993}", true},
	        {"field a = 9007199254740993", "{\"a\":9007199254740992}", false},
	        {"field a = -3", "{\"a\":-3}", true},
	        {"field a = true", "{\"a\":true}", true},
	        {"field a = null", "{\"a\":null}", true},
	        {"field a = \"\"", "{\"a\":\"\"}", true},
	        {"field a = \"\"", "{}", false},
	        {"field a = \"{}\"", "{\"a\":{}}", false},
	        {"field A = 1", "{\"a\":1}", false},
	        {"field a.b.c = x", "{\"a\":{\"b\":{\"z\":[1,{\"c\":2}],\"c\":\"x\"}}}", true},
	        {"field a.b.c = x", "{\"a\":{\"b\":\"c\"}}", false},
	        {"field a.1.b = x", "{\"a\":[{\"b\":\"y\"},{\"b\":\"x\"}]}", true},
	        {"field a.2.b = x", "{\"a\":[{\"b\":\"y\"},{\"b\":\"x\"}]}", false},
	        {"field 1 = x", "[0,\"x\"]", true},
	        {"field a.\"b.c\" = x", "{\"a\":{\"b.c\":\"x\"}}", true},
	        {"field a = \"\xc3\xa9\"", "{\"a\":\"\\u00e9\"}", true},
	        {"field \xc3\xa9 = 1", "{\"\\u00e9\":1}", true},
	        {"field a = x", "{\"b\":\"\\\"a\\\":\\\\\",\"c\":\"}\",\"a\":\"x\"}", true},
	        {"field a = x", "{\"b\":{\"a\":\"x\"},\"c\":[{\"a\":\"x\"}]}", false},
	        {"field a = x", "{\"a\":\"x\",\"a\":\"y\"}", true}, /* the first counts */
	        {"field a = x", " \n{ \"a\" : \"x\" }", true},
	        {"field a = x", "{\"a\":\"x", false},
	        {"field a = x", "{\"a\"", false},
	        {"field a = x", "{\"a\":", false},
	        {"field a = x", "{", false},
	        {"field a in x,y,\"z z\"", "{\"a\":\"z z\"}", true},
	        {"field a in x,y", "{\"a\":\"x,y\"}", false},
	        {"field a = x and field b = y", "{\"a\":\"x\",\"b\":\"y\"}", true},
	        {"field a = x and field b = y", "{\"a\":\"x\"}", false},
	        {"field a = x or field b = y", "{\"b\":\"y\"}", true},
	        {"field a = x or field b = y and field c = z", "{\"a\":\"x\"}", true},
	        {"field a = x and field b = y or field c = z", "{\"c\":\"z\"}", true},
	        {"field a = x and field b = y or field c = z", "{\"a\":\"x\"}", false},
	        {"field a = x or field b = y and field c = z", "{\"b\":\"y\"}", false},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char text[256];
		struct routes *routes;

		snprintf(text, sizeof(text), "1 100\n2 if %s", rows[i].condition);
		routes = parse(text);
		if (!CHECK_STR(choose(routes, rows[i].event), rows[i].holds ? "2" : "1"))
			printf("%s, of %s\n", rows[i].condition, rows[i].event);
		routes_free(routes);
	}
}

static void takes_the_first_rule(void)
{
	struct routes *routes = parse("1 1\n2 if field a = 1\n3 if field b = 1\n2 if field c = 1\n"
	                              "4 1");
	const char *first, *second;

	CHECK_STR(choose(routes, "{\"a\":1,\"b\":1}"), "2");
	CHECK_STR(choose(routes, "{\"b\":1,\"c\":1}"), "3");
	first = choose(routes, "{}");
	CHECK_STR(choose(routes, "{\"c\":1}"), "2"); /* does not count in the split */
	second = choose(routes, "{}");
	CHECK(strcmp(first, second) != 0);
	routes_free(routes);
}

/* The version of each of many keys. */
static void ask_keys(struct routes *routes, char chosen[][8], int count)
{
	char event[64];
	int i;

	for (i = 0; i < count; i++) {
		snprintf(event, sizeof(event), "{\"user\":{\"id\":%d}}", i);
		snprintf(chosen[i], 8, "%s", choose(routes, event));
	}
}

enum { USERS = 20000 };

static int count_of(char chosen[][8], const char *name)
{
	int i, count = 0;

	for (i = 0; i < USERS; i++)
		count += strcmp(chosen[i], name) == 0;
	return count;
}

static void stays_with_its_key(void)
{
	static char before[USERS][8], again[USERS][8], after[USERS][8], grown[USERS][8];
	struct routes *routes = parse("a 60 sticky field user.id\nb 30\nc 10");
	int i, moved = 0, wrongly = 0;

	ask_keys(routes, before, USERS);
	routes = routes_free(routes);
	routes = parse("c 1\nb 3 sticky field user.id\na 6"); /* the same in other words */
	ask_keys(routes, again, USERS);
	routes = routes_free(routes);
	routes = parse("a 50 sticky field user.id\nb 30\nc 20"); /* a tenth goes from a to c */
	ask_keys(routes, after, USERS);
	routes = routes_free(routes);
	CHECK(memcmp(before, again, sizeof(before)) == 0);
	for (i = 0; i < USERS; i++) {
		moved += strcmp(before[i], after[i]) != 0;
		wrongly += strcmp(before[i], "c") == 0 && strcmp(after[i], "c") != 0;
	}
	printf("of %d keys a has %d, b %d, c %d; %d moved\n", USERS, count_of(before, "a"),
	        count_of(before, "b"), count_of(before, "c"), moved);
	CHECK(abs(count_of(before, "a") - USERS * 60 / 100) < USERS / 50);
	CHECK(abs(count_of(before, "c") - USERS * 10 / 100) < USERS / 50);
	CHECK(moved < USERS * 18 / 100 && moved > USERS * 8 / 100);
	CHECK_INT(wrongly, 0); /* who had the growing version keeps it */
	routes = parse("a 60 sticky field user.id\nb 30\nc 10\nd 1");
	ask_keys(routes, grown, USERS);
	for (i = 0; i < USERS; i++)
		if (strcmp(grown[i], "d") != 0 && !CHECK_STR(grown[i], before[i]))
			break; /* only to the new one, never between the old */
	routes_free(routes);
}

static void splits_what_has_no_key(void)
{
	struct routes *routes = parse("a 90\nb 10 sticky header k");
	int i, b = 0;

	for (i = 0; i < 1000; i++) {
		b += strcmp(choose(routes, "{\"headers\":{}}"), "b") == 0;
		choose(routes, "{\"headers\":{\"k\":\"somebody\"}}"); /* is not counted */
	}
	CHECK_INT(b, 100);
	CHECK_STR(choose(routes, "{\"headers\":{\"K\":\" somebody\"}}"),
	        choose(routes, "{\"headers\":{\"k\":\"somebody\"}}"));
	routes_free(routes);
}

static void survives_lack_of_memory(void)
{
	static const char text[] =
	        "1 if field a.b in x,y and header h = z\n1 50\n2 50 sticky field q";
	unsigned long n;
	int r = 0;

	for (n = 0; n < 1000; n++) {
		struct routes *routes = NULL;

		heap_fail(n, 1);
		r = routes_parse(&routes, text, resolve, NULL, NULL);
		if (!heap_end()) {
			routes_free(routes);
			break;
		}
		CHECK(r == -ENOMEM || r == 0);
		CHECK(!routes == (r < 0));
		routes_free(routes);
	}
	CHECK_INT(r, 0);
	CHECK(n > 20);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(shows_canonically), TEST(says_what_is_wrong),
	        TEST(has_bounds), TEST(splits_exactly), TEST(comes_out_even), TEST(follows_rules),
	        TEST(takes_the_first_rule), TEST(stays_with_its_key), TEST(splits_what_has_no_key),
	        TEST(survives_lack_of_memory), {}};

	return test_main(tests, argc, argv);
}
