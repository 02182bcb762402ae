/* SPDX-License-Identifier: Apache-2.0 */
#include "run/deployment.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <fcntl.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "model/dependency.h"
#include "model/function.h"
#include "run/image.h"
#include "run/invocation.h"
#include "run/layers.h"
#include "run/runtime.h"
#include "store/worktree.h"

#define MEGABYTE (INT64_C(1) << 20)

void deployment_refusal(const struct deployment *deployment, struct buf *body)
{
	if (deployment->failure)
		buf_puts(body, deployment->failure);
	else
		error_body(body, "Runtime.InvalidEntrypoint", "%s", deployment->why);
}

const char *deployment_handler(const struct deployment *deployment)
{
	if (deployment->config.handler[0])
		return deployment->config.handler;
	return deployment->runtime ? deployment->runtime->default_handler : "";
}

const struct image *deployment_image(const struct deployment *deployment)
{
	return deployment->layers ? deployment->layers->image : NULL;
}

/* --- the file the handler is in ------------------------------------------------------------- */

static bool is_file(int code_fd, const char *path)
{
	struct stat st;

	return fstatat(code_fd, path, &st, 0) == 0 && S_ISREG(st.st_mode);
}

/* `src/index.handler` is in src/index.py, or whatever the runtime calls its files. */
static char *find_entry(const struct deployment *deployment)
{
	const char *handler = deployment_handler(deployment);
	const char *dot = strrchr(handler, '.');
	int stem = dot ? (int)(dot - handler) : (int)strlen(handler);
	int code = checkout_fd(deployment->checkout);
	char **extension;

	if (is_file(code, handler))
		return strdup(handler);
	for (extension = deployment->runtime->extensions; extension && *extension; extension++) {
		CLEANUP(free_p) char *path = NULL;

		if (asprintf(&path, "%.*s.%s", stem, handler, *extension) < 0)
			return NULL;
		if (is_file(code, path))
			return take(path);
	}
	return NULL;
}

/* --- the environment ------------------------------------------------------------------------ */

struct strings {
	char **items;
	size_t count;
	bool failed;
};

static void add_string(struct strings *strings, char *item)
{
	char **items = item ? realloc(strings->items, (strings->count + 2) * sizeof(*items)) : NULL;

	if (!items) {
		free(item);
		strings->failed = true;
		return;
	}
	strings->items = items;
	items[strings->count++] = item;
	items[strings->count] = NULL;
}

__attribute__((format(printf, 2, 3))) static void add(
        struct strings *strings, const char *format, ...)
{
	va_list arguments;
	char *item = NULL;

	va_start(arguments, format);
	if (vasprintf(&item, format, arguments) < 0)
		item = NULL;
	va_end(arguments);
	add_string(strings, item);
}

static int millicores(const struct deployment *deployment)
{
	if (deployment->config.cpu_millicores)
		return deployment->config.cpu_millicores;
	/* FunctionGraph derives the share of a processor from the memory. */
	return (int)(deployment->config.memory_bytes / MEGABYTE * 100 / 128 + 200);
}

/* {"KEY":"value"} of the user's variables: RUNTIME_USERDATA and `environment` of FRAME_INIT. */
static cJSON *user_data(const struct settings *settings)
{
	cJSON *object = cJSON_CreateObject();
	struct variable *variable;

	list_each(variable, &settings->variables, link)
		cJSON_AddStringToObject(object, variable->key, variable->value);
	return object;
}

static void add_functiongraph(
        struct strings *out, const struct deployment *deployment, const struct settings *settings)
{
	const struct config *config = &deployment->config;
	CLEANUP(json_delete_p) cJSON *data = user_data(settings);
	CLEANUP(free_p) char *data_text = data ? cJSON_PrintUnformatted(data) : NULL;

