/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where groups can be made. Every hierarchy this process is in is looked at where it is mounted.
 *
 * v1: the group directory is made below the own group, so that the limits of whatever runs us hold for
 * the instances too. v2: a group with processes cannot have controlled children, so either the own
 * group holds nobody but daemon and guardian, which then move into a leaf of it; or the nearest group
 * above is taken that is writable and hands memory and pids down. Without either, sampling.
 */
#include "run/instance_limits.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "run/process_tree.h"

#define DAEMON_GROUP "fnfs-daemon"

struct finder {
	struct limits *limits;
	char prefix[40]; /* fnfs-HASH-: of all guardians of this state directory */
	char own[64];    /* fnfs-HASH-PID */
	pid_t daemon;
};

static uint64_t hash_text(const char *text)
{
	uint64_t hash = 14695981039346656037u;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 1099511628211u;
	return hash;
}

static bool has_word(const char *list, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = list; (at = strstr(at, word)); at += length)
		if ((at == list || at[-1] == ',' || at[-1] == ' ') &&
		        (!at[length] || strchr(", \n", at[length])))
			return true;
	return false;
}

/* Where the hierarchy is mounted, and which part of it; false when it is not. */
static bool find_mount(const char *controllers, char *point, char *root, size_t size)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char *line = NULL, type[32], options[512];
	size_t room = 0;
	bool found = false;

	while (file && !found && getline(&line, &room, file) > 0) {
		char *tail = strstr(line, " - ");

		if (!tail || sscanf(line, "%*s %*s %*s %4095s %4095s", root, point) != 2 ||
		        sscanf(tail, " - %31s %*s %511s", type, options) != 2)
			continue;
		if (!*controllers)
			found = !strcmp(type, "cgroup2");
		else if (!strcmp(type, "cgroup")) {
			char first[64];

			snprintf(first, sizeof(first), "%.*s", (int)strcspn(controllers, ","),
			        controllers);
			found = has_word(options, first);
		}
	}
	free(line);
	if (file)
		fclose(file);
	return found;
}

/* The own group's directory; false when it cannot be seen from here. */
static bool own_directory(const char *controllers, const char *path, char *out, size_t size)
{
	char point[4096], root[4096];
	size_t root_length;

	if (!find_mount(controllers, point, root, sizeof(point)))
		return false;
	root_length = strcmp(root, "/") ? strlen(root) : 0;
	if (strncmp(path, root, root_length))
		return false;
	path += root_length;
	snprintf(out, size, "%s%s", point, strcmp(path, "/") ? path : "");
	return access(out, W_OK) == 0;
}

