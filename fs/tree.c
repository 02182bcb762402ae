/* SPDX-License-Identifier: Apache-2.0 */
/*
 * THE TABLE. Read it from the bottom: the root stands last, each directory's table above the row that
 * shows it. A new file is one row here, one number in row_ids.h and one function in fs/views/. The
 * order is the order of readdir; `code` stands last so that a removal that is refused half-way has
 * not yet eaten the code. docs/tree.md is printed from this (fnfsd --print-tree).
 */
#include "fs/tree.h"

#include <assert.h>

#include "fs/behaviour.h"
#include "fs/behaviours/files.h"
#include "fs/row_ids.h"
#include "fs/tree_gateway.h"
#include "fs/tree_queue.h"
#include "fs/tree_triggers.h"
#include "fs/views/aliases.h"
#include "fs/views/calls.h"
#include "fs/views/check.h"
#include "fs/views/config.h"
#include "fs/views/dependencies.h"
#include "fs/views/env.h"
#include "fs/views/function.h"
#include "fs/views/functions.h"
#include "fs/views/instances.h"
#include "fs/views/logs.h"
#include "fs/views/metrics.h"
#include "fs/views/packages.h"
#include "fs/views/root.h"
#include "fs/views/runtimes.h"
#include "fs/views/versions.h"
#include "model/config.h"

/* Not listed, and not for everybody: it reads the whole disk. */
#define CHECK(row_id, row_help) \
	{ \
		.id = row_id, .name = ".fsck", .behaviour = &follow_behaviour, \
		.mode = S_IFREG | 0400, .flags = ROW_HIDDEN, .follow = &check_follow, \
		.help = row_help \
	}

/* What is in an instance's directory; rows of those of versions have numbers of their own. */
#define INSTANCE_ROWS(by) \
	TEXT(by + ROW_INSTANCE_PID, "pid", instance_show_pid, "process id on this machine"), \
	        TEXT(by + ROW_INSTANCE_STATE, "state", instance_show_state, \
	                "`starting`, `idle`, `busy`, `draining` or `ending`"), \
	        TEXT(by + ROW_INSTANCE_VERSION, "version", instance_show_version, \
	                "the version it runs"), \
	        TEXT(by + ROW_INSTANCE_STARTED, "started", instance_show_started, \
	                "when it was started, UTC"), \
	        TEXT(by + ROW_INSTANCE_CALLS, "calls", instance_show_calls, \
	                "calls begun in it so far"), \
	        TEXT(by + ROW_INSTANCE_MEMORY, "memory", instance_show_memory, "bytes used now"), \
	        TEXT(by + ROW_INSTANCE_CPU, "cpu", instance_show_cpu, \
	                "processor time used so far, seconds"), \
	        TEXT(by + ROW_INSTANCE_IDLE, "idle", instance_show_idle, \
	                "seconds since its last call ended; 0 while it is busy")

static const struct row instance_rows[] = {INSTANCE_ROWS(0), {}};

static const struct row instances_rows[] = {
        EACH(ROW_INSTANCE, &instances_each, instance_rows,
                "ID: one running process; `rmdir` stops it", .flags = ROW_FLEETING),
        {},
};

#define OF_VERSION (ROW_VERSION_INSTANCE_FIRST - ROW_INSTANCE)

static const struct row version_instance_rows[] = {INSTANCE_ROWS(OF_VERSION), {}};

static const struct row version_instances_rows[] = {
        EACH(OF_VERSION + ROW_INSTANCE, &instances_each, version_instance_rows,
                "ID: one running process; `rmdir` stops it", .flags = ROW_FLEETING),
        {},
};

static const struct row env_rows[] = {
        EACH_KNOB(ROW_ENV_KEY, &env_each, env_show, env_set,
                "KEY: one environment variable; `rm` unsets it", .flags = ROW_LINES),
        {},
};

