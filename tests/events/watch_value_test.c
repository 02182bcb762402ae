/* SPDX-License-Identifier: Apache-2.0 */
/* A user would lose: the directory that was meant, or hear nothing of a value that means none. */
#include "events/watch_value.h"

#include <errno.h>
#include <stdlib.h>

#include "base/escape.h"
#include "events/watch_line.h"
#include "test.h"

static void reads_values(void)
{
	static const struct {
		const char *text, *shown;
	} cases[] = {
	        {"/in", "/in created,changed"},
	        {"/", "/ created,changed"},
	        {"//in/./a/../b//", "/in/b created,changed"},
	        {"/../..", "/ created,changed"},
	        {"/in *.csv", "/in *.csv created,changed"},
	        {"/in/*.csv", "/in *.csv created,changed"},
	        {"/*", "/ * created,changed"},
	        {"/in removed", "/in removed"},
	        {"/in x removed,created", "/in x created,removed"},
	        {"/in\t*.csv \tchanged", "/in *.csv changed"},
	        {"\"/a b\" \"*.x y\"", "\"/a b\" \"*.x y\" created,changed"},
	        {"\"/a \\\"b\\\\\"", "\"/a \\\"b\\\\\" created,changed"},
	        {"/in/[x]/", "/in/[x]/ created,changed"},
	        {"/in/.* created", "/in .* created"},
	        {"in", NULL},
	        {"", NULL},
	        {"/in a b", NULL},
	        {"/in *.c a/b", NULL},
	        {"/in created,foo", NULL},
	        {"/in created removed", NULL},
	        {"/in created *.c", NULL},
	        {"\"/in", NULL},
	        {"\"/in\\", NULL},
	        {"/in\n/out", NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct watch_value value;
		struct buf why = BUF_INIT, shown = BUF_INIT, again = BUF_INIT;
		int r = watch_value_parse(&value, cases[i].text, &why);

		if (!CHECK_INT(r, cases[i].shown ? 0 : -EINVAL))
			printf("value %zu\n", i);
		CHECK((r < 0) == (why.length > 0));
		if (r == 0) {
			watch_value_show(&value, &shown);
			CHECK_STR(shown.data, cases[i].shown);
			watch_value_deinit(&value);
			REQUIRE(watch_value_parse(&value, shown.data, NULL) == 0);
			watch_value_show(&value, &again);
			CHECK_STR(again.data, shown.data);
			watch_value_deinit(&value);
		}
		buf_deinit(&why);
		buf_deinit(&shown);
		buf_deinit(&again);
	}
}

static void knows_what_is_within(void)
{
	CHECK(watch_path_within("/mnt/fn", "/mnt/fn"));
	CHECK(watch_path_within("/mnt/fn/a", "/mnt/fn"));
	CHECK(watch_path_within("/mnt/fn/a", "/mnt/fn/"));
	CHECK(watch_path_within("/a", "/"));
	CHECK(!watch_path_within("/mnt/fnx", "/mnt/fn"));
	CHECK(!watch_path_within("/mnt", "/mnt/fn"));
}

static void reads_lines(void)
{
	static const struct {
		const char *line;
		enum watch_word word;
	} cases[] = {
	        {"watching", WATCH_SAYS_WATCHING},
	        {"begin", WATCH_SAYS_BEGIN},
	        {"end", WATCH_SAYS_END},
	        {"overflow", WATCH_SAYS_OVERFLOW},
	        {"gone a%20b", WATCH_SAYS_GONE},
	        {"busy a", WATCH_SAYS_BUSY},
	        {"missing it is not there", WATCH_SAYS_MISSING},
	        {"refused no", WATCH_SAYS_REFUSED},
	        {"file a 1 2 3 4", WATCH_SAYS_FILE},
	        {"file a 1 2 3", WATCH_SAYS_NOTHING},
	        {"file a", WATCH_SAYS_NOTHING},
	        {"file  1 2 3 4", WATCH_SAYS_NOTHING},
	        {"file a\"b 1 2 3 4", WATCH_SAYS_NOTHING},
	        {"file a/b 1 2 3 4", WATCH_SAYS_NOTHING},
	        {"gone ", WATCH_SAYS_NOTHING},
	        {"gone a b", WATCH_SAYS_NOTHING},
	        {"gone \xff", WATCH_SAYS_NOTHING},
	        {"missing \xff", WATCH_SAYS_NOTHING},
	        {"begin now", WATCH_SAYS_NOTHING},
	        {"", WATCH_SAYS_NOTHING},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *text = strdup(cases[i].line);
		struct watch_line line;

		watch_line_parse(&line, text);
		if (!CHECK_INT(line.word, cases[i].word))
			printf("line %zu\n", i);
		if (line.word == WATCH_SAYS_FILE)
			CHECK(line.inode == 1 && line.bytes == 2 && line.mtime_ns == 3 &&
			        line.ctime_ns == 4 && strcmp(line.text, "a") == 0);
		free(text);
	}
}

static void escapes_all_bytes(void)
{
	struct buf word = BUF_INIT;
	char name[256];

	for (int i = 1; i < 256; i++)
		name[i - 1] = (char)i;
	name[255] = 0;
	escape_name(&word, name);
	CHECK(!strpbrk(word.data, " \"\\\n\t"));
	CHECK_INT(escape_decode(word.data), 0);
	CHECK_STR(word.data, name);
	strcpy(name, "%00");
	CHECK_INT(escape_decode(name), -EINVAL);
	strcpy(name, "%4");
	CHECK_INT(escape_decode(name), -EINVAL);
	buf_deinit(&word);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(reads_values), TEST(knows_what_is_within),
	        TEST(reads_lines), TEST(escapes_all_bytes), {}};

	return test_main(tests, argc, argv);
}
