/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/utf8.h"

/* Bytes of the character at `p` that stands for itself in a JSON string, or 0. */
static size_t plain_width(const unsigned char *p, size_t length)
{
	size_t width = utf8_width((const char *)p, length);

	if (width == 1 && (*p < 0x20 || *p == '"' || *p == '\\' || *p == 0x7f))
		return 0;
	return width;
}

static void quote_special(struct buf *buf, const unsigned char *p, size_t length)
{
	if (!utf8_width((const char *)p, length))
		buf_puts(buf, "\\ufffd");
	else if (*p == '"' || *p == '\\')
		buf_printf(buf, "\\%c", *p);
	else if (*p == '\n')
		buf_puts(buf, "\\n");
	else
		buf_printf(buf, "\\u%04x", *p);
}

/* In runs of plain characters: everything a function prints may pass here. */
void json_quote(struct buf *buf, const char *text, size_t length)
{
	const unsigned char *p = (const unsigned char *)text, *end = p + length, *run = p;

	buf_append(buf, "\"", 1);
	while (p < end) {
		size_t width = plain_width(p, (size_t)(end - p));

		if (width) {
			p += width;
			continue;
		}
		buf_append(buf, run, (size_t)(p - run));
		quote_special(buf, p, (size_t)(end - p));
		run = ++p;
	}
	buf_append(buf, run, (size_t)(end - run));
	buf_append(buf, "\"", 1);
}

int json_read_file(int directory, const char *name, cJSON **out)
{
	CLEANUP(close_p) int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	CLEANUP(buf_deinit) struct buf text = BUF_INIT;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > 1 << 20)
		return -EBADMSG;
	for (;;) {
		char *place = buf_reserve(&text, 4096);
		ssize_t n = place ? read(fd, place, 4096) : -1;

		if (n < 0)
			return place ? -errno : -ENOMEM;
		if (!n)
			break;
		buf_added(&text, (size_t)n);
	}
	*out = cJSON_ParseWithLength(text.data ? text.data : "", text.length);
	return *out ? 0 : -EBADMSG;
}

const char *json_string(const cJSON *object, const char *name, const char *otherwise)
{
	const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);

	return cJSON_IsString(member) ? member->valuestring : otherwise;
}

double json_number(const cJSON *object, const char *name, double otherwise)
{
	const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);

	return cJSON_IsNumber(member) ? member->valuedouble : otherwise;
}

int json_bool(const cJSON *object, const char *name, int otherwise)
{
	const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);

	return cJSON_IsBool(member) ? cJSON_IsTrue(member) : otherwise;
}
