/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	/usr                    the host's, read-only; /bin /lib ... as the host has them
 *	/etc                    what programs need to find users, names, certificates and the time
 *	/proc /dev              of its own, the least
 *	/tmp                    of its own, bounded, writable
 *	/opt/function/code      the code; /var/task is the same
 *	/opt/function/runtime   where bootstraps written for FunctionGraph look for interpreters
 *	/opt/fnfs/runtime       the runtime's directory
 *	/opt/fnfs/init          the first process
 *
 * Nothing else is there, and all but /tmp and /dev/shm is read-only.
 */
#include "run/sandbox.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "run/guardian_message.h"
#include "run/call_filter.h"

static const char *const system_directories[] = {
        "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};

static const char *const settings[] = {"/etc/alternatives", "/etc/ca-certificates",
        "/etc/host.conf", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d",
        "/etc/localtime", "/etc/mime.types", "/etc/nsswitch.conf", "/etc/pki", "/etc/protocols",
        "/etc/services", "/etc/ssl", "/etc/timezone"};

static const char *const devices[] = {"null", "zero", "full", "random", "urandom"};

static const char *const runtime_names[] = {"python2.7", "python3.6", "python3.9", "python3.10",
        "python3.12", "nodejs6.10", "nodejs8.10", "nodejs10.16", "nodejs12.13", "nodejs14.18",
        "nodejs16.17", "nodejs18.15", "nodejs20.15", "php7.3", "php8.3", "java8", "java11",
        "java17", "java21"};

static const char passwd_text[] = "root:x:0:0:root:/root:/usr/sbin/nologin\n"
                                  "function:x:1003:1003::/tmp:/bin/sh\n"
                                  "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
static const char group_text[] = "root:x:0:\nfunction:x:1003:\nnogroup:x:65534:\n";
static const char hosts_text[] = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n";

static int memory_file(const char *name, const char *text)
{
	CLEANUP(close_p) int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return fail(-EIO, "making the file %s in memory", name);
	return take_fd(fd);
}

/* fnfs-init lies beside this program. */
static char *find_init(void)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 16);
	char *slash;

	if (length < 0)
		return NULL;
	path[length] = 0;
	slash = strrchr(path, '/');
	strcpy(slash + 1, "fnfs-init");
	return strdup(path);
}

int sandbox_init(struct sandbox *sandbox)
{
	*sandbox = (struct sandbox){
	        .init = find_init(),
	        .seccomp = call_filter_program(),
	        .passwd = memory_file("passwd", passwd_text),
	        .group = memory_file("group", group_text),
	        .hosts = memory_file("hosts", hosts_text),
	        .is_root = geteuid() == 0,
	};
	if (!sandbox->init || sandbox->seccomp < 0 || sandbox->passwd < 0 || sandbox->group < 0 ||
	        sandbox->hosts < 0) {
		sandbox_deinit(sandbox);
		return -EIO;
	}
	return 0;
}

void sandbox_deinit(struct sandbox *sandbox)
{
	free(take(sandbox->init));
	sandbox->seccomp = close_fd(sandbox->seccomp);
	sandbox->passwd = close_fd(sandbox->passwd);
	sandbox->group = close_fd(sandbox->group);
	sandbox->hosts = close_fd(sandbox->hosts);
}

