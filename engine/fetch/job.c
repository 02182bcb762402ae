/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/job.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/quantity.h"

void bounds_defaults(struct bounds *bounds)
{
	*bounds = (struct bounds){
	        .archive_bytes = INT64_C(4) << 30,
	        .bytes = INT64_C(8) << 30,
	        .files = 1000000,
	        .ratio = 200,
	        .ratio_free_bytes = 256 << 20,
	        .stall_s = 30,
	        .whole_s = 6 * 3600,
	        .depth = 100,
	};
}

static const struct option {
	const char *name;
	size_t offset;
} options[] = {
        {"--archive-bytes", offsetof(struct bounds, archive_bytes)},
        {"--bytes", offsetof(struct bounds, bytes)},
        {"--files", offsetof(struct bounds, files)},
        {"--ratio", offsetof(struct bounds, ratio)},
        {"--ratio-free-bytes", offsetof(struct bounds, ratio_free_bytes)},
        {"--stall", offsetof(struct bounds, stall_s)},
        {"--whole", offsetof(struct bounds, whole_s)},
};

static int read_option(struct bounds *bounds, const char *name, const char *value)
{
	int64_t number;

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		if (strcmp(options[i].name, name) != 0)
			continue;
		if (!value || quantity_parse_count(value, &number) < 0 || number < 1)
			return -EINVAL;
		memcpy((char *)bounds + options[i].offset, &number, sizeof(number));
		return 0;
	}
	return -EINVAL;
}

static int read_options(struct job *job, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		bool archive = strcmp(argv[i], "--archive") == 0;
		bool image = strcmp(argv[i], "--image") == 0;
		bool pull = strcmp(argv[i], "--pull") == 0;

		if (archive || image || pull) {
			job->archive |= archive;
			job->image |= image;
			job->pull |= pull;
			continue;
		}
		if (read_option(&job->bounds, argv[i], i + 1 < argc ? argv[i + 1] : NULL) < 0)
			return -EINVAL;
		i++;
	}
	return 0;
}

static bool copy_sha256(char out[SHA256_TEXT], const char *text)
{
	size_t i;

	for (i = 0; text[i] && i < SHA256_TEXT - 1; i++) {
		out[i] = text[i] >= 'A' && text[i] <= 'F' ? (char)(text[i] + ('a' - 'A')) : text[i];
		if (!strchr("0123456789abcdef", out[i]))
			return false;
	}
	out[i] = 0;
	return i == SHA256_TEXT - 1 && !text[i];
}

static int take_line(struct job *job, const char *line)
{
	if (strncmp(line, "source ", 7) == 0 && strlen(line + 7) < sizeof(job->source))
		strcpy(job->source, line + 7);
	else if (strncmp(line, "sha256 ", 7) != 0 || !copy_sha256(job->sha256, line + 7))
		return -EINVAL;
	return 0;
}

static int read_lines(struct job *job, int input)
{
	char text[sizeof(job->source) + 256], *line, *rest = text;
	size_t length = 0;
	ssize_t n;

	while (length < sizeof(text) - 1 &&
	        (n = read(input, text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)n;
	text[length] = 0;
	while ((line = strsep(&rest, "\n")))
		if (*line && take_line(job, line) < 0)
			return -EINVAL;
	return job->source[0] ? 0 : -EINVAL;
}

int job_read(struct job *job, int argc, char **argv, int input, struct report *report)
{
	memset(job, 0, sizeof(*job));
	bounds_defaults(&job->bounds);
	if (read_options(job, argc, argv) < 0)
		return report_refuse(report, -EINVAL, "fnfs-fetch does not know these options");
	if (!job->archive && !job->image && read_lines(job, input) < 0)
		return report_refuse(report, -EINVAL,
		        "fnfs-fetch wants lines `source PATH-OR-URL` and `sha256 HEX`");
	return 0;
}