	add(out, "RUNTIME_PROJECT_ID=default");
	add(out, "RUNTIME_FUNC_NAME=%s", deployment->function_name);
	add(out, "RUNTIME_FUNC_VERSION=%s", deployment->version);
	add(out, "RUNTIME_PACKAGE=default");
	add(out, "RUNTIME_HANDLER=%s", deployment_handler(deployment));
	add(out, "RUNTIME_TIMEOUT=%" PRId64, (config->timeout_ms + 999) / 1000);
	add(out, "RUNTIME_USERDATA=%s", data_text ? data_text : "{}");
	add(out, "RUNTIME_CPU=%d", millicores(deployment));
	add(out, "RUNTIME_MEMORY=%" PRId64, config->memory_bytes / MEGABYTE);
	add(out, "RUNTIME_MAX_RESP_BODY_SIZE=%u", INVOCATION_RESPONSE_MAX);
	add(out, "RUNTIME_INITIALIZER_HANDLER=%s", config->initializer);
	add(out, "RUNTIME_INITIALIZER_TIMEOUT=%" PRId64, (config->init_timeout_ms + 999) / 1000);
	add(out, "RUNTIME_ROOT=/opt/fnfs/runtime");
	add(out, "RUNTIME_CODE_ROOT=/opt/function/code");
	add(out, "RUNTIME_LOG_DIR=/tmp");
}

/* What handlers written for Lambda look at; the rest of Lambda's set is for custom runtimes. */
static void add_lambda(struct strings *out, const struct deployment *deployment)
{
	bool latest = strcmp(deployment->version, "latest") == 0;

	add(out, "AWS_LAMBDA_FUNCTION_NAME=%s", deployment->function_name);
	add(out, "AWS_LAMBDA_FUNCTION_VERSION=%s", latest ? "$LATEST" : deployment->version);
	add(out, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=%" PRId64,
	        deployment->config.memory_bytes / MEGABYTE);
	add(out, "AWS_LAMBDA_LOG_GROUP_NAME=/fnfs/%s", deployment->function_name);
	add(out, "AWS_LAMBDA_LOG_STREAM_NAME=%s", deployment->version);
	add(out, "LAMBDA_TASK_ROOT=/var/task");
	add(out, "_HANDLER=%s", deployment_handler(deployment));
}

/* The rest of Lambda's, for programs that ask a runtime API for their events; run/runtime_api.c. */
static void add_bootstrap(
        struct strings *out, const struct deployment *deployment, const struct settings *settings)
{
	add(out, "RUNTIME_API_ADDR=127.0.0.1:9001");
	add(out, "AWS_LAMBDA_RUNTIME_API=127.0.0.1:9001");
	add(out, "LAMBDA_RUNTIME_DIR=/opt/fnfs/runtime");
	add(out, "AWS_LAMBDA_INITIALIZATION_TYPE=on-demand");
	/* Its presence alone makes clients poll several times, or fork. */
	if (deployment->config.concurrency > 1)
		add(out, "AWS_LAMBDA_MAX_CONCURRENCY=%d", (int)deployment->config.concurrency);
	if (!settings_variable_find(settings, "AWS_REGION"))
		add(out, "AWS_REGION=local");
	if (!settings_variable_find(settings, "AWS_DEFAULT_REGION"))
		add(out, "AWS_DEFAULT_REGION=local");
	if (!settings_variable_find(settings, "AWS_LAMBDA_LOG_FORMAT"))
		add(out, "AWS_LAMBDA_LOG_FORMAT=Text");
	if (!settings_variable_find(settings, "AWS_XRAY_CONTEXT_MISSING"))
		add(out, "AWS_XRAY_CONTEXT_MISSING=LOG_ERROR");
}

/* An image's variables are presets too. Those of ours that follow win over both. */
static void add_image(
        struct strings *out, const struct image *image, const struct settings *settings)
{
	for (char **variable = image ? image->variables : NULL; variable && *variable; variable++) {
		CLEANUP(free_p)
		char *key = strndup(*variable, (size_t)(strchr(*variable, '=') - *variable));

		if (key && !settings_variable_find(settings, key))
			add(out, "%s", *variable);
	}
}

static bool has_variable(const struct strings *strings, const char *key)
{
	size_t length = strlen(key);

	for (size_t i = 0; i < strings->count; i++)
		if (strncmp(strings->items[i], key, length) == 0 &&
		        strings->items[i][length] == '=')
			return true;
	return false;
}

