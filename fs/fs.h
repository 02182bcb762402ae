/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The file system over one engine: what the dispatcher and the behaviours share. It neither mounts nor
 * reads the kernel's descriptor (session.h does), so tests feed it requests by hand. Loop thread only.
 */
#include <stdint.h>
#include <uv.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "engine/engine.h"
#include "fs/request.h"
#include "fs/tree.h"

struct requests;
struct attention; /* attention.h */
struct teller;    /* teller.h */
struct handles;
struct answers; /* behaviours/answers.h: what `cat invoke` reads; made by call.c when first needed */
struct texts;   /* texts.h: renderings kept between stat and open */
struct scratch;   /* scratch.h: the editors' files */
struct files;     /* behaviours/files.h: templates */
struct snapshots; /* behaviours/snapshot.h: nodes of what was published */
struct code;      /* behaviours/code.h: the working trees' nodes */

struct fs {
	struct engine *engine;
	uv_loop_t *loop;
	const struct clock *clock;
	int64_t started_us; /* wall time */
	gid_t gid;          /* of the daemon: group by default */
	int state_fd;       /* the state directory, for statfs; borrowed */

	struct tree tree;
	struct requests *requests;
	struct attention *attention;
	struct teller *teller;
	struct handles *handles;
	struct texts *texts;
	struct scratch *scratch;
	struct files *files;
	struct answers *answers;
	struct code *code;
	struct snapshots *snapshots;
	struct removing *removing; /* removing.h; NULL until somebody does */
	struct map generations;    /* by inode: raised by an rmdir without effect */
	struct map changed_us;     /* by inode of a directory: when an entry came or went last */

	/* Belong to the session. */
	struct fuse_session *fuse;     /* for notifications; NULL while there is none */
	uint32_t init_flags;           /* to be added to the answer to INIT: init_flags.h */
	void (*ready)(void *userdata); /* the kernel's INIT was answered; may be NULL */
	void *userdata;
};

struct fs_options {
	struct engine *engine;
	uv_loop_t *loop;
	const struct clock *clock;
	int state_fd;
};

int fs_new(struct fs **out, const struct fs_options *options);

/*
 * No request comes any more: tells all that wait that they are interrupted, and closes all open files.
 * What is still adopted afterwards is with other threads: run the loop until fs_idle().
 */
void fs_stop(struct fs *fs);
bool fs_idle(const struct fs *fs);
struct fs *fs_free(struct fs *fs); /* idle; the loop must turn once more for its handles to close */