/* Links to packages, or to one version of them. */
#define EACH_DEPENDENCY(row_id, row_help) \
	{ \
		.id = row_id, .behaviour = &link_behaviour, .mode = S_IFLNK | 0777, \
		.each = &dependencies_each, .show = dependency_show, .help = row_help \
	}

static const struct row dependencies_rows[] = {
        EACH_DEPENDENCY(ROW_DEPENDENCY, "NAME: one package, its newest version or a given one"),
        {},
};

static const struct row version_dependencies_rows[] = {
        EACH_DEPENDENCY(ROW_VERSION_DEPENDENCY, "NAME: one version of a package"),
        {},
};

#define SETTING(row_id, row_name, config_key, row_help) \
	KNOB(row_id, row_name, config_show, config_set, row_help, .key = config_key)

static const struct row config_rows[] = {
        SETTING(ROW_CONFIG_RUNTIME, "runtime", CONFIG_RUNTIME,
                "which runtime runs the code: a name in `runtimes/`, or `auto`"),
        SETTING(ROW_CONFIG_HANDLER, "handler", CONFIG_HANDLER,
                "entry point, `file.function`; empty: the runtime's default"),
        SETTING(ROW_CONFIG_INITIALIZER, "initializer", CONFIG_INITIALIZER,
                "run once per instance before its first call, `file.function` or empty"),
        SETTING(ROW_CONFIG_BUILD, "build", CONFIG_BUILD,
                "command that makes of the code what runs; empty: the code itself runs"),
        SETTING(ROW_CONFIG_IMAGE, "image", CONFIG_IMAGE,
                "reference of an image to pull and run, `docker://NAME:TAG`, instead of the code; "
                "or empty"),
        SETTING(ROW_CONFIG_TIMEOUT, "timeout", CONFIG_TIMEOUT,
                "limit of one call: `500ms`, `3s`, `15m`"),
        SETTING(ROW_CONFIG_INIT_TIMEOUT, "init_timeout", CONFIG_INIT_TIMEOUT, "limit of a start"),
        SETTING(ROW_CONFIG_MEMORY, "memory", CONFIG_MEMORY, "limit of one instance, enforced"),
        SETTING(ROW_CONFIG_CPU, "cpu", CONFIG_CPU, "cores of one instance, or `max`"),
        SETTING(ROW_CONFIG_CONCURRENCY, "concurrency", CONFIG_CONCURRENCY,
                "calls one instance processes at once"),
        SETTING(ROW_CONFIG_MAX_INSTANCES, "max_instances", CONFIG_MAX_INSTANCES,
                "upper bound of instances; 0 disables the function"),
        SETTING(ROW_CONFIG_MIN_INSTANCES, "min_instances", CONFIG_MIN_INSTANCES,
                "instances kept warm"),
        SETTING(ROW_CONFIG_IDLE_TIMEOUT, "idle_timeout", CONFIG_IDLE_TIMEOUT,
                "an idle instance above `min_instances` is stopped after this"),
        SETTING(ROW_CONFIG_NETWORK, "network", CONFIG_NETWORK,
                "`none`, `outbound`, or `host`, which only root and the mount's owner can set"),
        QUEUE_SETTINGS(SETTING, ROW_CONFIG_ON_SUCCESS, ROW_CONFIG_ON_FAILURE),
        SETTING(ROW_CONFIG_LOG_FORMAT, "log_format", CONFIG_LOG_FORMAT, "`text` or `json`"),
        SETTING(ROW_CONFIG_LOG_RETENTION, "log_retention", CONFIG_LOG_RETENTION,
                "how long logs are kept, and how much: `30d 1G`"),
        SETTING(ROW_CONFIG_DESCRIPTION, "description", CONFIG_DESCRIPTION,
                "free text, at most 512 characters"),
        DIR(ROW_ENV, "env", env_rows, "environment variables, one file each"),
        DIR(ROW_CONFIG_DEPENDENCIES, "dependencies", dependencies_rows,
                "packages the function uses: `ln -s ../../../../dependencies/PACKAGE .`"),
        {},
};