static void add_presets(struct strings *out)
{
	static const char *const presets[][2] = {
	        {"PATH", "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"},
	        {"HOME", "/tmp"}, {"LANG", "C.UTF-8"}, {"TZ", ":UTC"}};

	for (size_t i = 0; i < ARRAY_SIZE(presets); i++)
		if (!has_variable(out, presets[i][0]))
			add(out, "%s=%s", presets[i][0], presets[i][1]);
}

/* A preset that users may replace is left out where they did: of two equal names libc takes the first,
 * others the last. */
static void add_common(
        struct strings *out, const struct image *image, const struct settings *settings)
{
	struct variable *variable;

	list_each(variable, &settings->variables, link)
		add(out, "%s=%s", variable->key, variable->value);
	add_image(out, image, settings);
	add_presets(out);
}

void deployment_free_environment(char **environment)
{
	char **variable;

	for (variable = environment; variable && *variable; variable++)
		free(*variable);
	free(environment);
}

static char **take_strings(struct strings *strings)
{
	if (!strings->failed)
		return strings->items;
	deployment_free_environment(strings->items);
	return NULL;
}

char **deployment_build_environment(const struct settings *settings)
{
	struct strings out = {0};

	add_common(&out, NULL, settings);
	add(&out, "RUNTIME_CODE_ROOT=/opt/function/code");
	return take_strings(&out);
}

static char **make_environment(const struct deployment *deployment, const struct settings *settings)
{
	struct strings out = {0};

	add_common(&out, deployment_image(deployment), settings);
	add_functiongraph(&out, deployment, settings);
	add_lambda(&out, deployment);
	if (deployment->runtime && deployment->runtime->protocol != RUNTIME_FRAMES)
		add_bootstrap(&out, deployment, settings);
	return take_strings(&out);
}

/* --- FRAME_INIT ----------------------------------------------------------------------------- */

/* All of the process's environment, for one that was started without it. */
static cJSON *all_variables(const struct deployment *deployment)
{
	cJSON *object = cJSON_CreateObject();

	cJSON_AddStringToObject(object, "PWD", deployment->runtime->working_directory);
	for (char **variable = deployment->environment; *variable; variable++) {
		const char *equals = strchr(*variable, '=');
		CLEANUP(free_p) char *key = strndup(*variable, (size_t)(equals - *variable));

		if (key && !cJSON_GetObjectItemCaseSensitive(object, key))
			cJSON_AddStringToObject(object, key, equals + 1);
	}
	return object;
}

static int make_init(struct deployment *deployment, const struct settings *settings)
{
	const struct config *config = &deployment->config;
	CLEANUP(json_delete_p) cJSON *object = cJSON_CreateObject();
	CLEANUP(free_p) char *text = NULL;

	cJSON_AddStringToObject(object, "function", deployment->function_name);
	cJSON_AddStringToObject(object, "version", deployment->version);
	cJSON_AddStringToObject(object, "package", "default");
	cJSON_AddStringToObject(object, "project", "default");
	cJSON_AddStringToObject(object, "region", "local");
	cJSON_AddStringToObject(object, "code", "/opt/function/code");
	cJSON_AddStringToObject(object, "handler", deployment_handler(deployment));
	cJSON_AddStringToObject(object, "initializer", config->initializer);
	cJSON_AddNumberToObject(object, "timeout_ms", (double)config->timeout_ms);
	cJSON_AddNumberToObject(object, "init_timeout_ms", (double)config->init_timeout_ms);
	cJSON_AddNumberToObject(object, "memory_mb", (double)(config->memory_bytes / MEGABYTE));
	cJSON_AddNumberToObject(object, "cpu_millicores", millicores(deployment));
	cJSON_AddNumberToObject(object, "concurrency", config->concurrency);
	cJSON_AddNumberToObject(object, "response_max", INVOCATION_RESPONSE_MAX);
	cJSON_AddItemToObject(object, "environment", user_data(settings));
	if (deployment->runtime && deployment->runtime->parks)
		cJSON_AddItemToObject(object, "variables", all_variables(deployment));
	text = object ? cJSON_PrintUnformatted(object) : NULL;
	if (!text)
		return -ENOMEM;
	buf_puts(&deployment->init, text);
	return deployment->init.failed ? -ENOMEM : 0;
}

