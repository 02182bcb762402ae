/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From fork to bubblewrap. Order matters: the control groups are entered and mounts made while we still
 * may; then the identity goes, for good; what kills us with the guardian is set after that (changing
 * identity clears it); and the last thing before exec is to have no descriptor that is not meant.
 *
 * As root, the code lies in a directory only root can enter, and the owner must reach it: a mount
 * namespace of its own has a small tmpfs over /tmp with the sources bound into it. It goes with the
 * last process in it. Dependencies are laid over the code there; for an ordinary user in a namespace
 * that is made only for it.
 */
#include "run/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "run/resolvers.h"
#include "run/sandbox_overlay.h"

#define BRIDGE        "/tmp"
#define ABOVE_TARGETS 64
#define ARGUMENTS_MAX 256

struct entry {
	const struct sandbox_start *start;
	struct sandbox_view view; /* its sources change when they are bridged */
	int status;
};

__attribute__((format(printf, 2, 3))) static _Noreturn void give_up(
        const struct entry *entry, const char *format, ...)
{
	char text[512];
	int error = errno, length;
	va_list arguments;

	va_start(arguments, format);
	length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (error && length > 0 && (size_t)length < sizeof(text))
		snprintf(text + length, sizeof(text) - (size_t)length, ": %s", strerror(error));
	if (write(entry->status, text, strlen(text)) < 0)
		_exit(126);
	_exit(127);
}

static void open_source(const struct entry *entry, const char *path, char link[32])
{
	int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		give_up(entry, "%s", path);
	snprintf(link, 32, "/proc/self/fd/%d", fd);
}

static const char *bind_source(const struct entry *entry, const char *source, const char *target)
{
	if (mount(source, target, NULL, MS_BIND, NULL) < 0)
		give_up(entry, "binding %s", target);
	return target;
}

static void open_layers(const struct entry *entry, struct sandbox_overlay *overlay)
{
	int error = sandbox_overlay_open(overlay, entry->view.layers, entry->view.code);

	errno = -error;
	if (error)
		give_up(entry, "%s", overlay->culprit ? overlay->culprit : "too many dependencies");
}

static const char *mount_layers(
        const struct entry *entry, const struct sandbox_overlay *overlay, const char *target)
{
	int error = sandbox_overlay_mount(overlay, target);

	errno = -error;
	if (error)
		give_up(entry, "laying the dependencies over the code");
	return target;
}

/* What bubblewrap is told to bind has the dependencies over it, in the namespace it is started in. */
static void cover_code(const struct entry *entry)
{
	struct sandbox_overlay overlay;
	int error = sandbox_overlay_unshare();

	errno = -error;
	if (error)
		give_up(entry, "making a namespace for the dependencies");
	open_layers(entry, &overlay);
	mount_layers(entry, &overlay, entry->view.code);
}

/* With a layer of its own where that can be, else as it is. */
static const char *lay_over_image(
        const struct entry *entry, const char *source, const char *target, bool *writable)
{
	static char merged[PATH_MAX];
	int image = open(source, O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct sandbox_start *start = entry->start;

	if (image < 0)
		give_up(entry, "%s", source);
	snprintf(merged, sizeof(merged), "%s/merged", target);
	*writable = start->sandbox->overlays &&
	            sandbox_overlay_write(image, target, entry->view.tmp_bytes, start->uid,
	                    start->gid, start->sandbox->is_root) == 0;
	close(image);
	return *writable ? merged : NULL;
}

/* As an ordinary user. The layer covers the directory that the image's root is in, in its own namespace. */
static void cover_image(struct entry *entry)
{
	static char parent[PATH_MAX];
	struct sandbox_view *view = &entry->view;
	const char *merged;
	int error = sandbox_overlay_unshare();

	errno = -error;
	if (error)
		give_up(entry, "making a namespace for the image");
	snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(view->code, '/') - view->code),
	        view->code);
	merged = lay_over_image(entry, view->code, parent, &view->writable);
	if (!merged)
		umount2(parent, MNT_DETACH);
	view->code = merged ? merged : view->code;
}

static const char *bridge_image(struct entry *entry, const char *source)
{
	const char *merged;

	if (mkdir(BRIDGE "/image", 0755) < 0)
		give_up(entry, "preparing " BRIDGE);
	merged = lay_over_image(entry, source, BRIDGE "/image", &entry->view.writable);
	return merged ? merged : bind_source(entry, source, BRIDGE "/code");
}

