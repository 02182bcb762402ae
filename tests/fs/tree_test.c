/* SPDX-License-Identifier: Apache-2.0 */
/* The tree as the kernel sees it, without a kernel: names, numbers, texts, values, removal. */
#include "fs/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "fs/row_ids.h"
#include "kernel.h"
#include "test.h"

static bool lists(const char *names, const char *name)
{
	CLEANUP(buf_deinit) struct buf padded = BUF_INIT;
	CLEANUP(buf_deinit) struct buf wanted = BUF_INIT;

	buf_printf(&padded, " %s", names);
	buf_printf(&wanted, " %s ", name);
	return strstr(padded.data, wanted.data) != NULL;
}

static void a_function_is_whole_at_once(void)
{
	struct kernel kernel;
	uint64_t functions;
	const char *names;

	kernel_open(&kernel);
	functions = kernel_path(&kernel, "functions");
	CHECK_INT(kernel_mkdir(&kernel, functions, "a"), 0);
	CHECK_INT(kernel_mkdir(&kernel, functions, "a"), -EEXIST);
	CHECK_INT(kernel_mkdir(&kernel, functions, "9"), -EINVAL);
	CHECK_INT(kernel_mkdir(&kernel, FUSE_ROOT_ID, "b"), -EPERM);
	CHECK_INT(kernel_mkdir(&kernel, FUSE_ROOT_ID, "functions"), -EEXIST);
	names = kernel_list(&kernel, "functions/a", 4096);
	CHECK(lists(names, "config"));
	CHECK(lists(names, "invoke"));
	CHECK(lists(names, "code"));
	CHECK(strlen(names) > 5 && strcmp(names + strlen(names) - 5, "code ") == 0); /* last */
	CHECK(lists(kernel_list(&kernel, "functions/a/config", 4096), "timeout"));
	kernel_close(&kernel);
}

/* However little fits into one answer, everything is listed once. */
static void a_cursor_loses_nothing(void)
{
	struct kernel kernel;
	CLEANUP(free_p) char *whole = NULL;
	char name[16];
	int i;

	kernel_open(&kernel);
	for (i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		kernel_function(&kernel, name);
	}
	whole = strdup(kernel_list(&kernel, "functions", 1 << 20));
	CHECK(lists(whole, "f0") && lists(whole, "f99"));
	CHECK_STR(kernel_list(&kernel, "functions", 64), whole);
	CHECK_STR(kernel_list(&kernel, "functions", 333), whole);
	kernel_close(&kernel);
}

static void numbers_are_rows_and_ids(void)
{
	struct kernel kernel;
	struct fuse_attr attr;
	uint64_t id;

	kernel_open(&kernel);
	id = kernel_function(&kernel, "a");
	CHECK_INT(kernel_path(&kernel, "functions/a"), (uint64_t)ROW_FUNCTION << 48 | id);
	CHECK_INT(kernel_path(&kernel, "functions/a/status"), (uint64_t)ROW_STATUS << 48 | id);
	CHECK_INT(kernel_getattr(&kernel, FUSE_ROOT_ID, &attr), 0);
	CHECK_INT(attr.ino, FUSE_ROOT_ID);
	CHECK(S_ISDIR(attr.mode));
	kernel_close(&kernel);
}

static void stale_numbers_are_refused(void)
{
	struct kernel kernel;
	struct fuse_attr attr;
	uint64_t node;

	kernel_open(&kernel);
	CHECK_INT(kernel_getattr(&kernel, 0, &attr), -ESTALE);
	CHECK_INT(kernel_getattr(&kernel, (uint64_t)999 << 48, &attr), -ESTALE);
	CHECK_INT(kernel_getattr(&kernel, UINT64_MAX, &attr), -ESTALE);
	CHECK_INT(kernel_getattr(&kernel, (uint64_t)ROW_FUNCTION << 48 | 12345, &attr), -ENOENT);
	kernel_function(&kernel, "a");
	node = kernel_path(&kernel, "functions/a");
	CHECK_INT(kernel_named(&kernel, FUSE_RMDIR, kernel_path(&kernel, "functions"), "a"), 0);
	CHECK_INT(kernel_getattr(&kernel, node, &attr), -ENOENT);
	CHECK_INT(kernel_named(&kernel, FUSE_LOOKUP, node, "status"), -ENOENT);
	CHECK_INT(kernel_mkdir(&kernel, node, "x"), -ENOENT);
	kernel_close(&kernel);
}

