/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fnfs ship: publishes what is not published yet, and writes `aliases/ALIAS/routes`. With --watch
 * it looks at the metrics of the new and the old version for a while (watching.c); then it writes
 * `previous` back, or the new version alone. Routes that somebody else wrote meanwhile are left
 * alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/quantity.h"
#include "command.h"
#include "publishing.h"
#include "routing.h"
#include "text.h"
#include "watching.h"

struct shipping {
	const char *version;
	const char *alias;
	struct routing_share share; /* of the calls that go to the version at first */
	bool watch;
	struct watching watching;
	bool is_new;   /* the alias */
	bool is_whole; /* all calls go to the version */
};

/* --- routes ----------------------------------------------------------------------------------- */

static char *path_of(const struct shipping *shipping, const char *file)
{
	char *path;

	return asprintf(&path, "aliases/%s/%s", shipping->alias, file) < 0 ? NULL : path;
}

/* NULL after saying why. */
static char *read_routes(
        const struct target *target, const struct shipping *shipping, const char *file)
{
	CLEANUP(free_p) char *path = path_of(shipping, file);
	char *text = path ? text_read(target->function, path) : NULL;

	if (!text)
		complain(COMMAND_UNABLE, "%s: aliases/%s/%s: %s", target->name, shipping->alias,
		        file, strerror(errno));
	return text;
}

/* The value is judged as a whole when the file is closed. 0 or -errno. */
static int write_text(int fd, const char *text)
{
	size_t length = strlen(text);
	ssize_t wrote = write(fd, text, length);
	int error = wrote < 0 ? -errno : (size_t)wrote < length ? -EIO : 0;

	return close(fd) < 0 && !error ? -errno : error;
}

static int write_routes(
        const struct target *target, const struct shipping *shipping, const char *routes)
{
	CLEANUP(free_p) char *path = path_of(shipping, "routes");
	int fd = path ? openat(target->function, path, O_WRONLY | O_TRUNC | O_CLOEXEC) : -1;
	int error = fd < 0 ? -errno : write_text(fd, routes);

	return error ? target_complain(target, COMMAND_UNABLE, -error) : 0;
}

static int write_whole(const struct target *target, const struct shipping *shipping)
{
	CLEANUP(free_p) char *line = NULL;

	if (asprintf(&line, "%s\n", shipping->version) < 0)
		return complain(COMMAND_UNABLE, "out of memory");
	return write_routes(target, shipping, line);
}

static int make_alias(const struct target *target, struct shipping *shipping)
{
	CLEANUP(free_p) char *path = NULL;

	if (asprintf(&path, "aliases/%s", shipping->alias) < 0)
		return complain(COMMAND_UNABLE, "out of memory");
	shipping->is_new = mkdirat(target->function, path, 0777) == 0;
	if (shipping->is_new || errno == EEXIST)
		return 0;
	return target_complain(target, COMMAND_UNABLE, errno);
}

/* --- shipping --------------------------------------------------------------------------------- */

static int publish(const struct target *target, const struct shipping *shipping)
{
	int error;

	if (publishing_is_there(target, shipping->version)) {
		printf("%s was published before\n", shipping->version);
		return 0;
	}
	error = publishing_run(target, shipping->version);
	if (error && error != -EEXIST)
		return publishing_complain(target, shipping->version, error);
	printf("%s is published\n", shipping->version);
	return 0;
}

static int route_whole(const struct target *target, struct shipping *shipping, const char *routes)
{
	int status = routing_is_only(routes, shipping->version) ? 0 : write_whole(target, shipping);

	shipping->is_whole = true;
	if (!status)
		printf("all calls of %s go to %s%s\n", shipping->alias, shipping->version,
		        routing_has_rules(routes) ? "; the rules of its routes are gone, "
		                                    "`previous` has them"
		                                  : "");
	return status;
}

static int route_part(const struct target *target, const struct shipping *shipping,
        const char *routes, const char *typed)
{
	CLEANUP(free_p)
	char *canary = routing_canary(routes, shipping->version, &shipping->share);
	int status = canary ? write_routes(target, shipping, canary)
	                    : complain(COMMAND_UNABLE, "%s: the routes of %s: %s", target->name,
	                              shipping->alias, strerror(errno));

	if (!status)
		printf("%s%% of the calls of %s go to %s\n", typed, shipping->alias,
		        shipping->version);
	return status;
}