static void bridge_sources(struct entry *entry)
{
	struct sandbox_view *view = &entry->view;
	struct sandbox_overlay overlay;
	char root[32], code[32], runtime[32], init[32];

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		give_up(entry, "making a mount namespace");
	/* Opened before /tmp is covered, for they may lie there. */
	open_source(entry, view->root, root);
	if (view->code)
		open_source(entry, view->code, code);
	if (view->layers)
		open_layers(entry, &overlay);
	if (view->runtime)
		open_source(entry, view->runtime, runtime);
	open_source(entry, view->init, init);
	if (mount("fnfs", BRIDGE, "tmpfs", MS_NOSUID | MS_NODEV, "size=64k,mode=0711") < 0)
		give_up(entry, "mounting a tmpfs on " BRIDGE);
	if (mkdir(BRIDGE "/root", 0755) < 0 || mkdir(BRIDGE "/code", 0755) < 0 ||
	        mkdir(BRIDGE "/runtime", 0755) < 0 || mknod(BRIDGE "/init", S_IFREG | 0755, 0) < 0)
		give_up(entry, "preparing " BRIDGE);
	view->root = bind_source(entry, root, BRIDGE "/root");
	if (view->is_image)
		view->code = bridge_image(entry, code);
	else if (view->code)
		view->code = view->layers ? mount_layers(entry, &overlay, BRIDGE "/code")
		                          : bind_source(entry, code, BRIDGE "/code");
	if (view->runtime)
		view->runtime = bind_source(entry, runtime, BRIDGE "/runtime");
	view->init = bind_source(entry, init, BRIDGE "/init");
}

static void set_limit(int resource, rlim_t soft, rlim_t hard)
{
	struct rlimit limit;

	if (getrlimit((__rlimit_resource_t)resource, &limit) < 0)
		return;
	if (limit.rlim_max > hard)
		limit.rlim_max = hard;
	limit.rlim_cur = soft < limit.rlim_max ? soft : limit.rlim_max;
	setrlimit((__rlimit_resource_t)resource, &limit);
}

static void set_resources(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	set_limit(RLIMIT_CORE, 0, 0);
	set_limit(RLIMIT_NOFILE, 2048, 65536);
	set_limit(RLIMIT_STACK, 8 << 20, RLIM_INFINITY);
	/* When the machine itself runs out, an instance goes before the daemon does. */
	if (fd >= 0 && write(fd, "500", 3) >= 0)
		close(fd);
}

static void reset_signals(void)
{
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Who opens /dev/stdout or /dev/stderr by that name opens the pipe anew, and must be let in. Only pipes: what
 * else may stand there, like /dev/null, is everybody's. */
static void give_pipes(uid_t uid, gid_t gid)
{
	static const int pipes[] = {SANDBOX_OUTPUT, SANDBOX_CHANNEL_IN, SANDBOX_CHANNEL_OUT};
	struct stat st;

	for (size_t i = 0; i < sizeof(pipes) / sizeof(*pipes); i++)
		if (fstat(pipes[i], &st) == 0 && S_ISFIFO(st.st_mode) &&
		        fchown(pipes[i], uid, gid) < 0)
			continue; /* then it cannot be opened by name */
}

static void take_identity(const struct entry *entry, pid_t guardian)
{
	uid_t uid = entry->start->uid;
	gid_t gid = entry->start->gid;

	if (entry->start->sandbox->is_root)
		give_pipes(uid, gid);
	if (entry->start->sandbox->is_root &&
	        (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 ||
	                setresuid(uid, uid, uid) < 0))
		give_up(entry, "becoming user %u", (unsigned)uid);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != guardian)
		_exit(126);
}

/* A description of its own, for bubblewrap reads from the present position. */
static int reopen(const struct entry *entry, int fd)
{
	char path[32];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDONLY);
	if (again < 0)
		give_up(entry, "opening a file in memory");
	return again;
}

static int memory_file(const struct entry *entry, struct buf *content)
{
	int fd = memfd_create("fnfs", 0);

	if (fd < 0 || content->failed ||
	        write(fd, content->data, content->length) != (ssize_t)content->length)
		give_up(entry, "writing a file in memory");
	lseek(fd, 0, SEEK_SET);
	buf_deinit(content);
	return fd;
}