static void pause_briefly(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

/* A directory of groups that a dead guardian left: its processes are ended, then it goes. */
static void remove_directory(const char *parent, const char *name, unsigned controllers)
{
	char path[4096];
	struct limits limits = {.count = 1};
	struct dirent *entry;
	DIR *directory;

	snprintf(path, sizeof(path), "%s/%s", parent, name);
	limits.hierarchies[0] =
	        (struct limits_hierarchy){.directory = path, .controllers = controllers};
	directory = opendir(path);
	while (directory && (entry = readdir(directory))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		for (int i = 0; i < 200 && limits_remove(&limits, entry->d_name) == -EBUSY; i++) {
			limits_kill(&limits, entry->d_name);
			pause_briefly();
		}
	}
	if (directory)
		closedir(directory);
	rmdir(path);
}

/*
 * A guardian that lives removes its groups itself. It may be one that has just been started, by the
 * daemon after the one that was killed while it started us.
 */
static void sweep(const struct finder *finder, const char *parent, unsigned controllers)
{
	DIR *directory = opendir(parent);
	size_t length = strlen(finder->prefix);
	struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (entry->d_type == DT_DIR && !strncmp(entry->d_name, finder->prefix, length) &&
		        !process_lives(atoi(entry->d_name + length), "fnfs-guardian"))
			remove_directory(parent, entry->d_name, controllers);
	if (directory)
		closedir(directory);
}

static struct limits_hierarchy *add(
        struct finder *finder, const char *parent, unsigned controllers, bool unified)
{
	struct limits_hierarchy *hierarchy = &finder->limits->hierarchies[finder->limits->count];
	char path[4352];

	if (finder->limits->count == LIMITS_HIERARCHIES)
		return NULL;
	sweep(finder, parent, controllers);
	snprintf(path, sizeof(path), "%s/%s", parent, finder->own);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return NULL;
	*hierarchy = (struct limits_hierarchy){
	        .directory = strdup(path), .controllers = controllers, .unified = unified};
	if (!hierarchy->directory)
		return NULL;
	finder->limits->count++;
	return hierarchy;
}

static void find_version1(struct finder *finder, const char *names, const char *path)
{
	char directory[4096];
	unsigned controllers = (has_word(names, "memory") ? LIMITS_MEMORY : 0) |
	                       (has_word(names, "pids") ? LIMITS_PIDS : 0) |
	                       (has_word(names, "cpu") ? LIMITS_CPU : 0) |
	                       (has_word(names, "cpuacct") ? LIMITS_CPU_TIME : 0);

	if (controllers && own_directory(names, path, directory, sizeof(directory)))
		add(finder, directory, controllers, false);
}

/* Whether nobody but daemon and guardian is in the group. */
static bool only_ours(const struct finder *finder, const char *directory)
{
	char path[4352];
	FILE *file;
	int pid;
	bool ours = true;

	snprintf(path, sizeof(path), "%s/cgroup.procs", directory);
	file = fopen(path, "re");
	while (file && ours && fscanf(file, "%d", &pid) == 1)
		ours = pid == getpid() || pid == finder->daemon;
	if (file)
		fclose(file);
	return file && ours;
}

static void move_ours(const struct finder *finder, const char *directory, const char *group)
{
	char text[32];

	snprintf(text, sizeof(text), "%d", (int)finder->daemon);
	limits_file_write(directory, group, "cgroup.procs", text);
	limits_file_write(directory, group, "cgroup.procs", "0");
}

static bool hands_down(const char *directory, const char *word)
{
	char path[4352], line[512] = "";
	FILE *file;

	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", directory);
	file = fopen(path, "re");
	if (file) {
		if (!fgets(line, sizeof(line), file))
			line[0] = 0;
		fclose(file);
	}
	return has_word(line, word);
}

/* Asks a group to hand its controllers down; those it does. */
static unsigned enable(const char *directory)
{
	static const struct {
		const char *name, *asked;
		unsigned controller;
	} controllers[] = {
	        {"memory", "+memory", LIMITS_MEMORY},
	        {"pids", "+pids", LIMITS_PIDS},
	        {"cpu", "+cpu", LIMITS_CPU},
	};
	unsigned enabled = 0;

	for (size_t i = 0; i < ARRAY_SIZE(controllers); i++) {
		if (!hands_down(directory, controllers[i].name))
			limits_file_write(
			        directory, ".", "cgroup.subtree_control", controllers[i].asked);
		if (hands_down(directory, controllers[i].name))
			enabled |= controllers[i].controller;
	}
	return enabled;
}

#define ENOUGH (LIMITS_MEMORY | LIMITS_PIDS)

static unsigned enable_own(const struct finder *finder, const char *directory)
{
	char path[4352];
	unsigned enabled;

	/* The real root may have both, processes and children; elsewhere this changes nothing. */
	if (!only_ours(finder, directory))
		return enable(directory);
	snprintf(path, sizeof(path), "%s/%s", directory, DAEMON_GROUP);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return 0;
	move_ours(finder, directory, DAEMON_GROUP);
	enabled = enable(directory);
	if ((enabled & ENOUGH) == ENOUGH)
		return enabled;
	move_ours(finder, directory, ".");
	rmdir(path);
	return 0;
}

static bool cut_last(char *directory, size_t least)
{
	char *slash = strrchr(directory, '/');

	if (!slash || (size_t)(slash - directory) < least)
		return false;
	*slash = 0;
	return access(directory, W_OK) == 0;
}

static void add_unified(struct finder *finder, const char *directory, unsigned enabled)
{
	const unsigned kill_and_time = LIMITS_KILL | LIMITS_CPU_TIME;
	struct limits_hierarchy *hierarchy = add(finder, directory, enabled | kill_and_time, true);

	if (hierarchy && enabled)
		hierarchy->controllers = enable(hierarchy->directory) | kill_and_time;
}

static void find_version2(struct finder *finder, const char *path)
{
	char directory[4096], candidate[4096], point[4096], root[4096];
	unsigned enabled;
	char *leaf;

	if (!own_directory("", path, directory, sizeof(directory)) ||
	        !find_mount("", point, root, sizeof(point)))
		return;
	/* An earlier guardian of this daemon has moved it already. */
	leaf = strrchr(directory, '/');
	if (leaf && !strcmp(leaf, "/" DAEMON_GROUP))
		*leaf = 0;
	snprintf(candidate, sizeof(candidate), "%s", directory);
	enabled = leaf && !*leaf ? enable(candidate) : enable_own(finder, candidate);
	while ((enabled & ENOUGH) != ENOUGH && cut_last(candidate, strlen(point)))
		enabled = enable(candidate);
	if ((enabled & ENOUGH) == ENOUGH)
		add_unified(finder, candidate, enabled);
	else
		add_unified(finder, directory, 0);
}

static void find_all(struct finder *finder)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char *line = NULL, *names, *path;
	size_t room = 0;

	while (file && getline(&line, &room, file) > 0) {
		line[strcspn(line, "\n")] = 0;
		names = strchr(line, ':');
		path = names ? strchr(names + 1, ':') : NULL;
		if (!path)
			continue;
		*names++ = *path++ = 0;
		if (!strncmp(line, "0", 2) && !*names)
			find_version2(finder, path);
		else
			find_version1(finder, names, path);
	}
	free(line);
	if (file)
		fclose(file);
}