/* The first step; where nothing else was routed to, the whole is all there can be. */
static int route(const struct target *target, struct shipping *shipping, const char *typed)
{
	CLEANUP(free_p) char *routes = read_routes(target, shipping, "routes");
	CLEANUP(free_p) char *beside = NULL;

	if (!routes)
		return COMMAND_UNABLE;
	beside = routing_beside(routes, shipping->version);
	if (routing_share_is_all(&shipping->share) || !beside || shipping->is_new)
		return route_whole(target, shipping, routes);
	return route_part(target, shipping, routes, typed);
}

/* --- watching --------------------------------------------------------------------------------- */

static int roll_back(const struct target *target, const struct shipping *shipping, const char *why)
{
	CLEANUP(free_p) char *previous = read_routes(target, shipping, "previous");
	uint64_t generation = 0;
	int status;

	if (!previous)
		return COMMAND_UNABLE;
	if (!watching_generation(target, shipping->alias, &generation) ||
	        generation != shipping->watching.generation)
		return complain(COMMAND_UNABLE,
		        "%s is bad, and somebody else has changed the routes of %s: left as they "
		        "are: %s",
		        shipping->version, shipping->alias, why);
	status = write_routes(target, shipping, previous);
	if (status)
		return status;
	return complain(COMMAND_FAILED, "%s is rolled back: %s", shipping->version, why);
}

static int promote(const struct target *target, const struct shipping *shipping, const char *why)
{
	int status = shipping->is_whole ? 0 : write_whole(target, shipping);

	if (!status)
		printf("%s is good (%s): all calls of %s go to it\n", shipping->version, why,
		        shipping->alias);
	return status;
}

static int follow_verdict(const struct target *target, const struct shipping *shipping,
        enum verdict verdict, const char *why)
{
	switch (verdict) {
	case VERDICT_GOOD:
		return promote(target, shipping, why);
	case VERDICT_BAD:
		return roll_back(target, shipping, why);
	case VERDICT_TOO_FEW:
		return complain(COMMAND_EXPIRED,
		        "too few calls to judge %s, the routes of %s stay as they are: %s",
		        shipping->version, shipping->alias, why);
	case VERDICT_REROUTED:
		return complain(COMMAND_UNABLE,
		        "somebody else has changed the routes of %s: left as they are",
		        shipping->alias);
	case VERDICT_UNABLE:
		break;
	}
	return COMMAND_UNABLE;
}

/* Who was routed to: now, or where all goes to the new one already, before. */
static char *find_old(const struct target *target, const struct shipping *shipping)
{
	CLEANUP(free_p) char *routes = read_routes(target, shipping, "routes");
	CLEANUP(free_p) char *previous = read_routes(target, shipping, "previous");
	char *old = NULL;

	if (shipping->is_new)
		return NULL;
	old = routes ? routing_beside(routes, shipping->version) : NULL;

	return old || !previous ? old : routing_beside(previous, shipping->version);
}

static int watch(const struct target *target, struct shipping *shipping)
{
	CLEANUP(free_p) char *old = find_old(target, shipping);
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	enum verdict verdict;

	if (!old) {
		printf("there is no version before it to compare with: nothing is watched\n");
		return COMMAND_DONE;
	}
	shipping->watching.target = target;
	shipping->watching.alias = shipping->alias;
	shipping->watching.version = shipping->version;
	shipping->watching.old = old;
	if (!watching_generation(target, shipping->alias, &shipping->watching.generation))
		return target_complain(target, COMMAND_UNABLE, errno);
	fflush(stdout);
	verdict = watching_run(&shipping->watching, &why);
	return follow_verdict(target, shipping, verdict, why.data ? why.data : "");
}

static int ship(const struct target *target, struct shipping *shipping, const char *typed)
{
	int status = publish(target, shipping);

	if (!status)
		status = make_alias(target, shipping);
	if (!status)
		status = route(target, shipping, typed);
	if (!status && shipping->watch)
		status = watch(target, shipping);
	return fflush(stdout) ? COMMAND_UNABLE : status;
}

/* --- the command line ------------------------------------------------------------------------- */

static int parse_number(const char *text, double least, double *out)
{
	char *end;

	errno = 0;
	*out = strtod(text, &end);
	return errno || end == text || *end || !isfinite(*out) || *out < least ? -EINVAL : 0;
}

struct typed {
	const char *share;
	bool bounds; /* an option that is for --watch */
};

