/* SPDX-License-Identifier: Apache-2.0 */
#include "pool_scene.h"

#include "store/worktree.h"

/* --- a launcher without processes --------------------------------------------------------------- */

struct process processes[2048];
unsigned process_count;
int start_error;

int launcher_start(struct launcher *launcher, const struct launch *launch, process_end_fn ended,
        void *userdata, struct process **out)
{
	struct process *process = &processes[process_count];

	if (start_error)
		return start_error;
	if (process_count == ARRAY_SIZE(processes))
		return -EMFILE;
	process_count++;
	*process = (struct process){
	        .in = dup(launch->channel_in),
	        .out = dup(launch->channel_out),
	        .output = dup(launch->output),
	        .ended = ended,
	        .userdata = userdata,
	};
	*out = process;
	return 0;
}

void process_kill(struct process *process)
{
	process->killed = true;
}

void process_terminate(struct process *process)
{
}

pid_t process_pid(const struct process *process)
{
	return 1;
}

void process_usage(struct process *process, struct process_usage *usage)
{
	*usage = (struct process_usage){1 << 20, 2 << 20, 1000};
}

const char *checkout_path(const struct checkout *checkout)
{
	return "/nowhere";
}

struct checkout *checkout_unref(struct checkout *checkout)
{
	return NULL;
}

uint64_t checkout_generation(const struct checkout *checkout)
{
	return 1;
}

int checkout_fd(const struct checkout *checkout)
{
	return -1;
}

/* --- the scene ---------------------------------------------------------------------------------- */

static void on_began(void *userdata, struct invocation *invocation)
{
	((struct scene *)userdata)->began++;
}

static void on_ended(
        void *userdata, struct invocation *invocation, const struct invocation_end *end)
{
	((struct scene *)userdata)->ended++;
}

static void on_data(void *userdata, struct invocation *invocation, const char *data, size_t length)
{
}

static void on_output(void *userdata, struct instance *instance, struct invocation *invocation,
        const char *data, size_t length)
{
	buf_append(&((struct scene *)userdata)->output, data, length);
}

static void on_record(
        void *userdata, struct invocation *invocation, int level, const char *text, size_t length)
{
}

static void on_loaded(void *userdata, struct deployment *deployment, const char *error,
        size_t length, int64_t init_us)
{
	struct scene *scene = userdata;

	scene->loaded += !error;
	scene->failed += !!error;
}

static void on_changed(void *userdata)
{
}

static bool on_congested(void *userdata)
{
	return ((struct scene *)userdata)->congested;
}

static void on_instance_gone(void *userdata, struct instance *instance)
{
}

static void on_emptied(void *userdata)
{
	((struct scene *)userdata)->emptied++;
}

const struct pool_events pool_events = {
        .began = on_began,
        .ended = on_ended,
        .data = on_data,
        .output = on_output,
        .record = on_record,
        .loaded = on_loaded,
        .changed = on_changed,
        .congested = on_congested,
        .instance_gone = on_instance_gone,
        .emptied = on_emptied,
};

struct deployment *make_deployment(struct scene *scene)
{
	struct deployment *deployment = calloc(1, sizeof(*deployment));

	deployment->references = 1;
	config_defaults(&deployment->config);
	deployment->runtime = &scene->runtime;
	deployment->function_name = strdup("f");
	deployment->environment = calloc(1, sizeof(char *));
	buf_puts(&deployment->init, "{}");
	return deployment;
}

void scene_open(struct scene *scene)
{
	memset(scene, 0, sizeof(*scene));
	process_count = 0;
	start_error = 0;
	signal(SIGPIPE, SIG_IGN);
	REQUIRE(uv_loop_init(&scene->loop) == 0);
	REQUIRE(host_init(&scene->host, &scene->loop, &clock_system, NULL) == 0);
	scene->host.processors = 100; /* whatever machine this is */
	pool_init(&scene->pool, &scene->host, &pool_events, scene);
	scene->deployment = make_deployment(scene);
}

void deploy(struct scene *scene)
{
	pool_set_deployment(&scene->pool, scene->deployment);
}

/* Turns of the loop until nothing is ready any more. */
void turn(struct scene *scene)
{
	int i;

	for (i = 0; i < 20; i++)
		uv_run(&scene->loop, UV_RUN_NOWAIT);
}

