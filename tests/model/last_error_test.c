/* SPDX-License-Identifier: Apache-2.0 */
/* A user would lose: the reason why the last thing did not work, or would read somebody else's. */
#include "model/last_error.h"

#include <errno.h>

#include "heap.h"
#include "test.h"

static void keeps_one_per_user(void)
{
	struct last_error last_error;

	last_error_init(&last_error);
	CHECK_STR(last_error_get(&last_error, 1), "");
	last_error_set(&last_error, 1, "one");
	last_error_set(&last_error, 2, "two");
	last_error_set(&last_error, 1, "three");
	CHECK_STR(last_error_get(&last_error, 1), "three");
	CHECK_STR(last_error_get(&last_error, 2), "two");
	CHECK_INT(last_error.count, 2);
	last_error_set(&last_error, 1, last_error_get(&last_error, 1));
	CHECK_STR(last_error_get(&last_error, 1), "three");
	last_error_clear(&last_error, 1);
	last_error_clear(&last_error, 1);
	CHECK_STR(last_error_get(&last_error, 1), "");
	CHECK_STR(last_error_get(&last_error, 2), "two");
	last_error_deinit(&last_error);
	CHECK_INT(last_error.count, 0);
}

static void drops_the_oldest(void)
{
	struct last_error last_error;
	char text[16];
	uid_t uid;

	last_error_init(&last_error);
	for (uid = 0; uid < 64; uid++) {
		snprintf(text, sizeof(text), "of %u", uid);
		last_error_set(&last_error, uid, text);
	}
	last_error_set(&last_error, 0, "again"); /* now 1 is the oldest */
	last_error_set(&last_error, 64, "of 64");
	CHECK_INT(last_error.count, 64);
	CHECK_STR(last_error_get(&last_error, 0), "again");
	CHECK_STR(last_error_get(&last_error, 1), "");
	CHECK_STR(last_error_get(&last_error, 2), "of 2");
	CHECK_STR(last_error_get(&last_error, 64), "of 64");
	last_error_deinit(&last_error);
}

static void says_nothing_rather_than_something_old(void)
{
	struct last_error last_error;

	last_error_init(&last_error);
	last_error_set(&last_error, 1, "old");
	heap_fail(0, 1);
	last_error_set(&last_error, 1, "new");
	CHECK(heap_end());
	CHECK_STR(last_error_get(&last_error, 1), "");
	CHECK_INT(last_error.count, 0);
	last_error_deinit(&last_error);
}

static void is_fit_for_a_terminal(void)
{
	struct last_error last_error;

	last_error_init(&last_error);
	last_error_set(&last_error, 1, "functions/\xff\x1b[1m\nä\xc3: bad\x7f");
	CHECK_STR(last_error_get(&last_error, 1), "functions/??[1m?ä?: bad?");
	last_error_deinit(&last_error);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(keeps_one_per_user), TEST(drops_the_oldest),
	        TEST(says_nothing_rather_than_something_old), TEST(is_fit_for_a_terminal), {}};

	return test_main(tests, argc, argv);
}
