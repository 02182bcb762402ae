/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "run/launcher.h"
#include "run/outbound.h"
#include "run/runtime.h"

enum finding { FOUND, LIMITED, MISSING };

static const char *const words[] = {"ok", "limited", "missing"};

static bool report(enum finding finding, const char *what, const char *good_for, const char *remedy)
{
	printf("%-8s %s: %s\n", words[finding], what, good_for);
	if (finding != FOUND && *remedy)
		printf("         %s\n", remedy);
	return finding == MISSING;
}

#define NOT_THERE 127

/* The guardian tries: it knows its way, out of a chroot for one. */
static int try_sandbox(const struct options *options)
{
	const char *const arguments[] = {"fnfs-guardian", "--try", NULL};
	pid_t child = fork();
	int status = 0;

	if (child == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		execv(options->guardian, (char **)arguments);
		_exit(1);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return 1;
	return WEXITSTATUS(status);
}

static bool look_at_sandbox(const struct options *options)
{
	int status = try_sandbox(options);

	if (report(status == NOT_THERE ? MISSING : FOUND, "bubblewrap", "makes the sandboxes",
	            "type: sudo apt-get install bubblewrap"))
		return true;
	return report(status ? MISSING : FOUND, "sandbox", "functions see nothing of this machine",
	        "type: sudo sysctl kernel.unprivileged_userns_clone=1 "
	        "kernel.apparmor_restrict_unprivileged_userns=0 (whichever there is; in a chroot "
	        "only root can)");
}

/* The guardian finds out, as it would for a mount. */
static bool ask_guardian(const struct options *options, const char *directory)
{
	CLEANUP(buf_deinit) struct buf about = BUF_INIT;
	struct launcher *launcher;
	enum limits_kind kind;
	uv_loop_t loop;
	char *why;

	if (uv_loop_init(&loop) < 0)
		return report(MISSING, "guardian", "starts instances", "");
	if (launcher_new(&launcher, &loop, options->guardian, directory) < 0)
		return report(MISSING, "guardian", "starts instances", options->guardian);
	kind = launcher_limits(launcher);
	launcher_describe(launcher, &about);
	launcher_free(launcher);
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
	why = about.failed ? NULL : strstr(about.data, "limits_why ");
	if (why)
		why[strcspn(why, "\n")] = 0;
	return report(kind == LIMITS_POLL ? LIMITED : FOUND, "limits",
	        kind == LIMITS_POLL ? "the daemon itself measures memory and time of instances"
	                            : "the kernel keeps instances within their memory and time",
	        why ? why + strlen("limits_why ") : "");
}

static bool look_at_limits(const struct options *options)
{
	char directory[] = "/tmp/fnfs-doctor-XXXXXX";
	bool missing;

	if (!mkdtemp(directory))
		return report(MISSING, "/tmp", "is written to", strerror(errno));
	missing = ask_guardian(options, directory);
	if (rmdir(directory) < 0)
		fprintf(stderr, "%s: %s\n", directory, strerror(errno));
	return missing;
}

/* Wanted by `outbound` alone; its device is opened by the functions' owners, of whom root is none. */
static void look_at_outbound(void)
{
	static const char good_for[] = "lets functions with config/network `outbound` out";
	struct stat st;

	report(outbound_find() ? FOUND : LIMITED, "pasta", good_for,
	        "type: sudo apt-get install passt");
	if (stat("/dev/net/tun", &st) < 0)
		report(LIMITED, "/dev/net/tun", good_for,
		        "type: sudo modprobe tun (in a container: start it with --device "
		        "/dev/net/tun)");
	else
		report((st.st_mode & 0006) == 0006 ? FOUND : LIMITED, "/dev/net/tun", good_for,
		        "type: sudo chmod 0666 /dev/net/tun");
}

static bool look_at_runtimes(const struct options *options)
{
	struct runtimes *runtimes;
	const struct runtime *runtime;
	bool missing = true;
	size_t i;

	if (runtimes_load(&runtimes, options->runtimes) < 0)
		return report(MISSING, "runtimes", "run the code", options->runtimes);
	for (i = 0; (runtime = runtimes_at(runtimes, i)); i++) {
		char name[128];

		snprintf(name, sizeof(name), "runtime %s", runtime->name);
		report(runtime->available ? FOUND : LIMITED, name,
		        runtime->available ? "can run here" : "cannot run here",
		        runtime->missing ? runtime->missing : "");
		missing = missing && !runtime->available;
	}
	runtimes_free(runtimes);
	return missing ? report(MISSING, "runtimes", "run the code", options->runtimes) : false;
}

/* Only config/image needs it, so nothing is missing without it. */
static void look_at_skopeo(void)
{
	static const char *const places[] = {
	        "/usr/bin/skopeo", "/usr/local/bin/skopeo", "/bin/skopeo"};
	bool found = false;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		found = found || access(places[i], X_OK) == 0;
	report(found ? FOUND : LIMITED, "skopeo",
	        found ? "pulls the images that config/image names"
	              : "images that config/image names cannot be pulled",
	        "type: sudo apt-get install skopeo");
}

int doctor(const struct options *options)
{
	bool missing = look_at_sandbox(options);

	missing |= look_at_limits(options);
	look_at_outbound();
	missing |= look_at_runtimes(options);
	look_at_skopeo();
	return missing;
}