static const struct row call_rows[] = {
        TEXT(ROW_CALL_REQUEST, "request", call_show_request, "the event; cut at 64 KiB"),
        TEXT(ROW_CALL_RESPONSE, "response", call_show_response, "the response; cut at 64 KiB"),
        TEXT(ROW_CALL_ERROR, "error", call_show_error, "the error's body, JSON; empty: none"),
        TEXT(ROW_CALL_LOG, "log", call_show_log, "what it logged; cut at 64 KiB"),
        TEXT(ROW_CALL_STATUS, "status", call_show_status,
                "state, version, instance, times, memory: lines of `key value`"),
        {},
};

static const struct row calls_rows[] = {
        EACH(ROW_CALL, &calls_each, call_rows,
                "REQUEST_ID: one call, newest last; `rmdir` cancels one that runs",
                .flags = ROW_FLEETING),
        LINK(ROW_CALL_LAST, "last", call_show_last, "the newest call", .present = call_was_any),
        {},
};

static const struct row logs_rows[] = {
        EACH_TAIL(ROW_LOG_SEGMENT, &segments_each, &segment_tail,
                "TIME.log: a piece of the log, named after its beginning; `rm` deletes it"),
        LINK(ROW_LOG_CURRENT, "current", log_show_current, "the newest piece, which grows"),
        TAIL(ROW_LOG_BUILD, "build", &build_tail, "the output of the last build",
                .present = log_was_built),
        FOLLOW(ROW_LOG_FOLLOW, "follow", &log_follow, "new lines as they come; waits for them"),
        {},
};

/* Numbers in the contract's order; those of versions, aliases and ways have rows of their own. */
#define NUMBER(first, place, row_name, row_help) \
	TEXT(first + place, row_name, metrics_show_number, row_help)

#define METRICS_ROWS(first) \
	NUMBER(first, 0, "count", "calls since the function was made, rejected ones not counted"), \
	        NUMBER(first, 1, "failcount", "calls that failed"), \
	        NUMBER(first, 2, "rejectcount", \
	                "calls refused: throttled, or the function was disabled"), \
	        NUMBER(first, 3, "functionErrorCount", \
	                "failed by the function's fault: raised, timed out, did not load"), \
	        NUMBER(first, 4, "systemErrorCount", "failed by a fault of the platform"), \
	        NUMBER(first, 5, "timeoutcount", \
	                "calls that ran out of time; function errors too"), \
	        NUMBER(first, 6, "duration", "mean time of recent calls in the code, ms"), \
	        NUMBER(first, 7, "maxDuration", "longest recent call, ms"), \
	        NUMBER(first, 8, "minDuration", "shortest recent call, ms"), \
	        NUMBER(first, 9, "p50", "half of the recent calls took no longer, ms"), \
	        NUMBER(first, 10, "p90", "nine of ten recent calls took no longer, ms"), \
	        NUMBER(first, 11, "p99", "99 of 100 recent calls took no longer, ms"), \
	        NUMBER(first, 12, "concurrency", "calls in flight now"), \
	        NUMBER(first, 13, "instances", "instances now"), \
	        NUMBER(first, 14, "coldStarts", "calls that waited for an instance to start"), \
	        NUMBER(first, 15, "initDuration", "mean time of recent starts, ms"), \
	        NUMBER(first, 16, "memoryMax", \
	                "most memory an instance used in recent calls, bytes"), \
	        NUMBER(first, 17, "queueDepth", "asynchronous calls that wait now"), \
	        NUMBER(first, 18, "queueAge", "age of the oldest of them, ms"), \
	        TEXT(first + ROW_METRICS_HISTORY - ROW_METRICS_FIRST, "history.csv", \
	                metrics_show_history_csv, \
	                "the last 24 hours, a row for each minute with calls"), \
	        TEXT(first + ROW_METRICS_CHART - ROW_METRICS_FIRST, "chart.svg", \
	                metrics_show_chart_svg, "calls a minute and how long they took, drawn")

