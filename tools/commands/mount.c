/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fnfs mount: finds the daemon and becomes it. The daemon answers when the mount can be used, or says
 * why it cannot be.
 *
 * mount(8) has its own way of typing (SOURCE DIR -o OPTIONS): there, an absolute SOURCE is the state
 * directory and options that only mean something to mount(8) or systemd are dropped.
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "command.h"
#include "daemon.h"
#include "mountpoint.h"

enum { LISTEN_MOST = 15 };

struct plan {
	const char *listen[LISTEN_MOST];
	size_t listen_count;
	const char *certificate, *private_key;
	bool open_loopback;
	const char *directory;
	const char *state; /* NULL: the daemon's own choice */
	bool foreground;
	struct buf options; /* joined with commas */
};

static void add_options(struct plan *plan, const char *options)
{
	if (plan->options.length)
		buf_puts(&plan->options, ",");
	buf_puts(&plan->options, options);
}

static int become(const char *program, const struct plan *plan, const char *directory)
{
	const char *argv[14 + 2 * LISTEN_MOST];
	size_t count = 0;

	argv[count++] = program;
	if (plan->foreground)
		argv[count++] = "-f";
	if (plan->options.length) {
		argv[count++] = "-o";
		argv[count++] = plan->options.data;
	}
	if (plan->state) {
		argv[count++] = "--state";
		argv[count++] = plan->state;
	}
	for (size_t i = 0; i < plan->listen_count; i++) {
		argv[count++] = "--listen";
		argv[count++] = plan->listen[i];
	}
	if (plan->open_loopback)
		argv[count++] = "--open-loopback";
	if (plan->certificate) {
		argv[count++] = "--tls-cert";
		argv[count++] = plan->certificate;
	}
	if (plan->private_key) {
		argv[count++] = "--tls-key";
		argv[count++] = plan->private_key;
	}
	argv[count++] = directory;
	argv[count] = NULL;
	execv(program, (char **)argv);
	return complain(COMMAND_UNABLE, "%s: %s", program, strerror(errno));
}

/* Makes the directory when it is missing; one that a dead mount hides is there. */
static int prepare(const char *directory)
{
	if (mkdir(directory, 0755) == 0 || errno == EEXIST)
		return 0;
	return complain(COMMAND_UNABLE, "%s: %s", directory, strerror(errno));
}

static int mount_at(const struct plan *plan)
{
	CLEANUP(free_p) char *program = daemon_program();
	CLEANUP(free_p)
	char *directory =
	        plan->directory ? mountpoint_absolute(plan->directory) : mountpoint_default();
	int status;

	if (!program)
		return COMMAND_UNABLE;
	if (!directory && plan->directory)
		return complain(COMMAND_UNABLE, "%s: %s", plan->directory, strerror(errno));
	if (!directory)
		return complain(COMMAND_UNABLE, "where to? type `fnfs mount DIR`");
	if (plan->options.failed)
		return complain(COMMAND_UNABLE, "out of memory");
	status = prepare(directory);
	return status ? status : become(program, plan, directory);
}

static int typed_by_person(const struct command *command, int argc, char **argv, struct plan *plan)
{
	static const struct option options[] = {
	        {"foreground", no_argument, NULL, 'f'},
	        {"options", required_argument, NULL, 'o'},
	        {"state", required_argument, NULL, 's'},
	        {"listen", required_argument, NULL, 'l'},
	        {"open-loopback", no_argument, NULL, 'O'},
	        {"tls-cert", required_argument, NULL, 'C'},
	        {"tls-key", required_argument, NULL, 'K'},
	        {},
	};
	const char *state = getenv("FNFS_STATE");
	int answer;

	while ((answer = getopt_long(argc, argv, ":fo:", options, NULL)) >= 0) {
		if (answer == 'f')
			plan->foreground = true;
		else if (answer == 'o')
			add_options(plan, optarg);
		else if (answer == 's')
			plan->state = optarg;
		else if (answer == 'l' && plan->listen_count < LISTEN_MOST)
			plan->listen[plan->listen_count++] = optarg;
		else if (answer == 'l')
			return complain_usage(command, "mount: --listen was given too often");
		else if (answer == 'O')
			plan->open_loopback = true;
		else if (answer == 'C')
			plan->certificate = optarg;
		else if (answer == 'K')
			plan->private_key = optarg;
		else
			return complain_option(command, answer, argv);
	}
	if (argc - optind > 1)
		return complain_usage(command, "mount: one directory at a time");
	plan->directory = argv[optind];
	if (!plan->state && state && *state)
		plan->state = state;
	return 0;
}

/* For mount(8) and systemd alone; `x-...` too. */
static bool not_for_us(const char *option)
{
	static const char *const names[] = {"defaults", "auto", "noauto", "user", "nouser", "users",
	        "owner", "group", "nofail", "_netdev"};

	if (strncmp(option, "x-", 2) == 0 || strncmp(option, "comment=", 8) == 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(option, names[i]) == 0)
			return true;
	return false;
}

static void add_fstab_options(struct plan *plan, char *options)
{
	char *option;

	while ((option = strsep(&options, ",")) != NULL)
		if (*option && !not_for_us(option))
			add_options(plan, option);
}

static int typed_by_mount(const struct command *command, int argc, char **argv, struct plan *plan)
{
	int answer;

	while ((answer = getopt(argc, argv, ":o:t:N:fnsv")) >= 0) {
		if (answer == 'o')
			add_fstab_options(plan, optarg);
		else if (answer == 'f')
			exit(COMMAND_DONE); /* mount --fake */
		else if (answer == '?' || answer == ':')
			return complain_option(command, answer, argv);
	}
	if (argc - optind != 2)
		return complain_usage(command, "mount(8) gives SOURCE DIR -o OPTIONS");
	plan->state = argv[optind][0] == '/' ? argv[optind] : NULL;
	plan->directory = argv[optind + 1];
	return 0;
}

static int mount_run(const struct command *command, int argc, char **argv)
{
	struct plan plan = {.options = BUF_INIT};
	int status;

	if (strcmp(argv[0], command->name) == 0)
		status = typed_by_person(command, argc, argv, &plan);
	else
		status = typed_by_mount(command, argc, argv, &plan);
	if (!status)
		status = mount_at(&plan);
	buf_deinit(&plan.options);
	return status;
}

const struct command command_mount = {
        .name = "mount",
        .usage = "mount [DIR] [-f] [-o OPTIONS] [--state DIR] [--listen ADDRESS:PORT]...",
        .summary = "start the platform and mount it at DIR (~/fn)",
        .details =
                "  -f, --foreground       stay in the foreground, log to standard error\n"
                "  -o, --options OPTIONS  mount options, for example allow_other\n"
                "  --state DIR            where everything is kept; one daemon has it at a time\n"
                "  --listen ADDRESS:PORT  take calls by HTTP there, from whoever has a token\n"
                "                         (gateway/tokens/); again for more addresses\n"
                "  --open-loopback        on addresses of this machine alone ask for no token\n"
                "  --tls-cert FILE, --tls-key FILE  speak TLS there; PEM\n"
                "\n"
                "DIR is made when it is missing. A mount that a killed daemon left behind is\n"
                "replaced. In /etc/fstab: `STATE-DIR DIR fuse.fnfs OPTIONS 0 0`.\n",
        .run = mount_run,
};
