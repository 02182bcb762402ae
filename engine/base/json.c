/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"

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
