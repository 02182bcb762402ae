/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/image_config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "fetch/entry_name.h"
#include "fetch/image_manifest.h"
#include "fetch/image_user.h"

enum { WORDS_MOST = 128 * 1024, ARGUMENTS_MOST = 128, VARIABLES_MOST = 1024 };

static void say(struct buf *out, const char *key, const char *value)
{
	buf_append(out, key, strlen(key) + 1);
	buf_append(out, value, strlen(value) + 1);
}

static int refuse_form(struct tree *tree, const char *name)
{
	return report_refuse(tree->report, -EBADMSG,
	        "the image's configuration is damaged: %s is not a list of words", name);
}

/* A list of words; what is not there has none. How many, or refused. */
static int take_words(struct tree *tree, const cJSON *config, const char *name, const char *key,
        int most, struct buf *out)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(config, name), *word;
	int count = 0;

	if (!list || cJSON_IsNull(list))
		return 0;
	if (!cJSON_IsArray(list))
		return refuse_form(tree, name);
	cJSON_ArrayForEach(word, list) {
		if (!cJSON_IsString(word))
			return refuse_form(tree, name);
		if (++count > most)
			return report_refuse(tree->report, -E2BIG,
			        "the image's configuration has more than %d words in %s", most,
			        name);
		say(out, key, word->valuestring);
	}
	return count;
}

static bool has_home(const cJSON *config)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(config, "Env"), *word;

	cJSON_ArrayForEach(word, list)
		if (cJSON_IsString(word) && strncmp(word->valuestring, "HOME=", 5) == 0)
			return true;
	return false;
}

static int take_user(struct tree *tree, const cJSON *config, struct buf *out)
{
	CLEANUP(buf_deinit) struct buf home = BUF_INIT;
	struct image_user user;
	char number[24];
	int error = image_user_find(tree, json_string(config, "User", ""), &user);

	if (!error) {
		snprintf(number, sizeof(number), "%ld", user.uid);
		say(out, "uid", number);
		snprintf(number, sizeof(number), "%ld", user.gid);
		say(out, "gid", number);
		if (user.home.length && !has_home(config)) {
			buf_printf(&home, "HOME=%s", user.home.data);
			say(out, "variable", home.data ? home.data : "HOME=/");
		}
	}
	buf_deinit(&user.home);
	return error;
}

/* Made where it is not there, as Docker does. */
static int take_directory(struct tree *tree, const cJSON *config, struct buf *out)
{
	const char *path = json_string(config, "WorkingDir", "");
	char clean[PATH_MAX];
	int fd;

	if (!*path)
		path = "/";
	if (*path != '/' || strlen(path) >= PATH_MAX / 2)
		return report_refuse(tree->report, -EINVAL,
		        "the image's working directory is not an absolute path: %.100s", path);
	say(out, "directory", path);
	fd = tree_open(tree, path, O_PATH | O_DIRECTORY);
	if (fd < 0 && (entry_name_clean(clean, path + strspn(path, "/"), tree->bounds->depth) !=
	                              NAME_FINE ||
	                      !*clean ||
	                      tree_directory(tree, clean, (struct timespec){.tv_nsec = UTIME_NOW})))
		return report_refuse(tree->report, -EINVAL,
		        "the image's working directory cannot be made: %.100s", path);
	close_fd(fd);
	return 0;
}

static int check_machine(struct tree *tree, const cJSON *json)
{
	const char *architecture = json_string(json, "architecture", "");
	const char *system = json_string(json, "os", "");

	if (strcmp(architecture, image_architecture()) == 0 && strcmp(system, "linux") == 0)
		return 0;
	return report_refuse(tree->report, -ENOEXEC,
	        "the image is made for %.40s/%.40s, and this machine is linux/%s",
	        *system ? system : "?", *architecture ? architecture : "?", image_architecture());
}

static int read_config(struct tree *tree, const cJSON *json, struct buf *out)
{
	const cJSON *config = cJSON_GetObjectItemCaseSensitive(json, "config");
	int error = 0, entry = 0, command = 0;

	entry = take_words(tree, config, "Entrypoint", "argument", ARGUMENTS_MOST, out);
	if (entry >= 0)
		command = take_words(tree, config, "Cmd", "argument", ARGUMENTS_MOST - entry, out);
	error = entry < 0 ? entry : command < 0 ? command : 0;
	if (!error && !entry && !command)
		error = report_refuse(tree->report, -ENOEXEC,
		        "the image has neither an entrypoint nor a command: there is nothing to "
		        "start");
	if (!error)
		error = take_words(tree, config, "Env", "variable", VARIABLES_MOST, out);
	if (error < 0)
		return error;
	error = take_user(tree, config, out);
	return error ? error : take_directory(tree, config, out);
}

int image_config_check(struct tree *tree, const struct buf *text)
{
	CLEANUP(json_delete_p)
	cJSON *json = text->length ? cJSON_ParseWithLength(text->data, text->length) : NULL;

	if (!cJSON_IsObject(json))
		return report_refuse(
		        tree->report, -EBADMSG, "the image's configuration is damaged");
	return check_machine(tree, json);
}

int image_config_read(struct tree *tree, const struct buf *text, struct buf *out)
{
	CLEANUP(json_delete_p)
	cJSON *json = text->length ? cJSON_ParseWithLength(text->data, text->length) : NULL;
	int error;

	if (!cJSON_IsObject(json))
		return report_refuse(
		        tree->report, -EBADMSG, "the image's configuration is damaged");
	error = read_config(tree, json, out);
	if (!error && out->failed)
		error = report_refuse(tree->report, -ENOMEM, "out of memory");
	if (!error && out->length > WORDS_MOST)
		error = report_refuse(tree->report, -E2BIG,
		        "the image's command line and environment are too long");
	return error;
}
