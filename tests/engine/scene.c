/* SPDX-License-Identifier: Apache-2.0 */
#include "scene.h"

#include <sys/stat.h>

#include "base/cleanup.h"
#include "store/worktree_ops.h"

#define PULSE_MS 50

void open_engine(struct scene *scene)
{
	const struct engine_options options = {
	        .loop = &scene->loop,
	        .clock = &clock_system,
	        .state_dir = scene->directory,
	        .runtimes_path = getenv("FNFS_RUNTIMES"),
	        .guardian_path = getenv("FNFS_GUARDIAN"),
	};

	REQUIRE(engine_new(&scene->engine, &options) == 0);
}

static void nothing(uv_timer_t *timer)
{
}

/* libuv before 1.45 looks at timers first and waits then, though what was waited for has come. */
static void start_pulse(struct scene *scene)
{
	uv_timer_init(&scene->loop, &scene->pulse);
	uv_timer_start(&scene->pulse, nothing, PULSE_MS, PULSE_MS);
	uv_unref((uv_handle_t *)&scene->pulse);
}

void scene_open(struct scene *scene)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	const struct caller caller = {getuid(), getgid(), getpid()};

	memset(scene, 0, sizeof(*scene));
	strcpy(scene->directory, "/tmp/fnfs-engine-XXXXXX");
	REQUIRE(mkdtemp(scene->directory));
	REQUIRE(uv_loop_init(&scene->loop) == 0);
	start_pulse(scene);
	open_engine(scene);
	REQUIRE(engine_create_function(scene->engine, "hello", &caller, &scene->function, &why) ==
	        0);
}

static void drained(void *userdata)
{
	((struct scene *)userdata)->drained = true;
}

void close_engine(struct scene *scene)
{
	scene->drained = false;
	engine_drain(scene->engine, 5000, drained, scene);
	while (!scene->drained)
		uv_run(&scene->loop, UV_RUN_ONCE);
	scene->engine = engine_free(scene->engine);
}

void scene_close(struct scene *scene)
{
	char command[128];

	close_engine(scene);
	uv_close((uv_handle_t *)&scene->pulse, NULL);
	uv_run(&scene->loop, UV_RUN_DEFAULT);
	CHECK_INT(uv_loop_close(&scene->loop), 0);
	snprintf(command, sizeof(command), "rm -rf %s", scene->directory);
	CHECK_INT(system(command), 0);
}

void save_of(struct scene *scene, struct function *function, const char *name, const char *text)
{
	char path[256], *slash;
	size_t length;
	FILE *file;

	/* Its directory is made when it is touched. */
	REQUIRE(engine_worktree(scene->engine, function));
	length = (size_t)snprintf(path, sizeof(path), "%s/functions/%llu/code/", scene->directory,
	        (unsigned long long)function->id);
	snprintf(path + length, sizeof(path) - length, "%s", name);
	for (slash = path + length; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = 0;
		mkdir(path, 0755);
	}
	file = fopen(path, "w");
	REQUIRE(file && fputs(text, file) >= 0 && fclose(file) == 0);
	chmod(path, 0755);
	worktree_changed_outside(engine_worktree(scene->engine, function));
}

void save(struct scene *scene, const char *name, const char *text)
{
	save_of(scene, scene->function, name, text);
}

static void data(void *userdata, const char *bytes, size_t length)
{
	buf_append(&((struct call *)userdata)->response, bytes, length);
}

static void ended(void *userdata, const struct invocation_end *end)
{
	struct call *call = userdata;

	call->done = true;
	call->error = end->error;
	buf_append(&call->error_body, end->error_body, end->error_length);
	invocation_release(call->invocation);
}

void begin_version(
        struct scene *scene, struct version *version, struct call *call, const char *event)
{
	const struct invocation_options options = {
	        .source = "sync", .version = version, .name = ""};
	static const struct invocation_events events = {data, ended};
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	CLEANUP(buf_deinit) struct buf request = BUF_INIT;

	memset(call, 0, sizeof(*call));
	buf_puts(&request, event);
	REQUIRE(invocation_start(scene->engine, scene->function, &request, &options, &events, call,
	                &call->invocation, &why) == 0);
}

void begin(struct scene *scene, struct call *call, const char *event)
{
	begin_version(scene, NULL, call, event);
}

void await(struct scene *scene, struct call *call)
{
	while (!call->done)
		uv_run(&scene->loop, UV_RUN_ONCE);
}

void call_free(struct call *call)
{
	buf_deinit(&call->response);
	buf_deinit(&call->error_body);
}

static void expect_response(struct scene *scene, struct call *call, const char *response)
{
	await(scene, call);
	CHECK_INT(call->error, 0);
	CHECK_STR(call->response.data, response);
	if (call->error)
		fprintf(stderr, "%s\n", call->error_body.data);
	call_free(call);
}

void expect(struct scene *scene, const char *event, const char *response)
{
	struct call call;

	begin(scene, &call, event);
	expect_response(scene, &call, response);
}

void expect_version(struct scene *scene, struct version *version, const char *response)
{
	struct call call;

	begin_version(scene, version, &call, "{}");
	expect_response(scene, &call, response);
}

void expect_error(struct scene *scene, const char *event, int error, const char *part)
{
	struct call call;

	begin(scene, &call, event);
	await(scene, &call);
	CHECK_INT(call.error, error);
	if (!CHECK(call.error_body.data && strstr(call.error_body.data, part)))
		fprintf(stderr, "%s\n", call.error_body.data ? call.error_body.data : "");
	call_free(&call);
}

bool state_is(struct scene *scene, const char *state)
{
	return strcmp(engine_function_state(scene->engine, scene->function), state) == 0;
}

void await_state(struct scene *scene, const char *state)
{
	while (!state_is(scene, state))
		uv_run(&scene->loop, UV_RUN_ONCE);
}
