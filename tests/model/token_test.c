/* SPDX-License-Identifier: Apache-2.0 */
/* A user would lose: a token that still opens after it was ended, or none that does after a restart. */
#include "model/token.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "heap.h"
#include "heap_sqlite.h"
#include "store/store.h"
#include "test.h"

#define SECRET "0123456789abcdef"
#define OTHER  "fedcba9876543210"

struct fixture {
	char *directory;
	struct store *store;
	struct tokens *tokens;
	struct buf why;
};

static void open_all(struct fixture *fixture)
{
	REQUIRE(store_open(&fixture->store, fixture->directory) == 0);
	REQUIRE(tokens_new(&fixture->tokens, fixture->store) == 0);
}

static void close_all(struct fixture *fixture)
{
	fixture->tokens = tokens_free(fixture->tokens);
	fixture->store = store_close(fixture->store);
}

static void setup(struct fixture *fixture)
{
	*fixture = (struct fixture){.directory = test_directory()};
	open_all(fixture);
}

static void teardown(struct fixture *fixture)
{
	close_all(fixture);
	buf_deinit(&fixture->why);
	test_directory_remove(fixture->directory);
}

static struct token *make(struct fixture *fixture, const char *name, const char *value)
{
	struct token *token = NULL;

	REQUIRE(token_create(fixture->tokens, name, &token, &fixture->why) == 0);
	if (value)
		REQUIRE(token_set(token, value, &fixture->why) == 0);
	return token;
}

static void recognises_by_the_secret(void)
{
	struct fixture fixture;
	struct token *ci, *shop;

	setup(&fixture);
	ci = make(&fixture, "ci", SECRET " invoke:*");
	shop = make(&fixture, "shop", OTHER "   invoke:a    async:b ");
	CHECK_STR(shop->value, OTHER " invoke:a async:b");
	CHECK_STR(shop->scopes, "invoke:a async:b");
	CHECK(tokens_recognise(fixture.tokens, SECRET) == ci);
	CHECK(tokens_recognise(fixture.tokens, OTHER) == shop);
	CHECK(!tokens_recognise(fixture.tokens, ""));
	CHECK(!tokens_recognise(fixture.tokens, SECRET "0"));
	CHECK(!tokens_recognise(fixture.tokens, SECRET " invoke:*"));
	CHECK_INT(token_set(ci, OTHER "00 invoke:*", &fixture.why), 0);
	CHECK(!tokens_recognise(fixture.tokens, SECRET));
	CHECK_INT(token_remove(ci, &fixture.why), 0);
	CHECK(!tokens_recognise(fixture.tokens, OTHER "00"));
	teardown(&fixture);
}

static void a_new_one_opens_nothing(void)
{
	struct fixture fixture;

	setup(&fixture);
	make(&fixture, "new", NULL);
	CHECK(!tokens_recognise(fixture.tokens, ""));
	teardown(&fixture);
}

static void refuses(void)
{
	static const char *const bad[] = {"", "short invoke:*", SECRET, SECRET " ", SECRET " fly:*",
	        "0123456789abcde! invoke:*", SECRET "\tinvoke:*"};
	struct fixture fixture;
	struct token *token, *second;

	setup(&fixture);
	token = make(&fixture, "ci", SECRET " invoke:*");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (!CHECK_INT(token_set(token, bad[i], &fixture.why), -EINVAL))
			fprintf(stderr, "it was: %s\n", bad[i]);
		CHECK_STR(token->value, SECRET " invoke:*");
	}
	second = make(&fixture, "second", NULL);
	CHECK_INT(token_set(second, SECRET " async:*", &fixture.why), -EEXIST);
	CHECK_STR(fixture.why.data, "token ci has the same secret");
	CHECK_INT(token_create(fixture.tokens, "ci", &token, &fixture.why), -EEXIST);
	CHECK_INT(token_create(fixture.tokens, "1", &token, &fixture.why), -EINVAL);
	CHECK_INT(token_rename(second, "ci", &fixture.why), -EEXIST);
	CHECK_INT(token_rename(second, "no.dots", &fixture.why), -EINVAL);
	teardown(&fixture);
}

static void survives_a_restart(void)
{
	struct fixture fixture;
	struct token *token;
	uint64_t id;

	setup(&fixture);
	token = make(&fixture, "ci", SECRET " invoke:*");
	id = token->id;
	REQUIRE(token_rename(token, "robot", &fixture.why) == 0);
	REQUIRE(token_remove(make(&fixture, "gone", NULL), &fixture.why) == 0);
	close_all(&fixture);
	open_all(&fixture);
	token = tokens_find(fixture.tokens, "robot");
	REQUIRE(token != NULL);
	CHECK(token->id == id && tokens_get(fixture.tokens, id) == token);
	CHECK_STR(token->value, SECRET " invoke:*");
	CHECK(tokens_recognise(fixture.tokens, SECRET) == token);
	CHECK(!tokens_find(fixture.tokens, "ci") && !tokens_find(fixture.tokens, "gone"));
	CHECK(tokens_next(fixture.tokens, 0) == token && !tokens_next(fixture.tokens, id));
	teardown(&fixture);
}

static void nothing_half_made_without_memory(void)
{
	struct fixture fixture;
	struct token *token, *made;
	bool failed;
	int r;

	setup(&fixture);
	token = make(&fixture, "ci", SECRET " invoke:*");
	for (unsigned long n = 0;; n++) {
		made = NULL;
		heap_fail(n, 1);
		r = token_create(fixture.tokens, "more", &made, &fixture.why);
		failed = heap_end();
		CHECK((r == 0) == (made != NULL));
		CHECK((tokens_find(fixture.tokens, "more") != NULL) == (r == 0));
		if (made)
			REQUIRE(token_remove(made, &fixture.why) == 0);
		heap_fail(n, 1);
		r = token_rename(token, n % 2 ? "one" : "two", &fixture.why);
		failed |= heap_end();
		CHECK(tokens_find(fixture.tokens, token->name) == token);
		heap_fail(n, 1);
		r = token_set(token, n % 2 ? OTHER " async:*" : SECRET " invoke:*", &fixture.why);
		failed |= heap_end();
		CHECK(r == 0 || r == -ENOMEM);
		CHECK(tokens_recognise(fixture.tokens, SECRET) == token ||
		        tokens_recognise(fixture.tokens, OTHER) == token);
		if (!failed)
			break;
	}
	teardown(&fixture);
}

static void say_nothing(void *userdata, const char *line, size_t length)
{
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(recognises_by_the_secret),
	        TEST(a_new_one_opens_nothing), TEST(refuses), TEST(survives_a_restart),
	        TEST(nothing_half_made_without_memory), {}};

	heap_wrap_sqlite();
	log_set_sink(say_nothing, NULL);
	return test_main(tests, argc, argv);
}
