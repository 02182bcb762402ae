/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/image_user.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

enum { USER = 1003, FILE_MOST = 1 << 20, ID_MOST = 2000000000 };

enum { NAME_FIELD = 0, NUMBER_FIELD = 2, GROUP_FIELD = 3, HOME_FIELD = 5 };

static const char *field_of(const char *line, size_t field)
{
	for (; field && *line && *line != '\n'; line++)
		field -= *line == ':';
	return field ? NULL : line;
}

const char *image_user_line(const char *text, size_t field, const char *word)
{
	size_t length = strlen(word);
	const char *place;

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		place = field_of(line, field);
		if (place && strncmp(place, word, length) == 0 && strchr(":\n", place[length]))
			return line;
	}
	return NULL;
}

/* "" when there is none that can be read. */
static int read_file(const struct tree *tree, const char *path, struct buf *out)
{
	CLEANUP(close_p) int fd = tree_open(tree, path, O_RDONLY | O_NONBLOCK);
	struct stat st;
	ssize_t n = 1;

	buf_puts(out, "");
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_MOST)
		return out->failed ? -ENOMEM : 0;
	while (n > 0 && out->length <= FILE_MOST) {
		char *place = buf_reserve(out, 4096);

		n = place ? read(fd, place, 4096) : -1;
		if (n > 0)
			buf_added(out, (size_t)n);
	}
	return out->failed ? -ENOMEM : 0;
}

static bool read_number(const char *text, long *out)
{
	char *end;

	if (!strchr("0123456789", *text) || !*text)
		return false;
	errno = 0;
	*out = strtol(text, &end, 10);
	return !errno && !*end && *out <= ID_MOST;
}

static bool number_in(const char *line, size_t field, long *out)
{
	const char *place = field_of(line, field);
	char text[16] = "";

	if (place)
		strncat(text, place, strcspn(place, ":\n") < 15 ? strcspn(place, ":\n") : 15);
	return read_number(text, out);
}

static void take_home(const char *line, struct image_user *out)
{
	const char *place = field_of(line, HOME_FIELD);

	if (place && *place == '/')
		buf_append(&out->home, place, strcspn(place, ":\n"));
}

static int find_user(struct tree *tree, const char *name, struct image_user *out)
{
	CLEANUP(buf_deinit) struct buf passwd = BUF_INIT;
	const char *line;

	if (read_file(tree, "etc/passwd", &passwd) < 0)
		return report_refuse(tree->report, -ENOMEM, "out of memory");
	if (strcmp(name, "root") == 0) {
		out->uid = out->gid = 0; /* everywhere, and with no /etc/passwd too */
		return 0;
	}
	if (read_number(name, &out->uid)) {
		out->gid = out->uid;
		line = image_user_line(passwd.data, NUMBER_FIELD, name);
	} else {
		line = image_user_line(passwd.data, NAME_FIELD, name);
		if (!line || !number_in(line, NUMBER_FIELD, &out->uid))
			return report_refuse(tree->report, -EINVAL,
			        "the image wants to be started as the user %.100s, who is not in "
			        "its /etc/passwd",
			        name);
	}
	if (!line)
		return 0;
	if (!number_in(line, GROUP_FIELD, &out->gid))
		out->gid = out->uid;
	take_home(line, out);
	return 0;
}

static int find_group(struct tree *tree, const char *name, struct image_user *out)
{
	CLEANUP(buf_deinit) struct buf group = BUF_INIT;
	const char *line;

	if (read_number(name, &out->gid))
		return 0;
	if (read_file(tree, "etc/group", &group) < 0)
		return report_refuse(tree->report, -ENOMEM, "out of memory");
	line = image_user_line(group.data, NAME_FIELD, name);
	if (line && number_in(line, NUMBER_FIELD, &out->gid))
		return 0;
	return report_refuse(tree->report, -EINVAL,
	        "the image wants to be started in the group %.100s, which is not in its /etc/group",
	        name);
}

int image_user_find(struct tree *tree, const char *text, struct image_user *out)
{
	CLEANUP(free_p) char *name = strdup(text);
	char *group = name ? strchr(name, ':') : NULL;
	int error = name ? 0 : report_refuse(tree->report, -ENOMEM, "out of memory");

	*out = (struct image_user){USER, USER, BUF_INIT};
	if (group)
		*group++ = 0;
	if (!error && *name)
		error = find_user(tree, name, out);
	if (!error && group && *group)
		error = find_group(tree, group, out);
	if (error)
		return error;
	if (out->uid == 0) {
		out->uid = USER;
		buf_clear(&out->home); /* /root is not for others */
	}
	if (out->gid == 0)
		out->gid = out->uid;
	return 0;
}
