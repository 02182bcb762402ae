/* SPDX-License-Identifier: Apache-2.0 */
#include "sabotage.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIE_AFTER 10

const char *const sabotage_names[SABOTAGES] = {
        "nothing", "errno", "returned", "mode", "content", "times", "name", "links"};

static bool is_time(const struct scene *scene)
{
	return !scene->lied && scene->steps > LIE_AFTER;
}

void sabotage_answer(struct scene *scene, struct answer *answer)
{
	if (!is_time(scene) || answer->skipped)
		return;
	if (scene->options->sabotage == ERRNO && answer->error) {
		answer->error = EIO;
		scene->lied = true;
	} else if (scene->options->sabotage == RETURNED && !answer->error) {
		answer->returned++;
		scene->lied = true;
	}
}

/* The first byte of the file becomes another; its times stay as they were. */
static bool change_content(int directory, const struct stat *status)
{
	struct timespec times[2] = {status->st_atim, status->st_mtim};
	int file = openat(directory, "a", O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	unsigned char byte = 0;
	bool changed;

	changed = pread(file, &byte, 1, 0) == 1;
	byte ^= 0x55;
	changed = changed && pwrite(file, &byte, 1, 0) == 1 && futimens(file, times) == 0;
	close(file);
	return changed;
}

static bool change(enum sabotage sabotage, int directory, const struct stat *status)
{
	struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};

	switch (sabotage) {
	case MODE:
		return fchmodat(directory, "a", status->st_mode ^ 0020, 0) == 0;
	case CONTENT:
		return change_content(directory, status);
	case TIMES:
		return utimensat(directory, "a", times, AT_SYMLINK_NOFOLLOW) == 0;
	case NAME:
		return unlinkat(directory, "a", 0) == 0;
	case LINKS:
		return linkat(directory, "a", directory, "../hidden", 0) == 0;
	default:
		return false;
	}
}

void sabotage_world(struct scene *scene)
{
	struct stat status;
	int directory;

	if (scene->options->sabotage < MODE || !is_time(scene))
		return;
	directory = open(scene->bases[MOUNT], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fstatat(directory, "a", &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode))
		scene->lied = change(scene->options->sabotage, directory, &status);
	close(directory);
}
