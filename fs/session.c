/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/session.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "base/log.h"
#include "fs/attention.h"
#include "fs/init_flags.h"
#include "fs/ops.h"

#define REQUESTS_PER_TURN 64

/*
 * A read that only says that nothing is there costs as much as one that brings a request. One caller after the
 * other sends one request a turn, so one is read; whether there are more is looked at now and then,
 * and always while there are.
 */
#define TURNS_PER_LOOK 16

struct session {
	struct fs *fs;
	struct fuse_session *fuse;
	struct fuse_buf buffer;
	char *mount_point;
	uv_poll_t poll;
	uv_process_t unmounter;
	uv_work_t unmount;
	bool many;      /* the last turn found more than one request */
	unsigned turns; /* of the loop that brought requests; wraps */
	bool mounted;
	bool unmounting; /* one of the two above is under way */
	bool over;       /* `ended` was called */
	bool freed;
	unsigned closing; /* handles of the loop that are not closed yet */
	void (*ended)(void *userdata);
	void *userdata;
};

static void end(struct session *session)
{
	if (session->over)
		return;
	session->over = true;
	session->mounted = false;
	uv_poll_stop(&session->poll);
	session->ended(session->userdata);
}

static int requests_to_read(struct session *session)
{
	bool look = session->many || requests_several(session->fs->requests) ||
	            ++session->turns % TURNS_PER_LOOK == 0;

	return look ? REQUESTS_PER_TURN : 1;
}

static void readable(uv_poll_t *poll, int status, int events)
{
	struct session *session = poll->data;
	struct fuse_session *fuse = session->fuse;
	int most = requests_to_read(session), i, r;

	for (i = 0; i < most; i++) {
		r = fuse_session_receive_buf(fuse, &session->buffer);
		if (r == -EINTR || r == -ENOENT) /* a request that was taken back */
			continue;
		if (r == -EAGAIN)
			break;
		if (r <= 0) {
			if (r < 0)
				fail(r, "reading from the kernel");
			end(session);
			return;
		}
		fuse_session_process_buf(fuse, &session->buffer);
		if (fuse_session_exited(fuse)) {
			end(session);
			return;
		}
	}
	session->many = i > 1;
	attention_note(session->fs->attention);
}

static int add_option(struct fuse_args *arguments, const char *option)
{
	return fuse_opt_add_arg(arguments, "-o") < 0 || fuse_opt_add_arg(arguments, option) < 0
	               ? -ENOMEM
	               : 0;
}

static int make_arguments(struct fuse_args *arguments, const struct session_options *options)
{
	int r = fuse_opt_add_arg(arguments, "fnfs") < 0 ? -ENOMEM : 0;

	if (r == 0)
		r = add_option(arguments, "fsname=fnfs,subtype=fnfs,default_permissions");
	if (r == 0 && options->allow_other)
		r = add_option(arguments, "allow_other");
	if (r == 0 && options->auto_unmount)
		r = add_option(arguments, "auto_unmount");
	if (r == 0 && options->debug)
		r = add_option(arguments, "debug");
	return r;
}

/* What runs on its own, a handle or a worker, holds the session until it has ended. */
static void session_let_go(struct session *session)
{
	if (--session->closing || !session->freed)
		return;
	free(session->buffer.mem);
	free(session->mount_point);
	free(session);
}

static void session_closed(uv_handle_t *handle)
{
	session_let_go(handle->data);
}

static int listen_to_kernel(struct session *session)
{
	int fd = fuse_session_fd(session->fuse);
	int r;

	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
		return fail(-errno, "reading the kernel's descriptor without waiting");
	r = uv_poll_init(session->fs->loop, &session->poll, fd);
	if (r < 0)
		return fail(r, "watching the kernel's descriptor");
	session->poll.data = session;
	session->closing++;
	return uv_poll_start(&session->poll, UV_READABLE, readable);
}