static const struct row metrics_rows[] = {METRICS_ROWS(ROW_METRICS_FIRST), {}};
static const struct row version_metrics_rows[] = {METRICS_ROWS(ROW_VERSION_METRICS_FIRST), {}};
static const struct row way_metrics_rows[] = {METRICS_ROWS(ROW_WAY_METRICS_FIRST), {}};

static const struct row alias_metrics_rows[] = {
        METRICS_ROWS(ROW_ALIAS_METRICS_FIRST),
        EACH(ROW_ALIAS_WAY, &ways_each, way_metrics_rows,
                "VERSION: the same of the calls that went to one version", .flags = ROW_FLEETING),
        {},
};

/* The settings a version was published with: facts, but for four. */
#define FIXED(row_id, row_name, config_key, row_help) \
	FIXED_KNOB(ROW_VERSION_CONFIG_FIRST + row_id - ROW_CONFIG_RUNTIME, row_name, config_show, \
	        config_set, row_help, .key = config_key)
#define OPEN(row_id, row_name, config_key, row_help) \
	KNOB(ROW_VERSION_CONFIG_FIRST + row_id - ROW_CONFIG_RUNTIME, row_name, config_show, \
	        config_set, row_help, .key = config_key)

static const struct row version_env_rows[] = {
        {.id = ROW_VERSION_CONFIG_FIRST + ROW_ENV_KEY - ROW_CONFIG_RUNTIME,
                .behaviour = &knob_behaviour,
                .mode = S_IFREG | 0444,
                .flags = ROW_LINES,
                .each = &version_env_each,
                .show = env_show,
                .set = env_set,
                .help = "KEY: one environment variable"},
        {},
};

static const struct row version_config_rows[] = {
        FIXED(ROW_CONFIG_RUNTIME, "runtime", CONFIG_RUNTIME,
                "which runtime runs the code: a name in `runtimes/`, or `auto`"),
        FIXED(ROW_CONFIG_HANDLER, "handler", CONFIG_HANDLER,
                "entry point, `file.function`; empty: the runtime's default"),
        FIXED(ROW_CONFIG_INITIALIZER, "initializer", CONFIG_INITIALIZER,
                "run once per instance before its first call, `file.function` or empty"),
        FIXED(ROW_CONFIG_BUILD, "build", CONFIG_BUILD,
                "command that makes of the code what runs; empty: the code itself runs"),
        FIXED(ROW_CONFIG_IMAGE, "image", CONFIG_IMAGE,
                "reference of the image it runs, by its digest; or empty"),
        FIXED(ROW_CONFIG_TIMEOUT, "timeout", CONFIG_TIMEOUT,
                "limit of one call: `500ms`, `3s`, `15m`"),
        FIXED(ROW_CONFIG_INIT_TIMEOUT, "init_timeout", CONFIG_INIT_TIMEOUT, "limit of a start"),
        FIXED(ROW_CONFIG_MEMORY, "memory", CONFIG_MEMORY, "limit of one instance, enforced"),
        FIXED(ROW_CONFIG_CPU, "cpu", CONFIG_CPU, "cores of one instance, or `max`"),
        FIXED(ROW_CONFIG_CONCURRENCY, "concurrency", CONFIG_CONCURRENCY,
                "calls one instance processes at once"),
        OPEN(ROW_CONFIG_MAX_INSTANCES, "max_instances", CONFIG_MAX_INSTANCES,
                "upper bound of instances; 0 disables the function"),
        OPEN(ROW_CONFIG_MIN_INSTANCES, "min_instances", CONFIG_MIN_INSTANCES,
                "instances kept warm"),
        OPEN(ROW_CONFIG_IDLE_TIMEOUT, "idle_timeout", CONFIG_IDLE_TIMEOUT,
                "an idle instance above `min_instances` is stopped after this"),
        FIXED(ROW_CONFIG_NETWORK, "network", CONFIG_NETWORK,
                "`none`, `outbound`, or `host`, which only root and the mount's owner can set"),
        QUEUE_SETTINGS(FIXED, ROW_VERSION_CONFIG_FIRST + ROW_CONFIG_ON_SUCCESS - ROW_CONFIG_RUNTIME,
                ROW_VERSION_CONFIG_FIRST + ROW_CONFIG_ON_FAILURE - ROW_CONFIG_RUNTIME),
        FIXED(ROW_CONFIG_LOG_FORMAT, "log_format", CONFIG_LOG_FORMAT, "`text` or `json`"),
        FIXED(ROW_CONFIG_LOG_RETENTION, "log_retention", CONFIG_LOG_RETENTION,
                "how long logs are kept, and how much: `30d 1G`"),
        OPEN(ROW_CONFIG_DESCRIPTION, "description", CONFIG_DESCRIPTION,
                "free text, at most 512 characters"),
        DIR(ROW_VERSION_CONFIG_FIRST + ROW_ENV - ROW_CONFIG_RUNTIME, "env", version_env_rows,
                "environment variables, one file each"),
        DIR(ROW_VERSION_CONFIG_FIRST + ROW_CONFIG_DEPENDENCIES - ROW_CONFIG_RUNTIME, "dependencies",
                version_dependencies_rows, "packages it was published with"),
        {},
};

