/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

const char options_usage[] =
        "usage: fnfsd DIR [-f] [-o OPTIONS] [--state DIR] [--runtimes PATH] [--guardian FILE]\n"
        "             [--fetch FILE] [--gateway FILE] [--listen ADDRESS:PORT]...\n"
        "             [--open-loopback] [--tls-cert FILE --tls-key FILE]\n"
        "       fnfsd --print-tree | --doctor | --check-state DIR | --version | --help\n"
        "\n"
        "  -f, --foreground   stay in the foreground, log to standard error too\n"
        "  -o OPTIONS         allow_other, auto_unmount, nonempty, debug, state=DIR, "
        "runtimes=PATH,\n"
        "                     listen=ADDRESS:PORT, open_loopback, tls_cert=FILE, tls_key=FILE\n"
        "  --state DIR        where everything is kept (root: /var/lib/fnfs; others:\n"
        "                     $XDG_STATE_HOME/fnfs or ~/.local/state/fnfs)\n"
        "  --runtimes PATH    directories with runtimes, separated by colons\n"
        "  --guardian FILE    the program that starts instances\n"
        "  --fetch FILE       the program that fetches and unpacks archives\n"
        "  --gateway FILE     the program that serves HTTP\n"
        "  --listen ADDRESS:PORT  take calls by HTTP there, from whoever has a token\n"
        "  --open-loopback    where that is of this machine alone, no token is asked for\n"
        "  --tls-cert FILE, --tls-key FILE  speak TLS there\n";

/* Options of mount(8) that say nothing new here, or that every mount has anyway. */
static const char *const accepted[] = {"rw", "nosuid", "nodev", "suid", "dev", "exec", "relatime",
        "noatime", "atime", "async", "default_permissions"};

struct flag {
	const char *name;
	size_t offset;
	bool value;
};

static const struct flag flags[] = {
        {"allow_other", offsetof(struct options, allow_other), true},
        {"auto_unmount", offsetof(struct options, auto_unmount), true},
        {"noauto_unmount", offsetof(struct options, auto_unmount), false},
        {"nonempty", offsetof(struct options, nonempty), true},
        {"debug", offsetof(struct options, debug), true},
        {"open_loopback", offsetof(struct options, open_loopback), true},
};

static int set_text(char **text, const char *value)
{
	free(*text);
	*text = strdup(value);
	return *text ? 0 : -ENOMEM;
}

static int add_listen(struct options *options, const char *address, struct buf *why)
{
	if (options->listen_count + 1 >= ARRAY_SIZE(options->listen)) {
		buf_puts(why, "--listen was given too often");
		return -E2BIG;
	}
	options->listen[options->listen_count] = strdup(address); /* the list it stands in may go */
	return options->listen[options->listen_count++] ? 0 : -ENOMEM;
}

static int mount_option(struct options *options, const char *option, struct buf *why)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(accepted); i++)
		if (strcmp(option, accepted[i]) == 0)
			return 0;
	for (i = 0; i < ARRAY_SIZE(flags); i++)
		if (strcmp(option, flags[i].name) == 0) {
			*(bool *)((char *)options + flags[i].offset) = flags[i].value;
			return 0;
		}
	if (strncmp(option, "state=", 6) == 0)
		return set_text(&options->state, option + 6);
	if (strncmp(option, "runtimes=", 9) == 0)
		return set_text(&options->runtimes, option + 9);
	if (strncmp(option, "listen=", 7) == 0)
		return add_listen(options, option + 7, why);
	if (strncmp(option, "tls_cert=", 9) == 0)
		return set_text(&options->tls_cert, option + 9);
	if (strncmp(option, "tls_key=", 8) == 0)
		return set_text(&options->tls_key, option + 8);
	buf_printf(why, "-o %s: there is no such option", option);
	return -EINVAL;
}

static int mount_options(struct options *options, const char *list, struct buf *why)
{
	CLEANUP(free_p) char *copy = strdup(list);
	char *rest = copy, *option;
	int r = copy ? 0 : -ENOMEM;

	while (r == 0 && (option = strsep(&rest, ",")))
		if (*option)
			r = mount_option(options, option, why);
	return r;
}