void fake_die(struct process *process, const struct process_end *end)
{
	if (process->gone)
		return;
	process->gone = true;
	close(process->in);
	close(process->out);
	close(process->output);
	buf_deinit(&process->received);
	process->ended(process->userdata, end);
}

const struct process_end killed_end = {
        .exit_status = -1, .signal = SIGKILL, .memory_peak_bytes = -1, .cpu_us = -1};

void scene_close(struct scene *scene)
{
	bool was_empty = pool_empty(&scene->pool);
	unsigned i;

	pool_close(&scene->pool, false);
	for (i = 0; i < process_count; i++)
		fake_die(&processes[i], &killed_end);
	turn(scene);
	CHECK(pool_empty(&scene->pool));
	CHECK_INT(scene->emptied, !was_empty);
	CHECK_INT(scene->host.starting, 0);
	pool_deinit(&scene->pool);
	deployment_unref(scene->deployment);
	host_deinit(&scene->host);
	buf_deinit(&scene->output);
	turn(scene);
	CHECK_INT(uv_loop_close(&scene->loop), 0);
}

/* --- the runtime's side ------------------------------------------------------------------------- */

void fake_send(
        struct process *process, uint8_t type, uint8_t flags, uint64_t call, const char *payload)
{
	CLEANUP(buf_deinit) struct buf frame = BUF_INIT;

	protocol_encode(&frame, type, flags, call, payload, strlen(payload));
	REQUIRE(write(process->out, frame.data, frame.length) == (ssize_t)frame.length);
}

/* The next frame the daemon sent, copied; type 0 when there is none. */
struct frame fake_receive(struct process *process, struct buf *payload)
{
	struct frame frame = {0};
	size_t missing;
	long n;

	fcntl(process->in, F_SETFL, O_NONBLOCK);
	for (;;) {
		char *place = buf_reserve(&process->received, 4096);
		ssize_t got;

		n = protocol_decode(PROTOCOL_TO_RUNTIME, process->received.data,
		        process->received.length, &frame, &missing);
		REQUIRE(n >= 0);
		if (n)
			break;
		got = read(process->in, place, 4096);
		if (got <= 0)
			return (struct frame){0};
		buf_added(&process->received, (size_t)got);
	}
	buf_clear(payload);
	buf_append(payload, frame.payload, frame.length);
	buf_consume(&process->received, (size_t)n);
	return frame;
}

/* Takes frames up to a CALL; returns its number, 0 when none came. */
uint64_t fake_call(struct process *process, const char *event)
{
	CLEANUP(buf_deinit) struct buf payload = BUF_INIT;
	struct frame frame;

	do
		frame = fake_receive(process, &payload);
	while (frame.type && frame.type != FRAME_CALL);
	if (frame.type && event) {
		unsigned head = (unsigned char)payload.data[0] |
		                (unsigned)(unsigned char)payload.data[1] << 8;

		CHECK_STR(payload.data + 2 + head, event);
	}
	return frame.type ? frame.call : 0;
}

/* --- the caller's side -------------------------------------------------------------------------- */

static void caller_data(void *userdata, const char *data, size_t length)
{
	buf_append(&((struct caller_of *)userdata)->response, data, length);
}

static void caller_ended(void *userdata, const struct invocation_end *end)
{
	struct caller_of *caller = userdata;

	caller->ends++;
	caller->error = end->error;
	caller->outcome = end->outcome;
	buf_append(&caller->error_body, end->error_body, end->error_length);
	invocation_release(caller->invocation);
}

const struct invocation_events caller_events = {caller_data, caller_ended};

void call(struct scene *scene, struct caller_of *caller, const char *event)
{
	static const struct invocation_options options = {.source = "sync", .name = ""};
	struct buf request = BUF_INIT;

	memset(caller, 0, sizeof(*caller));
	buf_puts(&request, event);
	caller->invocation = invocation_new(
	        &scene->pool, &scene->host.ids, &request, &options, &caller_events, caller);
	REQUIRE(caller->invocation);
	pool_submit(&scene->pool, caller->invocation);
	CHECK_INT(caller->ends, 0); /* never inside */
}

void caller_done(struct caller_of *caller)
{
	CHECK_INT(caller->ends, 1);
	buf_deinit(&caller->response);
	buf_deinit(&caller->error_body);
}