static const struct row version_rows[] = {
        CALL(ROW_VERSION_INVOKE, "invoke", "call this version"),
        QUEUES(ROW_VERSION_QUEUE, version_queue_rows, ROW_VERSION_RUNNING, ROW_VERSION_RESULTS,
                version_results_rows, ROW_VERSION_FAILED),
        DIR(ROW_VERSION_INSTANCES, "instances", version_instances_rows, "its running processes",
                .flags = ROW_DYNAMIC),
        DIR(ROW_VERSION_CONFIG, "config", version_config_rows,
                "the settings it was published with; four of them can be changed"),
        DIR(ROW_VERSION_METRICS, "metrics", version_metrics_rows,
                "one number per file, of its calls alone"),
        TEXT(ROW_VERSION_STATUS, "status", version_show_status,
                "what state it is in, and what was published"),
        {.id = ROW_VERSION_CODE,
                .name = "code",
                .behaviour = &snapshot_behaviour,
                .mode = S_IFDIR | 0755,
                .help = "the code as it was published; nothing in it can change"},
        {},
};

static const struct row versions_rows[] = {
        EACH(ROW_VERSION, &versions_each, version_rows,
                "NAME: one version: `mkdir` publishes, `rmdir` removes it"),
        LINK(ROW_VERSION_LATEST, "latest", versions_show_latest,
                "the function itself: what is saved, not published"),
        {},
};

static const struct row alias_rows[] = {
        KNOB(ROW_ALIAS_ROUTES, "routes", alias_show_routes, alias_set_routes_text,
                "where calls go: `VERSION WEIGHT`, or `VERSION if header NAME = VALUE`; a line "
                "each",
                .flags = ROW_LINES),
        TEXT(ROW_ALIAS_PREVIOUS, "previous", alias_show_previous,
                "the routes before: `cat previous > routes` rolls back"),
        CALL(ROW_ALIAS_INVOKE, "invoke", "call the version that the routes choose"),
        QUEUES(ROW_ALIAS_QUEUE, alias_queue_rows, ROW_ALIAS_RUNNING, ROW_ALIAS_RESULTS,
                alias_results_rows, ROW_ALIAS_FAILED),
        DIR(ROW_ALIAS_METRICS, "metrics", alias_metrics_rows,
                "one number per file, and a directory for each version", .flags = ROW_DYNAMIC),
        TEXT(ROW_ALIAS_STATUS, "status", alias_show_status,
                "`routes_generation`: the number of the last change"),
        KNOB(ROW_ALIAS_DESCRIPTION, "description", alias_show_description,
                alias_set_description_text, "free text, at most 512 characters"),
        {},
};

static const struct row aliases_rows[] = {
        EACH(ROW_ALIAS, &aliases_each, alias_rows,
                "NAME: one alias: `mkdir` makes it for the newest version"),
        {},
};

