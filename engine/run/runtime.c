/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runtimes are data: a directory with a runtime.json, whose keys runtimes/README.md explains. A
 * directory that cannot be used is said once, in the log, and left out; one whose interpreter is
 * missing stays in the list and says what to install, for that is what its user wants to read.
 *
 * An interpreter is taken by its real path, and only below /usr: an instance sees /usr and nothing
 * else of the host, neither /etc/alternatives nor somebody's home.
 */
#include "run/runtime.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "base/json.h"
#include "base/log.h"

#define SEEN_AT "/opt/fnfs/runtime/"
#define CODE_AT "/opt/function/code/"

struct runtimes {
	struct runtime **all; /* sorted by order, then name; ends with NULL */
	size_t count;
};

static char **strings_free(char **strings)
{
	for (char **s = strings; s && *s; s++)
		free(*s);
	free(strings);
	return NULL;
}

static void strings_free_p(char ***strings)
{
	strings_free(*strings);
}

/* The member's strings, `first` (may be NULL) before them. 0, -EBADMSG, -ENOMEM. */
static int strings_from(const cJSON *json, const char *name, const char *first, char ***out)
{
	const cJSON *array = cJSON_GetObjectItemCaseSensitive(json, name), *item;
	CLEANUP(strings_free_p) char **strings = NULL;
	size_t i = 0;

	if (array && !cJSON_IsArray(array))
		return -EBADMSG;
	strings = calloc((size_t)cJSON_GetArraySize(array) + 2, sizeof(*strings));
	if (!strings)
		return -ENOMEM;
	if (first && !(strings[i++] = strdup(first)))
		return -ENOMEM;
	cJSON_ArrayForEach(item, array) {
		if (!cJSON_IsString(item))
			return -EBADMSG;
		if (!(strings[i++] = strdup(item->valuestring)))
			return -ENOMEM;
	}
	*out = take(strings);
	return 0;
}

static struct runtime *runtime_free(struct runtime *runtime)
{
	if (!runtime)
		return NULL;
	free(runtime->name);
	free(runtime->path);
	free(runtime->about);
	free(runtime->default_handler);
	free(runtime->working_directory);
	strings_free(runtime->argv);
	strings_free(runtime->detect);
	strings_free(runtime->extensions);
	strings_free(runtime->start_variables);
	strings_free(runtime->zygote);
	free(runtime->missing);
	free(runtime);
	return NULL;
}

static void runtime_free_p(struct runtime **runtime)
{
	runtime_free(*runtime);
}

/* The first of the interpreters that an instance could start, by its real path; NULL when none is. */
static char *interpreter_find(char **candidates)
{
	for (; *candidates; candidates++) {
		char *real = realpath(*candidates, NULL);

		if (real && strncmp(real, "/usr/", 5) == 0 && access(real, X_OK) == 0)
			return real;
		free(real);
	}
	return NULL;
}

static char *sentence_missing(const struct runtime *runtime, const cJSON *json, char **candidates)
{
	const char *package = json_string(json, "package", NULL);
	struct buf text = BUF_INIT;

	buf_printf(&text, "the runtime %s needs ", runtime->name);
	for (char **s = candidates; *s; s++)
		buf_printf(&text, "%s%s", s == candidates ? "" : " or ", *s);
	buf_puts(&text, ", which is not on this machine");
	if (package)
		buf_printf(&text, "; type: sudo apt install %s", package);
	return buf_take(&text);
}

/* A shim that is a program of its own lies in the runtime's directory. */
static bool shim_present(const struct runtime *runtime)
{
	CLEANUP(free_p) char *path = NULL;
	const char *program = runtime->argv[0];

	if (strncmp(program, CODE_AT, strlen(CODE_AT)) == 0)
		return true; /* the user's own */
	if (strncmp(program, SEEN_AT, strlen(SEEN_AT)) != 0)
		return strncmp(program, "/usr/", 5) == 0 && access(program, X_OK) == 0;
	if (asprintf(&path, "%s/%s", runtime->path, program + strlen(SEEN_AT)) < 0)
		return false;
	return access(path, X_OK) == 0;
}