static void sizes_are_exact(void)
{
	struct kernel kernel;
	struct fuse_attr attr;
	const struct answer_of_fs *answer;
	uint64_t node, handle;

	kernel_open(&kernel);
	node = kernel_path(&kernel, "status");
	CHECK_INT(kernel_getattr(&kernel, node, &attr), 0);
	CHECK_INT(kernel_open_file(&kernel, node, O_RDONLY, &handle), 0);
	CHECK_INT(kernel_read(&kernel, node, handle, 0, 1 << 20, &answer), 0);
	CHECK_INT(answer->data.length, attr.size);
	kernel_function(&kernel, "a-longer-name"); /* the open text stays what it is */
	CHECK_INT(kernel_getattr(&kernel, node, &attr), 0);
	CHECK_INT(answer->data.length, attr.size);
	CHECK_INT(kernel_read(&kernel, node, handle, attr.size, 100, &answer), 0);
	CHECK_INT(answer->data.length, 0);
	CHECK_INT(kernel_read(&kernel, node, handle, attr.size - 3, 100, &answer), 0);
	CHECK_INT(answer->data.length, 3);
	CHECK_INT(kernel_release(&kernel, node, handle), 0);
	kernel_close(&kernel);
}

/* Who looks, changes something and looks again sees the change: no kept text stands in the way. */
static void own_changes_are_seen_at_once(void)
{
	struct kernel kernel;
	struct fuse_attr attr;
	uint64_t node;

	kernel_open(&kernel);
	kernel_function(&kernel, "a");
	node = kernel_path(&kernel, "functions/a/config/timeout");
	CHECK_INT(kernel_getattr(&kernel, node, &attr), 0);
	CHECK_INT(attr.size, 3);
	CHECK_INT(kernel_set_text(&kernel, "functions/a/config/timeout", "1h\n"), 0);
	CHECK_STR(kernel_text(&kernel, "functions/a/config/timeout"), "1h\n");
	CHECK_INT(kernel_set_text(&kernel, "functions/a/config/timeout", "500ms"), 0);
	CHECK_INT(kernel_getattr(&kernel, node, &attr), 0);
	CHECK_INT(attr.size, 6);
	CHECK_STR(kernel_text(&kernel, "functions/a/config/timeout"), "500ms\n");
	kernel_close(&kernel);
}

static void values_are_judged_by_the_write(void)
{
	static char zeros[1 << 20];
	struct kernel kernel;
	uint64_t node, handle;

	kernel_open(&kernel);
	kernel_function(&kernel, "a");
	node = kernel_path(&kernel, "functions/a/config/timeout");
	CHECK_INT(kernel_open_file(&kernel, node, O_RDWR | O_TRUNC, &handle), 0);
	CHECK_INT(kernel_write(&kernel, node, handle, 0, "99999999", 8), -ERANGE);
	CHECK_INT(kernel_write(&kernel, node, handle, 0, "abc\n", 4), -EINVAL);
	CHECK_INT(kernel_write(&kernel, node, handle, 0, "  \n", 3), -EINVAL);
	CHECK_INT(kernel_write(&kernel, node, handle, 0, zeros, sizeof(zeros)), -EINVAL);
	CHECK_INT(kernel_write(&kernel, node, handle, 1, "3\n", 2), -EINVAL);
	CHECK_STR(kernel_text(&kernel, "functions/a/config/timeout"), "3s\n");
	CHECK(strstr(kernel_text(&kernel, "last_error"), "functions/a/config/timeout: "));
	CHECK_INT(kernel_write(&kernel, node, handle, 0, "12", 2), 0); /* Emacs: two pieces */
	CHECK_INT(kernel_write(&kernel, node, handle, 2, "m\n", 2), 0);
	CHECK_STR(kernel_text(&kernel, "functions/a/config/timeout"), "12m\n");
	CHECK_STR(kernel_text(&kernel, "last_error"), "");
	CHECK_STR(kernel_text(&kernel, "functions/a/last_error"), "");
	CHECK_INT(kernel_release(&kernel, node, handle), 0);
	kernel_close(&kernel);
}

