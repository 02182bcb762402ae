/* SPDX-License-Identifier: Apache-2.0 */
/* A user would lose: a token that opens no more than was written, or one that opens what was. */
#include "model/scope.h"

#include <errno.h>

#include "base/cleanup.h"
#include "test.h"

static bool allows(const char *scopes, enum scope_verb verb, const char *function,
        const char *version, const char *alias)
{
	const struct scope_question question = {verb, function, version, alias};

	return scope_allows(scopes, &question);
}

static void accepts_what_is_in_rule(void)
{
	static const char *const good[] = {"invoke:hello", "invoke,async:*", "*", "*:*", "metrics",
	        "invoke:shop-*@prod", "read,write:a_b:1.0.0", "invoke:hello:latest",
	        "invoke:a  async:b", "invoke:hello@*"};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		CHECK_INT(scope_check(good[i], NULL), 0);
}

static void refuses_everything_else(void)
{
	static const char *const bad[] = {"", " ", "run:hello", "invoke:", ":hello", "invoke,:x",
	        ",invoke:x", "invoke:he*lo", "invoke:*lo", "invoke:hello@",
	        "invoke:hello:", "invoke:hello@a:b", "invoke:hello/x", "invoke:h\tx",
	        "invoke:hello fly:hello", "invoke:hello@a@b", "INVOKE:hello", "invoke:**",
	        "invoke,,async:x"};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP(buf_deinit) struct buf why = BUF_INIT;

		if (!CHECK_INT(scope_check(bad[i], &why), -EINVAL))
			fprintf(stderr, "it was: %s\n", bad[i]);
		CHECK(why.length > 0);
	}
}

static void opens_a_function_with_all_that_is_its(void)
{
	CHECK(allows("invoke:hello", SCOPE_INVOKE, "hello", "latest", NULL));
	CHECK(allows("invoke:hello", SCOPE_INVOKE, "hello", "1.0.0", NULL));
	CHECK(allows("invoke:hello", SCOPE_INVOKE, "hello", NULL, "prod"));
	CHECK(!allows("invoke:hello", SCOPE_INVOKE, "hello2", "latest", NULL));
	CHECK(!allows("invoke:hello", SCOPE_INVOKE, "hell", "latest", NULL));
	CHECK(!allows("invoke:hello", SCOPE_ASYNC, "hello", "latest", NULL));
	CHECK(!allows("invoke:hello", SCOPE_INVOKE, NULL, NULL, NULL));
}

static void opens_one_alias_or_one_version(void)
{
	CHECK(allows("invoke:hello@prod", SCOPE_INVOKE, "hello", NULL, "prod"));
	CHECK(!allows("invoke:hello@prod", SCOPE_INVOKE, "hello", NULL, "test"));
	CHECK(!allows("invoke:hello@prod", SCOPE_INVOKE, "hello", "latest", NULL));
	CHECK(!allows("invoke:hello@prod", SCOPE_INVOKE, "hello", "prod", NULL));
	CHECK(allows("invoke:hello@*", SCOPE_INVOKE, "hello", NULL, "anything"));
	CHECK(!allows("invoke:hello@*", SCOPE_INVOKE, "hello", "latest", NULL));
	CHECK(allows("invoke:hello:latest", SCOPE_INVOKE, "hello", "latest", NULL));
	CHECK(!allows("invoke:hello:latest", SCOPE_INVOKE, "hello", NULL, "latest"));
	CHECK(allows("invoke:hello:1.*", SCOPE_INVOKE, "hello", "1.2", NULL));
	CHECK(!allows("invoke:hello:1.*", SCOPE_INVOKE, "hello", "2.1", NULL));
}

static void opens_by_beginnings(void)
{
	CHECK(allows("invoke:shop-*", SCOPE_INVOKE, "shop-cart", "latest", NULL));
	CHECK(allows("invoke:shop-*", SCOPE_INVOKE, "shop-", "latest", NULL));
	CHECK(!allows("invoke:shop-*", SCOPE_INVOKE, "shop", "latest", NULL));
	CHECK(allows("read:*", SCOPE_READ, NULL, NULL, NULL));
	CHECK(!allows("read:shop-*", SCOPE_READ, NULL, NULL, NULL));
	CHECK(!allows("read:*@prod", SCOPE_READ, NULL, NULL, NULL));
}

static void takes_any_of_several(void)
{
	const char *scopes = "invoke:a async:b metrics";

	CHECK(allows(scopes, SCOPE_INVOKE, "a", "latest", NULL));
	CHECK(!allows(scopes, SCOPE_INVOKE, "b", "latest", NULL));
	CHECK(allows(scopes, SCOPE_ASYNC, "b", "latest", NULL));
	CHECK(allows(scopes, SCOPE_METRICS, NULL, NULL, NULL));
	CHECK(!allows("invoke:*", SCOPE_METRICS, NULL, NULL, NULL));
	CHECK(!allows("metrics:a", SCOPE_METRICS, NULL, NULL, NULL));
	CHECK(allows("*", SCOPE_WRITE, "a", NULL, NULL));
	CHECK(!allows("", SCOPE_INVOKE, "a", "latest", NULL));
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(accepts_what_is_in_rule),
	        TEST(refuses_everything_else), TEST(opens_a_function_with_all_that_is_its),
	        TEST(opens_one_alias_or_one_version), TEST(opens_by_beginnings),
	        TEST(takes_any_of_several), {}};

	return test_main(tests, argc, argv);
}
