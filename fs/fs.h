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
#include "fs/request.h"
#include "fs/tree.h"

struct engine;
struct code;    /* behaviours/code.h: the working trees' nodes */
struct answers; /* behaviours/answers.h: what `cat invoke` reads; made by call.c when first needed */
struct texts;   /* texts.h: renderings kept between stat and open */
struct scratch; /* scratch.h: the editors' files */

struct fs {
	struct engine *engine;
	uv_loop_t *loop;
	const struct clock *clock;
	struct fuse_session *fuse; /* for notifications; NULL in tests that need none */
	int64_t started_us;        /* wall time */
	struct tree tree;
	struct requests *requests;
	struct handles *handles;
	struct texts *texts;
	struct scratch *scratch;
	struct answers *answers;
	struct code *code;
	struct map generations; /* by inode: raised by an rmdir without effect */
	int state_fd;           /* the state directory, for statfs */
};