static int option(struct options *options, int letter, char **argv, struct buf *why)
{
	switch (letter) {
	case 'f':
		options->foreground = true;
		return 0;
	case 'o':
		return mount_options(options, optarg, why);
	case 's':
		return set_text(&options->state, optarg);
	case 'r':
		return set_text(&options->runtimes, optarg);
	case 'g':
		return set_text(&options->guardian, optarg);
	case 'a':
		return set_text(&options->fetch, optarg);
	case 'G':
		return set_text(&options->gateway, optarg);
	case 'l':
		return add_listen(options, optarg, why);
	case 'O':
		options->open_loopback = true;
		return 0;
	case 'C':
		return set_text(&options->tls_cert, optarg);
	case 'K':
		return set_text(&options->tls_key, optarg);
	case 't':
		options->print_tree = true;
		return 0;
	case 'd':
		options->doctor = true;
		return 0;
	case 'c':
		options->check_state = true;
		return set_text(&options->state, optarg);
	case 'V':
		options->version = true;
		return 0;
	case 'h':
		options->help = true;
		return 0;
	default:
		buf_printf(why, "%s: not understood; try --help", argv[optind - 1]);
		return -EINVAL;
	}
}

static int command_line(struct options *options, int argc, char **argv, struct buf *why)
{
	static const struct option known[] = {
	        {"foreground", no_argument, NULL, 'f'},
	        {"state", required_argument, NULL, 's'},
	        {"runtimes", required_argument, NULL, 'r'},
	        {"guardian", required_argument, NULL, 'g'},
	        {"fetch", required_argument, NULL, 'a'},
	        {"gateway", required_argument, NULL, 'G'},
	        {"listen", required_argument, NULL, 'l'},
	        {"open-loopback", no_argument, NULL, 'O'},
	        {"tls-cert", required_argument, NULL, 'C'},
	        {"tls-key", required_argument, NULL, 'K'},
	        {"print-tree", no_argument, NULL, 't'},
	        {"doctor", no_argument, NULL, 'd'},
	        {"check-state", required_argument, NULL, 'c'},
	        {"version", no_argument, NULL, 'V'},
	        {"help", no_argument, NULL, 'h'},
	        {},
	};
	int letter, r = 0;

	opterr = 0;
	while (r == 0 && (letter = getopt_long(argc, argv, "fo:h", known, NULL)) >= 0)
		r = option(options, letter, argv, why);
	if (r < 0 || options->print_tree || options->version || options->help)
		return r;
	if ((options->doctor || options->check_state) && argc == optind)
		return set_text(&options->directory, "/");
	if (argc - optind != 1) {
		buf_puts(why, argc == optind ? "where to mount?" : "one directory at a time");
		return -EINVAL;
	}
	return set_text(&options->directory, argv[optind]);
}

/* --- what nobody said --- */

static char *join(const char *directory, const char *rest)
{
	char *path;

	return asprintf(&path, "%s%s", directory, rest) < 0 ? NULL : path;
}

static int default_state(struct options *options, struct buf *why)
{
	const char *home = getenv("HOME"), *state = getenv("XDG_STATE_HOME");

	if (geteuid() == 0)
		options->state = strdup("/var/lib/fnfs");
	else if (state && *state == '/')
		options->state = join(state, "/fnfs");
	else if (home && *home == '/')
		options->state = join(home, "/.local/state/fnfs");
	else
		buf_puts(why, "neither $HOME nor $XDG_STATE_HOME is set: give --state DIR");
	return options->state ? 0 : why->length ? -EINVAL : -ENOMEM;
}

/* A directory beside this program: the build tree, then an installation that was moved. */
static char *beside(const char *relative)
{
	char path[PATH_MAX], *slash, *joined, *found;
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n < 0)
		return NULL;
	path[n] = 0;
	slash = strrchr(path, '/');
	*(slash ? slash + 1 : path) = 0;
	joined = join(path, relative);
	found = joined && access(joined, F_OK) == 0 ? realpath(joined, NULL) : NULL;
	free(joined);
	return found;
}

static char *first_of(const char *const *places, const char *otherwise)
{
	char *found = NULL;

	for (; *places && !found; places++)
		found = beside(*places);
	return found ? found : strdup(otherwise);
}

