/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end is a sequence: refuse new calls and let running ones end (engine_drain), while the mount goes
 * on answering; then detach the mount and serve whoever is still in it for a moment; then tell all
 * that still wait, close what is open, and free from the top down. A second signal skips the waiting.
 */
#include "fs/daemon.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/sm.h"
#include "engine/engine.h"
#include "fs/session.h"

#define DRAIN_MS     30000
#define HURRY_MS     500
#define DETACH_MS    1000 /* for those who still stand in the mount */
#define STOP_MS      10000
#define STOP_TICK_MS 50

enum phase { PHASE_STARTING, PHASE_SERVING, PHASE_DRAINING, PHASE_DETACHING, PHASE_ENDED };

static const struct sm_row phases[] = {
        [PHASE_STARTING] = {"starting", SM_TO(PHASE_SERVING) | SM_TO(PHASE_DRAINING)},
        [PHASE_SERVING] = {"serving", SM_TO(PHASE_DRAINING)},
        [PHASE_DRAINING] = {"draining", SM_TO(PHASE_DETACHING) | SM_TO(PHASE_ENDED)},
        [PHASE_DETACHING] = {"detaching", SM_TO(PHASE_ENDED)},
        [PHASE_ENDED] = {"ended", 0, true},
};

static const int signals[] = {SIGTERM, SIGINT, SIGHUP};

struct daemon {
	const struct daemon_options *options;
	uv_loop_t loop;
	struct engine *engine;
	struct fs *fs;
	struct session *session;
	uv_signal_t signals[ARRAY_SIZE(signals)];
	uv_timer_t timer;
	int stopping_ms;
	struct sm phase;
	bool unmounted; /* from outside, or by us */
};

static void end(struct daemon *daemon)
{
	if (daemon->phase.state == PHASE_ENDED)
		return;
	sm_move(&daemon->phase, PHASE_ENDED);
	uv_stop(&daemon->loop);
}

static void detaching_ends(uv_timer_t *timer)
{
	end(timer->data);
}

static void drained(void *userdata)
{
	struct daemon *daemon = userdata;

	if (daemon->unmounted) {
		end(daemon);
		return;
	}
	sm_move(&daemon->phase, PHASE_DETACHING);
	session_unmount(daemon->session);
	uv_timer_start(&daemon->timer, detaching_ends, DETACH_MS, 0);
}

static void drain(struct daemon *daemon, int64_t timeout_ms)
{
	if (daemon->phase.state > PHASE_DRAINING)
		return;
	if (daemon->phase.state != PHASE_DRAINING)
		sm_move(&daemon->phase, PHASE_DRAINING);
	engine_drain(daemon->engine, timeout_ms, drained, daemon);
}

static void signalled(uv_signal_t *handle, int number)
{
	struct daemon *daemon = handle->data;
	bool again = daemon->phase.state >= PHASE_DRAINING;

	log_line(LOG_INFO, "%s: %s", strsignal(number),
	        again ? "ending at once" : "ending when running calls have ended");
	drain(daemon, again ? HURRY_MS : DRAIN_MS);
}

static void session_ready(void *userdata)
{
	struct daemon *daemon = userdata;

	if (daemon->phase.state != PHASE_STARTING)
		return;
	sm_move(&daemon->phase, PHASE_SERVING);
	log_line(LOG_INFO, "mounted at %s", daemon->options->mount_point);
	if (daemon->options->ready)
		daemon->options->ready(daemon->options->userdata);
}

static void session_ended(void *userdata)
{
	struct daemon *daemon = userdata;

	daemon->unmounted = true;
	if (daemon->phase.state == PHASE_DETACHING) {
		end(daemon);
		return;
	}
	log_line(LOG_INFO, "unmounted");
	if (daemon->phase.state < PHASE_DRAINING)
		drain(daemon, DRAIN_MS);
}

/* --- birth --- */

static int start_loop(struct daemon *daemon)
{
	int r = uv_loop_init(&daemon->loop);
	size_t i;

	if (r < 0)
		return fail(r, "making the event loop");
	uv_timer_init(&daemon->loop, &daemon->timer);
	daemon->timer.data = daemon;
	for (i = 0; i < ARRAY_SIZE(signals); i++) {
		uv_signal_init(&daemon->loop, &daemon->signals[i]);
		daemon->signals[i].data = daemon;
		uv_signal_start(&daemon->signals[i], signalled, signals[i]);
	}
	return 0;
}

