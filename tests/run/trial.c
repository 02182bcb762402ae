/* SPDX-License-Identifier: Apache-2.0 */
#include "trial.h"

static const char *const no_environment[] = {NULL};

static char *make_directory(const char *parent, const char *name)
{
	char *path;

	REQUIRE(asprintf(&path, "%s/%s", parent, name) > 0);
	REQUIRE(mkdir(path, 0755) == 0);
	return path;
}

void yard_open(struct yard *yard)
{
	memset(yard, 0, sizeof(*yard));
	yard->state = test_directory();
	yard->code = make_directory(yard->state, "code");
	yard->runtime = make_directory(yard->state, "runtime");
	REQUIRE(uv_loop_init(&yard->loop) == 0);
	REQUIRE(launcher_new(&yard->launcher, &yard->loop, GUARDIAN, yard->state) == 0);
}

void yard_close(struct yard *yard)
{
	yard->launcher = launcher_free(yard->launcher);
	uv_run(&yard->loop, UV_RUN_DEFAULT);
	CHECK_INT(uv_loop_close(&yard->loop), 0);
	yard->state = test_directory_remove(yard->state);
	free(yard->code);
	free(yard->runtime);
}

struct launch yard_launch(struct yard *yard, const char *script)
{
	static const char *argv[4];

	argv[0] = "/bin/sh";
	argv[1] = "-c";
	argv[2] = script;
	argv[3] = NULL;
	return (struct launch){
	        .name = "trial",
	        .code_path = yard->code,
	        .runtime_path = yard->runtime,
	        .argv = argv,
	        .environment = no_environment,
	        .working_directory = "/opt/function",
	        .uid = geteuid(),
	        .gid = getegid(),
	        .function_id = 7,
	        .memory_bytes = 64 << 20,
	        .max_processes = 32,
	};
}

static void trial_ended(void *userdata, const struct process_end *end)
{
	struct trial *trial = userdata;

	trial->end = *end;
	trial->ends++;
	trial->process = NULL;
}

int trial_start(struct trial *trial, struct yard *yard, struct launch *launch)
{
	int in[2], out[2], output[2], error;

	memset(trial, 0, sizeof(*trial));
	trial->yard = yard;
	REQUIRE(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
	REQUIRE(pipe2(output, O_CLOEXEC | O_NONBLOCK) == 0);
	fcntl(output[1], F_SETFL, 0);
	launch->channel_in = in[0];
	launch->channel_out = out[1];
	launch->output = output[1];
	trial->to = in[1];
	trial->from = out[0];
	trial->output = output[0];
	error = launcher_start(yard->launcher, launch, trial_ended, trial, &trial->process);
	close(in[0]);
	close(out[1]);
	close(output[1]);
	return error;
}

static void read_output(struct trial *trial)
{
	char text[4096];
	ssize_t length;

	while ((length = read(trial->output, text, sizeof(text))) > 0)
		buf_append(&trial->text, text, (size_t)length);
}

/* One turn of the loop, which a timer ends when nothing happens. */
static void nothing(uv_timer_t *timer)
{
}

static void turn(struct trial *trial)
{
	uv_timer_t timer;

	uv_timer_init(&trial->yard->loop, &timer);
	uv_timer_start(&timer, nothing, 10, 0);
	uv_run(&trial->yard->loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(&trial->yard->loop, UV_RUN_NOWAIT);
	read_output(trial);
}

static void read_rest(struct trial *trial)
{
	fcntl(trial->output, F_SETFL, 0);
	read_output(trial);
}

void trial_wait(struct trial *trial)
{
	while (!trial->ends)
		turn(trial);
	read_rest(trial);
}

void trial_wait_running(struct trial *trial)
{
	while (trial->process && !process_pid(trial->process))
		turn(trial);
}

void trial_expect(struct trial *trial, const char *text)
{
	while (!trial->text.data || !strstr(trial->text.data, text)) {
		if (trial->ends)
			read_rest(trial);
		if (trial->ends && !CHECK(trial->text.data && strstr(trial->text.data, text)))
			fprintf(stderr, "\"%s\" is not in \"%s\" (%s)\n", text,
			        trial->text.data ? trial->text.data : "", trial->end.reason);
		if (trial->ends)
			return;
		turn(trial);
	}
}

void trial_deinit(struct trial *trial)
{
	if (trial->process)
		process_kill(trial->process);
	if (!trial->ends && trial->process)
		trial_wait(trial);
	close(trial->to);
	close(trial->from);
	close(trial->output);
	buf_deinit(&trial->text);
}

void trial_run(struct trial *trial, struct yard *yard, const char *script)
{
	struct launch launch = yard_launch(yard, script);

	REQUIRE(trial_start(trial, yard, &launch) == 0);
	trial_wait(trial);
	CHECK_INT(trial->ends, 1);
	if (trial->end.failed_to_start)
		fprintf(stderr, "it did not start: %s\n", trial->end.reason);
}
