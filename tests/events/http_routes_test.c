/* SPDX-License-Identifier: Apache-2.0 */
/* A user would lose: a request that reaches the trigger whose route it fits best. */
#include "events/http_routes.h"

#include <errno.h>

#include "base/cleanup.h"
#include "test.h"

static int set(struct http_routes *routes, uint64_t trigger, const char *text)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	struct http_route route = {.trigger = trigger};
	int r;

	snprintf(route.name, sizeof(route.name), "t%d", (int)trigger);
	r = http_routes_set(routes, &route, text, &why);
	CHECK((r < 0) == (why.length > 0));
	return r;
}

/* `3 name=value ...`, the trigger and its parameters; or the errno, and what is allowed. */
static void check(const struct http_routes *routes, const char *method, const char *path,
        const char *expected)
{
	CLEANUP(buf_deinit) struct buf said = BUF_INIT;
	CLEANUP(buf_deinit) struct buf allow = BUF_INIT;
	CLEANUP(http_route_match_deinit) struct http_route_match match;
	int r = http_routes_match(routes, method, path, &match, &allow);

	if (r == 0)
		buf_printf(&said, "%d", (int)match.route->trigger);
	else
		buf_puts(&said, r == -ENOENT ? "none" : r == -EINVAL ? "bad" : "other");
	for (size_t i = 0; i < match.parameter_count; i++)
		buf_printf(&said, " %s=%s", match.parameters[i].name, match.parameters[i].value);
	if (r == -EOPNOTSUPP)
		buf_printf(&said, " %s", allow.data);
	CHECK_STR(said.data, expected);
}

static void the_one_that_says_most_wins(void)
{
	struct http_routes *routes = http_routes_new();

	REQUIRE(routes);
	CHECK_INT(set(routes, 1, "/shop/{item}"), 0);
	CHECK_INT(set(routes, 2, "/shop/cart"), 0);
	CHECK_INT(set(routes, 3, "/shop/{rest+}"), 0);
	CHECK_INT(set(routes, 4, "/{any+}"), 0);
	CHECK_INT(set(routes, 5, "/"), 0);
	CHECK_INT(set(routes, 6, "POST /shop/{item}"), 0);
	CHECK_INT(set(routes, 7, "/shop/{item}/{part}"), 0);
	check(routes, "GET", "/shop/cart", "2");
	check(routes, "GET", "/shop/apple", "1 item=apple");
	check(routes, "POST", "/shop/apple", "6 item=apple");
	check(routes, "GET", "/shop/a/b", "7 item=a part=b");
	check(routes, "GET", "/shop/a/b/c", "3 rest=a/b/c");
	check(routes, "GET", "/shop/a/", "3 rest=a/");
	check(routes, "GET", "/other", "4 any=other");
	check(routes, "GET", "/", "5");
	check(routes, "GET", "/shop/a%2Fb%20c", "1 item=a/b c");
	check(routes, "GET", "/shop/x/%41/y", "3 rest=x/A/y");
	check(routes, "GET", "/shop/%zz", "bad");
	check(routes, "GET", "/shop/", "4 any=shop/");
	http_routes_free(routes);
}

static void methods_count(void)
{
	struct http_routes *routes = http_routes_new();

	REQUIRE(routes);
	CHECK_INT(set(routes, 1, "GET,HEAD /a"), 0);
	CHECK_INT(set(routes, 2, "POST /a"), 0);
	check(routes, "GET", "/a", "1");
	check(routes, "HEAD", "/a", "1");
	check(routes, "POST", "/a", "2");
	check(routes, "PUT", "/a", "other GET, HEAD, POST");
	check(routes, "PUT", "/b", "none");
	check(routes, "get", "/a", "other GET, HEAD, POST");
	http_routes_free(routes);
}

static void no_two_mean_the_same(void)
{
	struct http_routes *routes = http_routes_new();

	REQUIRE(routes);
	CHECK_INT(set(routes, 1, "/a/{x}"), 0);
	CHECK_INT(set(routes, 2, "/a/{y}"), -EEXIST);
	CHECK_INT(set(routes, 2, "GET /a/{y}"), 0);
	CHECK_INT(set(routes, 3, "POST,GET /a/{z}"), -EEXIST);
	CHECK_INT(set(routes, 3, "POST /a/{z}"), 0);
	CHECK_INT(set(routes, 1, "/a/{again}"), 0); /* its own */
	CHECK_INT(set(routes, 1, "bad"), -EINVAL);
	check(routes, "PUT", "/a/1", "1 again=1");
	http_routes_drop(routes, 1);
	http_routes_drop(routes, 1);
	check(routes, "PUT", "/a/1", "other GET, POST");
	CHECK_INT(set(routes, 4, "/a/{y}"), 0);
	http_routes_free(routes);
}

static void routes_are_judged(void)
{
	static const struct {
		const char *text, *canonical;
	} good[] = {{"/", "/"}, {"/a", "/a"}, {"/a/", "/a/"}, {"GET /a", "GET /a"},
	        {"GET,POST   /a/{b}/{c+}", "GET,POST /a/{b}/{c+}"}, {"/a.b-c_d~", "/a.b-c_d~"}};
	static const char *const bad[] = {"", "a", "GET", "GET a", "get /a", "GET, /a", ",GET /a",
	        "/{}", "/{a b}", "/{a", "/a}", "/{a+}/b", "/{a}/{a}", "/a//b", "/a?b", "/a#b",
	        "/%41", "/..", "/a b", "/{+}", "GET /a /b", "/a\tb"};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		CLEANUP(buf_deinit) struct buf text = BUF_INIT;

		CHECK_INT(http_route_check(good[i].text, &text, NULL), 0);
		CHECK_STR(text.data, good[i].canonical);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP(buf_deinit) struct buf text = BUF_INIT;

		if (!CHECK_INT(http_route_check(bad[i], &text, NULL), -EINVAL))
			fprintf(stderr, "it was: %s\n", bad[i]);
	}
}

static void paths_longer_than_any_route(void)
{
	struct http_routes *routes = http_routes_new();
	CLEANUP(buf_deinit) struct buf path = BUF_INIT;
	CLEANUP(buf_deinit) struct buf expected = BUF_INIT;

	REQUIRE(routes);
	CHECK_INT(set(routes, 1, "/{all+}"), 0);
	buf_puts(&expected, "1 all=x");
	buf_puts(&path, "/x");
	for (int i = 0; i < 100; i++) {
		buf_puts(&path, "/%78");
		buf_puts(&expected, "/x");
	}
	check(routes, "GET", path.data, expected.data);
	http_routes_free(routes);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(the_one_that_says_most_wins), TEST(methods_count),
	        TEST(no_two_mean_the_same), TEST(routes_are_judged),
	        TEST(paths_longer_than_any_route), {}};

	return test_main(tests, argc, argv);
}
