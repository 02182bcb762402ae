/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers without printf: a wrong digit is a wrong bill in every Finish line. */
#include "base/buf.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/copy.h"
#include "test.h"

static void check(int64_t value, int width)
{
	CLEANUP(buf_deinit) struct buf out = BUF_INIT;
	char expected[64];

	snprintf(expected, sizeof(expected), "<%0*" PRIi64, value < 0 ? width + 1 : width, value);
	buf_puts(&out, "<");
	buf_number(&out, value, width);
	CHECK_STR(out.data, expected);
	CHECK_INT(out.length, strlen(expected));
}

static void numbers_are_as_printf_has_them(void)
{
	static const int64_t values[] = {
	        0, 1, 9, 10, 99, 100, 2049, 1773742402123, -1, -10, INT64_MAX, INT64_MIN};
	size_t i;
	int width;

	for (i = 0; i < ARRAY_SIZE(values); i++)
		for (width = 1; width <= 20; width++)
			check(values[i], width);
}

static void a_copy_is_cut_where_its_place_ends(void)
{
	char place[4] = "xxx";

	copy_text(place, sizeof(place), "");
	CHECK_STR(place, "");
	copy_text(place, sizeof(place), "abc");
	CHECK_STR(place, "abc");
	copy_text(place, sizeof(place), "defg");
	CHECK_STR(place, "def");
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
	        TEST(numbers_are_as_printf_has_them), TEST(a_copy_is_cut_where_its_place_ends), {}};

	return test_main(tests, argc, argv);
}
