/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One group: made, entered, read, killed, removed. Where a hierarchy has no such file the call goes on:
 * kernels differ in what they offer, and the only limits without which a group is refused are
 * memory and processes in a hierarchy that has them.
 */
#include "run/instance_limits.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"

#define CPU_PERIOD_US 100000

static const char *const kind_names[] = {
        [LIMITS_CGROUP2] = "cgroup2",
        [LIMITS_CGROUP1] = "cgroup1",
        [LIMITS_POLL] = "sampling",
};

const char *limits_kind_name(enum limits_kind kind)
{
	return kind_names[kind];
}

void limits_deinit(struct limits *limits)
{
	for (size_t i = 0; i < limits->count; i++)
		free(limits->hierarchies[i].directory);
	limits->count = 0;
}

static const struct limits_hierarchy *hierarchy_of(
        const struct limits *limits, enum limits_controller controller)
{
	for (size_t i = 0; i < limits->count; i++)
		if (limits->hierarchies[i].controllers & controller)
			return &limits->hierarchies[i];
	return NULL;
}

bool limits_has(const struct limits *limits, enum limits_controller controller)
{
	return hierarchy_of(limits, controller);
}

static int file_open(const char *directory, const char *group, const char *file, int flags)
{
	char path[4352];

	snprintf(path, sizeof(path), "%s/%s/%s", directory, group, file);
	return open(path, flags | O_CLOEXEC);
}

int limits_file_write(const char *directory, const char *group, const char *file, const char *text)
{
	CLEANUP(close_p) int fd = file_open(directory, group, file, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return -errno;
	return 0;
}

static int write_number(const struct limits_hierarchy *hierarchy, const char *group,
        const char *file, int64_t number)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRId64, number);
	return limits_file_write(hierarchy->directory, group, file, text);
}

int64_t limits_file_number(
        const char *directory, const char *group, const char *file, const char *key)
{
	CLEANUP(close_p) int fd = file_open(directory, group, file, O_RDONLY);
	char text[4096], *line = text;
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	size_t key_length = key ? strlen(key) : 0;

	if (length <= 0)
		return -1;
	text[length] = 0;
	if (!key)
		return strtoll(text, NULL, 10);
	for (; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, key, key_length) && line[key_length] == ' ')
			return strtoll(line + key_length, NULL, 10);
	}
	return -1;
}

static int set_memory(const struct limits_hierarchy *hierarchy, const char *group, int64_t bytes)
{
	int error;

	if (hierarchy->unified) {
		error = write_number(hierarchy, group, "memory.max", bytes);
		write_number(hierarchy, group, "memory.swap.max", 0);
		write_number(hierarchy, group, "memory.oom.group", 1);
		return error;
	}
	error = write_number(hierarchy, group, "memory.limit_in_bytes", bytes);
	/* Memory and swap together may not exceed what memory alone may: no swap. */
	write_number(hierarchy, group, "memory.memsw.limit_in_bytes", bytes);
	write_number(hierarchy, group, "memory.swappiness", 0);
	return error;
}

static void set_cpu(const struct limits_hierarchy *hierarchy, const char *group, int millicores)
{
	int quota = millicores * (CPU_PERIOD_US / 1000);
	char text[48];

	if (!millicores)
		return;
	if (quota < 1000)
		quota = 1000; /* the kernel's least */
	snprintf(text, sizeof(text), "%d %d", quota, CPU_PERIOD_US);
	if (hierarchy->unified) {
		limits_file_write(hierarchy->directory, group, "cpu.max", text);
		return;
	}
	write_number(hierarchy, group, "cpu.cfs_period_us", CPU_PERIOD_US);
	write_number(hierarchy, group, "cpu.cfs_quota_us", quota);
}

static int create_in(const struct limits_hierarchy *hierarchy, const char *group,
        const struct limits_values *values)
{
	char path[4352];
	int error = 0;

	snprintf(path, sizeof(path), "%s/%s", hierarchy->directory, group);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return -errno;
	if (hierarchy->controllers & LIMITS_MEMORY)
		error = set_memory(hierarchy, group, values->memory_bytes);
	if (!error && (hierarchy->controllers & LIMITS_PIDS))
		error = write_number(hierarchy, group, "pids.max", values->max_processes);
	if (hierarchy->controllers & LIMITS_CPU)
		set_cpu(hierarchy, group, values->cpu_millicores);
	return error;
}

int limits_create(
        const struct limits *limits, const char *group, const struct limits_values *values)
{
	for (size_t i = 0; i < limits->count; i++) {
		const struct limits_hierarchy *hierarchy = &limits->hierarchies[i];
		int error = create_in(hierarchy, group, values);

		if (error) {
			fail(error, "making the control group %s/%s", hierarchy->directory, group);
			limits_remove(limits, group);
			return error;
		}
	}
	return 0;
}

int limits_enter(const struct limits *limits, const char *group)
{
	return limits_move(limits, group, 0);
}

int limits_move(const struct limits *limits, const char *group, pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", (int)pid);
	for (size_t i = 0; i < limits->count; i++) {
		int error = limits_file_write(
		        limits->hierarchies[i].directory, group, "cgroup.procs", text);

		if (error)
			return error;
	}
	return 0;
}