int session_new(struct session **out, const struct session_options *options, struct buf *why)
{
	struct fuse_args arguments = FUSE_ARGS_INIT(0, NULL);
	struct session *session = calloc(1, sizeof(*session));
	int r = session ? make_arguments(&arguments, options) : -ENOMEM;

	if (session) {
		session->fs = options->fs;
		session->ended = options->ended;
		session->userdata = options->userdata;
		session->mount_point = strdup(options->mount_point);
		options->fs->ready = options->ready;
		options->fs->userdata = options->userdata;
	}
	if (r == 0)
		session->fuse = fuse_session_new(&arguments, &fs_ops, sizeof(fs_ops), options->fs);
	fuse_opt_free_args(&arguments);
	if (!session || !session->mount_point || !session->fuse) {
		buf_puts(why, "libfuse refused to start");
		session_free(session);
		return -ENOMEM;
	}
	/* libfuse prints what went wrong. */
	if (fuse_session_mount(session->fuse, session->mount_point) < 0) {
		buf_printf(why, "cannot mount at %s (`fnfs doctor` says what this machine lacks)",
		        session->mount_point);
		session_free(session);
		return -EIO;
	}
	session->mounted = true;
	options->fs->fuse = session->fuse;
	r = init_flags_listen(session->fuse);
	if (r == 0)
		r = listen_to_kernel(session);
	if (r < 0) {
		session_free(session);
		return r;
	}
	*out = session;
	return 0;
}

/* --- unmounting --- */

static void detach(uv_work_t *work)
{
	struct session *session = work->data;

	if (umount2(session->mount_point, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL)
		log_line(LOG_WARNING, "unmounting %s: %s", session->mount_point, strerror(errno));
}

static void detached(uv_work_t *work, int status)
{
	session_let_go(work->data);
}

static void unmounter_closed(uv_handle_t *handle)
{
	session_let_go(handle->data);
}

static void unmounter_exited(uv_process_t *process, int64_t status, int signal)
{
	struct session *session = process->data;

	if (status || signal)
		log_line(LOG_WARNING, "fusermount3 could not unmount %s", session->mount_point);
	uv_close((uv_handle_t *)process, unmounter_closed);
}

/* Only root may unmount by itself; others ask the set-user-id program that mounted, too. */
static int spawn_unmounter(struct session *session)
{
	char *arguments[] = {"fusermount3", "-u", "-q", "-z", "--", session->mount_point, NULL};
	uv_process_options_t options = {
	        .exit_cb = unmounter_exited,
	        .file = arguments[0],
	        .args = arguments,
	        .cwd = "/",
	};
	int r;

	session->unmounter.data = session;
	session->closing++;
	r = uv_spawn(session->fs->loop, &session->unmounter, &options);
	if (r < 0) {
		fail(r, "starting fusermount3");
		uv_close((uv_handle_t *)&session->unmounter, unmounter_closed);
	}
	return r;
}

void session_unmount(struct session *session)
{
	if (!session->mounted || session->unmounting)
		return;
	session->mounted = false;
	session->unmounting = true;
	if (geteuid() != 0) {
		spawn_unmounter(session);
		return;
	}
	session->unmount.data = session;
	session->closing++;
	if (uv_queue_work(session->fs->loop, &session->unmount, detach, detached) < 0)
		session_let_go(session);
}

void session_stop(struct session *session)
{
	uv_poll_stop(&session->poll);
}

/*
 * libfuse frees what it mounted only when told to unmount, and must not unmount what we detached
 * already: another daemon may serve the place by now. It leaves the place alone when its descriptor
 * tells of an error, so it gets one that does: the end of a pipe that nobody reads. That closes the
 * connection, too, should somebody still stand in the mount.
 */
static void sever(struct session *session)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0) {
		fail(-errno, "closing the connection to the kernel");
		return;
	}
	close(ends[0]);
	dup3(ends[1], fuse_session_fd(session->fuse), O_CLOEXEC);
	close(ends[1]);
	fuse_session_unmount(session->fuse);
}

struct session *session_free(struct session *session)
{
	if (!session)
		return NULL;
	assert(!session->freed);
	session->fs->fuse = NULL;
	if (session->poll.data)
		uv_poll_stop(&session->poll);
	if (session->mounted)
		fuse_session_unmount(session->fuse);
	else if (session->poll.data)
		sever(session);
	if (session->fuse)
		fuse_session_destroy(session->fuse);
	session->freed = true;
	session->closing++;
	if (session->poll.data)
		uv_close((uv_handle_t *)&session->poll, session_closed);
	session_let_go(session);
	return NULL;
}