static void several_lines_take_effect_as_a_whole(void)
{
	struct kernel kernel;
	uint64_t env, node, handle;

	kernel_open(&kernel);
	kernel_function(&kernel, "a");
	env = kernel_path(&kernel, "functions/a/config/env");
	CHECK_INT(kernel_create(&kernel, env, "PEM", &node, &handle), 0);
	CHECK_INT(kernel_flush(&kernel, node, handle), 0); /* bash, before any data */
	CHECK_STR(kernel_text(&kernel, "functions/a/config/env/PEM"), "\n");
	CHECK_INT(kernel_write(&kernel, node, handle, 0, "one\n", 4), 0);
	CHECK_INT(kernel_write(&kernel, node, handle, 4, "two\n", 4), 0);
	CHECK_STR(kernel_text(&kernel, "functions/a/config/env/PEM"), "\n");
	CHECK_INT(kernel_flush(&kernel, node, handle), 0);
	CHECK_STR(kernel_text(&kernel, "functions/a/config/env/PEM"), "one\ntwo\n");
	CHECK_INT(kernel_write(&kernel, node, handle, 0, "a\0b", 3), -EINVAL);
	CHECK_INT(kernel_release(&kernel, node, handle), 0);
	CHECK_INT(kernel_named(&kernel, FUSE_UNLINK, env, "PEM"), 0);
	CHECK(!kernel_path(&kernel, "functions/a/config/env/PEM"));
	kernel_close(&kernel);
}

static void editors_rename_over_values(void)
{
	struct kernel kernel;
	uint64_t config, node, handle;

	kernel_open(&kernel);
	kernel_function(&kernel, "a");
	config = kernel_path(&kernel, "functions/a/config");
	CHECK_INT(kernel_create(&kernel, config, "sedAbC123", &node, &handle), 0);
	CHECK_INT(kernel_write(&kernel, node, handle, 0, "7s\n", 3), 0);
	CHECK_INT(kernel_release(&kernel, node, handle), 0);
	CHECK_INT(kernel_rename(&kernel, config, "sedAbC123", config, "timeout"), 0);
	CHECK_STR(kernel_text(&kernel, "functions/a/config/timeout"), "7s\n");
	CHECK(!kernel_path(&kernel, "functions/a/config/sedAbC123"));
	/* vim: the value is renamed away, and written anew under its name */
	CHECK_INT(kernel_rename(&kernel, config, "timeout", config, "timeout~"), 0);
	CHECK_STR(kernel_text(&kernel, "functions/a/config/timeout~"), "7s\n");
	CHECK_STR(kernel_text(&kernel, "functions/a/config/timeout"), "7s\n");
	CHECK_INT(kernel_set_text(&kernel, "functions/a/config/timeout", "8s\n"), 0);
	CHECK_INT(kernel_named(&kernel, FUSE_UNLINK, config, "timeout~"), 0);
	CHECK_STR(kernel_text(&kernel, "functions/a/config/timeout"), "8s\n");
	/* a bad value renamed over one is refused, and the file is still there */
	CHECK_INT(kernel_create(&kernel, config, ".tmp", &node, &handle), 0);
	CHECK_INT(kernel_write(&kernel, node, handle, 0, "never\n", 6), 0);
	CHECK_INT(kernel_rename(&kernel, config, ".tmp", config, "timeout"), -EINVAL);
	CHECK_STR(kernel_text(&kernel, "functions/a/config/timeout"), "8s\n");
	CHECK(kernel_path(&kernel, "functions/a/config/.tmp"));
	CHECK_INT(kernel_release(&kernel, node, handle), 0);
	kernel_close(&kernel);
}

static void other_renames_are_refused(void)
{
	struct kernel kernel;
	uint64_t root = FUSE_ROOT_ID, functions, a, config;

	kernel_open(&kernel);
	kernel_function(&kernel, "a");
	kernel_function(&kernel, "b");
	functions = kernel_path(&kernel, "functions");
	a = kernel_path(&kernel, "functions/a");
	config = kernel_path(&kernel, "functions/a/config");
	CHECK_INT(kernel_rename(&kernel, a, "status", a, "other"), -EXDEV);
	CHECK_INT(kernel_rename(&kernel, a, "status", config, "timeout"), -EXDEV);
	CHECK_INT(kernel_rename(&kernel, config, "timeout", config, "memory"), -EXDEV);
	CHECK_INT(kernel_rename(&kernel, functions, "a", root, "a"), -EXDEV);
	CHECK_INT(kernel_rename(&kernel, functions, "a", functions, "b"), -EEXIST);
	CHECK_INT(kernel_rename(&kernel, functions, "a", functions, "9"), -EINVAL);
	CHECK_INT(kernel_rename(&kernel, functions, "c", functions, "d"), -ENOENT);
	CHECK_INT(kernel_rename(&kernel, functions, "a", functions, "c"), 0);
	CHECK_INT(kernel_path(&kernel, "functions/c"), a); /* the same thing under another name */
	CHECK(!kernel_path(&kernel, "functions/a"));
	kernel_close(&kernel);
}

