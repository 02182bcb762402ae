/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of the bytes somebody writes into a value: a wrong rule here loses settings. */
#include "fs/value.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "test.h"

static int line(const char *data, size_t length, const char *expected)
{
	CLEANUP(buf_deinit) struct buf value = BUF_INIT;
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	int r = value_from_line(data, length, &value, &why);

	if (r == 0)
		CHECK_STR(value.data, expected);
	else
		CHECK(why.length); /* every refusal has its sentence */
	return r;
}

static void one_line(void)
{
	CHECK_INT(line("3\n", 2, "3"), 0);
	CHECK_INT(line("3", 1, "3"), 0);
	CHECK_INT(line("  3s \r\n", 7, "3s"), 0);
	CHECK_INT(line("a b\tc\n", 6, "a b\tc"), 0);
	CHECK_INT(line("3\n\n\n", 4, "3"), 0);
}

static void empty_is_a_lone_newline(void)
{
	CHECK_INT(line("\n", 1, ""), 0);
	CHECK_INT(line("", 0, NULL), -EINVAL);
	CHECK_INT(line(" ", 1, NULL), -EINVAL);
	CHECK_INT(line(" \n", 2, NULL), -EINVAL);
	CHECK_INT(line("\n\n", 2, NULL), -EINVAL);
	CHECK_INT(line("\t\t\t", 3, NULL), -EINVAL);
}

static void more_than_a_line(void)
{
	CHECK_INT(line("3\n4\n", 4, NULL), -EINVAL);
	CHECK_INT(line("\n3\n", 3, "3"), 0);
	CHECK_INT(line("3\0", 2, NULL), -EINVAL);
	CHECK_INT(line("\0\0\0\0", 4, NULL), -EINVAL);
}

static int lines(const char *data, size_t length, const char *expected)
{
	CLEANUP(buf_deinit) struct buf value = BUF_INIT;
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	int r = value_from_lines(data, length, &value, &why);

	if (r == 0)
		CHECK_STR(value.data, expected);
	return r;
}

static void several_lines(void)
{
	CHECK_INT(lines("a\nb\n", 4, "a\nb"), 0);
	CHECK_INT(lines("a\nb\n\n", 5, "a\nb\n"), 0);
	CHECK_INT(lines(" a ", 3, " a "), 0);
	CHECK_INT(lines("\n", 1, ""), 0);
	CHECK_INT(lines("", 0, ""), 0);
	CHECK_INT(lines("a\0b", 3, NULL), -EINVAL);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(one_line), TEST(empty_is_a_lone_newline),
	        TEST(more_than_a_line), TEST(several_lines), {}};

	return test_main(tests, argc, argv);
}
