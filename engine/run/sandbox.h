/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What an instance sees of the machine, as bubblewrap's command line, and the way into it: the part
 * between fork and exec. docs/decisions/004-sandbox.md says why it is as it is.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "run/instance_limits.h"
#include "run/sandbox_owner.h"
#include "run/sandbox_root.h"

#define SANDBOX_ID         1003 /* uid and gid inside */
#define SANDBOX_INIT       "/opt/fnfs/init"
#define SANDBOX_IMAGE_INIT "/.fnfs-init"
#define SANDBOX_RUNTIME    "/opt/fnfs/runtime"
#define SANDBOX_CODE       "/opt/function/code"
#define SANDBOX_TMP_BYTES  (INT64_C(512) << 20)
#define SANDBOX_FILE_BYTES (INT64_C(2) << 30) /* of a file, where the code is writable */

/* Descriptors as bubblewrap finds them; the last three are read by it and do not reach the instance. */
enum sandbox_descriptor {
	SANDBOX_STATUS = 2, /* its standard error, and the messages of init */
	SANDBOX_CHANNEL_IN = 3,
	SANDBOX_CHANNEL_OUT = 4,
	SANDBOX_OUTPUT = 5,
	SANDBOX_ARGUMENTS,
	SANDBOX_FILTER,
	SANDBOX_RESOLVERS, /* with `outbound` alone */
	SANDBOX_DESCRIPTORS,
};

/* What all instances share; made once by the guardian. */
struct sandbox {
	struct sandbox_root root;
	char *init; /* absolute path of fnfs-init on the host */
	int filter; /* of system calls; a file in memory */
	bool is_root;
	bool overlays; /* sandbox_try_overlays() */
};

struct sandbox_view {
	/* sources of bind mounts, as the owner can reach them */
	const char *root, *code, *runtime, *init; /* code, runtime NULL: there is none */
	bool is_image;                            /* `code` is the root of a file system */
	bool writable; /* the code is; or an image has a layer of the instance's own over it */
	uid_t uid;     /* inside */
	gid_t gid;
	const char *const *layers; /* over the code, the first uppermost, NULL-ended; or NULL */
	const char *hostname;
	const char *working_directory;
	const char *const *environment;
	bool host_network;
	bool outbound;
	int64_t tmp_bytes;
};

/* What one instance is started with. All borrowed. */
struct sandbox_start {
	const struct sandbox *sandbox;
	const struct limits *limits;
	const char *group;
	struct sandbox_view view; /* with paths of the host */
	const char *const *argv;  /* empty: init waits for an order (sandbox_order.h) */
	uid_t uid;
	gid_t gid;
	int sockets;       /* to be made inside (struct launch) */
	int process_limit; /* set by init itself; 0: the control group does it */
	int status, channel_in, channel_out, output;
};

int sandbox_init(struct sandbox *sandbox, const char *state_dir);
void sandbox_deinit(struct sandbox *sandbox);

/* Finds out whether instances can have layers. Once, when the mounts are as they will be. */
void sandbox_try_overlays(struct sandbox *sandbox, const char *state_dir);

/* Options for `--args`, each ended by a zero byte. */
void sandbox_arguments(struct buf *out, const struct sandbox_view *view);

/* bubblewrap's path (FNFS_BUBBLEWRAP names another), or NULL when it is not installed. Borrowed. */
const char *sandbox_find_bubblewrap(void);

/* What every forked child begins with: signals, limits and umask as if nobody had ever changed them. */
void sandbox_fresh_process(void);

/* In the forked child of `guardian`. Says on `status` what went wrong; never returns. */
_Noreturn void sandbox_enter(const struct sandbox_start *start, pid_t guardian);