static int arguments_file(const struct entry *entry)
{
	struct buf arguments = BUF_INIT;

	sandbox_arguments(&arguments, &entry->view);
	return memory_file(entry, &arguments);
}

static int resolvers_file(const struct entry *entry)
{
	struct buf resolvers = BUF_INIT;

	resolvers_read(&resolvers);
	return memory_file(entry, &resolvers);
}

static void place_descriptors(struct entry *entry)
{
	const struct sandbox_start *start = entry->start;
	int null = open("/dev/null", O_RDWR);
	int fds[SANDBOX_DESCRIPTORS] = {
	        [0] = null,
	        [1] = null,
	        [SANDBOX_STATUS] = start->status,
	        [SANDBOX_CHANNEL_IN] = start->channel_in,
	        [SANDBOX_CHANNEL_OUT] = start->channel_out,
	        [SANDBOX_OUTPUT] = start->output,
	        [SANDBOX_ARGUMENTS] = arguments_file(entry),
	        [SANDBOX_FILTER] = reopen(entry, start->sandbox->filter),
	        [SANDBOX_RESOLVERS] = entry->view.outbound ? resolvers_file(entry) : null,
	};

	/* First all out of the way of the numbers that bubblewrap is told, then down to them. */
	for (int i = 0; i < SANDBOX_DESCRIPTORS; i++)
		if ((fds[i] = fcntl(fds[i], F_DUPFD, ABOVE_TARGETS)) < 0)
			give_up(entry, "arranging descriptors");
	entry->status = fds[SANDBOX_STATUS];
	for (int i = 0; i < SANDBOX_DESCRIPTORS; i++)
		if (dup2(fds[i], i) < 0)
			give_up(entry, "arranging descriptors");
	entry->status = SANDBOX_STATUS;
	close_range(SANDBOX_DESCRIPTORS, ~0u, 0);
}

static _Noreturn void execute(const struct entry *entry)
{
	const char *bubblewrap = sandbox_find_bubblewrap();
	char *environment[] = {NULL};
	char arguments[16], limit[16], sockets[16];
	const char *argv[ARGUMENTS_MAX + 10] = {"bwrap", "--args", arguments, "--",
	        entry->view.is_image ? SANDBOX_IMAGE_INIT : SANDBOX_INIT, limit, sockets,
	        entry->view.outbound ? "outbound" : "-"};
	size_t count = 8;

	if (!entry->start->argv[0])
		argv[7] = "park";

	snprintf(arguments, sizeof(arguments), "%d", SANDBOX_ARGUMENTS);
	snprintf(limit, sizeof(limit), "%d", entry->start->process_limit);
	snprintf(sockets, sizeof(sockets), "%d", entry->start->sockets);
	for (size_t i = 0; entry->start->argv[i]; i++) {
		errno = E2BIG;
		if (i == ARGUMENTS_MAX)
			give_up(entry, "starting the runtime");
		argv[count++] = entry->start->argv[i];
	}
	errno = 0;
	if (!bubblewrap)
		give_up(entry, "bubblewrap is not installed: apt-get install bubblewrap");
	execve(bubblewrap, (char *const *)argv, environment);
	give_up(entry, "starting %s", bubblewrap);
}

void sandbox_fresh_process(void)
{
	reset_signals();
	set_resources();
	umask(022);
}

_Noreturn void sandbox_enter(const struct sandbox_start *start, pid_t guardian)
{
	struct entry entry = {.start = start, .view = start->view, .status = start->status};
	int error;

	sandbox_fresh_process();
	if (start->view.writable)
		set_limit(RLIMIT_FSIZE, SANDBOX_FILE_BYTES, SANDBOX_FILE_BYTES);
	error = limits_enter(start->limits, start->group);
	if (error) {
		errno = -error;
		give_up(&entry, "entering the control group %s", start->group);
	}
	if (start->sandbox->is_root)
		bridge_sources(&entry);
	else if (entry.view.layers)
		cover_code(&entry);
	else if (entry.view.is_image && start->sandbox->overlays)
		cover_image(&entry);
	if (chdir("/") < 0)
		give_up(&entry, "/");
	place_descriptors(&entry);
	take_identity(&entry, guardian);
	execute(&entry);
}