static int command_line_read(struct runtime *runtime, const cJSON *json)
{
	CLEANUP(strings_free_p) char **candidates = NULL;
	CLEANUP(free_p) char *interpreter = NULL;
	int r = strings_from(json, "interpreters", NULL, &candidates);

	if (r < 0)
		return r;
	if (candidates[0])
		interpreter = interpreter_find(candidates);
	r = strings_from(
	        json, "argv", candidates[0] ? interpreter ?: candidates[0] : NULL, &runtime->argv);
	if (r < 0)
		return r;
	if (!runtime->argv[0] && runtime->protocol == RUNTIME_IMAGE) {
		runtime->argv[0] = strdup(""); /* the image's own */
		runtime->available = runtime->argv[0];
		return runtime->available ? 0 : -ENOMEM;
	}
	if (!runtime->argv[0])
		return -EBADMSG;
	runtime->available = candidates[0] ? interpreter != NULL : shim_present(runtime);
	if (runtime->available)
		return 0;
	if (candidates[0])
		runtime->missing = sentence_missing(runtime, json, candidates);
	else if (asprintf(&runtime->missing, "the runtime %s has no program %s in %s",
	                 runtime->name, runtime->argv[0], runtime->path) < 0)
		runtime->missing = NULL;
	return runtime->missing ? 0 : -ENOMEM;
}

static const char *const protocols[] = {
        [RUNTIME_FRAMES] = "frames",
        [RUNTIME_BOOTSTRAP] = "bootstrap",
        [RUNTIME_HTTP] = "http",
        [RUNTIME_IMAGE] = "image",
};

static int protocol_read(struct runtime *runtime, const cJSON *json)
{
	const char *name = json_string(json, "protocol", protocols[RUNTIME_FRAMES]);

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (strcmp(protocols[i], name) == 0) {
			runtime->protocol = (enum runtime_protocol)i;
			return 0;
		}
	return -EBADMSG;
}

static int runtime_read(struct runtime *runtime, const cJSON *json)
{
	int r;

	if (strcmp(json_string(json, "name", runtime->name), runtime->name) != 0)
		return -EBADMSG;
	runtime->about = strdup(json_string(json, "about", ""));
	runtime->default_handler = strdup(json_string(json, "default_handler", "index.handler"));
	runtime->working_directory =
	        strdup(json_string(json, "working_directory", "/opt/function"));
	if (!runtime->about || !runtime->default_handler || !runtime->working_directory)
		return -ENOMEM;
	if (protocol_read(runtime, json) < 0)
		return -EBADMSG;
	runtime->order = (int)json_number(json, "order", 1000);
	r = strings_from(json, "detect", NULL, &runtime->detect);
	if (!r)
		r = strings_from(json, "extensions", NULL, &runtime->extensions);
	if (!r)
		r = strings_from(json, "start_variables", NULL, &runtime->start_variables);
	if (!r)
		r = strings_from(json, "zygote", NULL, &runtime->zygote);
	runtime->parks = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, "parks"));
	return r ? r : command_line_read(runtime, json);
}

bool runtime_start_depends(const struct runtime *runtime, const char *const *environment)
{
	for (; *environment; environment++)
		for (char **prefix = runtime->start_variables; *prefix; prefix++)
			if (strncmp(*environment, *prefix, strlen(*prefix)) == 0)
				return true;
	return false;
}

