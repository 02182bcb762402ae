/* SPDX-License-Identifier: Apache-2.0 */
#include "run/image.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "model/settings.h"
#include "run/guardian_message.h"
#include "run/runtime.h"

enum { WORDS_FILE_MOST = 256 * 1024, ID_MOST = 2000000000 };

static void strings_free(char **strings)
{
	for (char **s = strings; s && *s; s++)
		free(*s);
	free(strings);
}

static void image_free(struct image *image)
{
	strings_free(image->argv);
	strings_free(image->variables);
	free(image->root);
	free(image->working_directory);
	free(image);
}

static void image_free_p(struct image **image)
{
	if (*image)
		image_free(*image);
}

static int add_string(char ***strings, const char *text)
{
	size_t count = 0;
	char **more;

	while (*strings && (*strings)[count])
		count++;
	more = realloc(*strings, (count + 2) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	*strings = more;
	more[count] = strdup(text);
	more[count + 1] = NULL;
	return more[count] ? 0 : -ENOMEM;
}

static int take_id(const char *text, unsigned *out)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (!*text || *end || number > ID_MOST)
		return -EBADMSG;
	*out = (unsigned)number;
	return 0;
}

static int take_pair(struct image *image, const char *key, const char *value)
{
	if (strcmp(key, "argument") == 0)
		return add_string(&image->argv, value);
	if (strcmp(key, "variable") == 0)
		return strchr(value, '=') ? add_string(&image->variables, value) : 0;
	if (strcmp(key, "uid") == 0)
		return take_id(value, &image->uid);
	if (strcmp(key, "gid") == 0)
		return take_id(value, &image->gid);
	if (strcmp(key, "digest") == 0)
		return snprintf(image->digest, IMAGE_DIGITS, "%s", value) == IMAGE_DIGITS - 1
		               ? 0
		               : -EBADMSG;
	if (strcmp(key, "directory") != 0 || *value != '/' || image->working_directory)
		return -EBADMSG;
	image->working_directory = strdup(value);
	return image->working_directory ? 0 : -ENOMEM;
}

static int take_words(struct image *image, const char *words, size_t length)
{
	const char *place = words, *end = words + length, *key, *value;
	int error = 0;

	while (!error && (key = message_next_string(&place, end))) {
		value = message_next_string(&place, end);
		error = value ? take_pair(image, key, value) : -EBADMSG;
	}
	if (!error && (!image->argv || !image->digest[0] || !image->working_directory))
		error = -EBADMSG;
	if (!error && !image->variables)
		image->variables = calloc(1, sizeof(*image->variables));
	return error ? error : image->variables ? 0 : -ENOMEM;
}

/* It was written by a child that had the rights of an instance, so it is no more than words. */
static int read_words(struct image *image, int directory)
{
	CLEANUP(close_p)
	int fd = openat(directory, "run", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	CLEANUP(buf_deinit) struct buf words = BUF_INIT;
	struct stat st;
	char *place;
	ssize_t n;

	if (fd < 0)
		return -ENOENT;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > WORDS_FILE_MOST)
		return -EBADMSG;
	place = buf_reserve(&words, (size_t)st.st_size + 1);
	if (!place)
		return -ENOMEM;
	n = read(fd, place, (size_t)st.st_size);
	if (n < 0)
		return -errno;
	return take_words(image, place, (size_t)n);
}

int image_load(struct image **out, int directory, const char *path)
{
	CLEANUP(image_free_p) struct image *image = calloc(1, sizeof(*image));
	int error;

	if (!image || asprintf(&image->root, "%s/root", path) < 0)
		return -ENOMEM;
	image->references = 1;
	error = read_words(image, directory);
	if (error)
		return error;
	*out = take(image);
	return 0;
}

struct image *image_ref(struct image *image)
{
	if (image)
		image->references++;
	return image;
}

struct image *image_unref(struct image *image)
{
	if (!image || --image->references > 0)
		return NULL;
	if (image->released)
		image->released(image->userdata, image);
	image_free(image);
	return NULL;
}

/* --- is one wanted? ----------------------------------------------------------------------------- */

bool image_wanted(const struct settings *settings, const struct runtimes *runtimes, int code)
{
	const struct config *config = &settings->config;
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	const struct runtime *runtime;

	if (strcmp(config->runtime, "auto") == 0 && !config->image[0])
		runtime =
		        runtimes_choose(runtimes, config->runtime, config->handler, &code, 1, &why);
	else
		runtime = runtimes_find(runtimes,
		        config->image[0] && strcmp(config->runtime, "auto") == 0 ? RUNTIME_OF_IMAGES
		                                                                 : config->runtime);
	return runtime && runtime->protocol == RUNTIME_IMAGE;
}

/* By no link that leads out of the code, which might lead into our own mount. */
static int open_beneath(int code, const char *name, int flags)
{
	struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC),
	        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};
	long fd = syscall(SYS_openat2, code, name, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

int image_open_in_code(int code)
{
	CLEANUP(close_p) int layout = -1;
	int fd = open_beneath(code, "image.tar", O_RDONLY | O_NONBLOCK);

	if (fd != -ENOENT)
		return fd;
	layout = open_beneath(code, "oci-layout", O_PATH);
	return layout < 0 ? layout : open_beneath(code, ".", O_RDONLY | O_DIRECTORY);
}