static int option(const struct command *command, int letter, char **argv, struct shipping *shipping,
        struct typed *typed)
{
	struct watching *watching = &shipping->watching;

	typed->bounds |= strchr("tep", letter) != NULL;
	switch (letter) {
	case 'a':
		shipping->alias = optarg;
		return 0;
	case 'c':
		typed->share = optarg;
		if (routing_share_parse(optarg, &shipping->share) < 0)
			return complain_usage(command, "ship: %s is no part of 100", optarg);
		return 0;
	case 'w':
		shipping->watch = true;
		return 0;
	case 't':
		if (quantity_parse_duration_ms(optarg, &watching->time_ms) < 0 ||
		        watching->time_ms < 0)
			return complain_usage(command, "ship: %s is no duration", optarg);
		return 0;
	case 'e':
		if (parse_number(optarg, 0, &watching->error_share_most) < 0)
			return complain_usage(command, "ship: %s is no number of points", optarg);
		return 0;
	case 'p':
		if (parse_number(optarg, 1, &watching->p99_most) < 0)
			return complain_usage(command, "ship: %s is no factor, 1 or more", optarg);
		return 0;
	default:
		return complain_option(command, letter, argv);
	}
}

static int parse(const struct command *command, int argc, char **argv, struct shipping *shipping,
        struct typed *typed)
{
	static const struct option options[] = {
	        {"alias", required_argument, NULL, 'a'},
	        {"canary", required_argument, NULL, 'c'},
	        {"watch", no_argument, NULL, 'w'},
	        {"for", required_argument, NULL, 't'},
	        {"max-error-share", required_argument, NULL, 'e'},
	        {"max-p99", required_argument, NULL, 'p'},
	        {},
	};
	int letter, status = 0;

	while (!status && (letter = getopt_long(argc, argv, ":a:c:w", options, NULL)) >= 0)
		status = option(command, letter, argv, shipping, typed);
	if (status)
		return status;
	if (argc - optind != 2)
		return complain_usage(command, "ship: which function, which version?");
	if (typed->bounds && !shipping->watch)
		return complain_usage(command, "ship: --for and the bounds go with --watch");
	if (!*shipping->alias || strchr(shipping->alias, '/'))
		return complain_usage(command, "ship: `%s` is no alias", shipping->alias);
	return 0;
}

static int ship_run(const struct command *command, int argc, char **argv)
{
	struct shipping shipping = {
	        .alias = "prod",
	        .share = {.over = 100, .under = 1},
	        .watching = {.time_ms = 300000, .error_share_most = 5, .p99_most = 2},
	};
	struct target target = TARGET_INIT;
	struct typed typed = {};
	int status = parse(command, argc, argv, &shipping, &typed);

	if (status)
		return status;
	shipping.version = argv[optind + 1];
	status = target_open_function(&target, argv[optind]);
	if (!status)
		status = ship(&target, &shipping, typed.share);
	target_close(&target);
	return status;
}

const struct command command_ship = {
        .name = "ship",
        .usage = "ship NAME VERSION [--alias ALIAS] [--canary PERCENT]\n"
                 "                 [--watch [--for TIME] [--max-error-share POINTS] "
                 "[--max-p99 FACTOR]]",
        .summary = "publish a version and send calls to it, all or some; undo it when it is bad",
        .details =
                "Publishes VERSION unless it is there, makes the alias (prod) unless it is there,\n"
                "and writes its routes: all calls, or PERCENT of them, go to VERSION.\n"
                "  -a, --alias ALIAS         another alias than prod\n"
                "  -c, --canary PERCENT      so much of the calls; the versions that are routed "
                "to\n"
                "                            now share the rest as they do\n"
                "  -w, --watch               compare it with the version before: when it is worse\n"
                "                            by one of the bounds the routes are set back; else,\n"
                "                            after the time, all calls go to it\n"
                "      --for TIME            how long (5m)\n"
                "      --max-error-share N   so many points of 100 more of its calls may fail (5)\n"
                "      --max-p99 FACTOR      so many times as long may its p99 be (2)\n"
                "It is judged on 20 calls at least, p99 on 100. Ctrl-C ends the watching and\n"
                "leaves the routes. Exit status: 0 done; 1 rolled back; 3 it could not be done, "
                "or\n"
                "somebody else changed the routes; 124 too few calls to judge: nothing changed.\n",
        .run = ship_run,
};
