/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	/usr                    the host's; /bin /lib ... as the host has them
 *	/etc                    what programs need to find users, names, certificates and the time
 *	/proc /dev              of its own, the least
 *	/tmp                    of its own, bounded, writable
 *	/opt/function/code      the code; /var/task is the same
 *	/opt/fnfs/runtime       the runtime's directory
 *	/opt/fnfs/init          the first process
 *
 * Nothing else is there, and all but /tmp and /dev/shm is read-only. What never changes is in the root
 * that is bound first (sandbox_root.c).
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
#include "run/sandbox_overlay.h"

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

int sandbox_init(struct sandbox *sandbox, const char *state_dir)
{
	*sandbox = (struct sandbox){
	        .init = find_init(),
	        .filter = call_filter_program(),
	        .is_root = geteuid() == 0,
	        .root = {.place = {.lock = -1}},
	};
	if (!sandbox->init || sandbox->filter < 0 ||
	        sandbox_root_init(&sandbox->root, state_dir, true) < 0) {
		sandbox_deinit(sandbox);
		return -EIO;
	}
	/* Now rather than with the first instance; what fails now is tried again then. */
	sandbox_root_refresh(&sandbox->root);
	return 0;
}

void sandbox_deinit(struct sandbox *sandbox)
{
	sandbox_root_deinit(&sandbox->root);
	free(take(sandbox->init));
	sandbox->filter = close_fd(sandbox->filter);
}

void sandbox_try_overlays(struct sandbox *sandbox, const char *state_dir)
{
	sandbox->overlays = sandbox_overlay_possible(&sandbox->root, state_dir, sandbox->is_root);
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
	number(out, "--uid", (long)view->uid);
	number(out, "--gid", (long)view->gid);
	words(out, "--cap-drop", "ALL", NULL);
	words(out, "--hostname", view->hostname, NULL);
	number(out, "--seccomp", SANDBOX_FILTER);
}

/* Where /usr is not merged, /bin and its like are directories of their own. */
static void add_system(struct buf *out)
{
	struct stat st;

	words(out, "--ro-bind", "/usr", "/usr");
	for (size_t i = 0; sandbox_system_directories[i]; i++) {
		const char *path = sandbox_system_directories[i];

		if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
			words(out, "--ro-bind", path, path);
	}
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

	for (size_t i = 0; sandbox_devices[i]; i++) {
		snprintf(path, sizeof(path), "/dev/%s", sandbox_devices[i]);
		words(out, "--dev-bind", path, path);
	}
	add_tmpfs(out, "1777", tmp_bytes, "/dev/shm");
}

static void add_network(struct buf *out)
{
	words(out, "--ro-bind-try", "/etc/hosts", "/etc/hosts");
	words(out, "--ro-bind-try", "/etc/resolv.conf", "/etc/resolv.conf");
}

/* Of the host's only what is reachable from there (resolvers.h). */
static void add_resolvers(struct buf *out)
{
	words(out, "--perms", "0444", NULL);
	number(out, "--ro-bind-data", SANDBOX_RESOLVERS);
	words(out, "/etc/resolv.conf", NULL, NULL);
}

static void add_code(struct buf *out, const struct sandbox_view *view)
{
	if (view->code)
		words(out, view->writable ? "--bind" : "--ro-bind", view->code, SANDBOX_CODE);
	if (view->runtime)
		words(out, "--ro-bind", view->runtime, "/opt/fnfs/runtime");
	words(out, "--ro-bind", view->init, SANDBOX_INIT);
}

/* A /dev of its own, for the image's may be anything. */
static void add_image_devices(struct buf *out, int64_t tmp_bytes)
{
	static const char *const links[][2] = {{"/proc/self/fd", "/dev/fd"},
	        {"/proc/self/fd/0", "/dev/stdin"}, {"/proc/self/fd/1", "/dev/stdout"},
	        {"/proc/self/fd/2", "/dev/stderr"}};

	add_tmpfs(out, "0755", 64 * 1024, "/dev");
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		words(out, "--symlink", links[i][0], links[i][1]);
	add_devices(out, tmp_bytes);
	words(out, "--remount-ro", "/dev", NULL);
}

/* What is mounted over was made by fnfs-fetch (fetch/image.c). */
static void add_image(struct buf *out, const struct sandbox_view *view)
{
	char path[PATH_MAX];

	words(out, view->writable ? "--bind" : "--ro-bind", view->code, "/");
	words(out, "--proc", "/proc", NULL);
	add_image_devices(out, view->tmp_bytes);
	add_tmpfs(out, "1777", view->tmp_bytes, "/tmp");
	snprintf(path, sizeof(path), "%s/etc/hosts", view->root);
	words(out, "--ro-bind", path, "/etc/hosts");
	snprintf(path, sizeof(path), "%s/etc/resolv.conf", view->root);
	words(out, "--ro-bind", path, "/etc/resolv.conf");
	words(out, "--ro-bind", view->init, SANDBOX_IMAGE_INIT);
}

static void add_machine(struct buf *out, const struct sandbox_view *view)
{
	words(out, "--ro-bind", view->root, "/");
	add_system(out);
	add_devices(out, view->tmp_bytes);
	words(out, "--proc", "/proc", NULL);
	add_tmpfs(out, "1777", view->tmp_bytes, "/tmp");
	add_code(out, view);
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
	if (view->is_image)
		add_image(out, view);
	else
		add_machine(out, view);
	if (view->host_network)
		add_network(out);
	if (view->outbound)
		add_resolvers(out);
	words(out, "--chdir", view->working_directory, NULL);
	add_environment(out, view);
}
