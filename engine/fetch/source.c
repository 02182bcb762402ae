/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

bool source_is_url(const char *source)
{
	size_t length = strspn(source, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                               "0123456789+.-");

	return length && strncmp(source + length, "://", 3) == 0;
}

static bool has_scheme(const char *source, const char *scheme)
{
	size_t length = strlen(scheme);

	return strncasecmp(source, scheme, length) == 0 && strncmp(source + length, "://", 3) == 0;
}

/* Never waits: what is no regular file is not opened for good. */
static int fetch_file(const char *path, struct spool *spool)
{
	CLEANUP(close_p)
	int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (file < 0)
		return report_refuse(spool->report, -errno, "%s: %s", path, strerror(errno));
	if (fstat(file, &st) < 0)
		return report_refuse(spool->report, -errno, "%s: %s", path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return report_refuse(spool->report, -EISDIR,
		        "%s is a directory, not an archive: copy it into files/ instead", path);
	if (!S_ISREG(st.st_mode))
		return report_refuse(spool->report, -EINVAL, "%s is no regular file", path);
	return spool_copy(spool, file);
}

static int fetch_s3(const struct job *job, struct spool *spool)
{
	CLEANUP(buf_deinit) struct buf url = BUF_INIT;

	if (s3_url(job->source, &url) < 0)
		return report_refuse(spool->report, -EINVAL,
		        "this is no s3://BUCKET/KEY, or the endpoint in the environment is none");
	return download(url.data, s3_has_key() ? s3_region() : NULL, &job->bounds, spool);
}

int source_fetch(const struct job *job, struct spool *spool)
{
	if (!source_is_url(job->source)) {
		if (job->source[0] == '/')
			return fetch_file(job->source, spool);
		return report_refuse(
		        spool->report, -EINVAL, "a path must begin with /: %s", job->source);
	}
	if (has_scheme(job->source, "s3"))
		return fetch_s3(job, spool);
	if (has_scheme(job->source, "http") || has_scheme(job->source, "https"))
		return download(job->source, NULL, &job->bounds, spool);
	return report_refuse(spool->report, -EPROTONOSUPPORT,
	        "only http, https and s3 URLs are fetched, and paths are written as they are");
}