/* v1 tells of an exhausted group through an eventfd; v2 ends the whole group itself. */
int limits_watch_memory(const struct limits *limits, const char *group)
{
	const struct limits_hierarchy *hierarchy = hierarchy_of(limits, LIMITS_MEMORY);
	CLEANUP(close_p) int event = -1;
	CLEANUP(close_p) int control = -1;
	char text[32];

	if (!hierarchy || hierarchy->unified)
		return -1;
	event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	control = file_open(hierarchy->directory, group, "memory.oom_control", O_RDONLY);
	if (event < 0 || control < 0)
		return -1;
	snprintf(text, sizeof(text), "%d %d", event, control);
	if (limits_file_write(hierarchy->directory, group, "cgroup.event_control", text) < 0)
		return -1;
	return take_fd(event);
}

static void read_memory(
        const char *directory, const char *group, bool unified, struct limits_usage *usage)
{
	usage->memory_bytes = limits_file_number(
	        directory, group, unified ? "memory.current" : "memory.usage_in_bytes", NULL);
	usage->memory_peak_bytes = limits_file_number(
	        directory, group, unified ? "memory.peak" : "memory.max_usage_in_bytes", NULL);
	usage->oom_kills = limits_file_number(
	        directory, group, unified ? "memory.events" : "memory.oom_control", "oom_kill");
}

static int64_t read_cpu_us(const char *directory, const char *group, bool unified)
{
	int64_t time;

	if (unified)
		return limits_file_number(directory, group, "cpu.stat", "usage_usec");
	time = limits_file_number(directory, group, "cpuacct.usage", NULL);
	return time < 0 ? -1 : time / 1000;
}

void limits_read(const struct limits *limits, const char *group, struct limits_usage *usage)
{
	*usage = (struct limits_usage){-1, -1, -1, -1};
	for (size_t i = 0; i < limits->count; i++) {
		const struct limits_hierarchy *hierarchy = &limits->hierarchies[i];

		if (hierarchy->controllers & LIMITS_MEMORY)
			read_memory(hierarchy->directory, group, hierarchy->unified, usage);
		if (usage->cpu_us < 0 && (hierarchy->controllers & LIMITS_CPU_TIME))
			usage->cpu_us =
			        read_cpu_us(hierarchy->directory, group, hierarchy->unified);
	}
}

/* One round over cgroup.procs; how many were there. */
static int kill_listed(const char *directory, const char *group)
{
	CLEANUP(close_p) int fd = file_open(directory, group, "cgroup.procs", O_RDONLY);
	FILE *file = fd < 0 ? NULL : fdopen(take_fd(fd), "re");
	int pid, count = 0;

	if (!file)
		return 0;
	while (fscanf(file, "%d", &pid) == 1) {
		if (pid > 1 && kill(pid, SIGKILL) == 0)
			count++;
	}
	fclose(file);
	return count;
}

void limits_kill(const struct limits *limits, const char *group)
{
	const struct limits_hierarchy *pids = hierarchy_of(limits, LIMITS_PIDS);
	const struct limits_hierarchy *killer = hierarchy_of(limits, LIMITS_KILL);

	if (killer && limits_file_write(killer->directory, group, "cgroup.kill", "1") == 0)
		return;
	if (pids)
		write_number(pids, group, "pids.max", 0); /* nobody forks out of this any more */
	if (limits->count)
		kill_listed(limits->hierarchies[0].directory, group);
}

int limits_remove(const struct limits *limits, const char *group)
{
	int error = 0;

	for (size_t i = 0; i < limits->count; i++) {
		char path[4352];

		snprintf(path, sizeof(path), "%s/%s", limits->hierarchies[i].directory, group);
		if (rmdir(path) < 0 && errno == EBUSY)
			error = -EBUSY;
	}
	return error;
}

void limits_store(const struct limits *limits, struct buf *out)
{
	buf_printf(out, "%d %s", limits->kind, limits->why);
	buf_append(out, "", 1);
	for (size_t i = 0; i < limits->count; i++) {
		const struct limits_hierarchy *hierarchy = &limits->hierarchies[i];

		buf_printf(out, "%u %d %s", hierarchy->controllers, hierarchy->unified,
		        hierarchy->directory);
		buf_append(out, "", 1);
	}
}

static int load_hierarchy(struct limits *limits, const char *text)
{
	struct limits_hierarchy *hierarchy = &limits->hierarchies[limits->count];
	int unified, at = 0;

	if (limits->count == LIMITS_HIERARCHIES ||
	        sscanf(text, "%u %d %n", &hierarchy->controllers, &unified, &at) != 2 || !at)
		return -EBADMSG;
	hierarchy->unified = unified;
	hierarchy->directory = strdup(text + at);
	if (!hierarchy->directory)
		return -ENOMEM;
	limits->count++;
	return 0;
}

int limits_load(struct limits *limits, const char *data, size_t length)
{
	const char *end = data + length, *zero;
	int kind, at = 0, error = 0;

	memset(limits, 0, sizeof(*limits));
	limits->kind = LIMITS_POLL;
	if (!length || end[-1] || sscanf(data, "%d %n", &kind, &at) != 1 || !at)
		return -EBADMSG;
	limits->kind = (enum limits_kind)kind;
	snprintf(limits->why, sizeof(limits->why), "%s", data + at);
	for (data += strlen(data) + 1; data < end && !error; data = zero + 1) {
		zero = memchr(data, 0, (size_t)(end - data));
		error = load_hierarchy(limits, data);
	}
	if (error)
		limits_deinit(limits);
	return error;
}
