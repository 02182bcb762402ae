/* SPDX-License-Identifier: Apache-2.0 */
/* A user would lose: files outside a package, which an archive overwrote by the right name. */
#include "fetch/entry_name.h"

#include "test.h"

static void check_clean(const char *name, const char *expected)
{
	char out[PATH_MAX];

	if (CHECK_INT(entry_name_clean(out, name, 100), NAME_FINE))
		CHECK_STR(out, expected);
}

static void cleans(void)
{
	check_clean("a", "a");
	check_clean("a/b/c", "a/b/c");
	check_clean("./a//b/./c/", "a/b/c");
	check_clean(".", "");
	check_clean("./", "");
	check_clean("..a/b../...", "..a/b../...");
	check_clean("a\\..\\b", "a\\..\\b");
}

static void refuses(void)
{
	char out[PATH_MAX], name[2 * PATH_MAX];

	CHECK_INT(entry_name_clean(out, "", 100), NAME_EMPTY);
	CHECK_INT(entry_name_clean(out, "/", 100), NAME_ABSOLUTE);
	CHECK_INT(entry_name_clean(out, "/a", 100), NAME_ABSOLUTE);
	CHECK_INT(entry_name_clean(out, "..", 100), NAME_LEAVES);
	CHECK_INT(entry_name_clean(out, "a/../b", 100), NAME_LEAVES);
	CHECK_INT(entry_name_clean(out, "a/..", 100), NAME_LEAVES);
	CHECK_INT(entry_name_clean(out, "a/b/c", 3), NAME_FINE);
	CHECK_INT(entry_name_clean(out, "a/b/c", 2), NAME_DEEP);
	memset(name, 'n', sizeof(name));
	name[NAME_MAX] = 0;
	CHECK_INT(entry_name_clean(out, name, 100), NAME_FINE);
	name[NAME_MAX] = 'n';
	name[NAME_MAX + 1] = 0;
	CHECK_INT(entry_name_clean(out, name, 100), NAME_LONG);
	for (size_t i = 0; i < sizeof(name) - 1; i++)
		name[i] = i % 2 ? '/' : 'n';
	name[PATH_MAX - 1] = 0;
	CHECK_INT(entry_name_clean(out, name, PATH_MAX), NAME_FINE);
	name[PATH_MAX - 1] = '/';
	name[PATH_MAX + 1] = 0;
	CHECK_INT(entry_name_clean(out, name, PATH_MAX), NAME_LONG);
}

static void judges_links(void)
{
	CHECK(entry_link_stays("l", "a"));
	CHECK(entry_link_stays("l", "."));
	CHECK(entry_link_stays("l", "a/.."));
	CHECK(entry_link_stays("a/l", ".."));
	CHECK(entry_link_stays("a/b/l", "../../c"));
	CHECK(!entry_link_stays("l", "/a"));
	CHECK(!entry_link_stays("l", ".."));
	CHECK(!entry_link_stays("l", "a/../.."));
	CHECK(!entry_link_stays("a/l", "../.."));
	CHECK(!entry_link_stays("a/l", "../../a/l"));
	CHECK(!entry_link_stays("a/l", "..//./.."));
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(cleans), TEST(refuses), TEST(judges_links), {}};

	return test_main(tests, argc, argv);
}