/* --- life ----------------------------------------------------------------------------------- */

static void deployment_free(struct deployment *deployment)
{
	checkout_unref(deployment->checkout);
	layers_unref(deployment->layers);
	deployment_free_environment(deployment->environment);
	free(deployment->why);
	free(deployment->failure);
	free(deployment->entry);
	free(deployment->function_name);
	free(deployment->version);
	buf_deinit(&deployment->init);
	free(deployment);
}

/* The code is looked at first, then what lies over it. */
static const struct runtime *choose(const struct deployment *deployment,
        const struct settings *settings, const struct runtimes *runtimes, struct buf *why)
{
	const struct layers *layers = deployment->layers;
	int directories[1 + DEPENDENCIES_MOST];
	size_t count = 0;

	if (layers && layers->why) {
		buf_puts(why, layers->why);
		return NULL;
	}
	if (layers && layers->image)
		return runtimes_find(runtimes, RUNTIME_OF_IMAGES);
	directories[count++] = checkout_fd(deployment->checkout);
	for (size_t i = 0; layers && i < layers->count; i++)
		directories[count++] = checkout_fd(layers->checkouts[i]);
	return runtimes_choose(runtimes, settings->config.runtime, settings->config.handler,
	        directories, count, why);
}

static int fill(struct deployment *deployment, const struct settings *settings,
        const struct runtimes *runtimes)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;

	if (!deployment->function_name || !deployment->version)
		return -ENOMEM;
	deployment->runtime = choose(deployment, settings, runtimes, &why);
	if (deployment->runtime && deployment->runtime->protocol == RUNTIME_IMAGE &&
	        !deployment_image(deployment)) {
		buf_puts(&why, "the image is not there");
		deployment->runtime = NULL;
	}
	if (deployment->runtime && deployment->runtime->protocol != RUNTIME_FRAMES &&
	        settings->config.network == NETWORK_HOST) {
		buf_puts(&why, "config/network is `host`, but programs that speak HTTP need a "
		               "network of their own for their port; write none or outbound there");
		deployment->runtime = NULL;
	}
	if (!deployment->runtime)
		deployment->why = buf_take(&why);
	else
		deployment->entry = find_entry(deployment);
	deployment->environment = make_environment(deployment, settings);
	if (!deployment->environment)
		return -ENOMEM;
	return make_init(deployment, settings);
}

static struct deployment *begin(const struct settings *settings, const char *version)
{
	const struct function *function = settings->function;
	struct deployment *deployment = calloc(1, sizeof(*deployment));

	if (!deployment)
		return NULL;
	deployment->references = 1;
	deployment->config_generation = settings->config_generation;
	deployment->config = settings->config;
	deployment->function_id = function->id;
	deployment->uid = function->uid;
	deployment->gid = function->gid;
	deployment->function_name = strdup(function->name);
	deployment->version = strdup(version);
	return deployment;
}

struct deployment *deployment_new_failed(
        const struct settings *settings, const char *version, char *failure)
{
	struct deployment *deployment = failure ? begin(settings, version) : NULL;

	if (!deployment) {
		free(failure);
		return NULL;
	}
	deployment->failure = failure;
	if (deployment->function_name && deployment->version)
		return deployment;
	deployment_free(deployment);
	return NULL;
}

struct deployment *deployment_new(const struct settings *settings, const char *version,
        struct checkout *checkout, struct layers *layers, const struct runtimes *runtimes)
{
	struct deployment *deployment = begin(settings, version);

	if (!deployment) {
		checkout_unref(checkout);
		layers_unref(layers);
		return NULL;
	}
	deployment->checkout = checkout;
	deployment->layers = layers;
	deployment->code_generation = checkout_generation(checkout);
	if (fill(deployment, settings, runtimes) < 0) {
		deployment_free(deployment);
		return NULL;
	}
	return deployment;
}

struct deployment *deployment_ref(struct deployment *deployment)
{
	deployment->references++;
	return deployment;
}

struct deployment *deployment_unref(struct deployment *deployment)
{
	if (deployment && --deployment->references == 0)
		deployment_free(deployment);
	return NULL;
}
