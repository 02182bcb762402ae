/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/check_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "engine/engine.h"
#include "fs/state_directory.h"

enum { SOUND = 0, UNABLE = 3 };

static void print(void *userdata, const char *line, size_t length)
{
	fwrite(line, 1, length, stdout);
}

/*
 * What is damaged is said by what it belongs to; the log has the reason when nothing can be read
 * at all.
 */
static void keep_last(void *userdata, const char *line, size_t length)
{
	struct buf *last = userdata;

	buf_clear(last);
	buf_append(last, line, length && line[length - 1] == '\n' ? length - 1 : length);
}

/* Nothing is made where no state is. */
static int look_for_state(const char *path, struct buf *why)
{
	CLEANUP(free_p) char *database = NULL;

	if (asprintf(&database, "%s/fnfs.db", path) < 0)
		return -ENOMEM;
	if (access(database, F_OK) == 0)
		return 0;
	buf_printf(why, "%s is no state directory: %s", path, strerror(errno));
	return -ENOENT;
}

static int check(const struct options *options, struct state_directory *state, struct buf *why)
{
	CLEANUP(buf_deinit) struct buf last = BUF_INIT;
	int r = look_for_state(options->state, why);

	if (r == 0)
		r = state_directory_open(state, options->state, why);
	if (r == 0)
		r = state_directory_lock(state, "(it is being checked)", why);
	if (r < 0)
		return r;
	log_set_sink(keep_last, &last);
	r = engine_check_state(state->path, print, NULL);
	log_set_sink(NULL, NULL);
	if (r < 0)
		buf_printf(why, "%s cannot be read: %s", state->path,
		        last.length ? last.data : strerror(-r));
	return r;
}

int check_state(const struct options *options)
{
	struct state_directory state = {.fd = -1, .lock_fd = -1, .log_fd = -1, .echo_fd = -1};
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	int r;

	r = check(options, &state, &why);
	state_directory_deinit(&state);
	if (r < 0)
		fprintf(stderr, "fnfsd: %s\n", why.length ? why.data : strerror(-r));
	return fflush(stdout) || r < 0 ? UNABLE : r;
}