/* One runtime from `directory`/`name`. 0, -ENOENT: it is none, -EBADMSG, -ENOMEM. */
static int runtime_load(struct runtime **out, const char *directory, const char *name)
{
	CLEANUP(runtime_free_p) struct runtime *runtime = calloc(1, sizeof(*runtime));
	CLEANUP(json_delete_p) cJSON *json = NULL;
	CLEANUP(close_p) int fd = -1;
	int r;

	if (!runtime || asprintf(&runtime->path, "%s/%s", directory, name) < 0)
		return -ENOMEM;
	runtime->name = strdup(name);
	if (!runtime->name)
		return -ENOMEM;
	fd = open(runtime->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -ENOENT;
	r = json_read_file(fd, "runtime.json", &json);
	if (!r)
		r = runtime_read(runtime, json);
	if (!r)
		*out = take(runtime);
	return r;
}

static int append(struct runtimes *runtimes, struct runtime *runtime)
{
	struct runtime **all = realloc(runtimes->all, (runtimes->count + 2) * sizeof(*all));

	if (!all)
		return -ENOMEM;
	runtimes->all = all;
	all[runtimes->count++] = runtime;
	all[runtimes->count] = NULL;
	return 0;
}

static int entry_load(struct runtimes *runtimes, const char *directory, const char *name)
{
	CLEANUP(runtime_free_p) struct runtime *runtime = NULL;
	int r;

	if (name[0] == '.' || runtimes_find(runtimes, name))
		return 0;
	r = runtime_load(&runtime, directory, name);
	if (r == -ENOMEM)
		return fail(r, "reading the runtimes");
	if (r == -ENOENT)
		return 0;
	if (r < 0) {
		log_line(LOG_WARNING,
		        "%s/%s/runtime.json cannot be used: it is not as "
		        "runtimes/README.md says",
		        directory, name);
		return 0;
	}
	r = append(runtimes, runtime);
	if (r < 0)
		return fail(r, "reading the runtimes");
	runtime = NULL;
	return 0;
}

static void closedir_p(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

static int directory_load(struct runtimes *runtimes, const char *path)
{
	CLEANUP(free_p) char *absolute = realpath(path, NULL);
	CLEANUP(closedir_p) DIR *directory = absolute ? opendir(absolute) : NULL;
	struct dirent *entry;
	int r = 0;

	while (directory && !r && (entry = readdir(directory)))
		r = entry_load(runtimes, absolute, entry->d_name);
	return r;
}

static int compare(const void *left, const void *right)
{
	const struct runtime *a = *(struct runtime *const *)left;
	const struct runtime *b = *(struct runtime *const *)right;

	return a->order != b->order ? (a->order > b->order) - (a->order < b->order)
	                            : strcmp(a->name, b->name);
}

static void runtimes_free_p(struct runtimes **runtimes)
{
	runtimes_free(*runtimes);
}

int runtimes_load(struct runtimes **out, const char *search_path)
{
	CLEANUP(runtimes_free_p) struct runtimes *runtimes = calloc(1, sizeof(*runtimes));
	CLEANUP(free_p) char *path = strdup(search_path);
	char *rest = path, *directory;
	int r;

	if (!runtimes || !path)
		return fail(-ENOMEM, "reading the runtimes");
	while ((directory = strsep(&rest, ":"))) {
		r = *directory ? directory_load(runtimes, directory) : 0;
		if (r < 0)
			return r;
	}
	if (runtimes->count)
		qsort(runtimes->all, runtimes->count, sizeof(*runtimes->all), compare);
	*out = take(runtimes);
	return 0;
}

struct runtimes *runtimes_free(struct runtimes *runtimes)
{
	if (!runtimes)
		return NULL;
	for (size_t i = 0; i < runtimes->count; i++)
		runtime_free(runtimes->all[i]);
	free(runtimes->all);
	free(runtimes);
	return NULL;
}

const struct runtime *runtimes_at(const struct runtimes *runtimes, size_t index)
{
	return index < runtimes->count ? runtimes->all[index] : NULL;
}

const struct runtime *runtimes_find(const struct runtimes *runtimes, const char *name)
{
	for (size_t i = 0; i < runtimes->count; i++)
		if (strcmp(runtimes->all[i]->name, name) == 0)
			return runtimes->all[i];
	return NULL;
}
