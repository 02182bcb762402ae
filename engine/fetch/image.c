/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/image.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fetch/image_config.h"
#include "fetch/image_layer.h"
#include "fetch/image_manifest.h"
#include "fetch/image_source.h"
#include "fetch/tree_private.h"

/* Where sandboxes mount (run/sandbox_image.c): made here, for there the tree may be read-only. */
static const char *const mount_directories[] = {"dev", "etc", "proc", "tmp"};
static const char *const mount_files[] = {"etc/hosts", "etc/resolv.conf", ".fnfs-init"};

static int unpack_layers(
        struct image_source *source, const struct image_manifest *manifest, struct unpacking *to)
{
	int error = 0;

	for (size_t i = 0; i < manifest->layer_count && !error; i++) {
		report_layer(to->report, (int)i + 1, (int)manifest->layer_count);
		error = image_layer_unpack(source, &manifest->layers[i], i == 0, to);
	}
	return error;
}

/* The real things, never links: what is mounted there must not land elsewhere. */
static int make_mount_points(struct tree *tree)
{
	const struct timespec now = {.tv_nsec = UTIME_NOW};
	struct stat st;
	int fd, error = 0;

	if (fstatat(tree->root, "etc", &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode))
		return report_refuse(tree->report, -EINVAL, "the image's /etc is not a directory");
	for (size_t i = 0; i < ARRAY_SIZE(mount_directories) && !error; i++)
		error = tree_directory(tree, mount_directories[i], now);
	for (size_t i = 0; i < ARRAY_SIZE(mount_files) && !error; i++) {
		error = tree_file(tree, mount_files[i], 0644, &fd);
		if (!error)
			close(fd);
	}
	return error;
}

static int write_words(
        int directory, const char *digest, const struct buf *words, struct report *report)
{
	CLEANUP(close_p)
	int fd = tree_open_strictly(directory, "run", O_WRONLY | O_CREAT | O_EXCL, 0644);
	static const char key[] = "digest";

	if (fd < 0 || write(fd, key, sizeof(key)) < 0 ||
	        write(fd, digest, strlen(digest) + 1) < 0 ||
	        write(fd, words->data, words->length) != (ssize_t)words->length || syncfs(fd) < 0)
		return report_refuse(report, fd < 0 ? fd : -EIO, "writing what was unpacked");
	return 0;
}

static int finish(int directory, const struct image_manifest *manifest, struct tree *tree)
{
	CLEANUP(buf_deinit) struct buf words = BUF_INIT;
	int error = image_config_read(tree, &manifest->config, &words);

	if (!error)
		error = make_mount_points(tree);
	if (!error)
		error = tree_finish(tree);
	return error ? error : write_words(directory, manifest->digest, &words, tree->report);
}

static int check_early(int root, const struct bounds *bounds, const struct image_manifest *manifest,
        struct report *report)
{
	struct tree none;
	int error;

	tree_init(&none, root, bounds, 0, report);
	error = image_config_check(&none, &manifest->config);
	tree_deinit(&none);
	return error;
}

static int unpack_at(int directory, struct image_source *source,
        const struct image_manifest *manifest, const struct bounds *bounds, struct report *report,
        struct unpacked *out)
{
	CLEANUP(close_p) int root = -1;
	struct unpacking unpacking = {.report = report};
	int error;

	if (mkdirat(directory, "root", 0755) < 0)
		return report_refuse(report, -errno, "making a directory: %s", strerror(errno));
	root = tree_open_strictly(directory, "root", O_RDONLY | O_DIRECTORY, 0);
	error = root < 0 ? root : check_early(root, bounds, manifest, report);
	if (error)
		return error;
	tree_init(&unpacking.tree, root, bounds, 0, report);
	unpacking.tree.is_root = true;
	error = unpack_layers(source, manifest, &unpacking);
	if (!error)
		error = finish(directory, manifest, &unpacking.tree);
	*out = (struct unpacked){unpacking.tree.files, unpacking.tree.bytes};
	if (!error)
		report_unpacking(report, out->files, out->bytes, true);
	tree_deinit(&unpacking.tree);
	return error;
}

int image_unpack(int from, int directory, const struct bounds *bounds, struct report *report,
        struct unpacked *out, char digest[65])
{
	struct image_source source;
	struct image_manifest manifest = {0};
	int error = image_source_init(&source, from, report);

	if (!error)
		error = image_manifest_read(&manifest, &source, report);
	if (!error) {
		strcpy(digest, manifest.digest);
		report_digest(report, digest);
		error = unpack_at(directory, &source, &manifest, bounds, report, out);
	}
	image_manifest_deinit(&manifest);
	return error;
}
