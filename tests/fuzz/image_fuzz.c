/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What strangers' images say of themselves. The first byte chooses which file it is: index.json, manifest.json,
 * the configuration, /etc/passwd, or the archive of it all. Whatever it says, reading ends, a refusal has
 * its sentence, and beside the directory there is nothing.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <locale.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fetch/image.h"
#include "fetch/image_config.h"
#include "fetch/image_user.h"
#include "test.h"

enum { MUCH = 1 << 20, MANY = 64 };

static const struct bounds bounds = {.archive_bytes = MUCH,
        .bytes = MUCH,
        .files = MANY,
        .ratio = 200,
        .ratio_free_bytes = MUCH,
        .depth = 20};

static char *make_place(void)
{
	const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	char *place = NULL;

	if (asprintf(&place, "%s/fnfs-image-XXXXXX", parent) < 0 || !mkdtemp(place))
		abort();
	return place;
}

static int make_directory(const char *place, const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/%s", place, name);
	if (mkdir(path, 0755) < 0)
		abort();
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void put(int directory, const char *name, const void *data, size_t size)
{
	CLEANUP(close_p) int fd = openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
}

static void judge(int error, const struct report *report)
{
	if (error > 0 || (error && !report->sentence[0]))
		abort();
}

static void unpack_from(int source, int directory)
{
	struct unpacked unpacked = {0};
	struct report report;
	char digest[65];

	report_init(&report, -1);
	judge(image_unpack(source, directory, &bounds, &report, &unpacked, digest), &report);
}

static void read_config(int directory, const char *data, size_t size)
{
	CLEANUP(buf_deinit) struct buf words = BUF_INIT;
	CLEANUP(buf_deinit) struct buf text = BUF_INIT;
	struct report report;
	struct tree tree;
	int error;

	buf_append(&text, data, size);
	report_init(&report, -1);
	tree_init(&tree, directory, &bounds, MUCH, &report);
	tree.is_root = true;
	error = image_config_read(&tree, &text, &words);
	judge(error, &report);
	if (!error && (!words.length || words.data[words.length - 1]))
		abort();
	tree_deinit(&tree);
}

static void find_user(int directory, const char *data, size_t size)
{
	struct image_user user;
	struct report report;
	struct tree tree;
	int error;

	if (mkdirat(directory, "etc", 0755) < 0)
		abort();
	put(directory, "etc/passwd", data, size);
	put(directory, "etc/group", data, size);
	report_init(&report, -1);
	tree_init(&tree, directory, &bounds, MUCH, &report);
	tree.is_root = true;
	error = image_user_find(&tree, "app:team", &user);
	judge(error, &report);
	if (!error && (user.uid <= 0 || user.gid <= 0))
		abort();
	buf_deinit(&user.home);
	tree_deinit(&tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(free_p) char *place = make_place();
	CLEANUP(close_p) int directory = make_directory(place, "tree");
	CLEANUP(close_p) int source = make_directory(place, "source");
	CLEANUP(close_p) int archive = memfd_create("archive", MFD_CLOEXEC);
	const char *text = (const char *)data + 1;
	uint8_t which = size ? data[0] % 5 : 5;
	struct stat st;

	setlocale(LC_ALL, "C.UTF-8");
	size -= size > 0;
	if (which == 0) {
		put(source, "index.json", text, size);
		unpack_from(source, directory);
	} else if (which == 1) {
		put(source, "manifest.json", text, size);
		put(source, "c", text, size);
		unpack_from(source, directory);
	} else if (which == 2) {
		read_config(directory, text, size);
	} else if (which == 3) {
		find_user(directory, text, size);
	} else if (which == 4 && write(archive, text, size) == (ssize_t)size) {
		unpack_from(archive, directory);
	}
	if (stat(place, &st) < 0 || st.st_nlink != 4)
		abort();
	test_directory_remove(take(place));
	return 0;
}

void fuzz_sample(struct buf *out)
{
	buf_puts(out,
	        "\2{\"architecture\":\"amd64\",\"os\":\"linux\",\"Config\":\"c\",\"Layers\":[],"
	        "\"config\":{\"Entrypoint\":[\"a\"],\"Cmd\":null,\"Env\":[\"A=1\"],\"User\":\"5:"
	        "6\","
	        "\"WorkingDir\":\"/x/y\"},\"rootfs\":{\"diff_ids\":[]},\"manifests\":[{\"digest\":"
	        "\"sha256:0000000000000000000000000000000000000000000000000000000000000000\","
	        "\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}}]}\n"
	        "app:x:5:6::/home:/bin/sh\nteam:x:7:\n");
}
