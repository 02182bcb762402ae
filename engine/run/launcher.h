/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The one door to processes. All instances are children of a small single-threaded program of its own,
 * `fnfs-guardian`, started before the daemon grows; it sets up cgroup, sandbox and descriptors of each
 * instance, reports its end, and when its socket to the daemon closes (the daemon is gone, however) it
 * ends everything it started and removes cgroups and directories, then itself. Should the guardian
 * die, its children die with it and every process is reported as ended; a new one is started.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "base/buf.h"
#include "run/instance_limits.h"

struct launcher;
struct process;

/*
 * A process that waited for its function is what was started. It has not the descriptors it was to get, but those whose other
 * ends these are, which do not block: to write, to read, and its output. The receiver's to close. Nor has it the
 * environment, which it must be told.
 */
typedef void (*process_taken_fn)(void *userdata, const int ends[3]);

/* What is to run. Strings and descriptors are borrowed until launcher_start() returns. */
struct launch {
	const char *name;      /* for cgroup and directory names: letters, digits, `-` */
	const char *code_path; /* absolute; bound read-only at /opt/function/code and /var/task */
	bool writable; /* not read-only: a build works on a copy, in files of bounded size */
	const char *const *layers; /* merged over the code, the first wins; NULL-ended; or NULL */
	const char
	        *runtime_path; /* absolute directory of the runtime; read-only at /opt/fnfs/runtime;
	                         NULL: there is none */
	const char *const *argv;        /* inside the sandbox; argv[0] absolute */
	const char *const *environment; /* KEY=VALUE, the whole environment */
	const char *working_directory;  /* inside the sandbox */
	const char
	        *image;   /* the root of its file system, with no code nor runtime in it; or NULL */
	uid_t inside_uid; /* of an image; 0: as always */
	gid_t inside_gid;
	uid_t uid; /* the owner; 0 is replaced by an unprivileged id of the function's own */
	gid_t gid;
	uint64_t function_id;
	int64_t memory_bytes;
	int cpu_millicores; /* 0 = no limit */
	int max_processes;  /* threads included */
	bool host_network;
	bool outbound; /* its own network has a way out (run/outbound.h) */
	/*
	 * 0, or so many sockets are made inside, in its network, and handed out through channel_in,
	 * which is a Unix socket then (run/sockets.h), and not seen by the program.
	 */
	int sockets;
	int channel_in;  /* becomes descriptor 3: daemon to runtime */
	int channel_out; /* becomes descriptor 4: runtime to daemon */
	int output;      /* becomes 1 and 2 */
	/* What is behind argv[0] of a program that forks such, with `taken` alone (runtimes/README.md); or NULL. */
	const char *const *zygote;
	process_taken_fn taken; /* the program may be one that waits already; NULL: it may not */
};

struct process_end {
	int exit_status;           /* -1 when a signal ended it */
	int signal;                /* 0 when it exited */
	bool out_of_memory;        /* killed at the memory limit */
	bool failed_to_start;      /* never reached the runtime; `reason` says why */
	bool lost_network;         /* ended because its way out broke; `reason` says how */
	int64_t memory_peak_bytes; /* -1 unknown */
	int64_t cpu_us;            /* -1 unknown */
	char reason[256];
};

/* Runs on the loop, exactly once for each process, also after launcher_kill(). */
typedef void (*process_end_fn)(void *userdata, const struct process_end *end);

int launcher_new(
        struct launcher **out, uv_loop_t *loop, const char *guardian_path, const char *state_dir);
struct launcher *launcher_free(struct launcher *launcher); /* no process may be left */
enum limits_kind launcher_limits(const struct launcher *launcher);
bool launcher_has_layers(const struct launcher *launcher); /* whether `layers` can be used here */
void launcher_describe(const struct launcher *launcher, struct buf *out); /* lines of `key value` */

/* 0 or -errno; then `ended` never runs. Descriptors are duplicated. Never blocks. */
int launcher_start(struct launcher *launcher, const struct launch *launch, process_end_fn ended,
        void *userdata, struct process **out);

/*
 * An errand: a program that acts for a user with that user's rights, in no sandbox. It sees files as the daemon
 * does, and gets three descriptors: 0, 1 and 3, and 2 is /dev/null; or 0, 1 and 2. All is borrowed. The user need not
 * reach the program, unless it is a script: that its interpreter opens by its path.
 */
struct errand {
	const char *name;               /* as in struct launch */
	const char *const *argv;        /* argv[0]: absolute path */
	const char *const *environment; /* the whole */
	uid_t uid;
	gid_t gid;
	const gid_t *groups; /* the others; only root can take them */
	size_t group_count;
	int64_t memory_bytes;
	int max_processes; /* threads included */
	int input;         /* becomes 0 */
	int output;        /* becomes 1 */
	int directory;     /* becomes 3; -1: there is none, and */
	int errors;        /* becomes 2 */
};

/* As launcher_start(). -EPERM: the daemon is an ordinary user, and this is another. */
int launcher_run(struct launcher *launcher, const struct errand *errand, process_end_fn ended,
        void *userdata, struct process **out);
/*
 * Of an errand that needs nothing of anybody its name, arguments, bounds and input: nobody runs it, where we are root,
 * without environment, and what it writes goes nowhere.
 */
int launcher_run_alone(struct launcher *launcher, const struct errand *errand, process_end_fn ended,
        void *userdata, struct process **out);
void process_terminate(struct process *process);  /* SIGTERM to what was started, not its tree */
void process_kill(struct process *process);       /* the whole tree, at once; `ended` still comes */
pid_t process_pid(const struct process *process); /* on the host; 0 until known */

/* What it uses now, read from its cgroup or /proc; -1 for what is unknown. */
struct process_usage {
	int64_t memory_bytes;
	int64_t memory_peak_bytes;
	int64_t cpu_us;
};
void process_usage(struct process *process, struct process_usage *usage);