static const struct row function_rows[] = {
        DIR(ROW_TRIGGERS, "triggers", triggers_rows, "what else calls this function"),
        DIR(ROW_ALIASES, "aliases", aliases_rows, "names that route traffic to versions"),
        DIR(ROW_VERSIONS, "versions", versions_rows, "published snapshots", .flags = ROW_DYNAMIC),
        QUEUES(ROW_QUEUE, queue_rows, ROW_RUNNING, ROW_RESULTS, results_rows, ROW_FAILED),
        DIR(ROW_CALLS, "calls", calls_rows, "the flight recorder: the last 64 calls",
                .flags = ROW_DYNAMIC),
        DIR(ROW_INSTANCES, "instances", instances_rows, "the running processes",
                .flags = ROW_DYNAMIC),
        DIR(ROW_CONFIG, "config", config_rows, "settings, one value per file"),
        CALL(ROW_INVOKE, "invoke", "call the function: write the event, read the response"),
        DIR(ROW_LOGS, "logs", logs_rows, "log files", .flags = ROW_DYNAMIC),
        DIR(ROW_METRICS, "metrics", metrics_rows, "one number per file, and the history"),
        TEXT(ROW_STATUS, "status", function_show_status, "what state the function is in, and why"),
        TEXT(ROW_LAST_ERROR, "last_error", function_show_last_error,
                "the sentence behind your last errno here"),
        CHECK(ROW_CHECK, "reading it checks all that was published of the function"),
        CODE(ROW_CODE, "code", "the working tree: what you save here is what runs"),
        {},
};

static const struct row functions_rows[] = {
        EACH(ROW_FUNCTION, &functions_each, function_rows, "NAME: one function"),
        {},
};

static const struct row package_versions_rows[] = {
        {.id = ROW_PACKAGE_VERSION,
                .behaviour = &snapshot_behaviour,
                .mode = S_IFDIR | 0755,
                .each = &package_versions_each,
                .help = "N: what was published; `mkdir` of the next number publishes `files`"},
        {},
};

static const struct row package_rows[] = {
        DIR(ROW_PACKAGE_VERSIONS, "versions", package_versions_rows,
                "what was published, numbers counting up", .flags = ROW_DYNAMIC),
        KNOB(ROW_PACKAGE_SOURCE, "source", package_show_source, package_set_source_text,
                "a path or URL of a zip or tar, perhaps ` sha256=...`: fetched, it is the next "
                "version"),
        TEXT(ROW_PACKAGE_STATUS, "status", package_show_status,
                "what is fetched or published, how far it is, and what went wrong"),
        TEXT(ROW_PACKAGE_USED_BY, "used_by", package_show_used_by,
                "functions and versions that use it, a line each"),
        KNOB(ROW_PACKAGE_DESCRIPTION, "description", package_show_description,
                package_set_description, "free text, at most 512 characters"),
        CODE(ROW_PACKAGE_FILES, "files", "a working tree: what the next version is made of"),
        {},
};

static const struct row packages_rows[] = {
        EACH(ROW_PACKAGE, &packages_each, package_rows, "NAME: one package"),
        {.id = ROW_UPLOAD,
                .behaviour = &upload_behaviour,
                .mode = S_IFREG | 0644,
                .flags = ROW_FLEETING,
                .each = &uploads_each,
                .help = "PACKAGE.zip: an archive that is copied here is the next version of its "
                        "package; also .tar, .tar.gz, .tar.xz, .tar.zst"},
        {},
};

static const struct row template_rows[] = {
        {.id = ROW_RUNTIME_FILE,
                .behaviour = &files_behaviour,
                .mode = S_IFREG | 0444,
                .each = &files_each,
                .help = "the files of the template, read-only"},
        {},
};

static const struct row samples_rows[] = {
        {.id = ROW_RUNTIME_SAMPLE_FILE,
                .behaviour = &files_behaviour,
                .mode = S_IFREG | 0444,
                .each = &files_each,
                .help = "SAMPLE/code/ and SAMPLE/config/, as in a function; read-only"},
        {},
};