static int start_engine(struct daemon *daemon, struct buf *why)
{
	const struct daemon_options *options = daemon->options;
	struct engine_options engine_options = {
	        .loop = &daemon->loop,
	        .clock = &clock_system,
	        .state_dir = options->state->path,
	        .runtimes_path = options->options->runtimes,
	        .guardian_path = options->options->guardian,
	        .fetch_path = options->options->fetch,
	        .watch_path = options->options->watcher,
	        .source_path = options->options->sources,
	        .mount_path = options->mount_point,
	};
	int r = engine_new(&daemon->engine, &engine_options);

	if (r < 0)
		buf_printf(why, "the engine does not start: %s (see %s/log)", strerror(-r),
		        options->state->path);
	return r;
}

static int open_door(struct daemon *daemon, struct buf *why)
{
	const struct options *options = daemon->options->options;

	return engine_open_door(daemon->engine,
	        &(struct door_options){
	                .gateway_path = options->gateway,
	                .listen = (const char *const *)options->listen,
	                .open_loopback = options->open_loopback,
	                .certificate = options->tls_cert,
	                .private_key = options->tls_key,
	        },
	        why);
}

static int start_session(struct daemon *daemon, struct buf *why)
{
	const struct daemon_options *options = daemon->options;
	struct fs_options fs_options = {
	        .engine = daemon->engine,
	        .loop = &daemon->loop,
	        .clock = &clock_system,
	        .state_fd = options->state->fd,
	};
	struct session_options session_options = {
	        .mount_point = options->mount_point,
	        .allow_other = options->options->allow_other,
	        .auto_unmount = options->options->auto_unmount,
	        .debug = options->options->debug,
	        .ready = session_ready,
	        .ended = session_ended,
	        .userdata = daemon,
	};
	int r = fs_new(&daemon->fs, &fs_options);

	if (r < 0) {
		buf_printf(why, "the file system does not start: %s", strerror(-r));
		return r;
	}
	session_options.fs = daemon->fs;
	return session_new(&daemon->session, &session_options, why);
}

/* --- death --- */

static void close_handles(struct daemon *daemon)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(signals); i++)
		uv_close((uv_handle_t *)&daemon->signals[i], NULL);
	uv_close((uv_handle_t *)&daemon->timer, NULL);
}

/* The engine never came to serve anybody; it is drained all the same, which is its way to end. */
static void drain_unused(struct daemon *daemon)
{
	sm_move(&daemon->phase, PHASE_DRAINING);
	daemon->unmounted = true;
	engine_drain(daemon->engine, HURRY_MS, drained, daemon);
	uv_run(&daemon->loop, UV_RUN_DEFAULT);
}

/* Also ends a turn of the loop that a timer had all to say in: libuv before 1.45 would wait after it. */
static void wait_on(uv_timer_t *timer)
{
	struct daemon *daemon = timer->data;

	daemon->stopping_ms += STOP_TICK_MS;
	if (daemon->stopping_ms < STOP_MS)
		return;
	log_line(LOG_ERROR, "a request was never answered");
	_exit(1); /* the kernel fails whoever waits for it */
}

/* What is with other threads now (fsync) is answered soon. */
static void stop_fs(struct daemon *daemon)
{
	fs_stop(daemon->fs);
	uv_timer_start(&daemon->timer, wait_on, STOP_TICK_MS, STOP_TICK_MS);
	while (!fs_idle(daemon->fs))
		uv_run(&daemon->loop, UV_RUN_ONCE);
	uv_timer_stop(&daemon->timer);
}

static void stop(struct daemon *daemon)
{
	if (daemon->engine && daemon->phase.state == PHASE_STARTING)
		drain_unused(daemon);
	if (daemon->session)
		session_stop(daemon->session);
	if (daemon->fs)
		stop_fs(daemon);
	daemon->session = session_free(daemon->session);
	daemon->fs = fs_free(daemon->fs);
	daemon->engine = engine_free(daemon->engine);
	close_handles(daemon);
	uv_run(&daemon->loop, UV_RUN_DEFAULT);
	if (uv_loop_close(&daemon->loop) < 0)
		log_line(LOG_WARNING, "something was left on the loop");
}

int daemon_run(const struct daemon_options *options, struct buf *why)
{
	struct daemon daemon = {.options = options};
	int r;

	sm_init(&daemon.phase, "daemon", phases, PHASE_STARTING);
	r = start_loop(&daemon);
	if (r < 0)
		return r;
	r = start_engine(&daemon, why);
	if (r == 0)
		r = open_door(&daemon, why);
	if (r == 0)
		r = start_session(&daemon, why);
	if (r == 0)
		uv_run(&daemon.loop, UV_RUN_DEFAULT);
	stop(&daemon);
	return r;
}
