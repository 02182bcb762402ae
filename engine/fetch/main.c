/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fnfs-fetch: gets one archive and unpacks it, with the rights of the user who asked for it. The guardian
 * starts it for the daemon (run/fetch.c), which reads what it says:
 *
 *	0   the job (job.h), or with --archive the archive itself, with --image an image
 *	1   what it says (report.h)
 *	3   the directory to unpack into: empty, and this user's
 *
 * With --call-back POLICY it posts the result of a call instead (callback.h).
 *
 * The exit status is 0, or the errno of the refusal. It knows no path of the daemon's, asks nobody
 * anything, and what it leaves behind in the directory after a refusal is for the daemon to remove.
 */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fetch/callback.h"
#include "fetch/image.h"
#include "fetch/job.h"
#include "fetch/pull.h"
#include "fetch/seal.h"
#include "fetch/source.h"
#include "fetch/spool.h"
#include "fetch/unpack.h"

enum { INPUT = 0, OUTPUT = 1, DIRECTORY = 3 };

static int get_archive(const struct job *job, struct spool *spool, struct report *report)
{
	int error;

	if (job->archive)
		return spool_adopt(spool, INPUT, &job->bounds, report);
	error = spool_open(spool, DIRECTORY, &job->bounds, report);
	return error ? error : source_fetch(job, spool);
}

static int fetch(const struct job *job, struct report *report)
{
	struct spool spool = {.fd = -1};
	struct unpacked unpacked = {0};
	char sha256[SHA256_TEXT];
	int error = get_archive(job, &spool, report);

	if (!error)
		error = spool_judge(&spool, job->sha256, sha256);
	if (!error) {
		seal_unpacking(DIRECTORY);
		error = unpack(spool.fd, DIRECTORY, &job->bounds, report, &unpacked);
	}
	spool_close(&spool);
	if (!error)
		report_done(report, unpacked.files, unpacked.bytes, sha256);
	return error;
}

static int unpack_image(const struct job *job, struct report *report)
{
	struct unpacked unpacked = {0};
	char digest[SHA256_TEXT];
	int error;

	seal_image(DIRECTORY, INPUT);
	error = image_unpack(INPUT, DIRECTORY, &job->bounds, report, &unpacked, digest);
	if (!error)
		report_done(report, unpacked.files, unpacked.bytes, digest);
	return error;
}

static int pull_image(const struct job *job, struct report *report)
{
	char digest[SHA256_TEXT];
	int64_t bytes = 0;
	int error = pull(job, DIRECTORY, report, &bytes, digest);

	if (!error)
		report_done(report, 1, bytes, digest);
	return error;
}

static int work(const struct job *job, struct report *report)
{
	if (job->pull)
		return pull_image(job, report);
	if (job->image)
		return unpack_image(job, report);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	return fetch(job, report);
}

static bool is_directory(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

int main(int argc, char **argv)
{
	static struct job job; /* too large for the stack's taste */
	struct report report;
	int error;

	seal_begin(argc > 1 && strcmp(argv[1], "--pull") == 0);
	if (argc > 2 && strcmp(argv[1], "--call-back") == 0)
		_exit(-callback_post(INPUT, strcmp(argv[2], "any") != 0));
	umask(022);
	/* Names are bytes; where an archive says they are UTF-8, they become just those. */
	setlocale(LC_ALL, "C.UTF-8");
	report_init(&report, OUTPUT);
	fcntl(DIRECTORY, F_SETFD, FD_CLOEXEC);
	error = job_read(&job, argc, argv, INPUT, &report);
	if (!error && !is_directory(DIRECTORY))
		error = report_refuse(&report, -EBADF, "descriptor 3 is no directory");
	if (!error) {
		seal_limits(&job.bounds, job.pull);
		error = work(&job, &report);
	}
	if (error)
		report_error(&report, error);
	_exit(-error);
}