static void judge(struct limits *limits)
{
	struct limits_hierarchy *hierarchy = limits->hierarchies;

	limits->kind = LIMITS_POLL;
	for (size_t i = 0; i < limits->count; i++)
		if (hierarchy[i].controllers & LIMITS_MEMORY)
			limits->kind = hierarchy[i].unified ? LIMITS_CGROUP2 : LIMITS_CGROUP1;
	if (limits->kind == LIMITS_POLL)
		snprintf(limits->why, sizeof(limits->why),
		        "no writable control group with the memory controller here: memory is "
		        "sampled, "
		        "cpu is not limited");
	else if (!limits_has(limits, LIMITS_CPU))
		snprintf(limits->why, sizeof(limits->why),
		        "the cpu controller is not handed down to us: cpu is not limited");
}

void limits_find(struct limits *limits, const char *state_dir, pid_t daemon)
{
	struct finder finder = {.limits = limits, .daemon = daemon};
	const char *wanted = getenv("FNFS_LIMITS");

	memset(limits, 0, sizeof(*limits));
	snprintf(
	        finder.prefix, sizeof(finder.prefix), "fnfs-%016" PRIx64 "-", hash_text(state_dir));
	snprintf(finder.own, sizeof(finder.own), "%s%d", finder.prefix, (int)getpid());
	if (wanted && !strcmp(wanted, "poll")) {
		limits->kind = LIMITS_POLL;
		snprintf(limits->why, sizeof(limits->why), "asked for by FNFS_LIMITS");
		return;
	}
	find_all(&finder);
	judge(limits);
}

void limits_end(struct limits *limits)
{
	for (size_t i = 0; i < limits->count; i++)
		for (int n = 0; n < 100; n++) {
			if (rmdir(limits->hierarchies[i].directory) == 0 || errno != EBUSY)
				break;
			pause_briefly();
		}
	limits_deinit(limits);
}
