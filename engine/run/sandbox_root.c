/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	/usr /proc /tmp /dev    empty: mounted over by each sandbox
 *	/bin /lib ...           links as the host has them, else empty and mounted over
 *	/etc                    a copy of `settings`, and users, groups and hosts of our own
 *	/opt/function/runtime   where bootstraps written for FunctionGraph look for interpreters
 *	/opt /var /run          mount points and links
 *
 * Of /etc only what everybody may read is copied: private keys beside certificates stay where they are.
 */
#include "run/sandbox_root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"

#define SETTING_SIZE_MAX (4 << 20)
#define SETTING_DEPTH    6
#define MANUALS          "/usr/share/man/"

const char *const sandbox_system_directories[] = {
        "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", NULL};

const char *const sandbox_devices[] = {"null", "zero", "full", "random", "urandom", NULL};

static const char *const settings[] = {"alternatives", "ca-certificates", "host.conf",
        "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types", "nsswitch.conf",
        "pki", "protocols", "services", "ssl", "timezone", NULL};

/* Directories that change when something below does, though nothing above does. */
static const char *const deeper[] = {"ssl/certs", "ld.so.conf.d", "pki/tls/certs", NULL};

static const char *const directories[] = {"usr", "proc", "tmp", "run", "etc", "dev", "dev/shm",
        "var", "opt", "opt/fnfs", "opt/fnfs/runtime", "opt/function", "opt/function/code",
        "opt/function/runtime", "opt/function/runtime/any", "opt/function/runtime/any/rtsp", NULL};

static const struct {
	const char *path, *target;
} links[] = {
        {"var/task", "/opt/function/code"},
        {"var/tmp", "/tmp"},
        {"dev/fd", "/proc/self/fd"},
        {"dev/stdin", "/proc/self/fd/0"},
        {"dev/stdout", "/proc/self/fd/1"},
        {"dev/stderr", "/proc/self/fd/2"},
};

static const struct {
	const char *path, *text;
} files[] = {
        {"etc/passwd", "root:x:0:0:root:/root:/usr/sbin/nologin\n"
                       "function:x:1003:1003::/tmp:/bin/sh\n"
                       "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"},
        {"etc/group", "root:x:0:\nfunction:x:1003:\nnogroup:x:65534:\n"},
        {"etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n"},
        {"etc/resolv.conf", ""},
        {"opt/fnfs/init", ""},
};

static const char *const interpreters[] = {"python", "nodejs", "php", "jre", "java", NULL};

static const char *const runtime_names[] = {"python2.7", "python3.6", "python3.9", "python3.10",
        "python3.12", "nodejs6.10", "nodejs8.10", "nodejs10.16", "nodejs12.13", "nodejs14.18",
        "nodejs16.17", "nodejs18.15", "nodejs20.15", "php7.3", "php8.3", "java8", "java11",
        "java17", "java21", NULL};

/* --- copying ---------------------------------------------------------------------------------- */

static int copy(int from, int to, const char *name, int depth);

