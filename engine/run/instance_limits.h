/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Memory, CPU and process limits of instances, as this machine offers them: cgroup v2 where a subtree
 * with controllers can be had, cgroup v1 where its hierarchies are writable, else sampling. A *group*
 * is the set of control groups of one instance, one in each hierarchy, all of the same name; the
 * groups of one guardian lie together in one directory per hierarchy, which goes with it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

/* How limits are kept on this machine; found once at start. */
enum limits_kind { LIMITS_CGROUP2, LIMITS_CGROUP1, LIMITS_POLL };

enum limits_controller {
	LIMITS_MEMORY = 1,
	LIMITS_PIDS = 2,
	LIMITS_CPU = 4,
	LIMITS_CPU_TIME = 8,
	LIMITS_KILL = 16, /* cgroup.kill */
};

#define LIMITS_HIERARCHIES 5

struct limits_hierarchy {
	char *directory; /* absolute; holds the groups */
	unsigned controllers;
	bool unified; /* v2 */
};

struct limits {
	enum limits_kind kind;
	struct limits_hierarchy hierarchies[LIMITS_HIERARCHIES];
	size_t count;
	char why[160]; /* why not more; "" when nothing is missing */
};

struct limits_values {
	int64_t memory_bytes;
	int cpu_millicores; /* 0 = no limit */
	int max_processes;
};

/* -1 for what is unknown. */
struct limits_usage {
	int64_t memory_bytes;
	int64_t memory_peak_bytes;
	int64_t cpu_us;
	int64_t oom_kills;
};

/*
 * Finds what can be had, makes the directories, and removes what a dead guardian of the same state
 * directory left behind, processes included. `daemon` may be moved into a group of its own (v2). The
 * environment's FNFS_LIMITS=poll takes sampling even where there is better. Never fails.
 */
void limits_find(struct limits *limits, const char *state_dir, pid_t daemon);
void limits_end(struct limits *limits); /* removes the directories; then limits_deinit */
void limits_deinit(struct limits *limits);

bool limits_has(const struct limits *limits, enum limits_controller controller);
const char *limits_kind_name(enum limits_kind kind);

/* 0 or -errno, logged. */
int limits_create(
        const struct limits *limits, const char *group, const struct limits_values *values);
int limits_enter(const struct limits *limits, const char *group); /* this process; -errno */

int limits_move(const struct limits *limits, const char *group, pid_t pid); /* another; -errno */

/* A descriptor that becomes readable when the kernel looks for somebody to kill, or -1. */
int limits_watch_memory(const struct limits *limits, const char *group);
void limits_read(const struct limits *limits, const char *group, struct limits_usage *usage);
void limits_kill(const struct limits *limits, const char *group);  /* every process in it */
int limits_remove(const struct limits *limits, const char *group); /* 0, or -EBUSY: not empty yet */

/* As text between guardian and daemon. */
void limits_store(const struct limits *limits, struct buf *out);
int limits_load(struct limits *limits, const char *data, size_t length);

/* Files of control groups: one write; first number; the number behind a key; -1 when not there. */
int limits_file_write(const char *directory, const char *group, const char *file, const char *text);
int64_t limits_file_number(
        const char *directory, const char *group, const char *file, const char *key);