static const struct row runtime_rows[] = {
        TEXT(ROW_RUNTIME_ABOUT, "about", runtime_show_about, "what it runs, and what it needs"),
        {.id = ROW_RUNTIME_TEMPLATE,
                .name = "template",
                .behaviour = &files_behaviour,
                .mode = S_IFDIR | 0755,
                .children = template_rows,
                .help = "a sample to copy: `cp -r runtimes/NAME/template/. functions/NAME/code`"},
        {.id = ROW_RUNTIME_SAMPLES,
                .name = "samples",
                .behaviour = &files_behaviour,
                .mode = S_IFDIR | 0755,
                .children = samples_rows,
                .help = "more samples: `cp -r runtimes/NAME/samples/SAMPLE/. functions/NAME`"},
        {},
};

static const struct row runtimes_rows[] = {
        EACH(ROW_RUNTIME, &runtimes_each, runtime_rows, "NAME: one runtime"),
        {},
};

static const struct row root_rows[] = {
        TEXT(ROW_README, "README", root_show_readme, "how to use this directory"),
        DIR(ROW_FUNCTIONS, "functions", functions_rows,
                "one directory per function: `mkdir` makes one, `rmdir` removes it"),
        DIR(ROW_DEPENDENCIES, "dependencies", packages_rows, "one directory per dependency package",
                .flags = ROW_DYNAMIC),
        DIR(ROW_TOPICS, "topics", topics_rows, "one directory per topic events are published to"),
        DIR(ROW_RUNTIMES, "runtimes", runtimes_rows, "what can run here"),
        DIR(ROW_GATEWAY, "gateway", gateway_rows, "the HTTP door: address, tokens"),
        TEXT(ROW_ROOT_METRICS, "metrics", root_show_metrics,
                "all metrics of all functions, OpenMetrics text"),
        TEXT(ROW_ROOT_STATUS, "status", root_show_status,
                "the daemon: version, uptime, counts, limits"),
        TAIL(ROW_ROOT_LOG, "log", &root_log, "the daemon's own log"),
        TEXT(ROW_ROOT_LAST_ERROR, "last_error", root_show_last_error,
                "why the last refused operation of yours was refused"),
        CHECK(ROW_ROOT_CHECK, "reading it checks all that was published; it takes its time"),
        {},
};

static const struct row root_row = DIR(ROW_ROOT, "", root_rows, "the mount");

/* Nodes of working trees have no row of their own, only a behaviour. */
static const struct row code_node_row = {.behaviour = &code_behaviour};

/* Nor have those of what was published. */
static const struct row version_file_row = {
        .id = ROW_VERSION_FILE, .behaviour = &snapshot_behaviour, .mode = S_IFREG | 0444};

/* Editors' files are in no table either: they belong to no object. */
static const struct row scratch_row = {
        .id = ROW_SCRATCH, .behaviour = &scratch_behaviour, .mode = S_IFREG | 0600};

static void index_row(
        struct tree *tree, const struct row *row, const struct row *parent, const struct row *scope)
{
	const struct row *child;

	assert(row->id < TREE_ROWS);
	if (row->flags & ROW_MOVES && tree->rows[row->id])
		return; /* known from the first directory of its kind */
	assert(!tree->rows[row->id]);
	if (row->each)
		scope = row;
	tree->rows[row->id] = row;
	tree->parents[row->id] = parent;
	tree->scopes[row->id] = scope;
	for (child = row->children; child && child->id; child++)
		index_row(tree, child, row, scope);
}

void tree_index(struct tree *tree)
{
	*tree = (struct tree){};
	index_row(tree, &root_row, NULL, NULL);
	index_row(tree, &scratch_row, NULL, NULL);
	index_row(tree, &version_file_row, NULL, NULL);
	tree->rows[0] = &code_node_row;
}

const struct row *tree_root(void)
{
	return &root_row;
}