const char *sandbox_find_bubblewrap(void)
{
	static const char *const places[] = {
	        "/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap"};

	const char *given = getenv("FNFS_BUBBLEWRAP");

	if (given)
		return access(given, X_OK) == 0 ? given : NULL;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

static void words(struct buf *out, const char *first, const char *second, const char *third)
{
	message_string(out, first);
	if (second)
		message_string(out, second);
	if (third)
		message_string(out, third);
}

static void number(struct buf *out, const char *option, long value)
{
	char text[24];

	snprintf(text, sizeof(text), "%ld", value);
	words(out, option, text, NULL);
}

static void add_namespaces(struct buf *out, const struct sandbox_view *view)
{
	static const char *const options[] = {"--unshare-user", "--disable-userns", "--unshare-pid",
	        "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--die-with-parent",
	        "--as-pid-1", "--clearenv"};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		words(out, options[i], NULL, NULL);
	if (!view->host_network)
		words(out, "--unshare-net", NULL, NULL);
	number(out, "--uid", SANDBOX_ID);
	number(out, "--gid", SANDBOX_ID);
	words(out, "--cap-drop", "ALL", NULL);
	words(out, "--hostname", view->hostname, NULL);
	number(out, "--seccomp", SANDBOX_SECCOMP);
}

/* /bin may be a directory or, where /usr is merged, a link. */
static void add_system(struct buf *out)
{
	words(out, "--ro-bind", "/usr", "/usr");
	for (size_t i = 0; i < ARRAY_SIZE(system_directories); i++) {
		const char *path = system_directories[i];
		char target[PATH_MAX];
		ssize_t length = readlink(path, target, sizeof(target) - 1);

		if (length >= 0) {
			target[length] = 0;
			words(out, "--symlink", target, path);
		} else if (errno == EINVAL) {
			words(out, "--ro-bind", path, path);
		}
	}
}

static void add_file(struct buf *out, int descriptor, const char *path)
{
	words(out, "--perms", "0444", NULL);
	number(out, "--file", descriptor);
	message_string(out, path);
}

static void add_settings(struct buf *out, bool host_network)
{
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		if (access(settings[i], F_OK) == 0)
			words(out, "--ro-bind", settings[i], settings[i]);
	add_file(out, SANDBOX_PASSWD, "/etc/passwd");
	add_file(out, SANDBOX_GROUP, "/etc/group");
	if (!host_network) {
		add_file(out, SANDBOX_HOSTS, "/etc/hosts");
		return;
	}
	words(out, "--ro-bind-try", "/etc/hosts", "/etc/hosts");
	words(out, "--ro-bind-try", "/etc/resolv.conf", "/etc/resolv.conf");
}

static void add_tmpfs(struct buf *out, const char *permissions, int64_t bytes, const char *path)
{
	words(out, "--perms", permissions, NULL);
	number(out, "--size", (long)bytes);
	words(out, "--tmpfs", path, NULL);
}

static void add_devices(struct buf *out, int64_t tmp_bytes)
{
	char path[32];

	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		snprintf(path, sizeof(path), "/dev/%s", devices[i]);
		words(out, "--dev-bind", path, path);
	}
	words(out, "--symlink", "/proc/self/fd", "/dev/fd");
	words(out, "--symlink", "/proc/self/fd/0", "/dev/stdin");
	words(out, "--symlink", "/proc/self/fd/1", "/dev/stdout");
	words(out, "--symlink", "/proc/self/fd/2", "/dev/stderr");
	add_tmpfs(out, "1777", tmp_bytes, "/dev/shm");
}

/* All names lead to one directory whose bin directories are the host's. */
static void add_runtime_names(struct buf *out)
{
	static const char *const kinds[] = {"python", "nodejs", "php", "jre", "java"};
	char path[96];

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		snprintf(path, sizeof(path), "/opt/function/runtime/any/rtsp/%s/bin", kinds[i]);
		words(out, "--symlink", "/usr/bin", path);
	}
	for (size_t i = 0; i < ARRAY_SIZE(runtime_names); i++) {
		snprintf(path, sizeof(path), "/opt/function/runtime/%s", runtime_names[i]);
		words(out, "--symlink", "any", path);
	}
}

static void add_code(struct buf *out, const struct sandbox_view *view)
{
	words(out, "--ro-bind", view->code, "/opt/function/code");
	words(out, "--symlink", "/opt/function/code", "/var/task");
	words(out, "--symlink", "/tmp", "/var/tmp");
	words(out, "--ro-bind", view->runtime, "/opt/fnfs/runtime");
	words(out, "--ro-bind", view->init, SANDBOX_INIT);
}

static bool has_variable(const struct sandbox_view *view, const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; view->environment[i]; i++)
		if (!strncmp(view->environment[i], name, length) &&
		        view->environment[i][length] == '=')
			return true;
	return false;
}

static void add_environment(struct buf *out, const struct sandbox_view *view)
{
	if (!has_variable(view, "HOME"))
		words(out, "--setenv", "HOME", "/tmp");
	if (!has_variable(view, "PATH"))
		words(out, "--setenv", "PATH", "/usr/local/bin:/usr/bin:/bin");
	for (size_t i = 0; view->environment[i]; i++) {
		const char *variable = view->environment[i], *equals = strchr(variable, '=');

		if (!equals || equals == variable)
			continue;
		message_string(out, "--setenv");
		buf_append(out, variable, (size_t)(equals - variable));
		buf_append(out, "", 1);
		message_string(out, equals + 1);
	}
}

void sandbox_arguments(struct buf *out, const struct sandbox_view *view)
{
	add_namespaces(out, view);
	add_system(out);
	add_settings(out, view->host_network);
	add_devices(out, view->tmp_bytes);
	words(out, "--proc", "/proc", NULL);
	add_tmpfs(out, "1777", view->tmp_bytes, "/tmp");
	add_runtime_names(out);
	add_code(out, view);
	words(out, "--dir", "/run", NULL);
	words(out, "--remount-ro", "/", NULL);
	words(out, "--chdir", view->working_directory, NULL);
	add_environment(out, view);
}
