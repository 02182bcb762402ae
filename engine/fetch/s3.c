/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fetch/source.h"

static const char *first_of(const char *const *names, const char *otherwise)
{
	for (; *names; names++) {
		const char *value = getenv(*names);

		if (value && *value)
			return value;
	}
	return otherwise;
}

const char *s3_region(void)
{
	static const char *const names[] = {"AWS_REGION", "AWS_DEFAULT_REGION", NULL};

	return first_of(names, "us-east-1");
}

bool s3_has_key(void)
{
	const char *id = getenv("AWS_ACCESS_KEY_ID"), *secret = getenv("AWS_SECRET_ACCESS_KEY");

	return id && *id && secret && *secret;
}

/* As signatures want it: all but the unreserved is escaped, the slashes of a key are not. */
static void escape(struct buf *url, const char *text, size_t length)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                            "0123456789-._~/";

	for (size_t i = 0; i < length; i++) {
		if (text[i] && strchr(plain, text[i]))
			buf_append(url, &text[i], 1);
		else
			buf_printf(url, "%%%02X", (unsigned)(unsigned char)text[i]);
	}
}

static void add_endpoint(struct buf *url)
{
	static const char *const names[] = {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", NULL};
	const char *endpoint = first_of(names, NULL);
	size_t length = endpoint ? strlen(endpoint) : 0;

	while (length && endpoint[length - 1] == '/')
		length--;
	if (length)
		buf_append(url, endpoint, length);
	else
		buf_printf(url, "https://s3.%s.amazonaws.com", s3_region());
}

/* Steps in a key would be taken by whoever reads the URL. */
static bool has_steps(const char *key)
{
	CLEANUP(free_p) char *copy = strdup(key);
	char *rest = copy, *word;

	while (copy && (word = strsep(&rest, "/")))
		if (strcmp(word, ".") == 0 || strcmp(word, "..") == 0)
			return true;
	return !copy;
}

int s3_url(const char *source, struct buf *url)
{
	const char *bucket = strstr(source, "://") + 3, *key = strchr(bucket, '/');

	if (!key || key == bucket || !key[1] || has_steps(bucket))
		return -EINVAL;
	add_endpoint(url);
	if (url->failed || (strncmp(url->data, "http://", 7) && strncmp(url->data, "https://", 8)))
		return -EINVAL;
	buf_puts(url, "/");
	escape(url, bucket, strlen(bucket));
	return url->failed ? -ENOMEM : 0;
}