static int copy_file(int from, int to, const char *name)
{
	CLEANUP(close_p) int source = openat(from, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	CLEANUP(close_p) int target = -1;
	ssize_t length;

	if (source < 0)
		return 0;
	target = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (target < 0)
		return -errno;
	do {
		length = sendfile(target, source, NULL, SETTING_SIZE_MAX);
	} while (length > 0);
	return length < 0 ? -errno : 0;
}

static int copy_link(int from, int to, const char *name)
{
	char text[PATH_MAX];
	ssize_t length = readlinkat(from, name, text, sizeof(text) - 1);

	if (length < 0)
		return 0;
	text[length] = 0;
	/* Most alternatives lead to pages of manuals, which no function reads. */
	if (strncmp(text, MANUALS, strlen(MANUALS)) == 0)
		return 0;
	return symlinkat(text, to, name) < 0 ? -errno : 0;
}

static int copy_directory(int from, int to, const char *name, int depth)
{
	CLEANUP(close_p) int target = -1;
	int fd = openat(from, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), error = 0;
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!directory)
		return 0;
	if (mkdirat(to, name, 0755) < 0)
		error = -errno;
	else
		target = openat(to, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (!error && (entry = readdir(directory)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			error = copy(dirfd(directory), target, entry->d_name, depth + 1);
	closedir(directory);
	return error;
}

/* What is missing, secret, too large or too deep is left out. */
static int copy(int from, int to, const char *name, int depth)
{
	struct stat st;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (S_ISLNK(st.st_mode))
		return copy_link(from, to, name);
	if (S_ISREG(st.st_mode) && (st.st_mode & 0004) && st.st_size <= SETTING_SIZE_MAX)
		return copy_file(from, to, name);
	if (S_ISDIR(st.st_mode) && (st.st_mode & 0005) == 0005 && depth < SETTING_DEPTH)
		return copy_directory(from, to, name, depth);
	return 0;
}

/* --- making ----------------------------------------------------------------------------------- */

static int make_file(int root, const char *path, const char *text)
{
	CLEANUP(close_p) int fd = openat(root, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0444);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return -errno;
	return 0;
}

static int make_system(int root)
{
	char target[PATH_MAX];

	for (size_t i = 0; sandbox_system_directories[i]; i++) {
		const char *path = sandbox_system_directories[i];
		ssize_t length = readlink(path, target, sizeof(target) - 1);

		if (length < 0 && errno == EINVAL) {
			if (mkdirat(root, path + 1, 0755) < 0)
				return -errno;
		} else if (length >= 0) {
			target[length] = 0;
			if (symlinkat(target, root, path + 1) < 0)
				return -errno;
		}
	}
	return 0;
}

/* All names lead to one directory, whose bin directories are the host's. */
static int make_runtime_names(int root)
{
	char path[128];

	for (size_t i = 0; interpreters[i]; i++) {
		snprintf(path, sizeof(path), "opt/function/runtime/any/rtsp/%s", interpreters[i]);
		if (mkdirat(root, path, 0755) < 0)
			return -errno;
		strcat(path, "/bin");
		if (symlinkat("/usr/bin", root, path) < 0)
			return -errno;
	}
	for (size_t i = 0; runtime_names[i]; i++) {
		snprintf(path, sizeof(path), "opt/function/runtime/%s", runtime_names[i]);
		if (symlinkat("any", root, path) < 0)
			return -errno;
	}
	return 0;
}

static int make_settings(int root)
{
	CLEANUP(close_p) int from = open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(close_p) int to = openat(root, "etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error = from < 0 || to < 0 ? -errno : 0;

	for (size_t i = 0; settings[i] && !error; i++)
		error = copy(from, to, settings[i], 0);
	return error;
}

static int fill(int root)
{
	char path[32];
	int error = 0;

	for (size_t i = 0; directories[i]; i++)
		if (mkdirat(root, directories[i], 0755) < 0)
			return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		if (symlinkat(links[i].target, root, links[i].path) < 0)
			return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(files) && !error; i++)
		error = make_file(root, files[i].path, files[i].text);
	for (size_t i = 0; sandbox_devices[i] && !error; i++) {
		snprintf(path, sizeof(path), "dev/%s", sandbox_devices[i]);
		error = make_file(root, path, "");
	}
	if (!error)
		error = make_system(root);
	if (!error)
		error = make_runtime_names(root);
	return error ? error : make_settings(root);
}

/* --- life ------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, uint64_t value)
{
	return (hash ^ value) * 1099511628211u;
}

static uint64_t mix_setting(uint64_t hash, const char *name)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/etc/%s", name);
	if (lstat(path, &st) < 0)
		return mix(hash, 1);
	hash = mix(hash, st.st_ino);
	hash = mix(hash, (uint64_t)st.st_mtim.tv_sec);
	return mix(hash, (uint64_t)st.st_mtim.tv_nsec);
}

static uint64_t sign_settings(void)
{
	uint64_t hash = 14695981039346656037u;

	for (size_t i = 0; settings[i]; i++)
		hash = mix_setting(hash, settings[i]);
	for (size_t i = 0; deeper[i]; i++)
		hash = mix_setting(hash, deeper[i]);
	return hash;
}

int sandbox_root_init(struct sandbox_root *root, const char *state_dir, bool in_memory)
{
	*root = (struct sandbox_root){0};
	if (sandbox_place_init(&root->place, state_dir, in_memory) < 0)
		return fail(-ENOMEM, "making the sandboxes' root");
	return 0;
}

static int make_at(const char *path)
{
	CLEANUP(close_p) int fd = -1;
	int error;

	if (mkdir(path, 0755) < 0)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	error = fd < 0 ? -errno : fill(fd);
	if (error)
		sandbox_place_remove_tree(path);
	return error;
}

static int make_here(struct sandbox_root *root)
{
	CLEANUP(free_p) char *path = NULL;
	int error = sandbox_place_provide(&root->place);

	if (error)
		return fail(error, "making a directory in %s", root->place.home);
	if (asprintf(&path, "%s/%u", root->place.path, root->number++) < 0) {
		path = NULL;
		return fail(-ENOMEM, "making the sandboxes' root");
	}
	error = make_at(path);
	if (error)
		return fail(error, "making the sandboxes' root %s", path);
	free(root->path);
	root->path = take(path);
	return 0;
}

static int make(struct sandbox_root *root)
{
	int error = make_here(root);

	/* Whoever runs has the tree from memory. */
	if (error && !root->path && sandbox_place_retreat(&root->place))
		error = make_here(root);
	return error;
}

int sandbox_root_refresh(struct sandbox_root *root)
{
	uint64_t signature = sign_settings();
	int error;

	if (root->path && access(root->path, F_OK) < 0)
		free(take(root->path)); /* somebody has removed it */
	if (root->path && signature == root->signature)
		return 0;
	error = make(root);
	if (!error)
		root->signature = signature;
	return root->path ? 0 : error;
}

void sandbox_root_deinit(struct sandbox_root *root)
{
	sandbox_place_deinit(&root->place);
	free(take(root->path));
}