/* rm -r: everything in it goes without effect, then the directory itself really goes. */
static void platform_files_go_with_their_directory(void)
{
	struct kernel kernel;
	struct fuse_entry_out before, after;
	uint64_t a;

	kernel_open(&kernel);
	kernel_function(&kernel, "a");
	a = kernel_path(&kernel, "functions/a");
	CHECK_INT(kernel_named(&kernel, FUSE_UNLINK, a, "status"), 0);
	CHECK(kernel_path(&kernel, "functions/a/status"));
	CHECK_INT(kernel_lookup(&kernel, a, "config", &before), 0);
	CHECK_INT(kernel_named(&kernel, FUSE_RMDIR, a, "config"), 0);
	CHECK_INT(kernel_lookup(&kernel, a, "config", &after), 0);
	CHECK_INT(after.nodeid, before.nodeid);
	CHECK_INT(
	        after.generation, before.generation + 1); /* the kernel holds the old one as dead */
	CHECK_INT(kernel_named(&kernel, FUSE_UNLINK, a, "nothing"), -ENOENT);
	CHECK_INT(kernel_named(&kernel, FUSE_RMDIR, kernel_path(&kernel, "functions"), "a"), 0);
	CHECK(!kernel_path(&kernel, "functions/a"));
	kernel_close(&kernel);
}

static void setattr(struct kernel *kernel, uint64_t node, uint32_t valid, uint32_t mode)
{
	struct fuse_setattr_in in = {.valid = valid, .mode = mode};

	CHECK_INT(kernel_ask(kernel, FUSE_SETATTR, node, &in, sizeof(in), NULL), 0);
}

static void attributes_go_with_their_object(void)
{
	struct kernel kernel;
	struct fuse_attr attr;
	uint64_t node;

	kernel_open(&kernel);
	kernel_function(&kernel, "a");
	node = kernel_path(&kernel, "functions/a/invoke");
	setattr(&kernel, node, FATTR_MODE, S_IFREG | 0222);
	CHECK_INT(kernel_getattr(&kernel, node, &attr), 0);
	CHECK_INT(attr.mode, S_IFREG | 0222);
	CHECK(attributes_get(engine_attributes(kernel.engine), node));
	CHECK_INT(kernel_named(&kernel, FUSE_RMDIR, kernel_path(&kernel, "functions"), "a"), 0);
	CHECK(!attributes_get(engine_attributes(kernel.engine), node));
	kernel_close(&kernel);
}

static void facts_are_not_written(void)
{
	struct kernel kernel;
	uint64_t node, handle;

	kernel_open(&kernel);
	node = kernel_path(&kernel, "status");
	CHECK_INT(kernel_open_file(&kernel, node, O_WRONLY, &handle), -EACCES);
	CHECK(strstr(kernel_text(&kernel, "last_error"), "status: "));
	kernel.caller.uid += 1;
	CHECK_STR(kernel_text(&kernel, "last_error"), ""); /* another user's own */
	kernel_close(&kernel);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(a_function_is_whole_at_once),
	        TEST(a_cursor_loses_nothing), TEST(numbers_are_rows_and_ids),
	        TEST(stale_numbers_are_refused), TEST(sizes_are_exact),
	        TEST(own_changes_are_seen_at_once), TEST(values_are_judged_by_the_write),
	        TEST(several_lines_take_effect_as_a_whole), TEST(editors_rename_over_values),
	        TEST(other_renames_are_refused), TEST(platform_files_go_with_their_directory),
	        TEST(attributes_go_with_their_object), TEST(facts_are_not_written), {}};

	return test_main(tests, argc, argv);
}