/* What the environment says, what the machine has, and what came with this program. */
static char *source_places(void)
{
	CLEANUP(free_p) char *built = beside("../engine/brokers");
	CLEANUP(free_p) char *guardian = beside("fnfs-guardian");
	CLEANUP(free_p) char *here = guardian ? beside(".") : NULL;
	const char *said = getenv("FNFS_SOURCES");
	char *path;

	said = said ? said : "";
	return asprintf(&path, "%s%s/usr/local/lib/fnfs/sources:%s", said, *said ? ":" : "",
	               built  ? built
	               : here ? here
	                      : FNFS_LIBEXEC) < 0
	               ? NULL
	               : path;
}

static int default_places(struct options *options)
{
	static const char *const guardians[] = {
	        "fnfs-guardian", "../engine/run/fnfs-guardian", NULL};
	static const char *const fetchers[] = {"fnfs-fetch", "../engine/fetch/fnfs-fetch", NULL};
	static const char *const gateways[] = {
	        "fnfs-gateway", "../engine/gateway/fnfs-gateway", NULL};
	static const char *const watchers[] = {"fnfs-watch", "../engine/watcher/fnfs-watch", NULL};
	static const char *const runtimes[] = {
	        "../runtimes/python.staged", "../../share/fnfs/runtimes/README.md", NULL};
	char *of_users = join(options->state, "/runtimes:"), *system, *slash;

	if (!options->guardian)
		options->guardian = first_of(guardians, FNFS_LIBEXEC "/fnfs-guardian");
	if (!options->fetch)
		options->fetch = first_of(fetchers, FNFS_LIBEXEC "/fnfs-fetch");
	if (!options->gateway)
		options->gateway = first_of(gateways, FNFS_LIBEXEC "/fnfs-gateway");
	options->watcher = first_of(watchers, FNFS_LIBEXEC "/fnfs-watch");
	options->sources = source_places();
	system = first_of(runtimes, FNFS_DATA "/runtimes/README.md");
	slash = system ? strrchr(system, '/') : NULL;
	if (slash)
		*slash = 0;
	if (!options->runtimes && of_users && system)
		options->runtimes = join(of_users, system);
	free(of_users);
	free(system);
	return options->guardian && options->fetch && options->gateway && options->watcher &&
	                       options->sources && options->runtimes
	               ? 0
	               : -ENOMEM;
}

static int make_absolute(char **path)
{
	char directory[PATH_MAX], *absolute;

	if (**path == '/')
		return 0;
	if (!getcwd(directory, sizeof(directory)))
		return -errno;
	absolute = asprintf(&absolute, "%s/%s", directory, *path) < 0 ? NULL : absolute;
	free(*path);
	*path = absolute;
	return absolute ? 0 : -ENOMEM;
}

static int check_tls(struct options *options, struct buf *why)
{
	int r = 0;

	if (!options->tls_cert != !options->tls_key) {
		buf_puts(why, "--tls-cert and --tls-key belong together");
		return -EINVAL;
	}
	if (options->tls_cert)
		r = make_absolute(&options->tls_cert);
	if (r == 0 && options->tls_key)
		r = make_absolute(&options->tls_key);
	return r;
}

int options_parse(struct options *options, int argc, char **argv, struct buf *why)
{
	int r;

	*options = (struct options){};
	r = command_line(options, argc, argv, why);
	if (r < 0 || options->print_tree || options->version || options->help)
		return r;
	if (!options->state)
		r = default_state(options, why);
	if (r == 0)
		r = make_absolute(&options->state);
	if (r == 0)
		r = make_absolute(&options->directory);
	if (r == 0)
		r = check_tls(options, why);
	return r < 0 ? r : default_places(options);
}

void options_deinit(struct options *options)
{
	free(options->directory);
	free(options->state);
	free(options->runtimes);
	free(options->guardian);
	free(options->fetch);
	for (size_t i = 0; i < options->listen_count; i++)
		free(options->listen[i]);
	free(options->gateway);
	free(options->tls_cert);
	free(options->tls_key);
	free(options->watcher);
	free(options->sources);
}
