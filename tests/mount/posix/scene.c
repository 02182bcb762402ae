/* SPDX-License-Identifier: Apache-2.0 */
#include "scene.h"
#include "sabotage.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Directories above an actor's own, so that a few `..` do not leave the sequence. */
#define ABOVE "/one/two/three"

static int make_world(struct scene *scene, enum world world, const char *name)
{
	char *slash;

	if (asprintf(&scene->tops[world], "%s/%s", scene->options->directories[world], name) < 0 ||
	        asprintf(&scene->bases[world], "%s%s/top", scene->tops[world], ABOVE) < 0)
		return -ENOMEM;
	for (slash = scene->bases[world] + strlen(scene->options->directories[world]) + 1; slash;) {
		slash = strchr(slash + 1, '/');
		if (slash)
			*slash = '\0';
		if (mkdir(scene->bases[world], 0755) < 0)
			return -errno;
		if (slash)
			*slash = '/';
	}
	return chmod(scene->bases[world], 0777) < 0 ? -errno : 0;
}

static int start_world(struct scene *scene, enum world world)
{
	struct part part = {.directory = scene->bases[world],
	        .privileged = scene->options->privileged,
	        .reference = world == DISK,
	        .licence = scene->options->licence};
	int i, result = 0;

	scene->before[world] = calloc(1, sizeof(struct listing));
	if (!scene->before[world])
		return -ENOMEM;
	for (i = 0; i < STEP_ACTORS && result == 0; i++)
		result = actor_start(&scene->actors[world][i], &part);
	return result ? result : actor_start(&scene->judges[world], &part);
}

int scene_open(struct scene *scene, const struct scene_options *options, const char *name)
{
	int world, result = 0;

	memset(scene, 0, sizeof(*scene));
	scene->options = options;
	for (world = 0; world < WORLDS && result == 0; world++)
		result = make_world(scene, world, name);
	for (world = 0; world < WORLDS && result == 0; world++)
		result = start_world(scene, world);
	return result;
}

void remove_tree(const char *path)
{
	struct dirent *entry;
	DIR *stream;
	int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	chmod(path, 0700);
	if (chdir(path) == 0) {
		stream = opendir(".");
		while (stream && (entry = readdir(stream)))
			if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
			        unlink(entry->d_name) < 0 && errno != ENOENT)
				remove_tree(entry->d_name);
		if (stream)
			closedir(stream);
	}
	if (fchdir(here) < 0)
		abort();
	close(here);
	rmdir(path);
}

void scene_close(struct scene *scene)
{
	int world, i;

	for (world = 0; world < WORLDS; world++) {
		for (i = 0; i < STEP_ACTORS; i++)
			actor_stop(&scene->actors[world][i]);
		actor_stop(&scene->judges[world]);
		free(scene->before[world]);
		if (scene->tops[world])
			remove_tree(scene->tops[world]);
		free(scene->tops[world]);
		free(scene->bases[world]);
	}
}

/* Files get the time of the kernel's last tick: after the next one a changed time can be told. */
static void wait_for_tick(void)
{
	struct timespec first, now, pause = {.tv_nsec = 500000};

	clock_gettime(CLOCK_REALTIME_COARSE, &first);
	do {
		nanosleep(&pause, NULL);
		clock_gettime(CLOCK_REALTIME_COARSE, &now);
	} while (now.tv_nsec == first.tv_nsec);
}

static bool fail_scene(struct scene *scene, const char *where, int error)
{
	snprintf(scene->report, sizeof(scene->report), "    %s: %s\n", where,
	        error == -ETIMEDOUT ? "the call does not return" : strerror(-error));
	return false;
}

static void print_answer(char *out, size_t size, const struct answer *answer)
{
	if (answer->skipped)
		snprintf(out, size, "not called");
	else if (answer->error)
		snprintf(out, size, "%s%s", errno_name(answer->error), answer->text);
	else
		snprintf(out, size, "%ld%s", answer->returned, answer->text);
}

static bool compare_answers(
        struct scene *scene, const struct answer *mount, const struct answer *disk)
{
	static char texts[WORLDS][ANSWER_TEXT + 64];

	print_answer(texts[MOUNT], sizeof(texts[MOUNT]), mount);
	print_answer(texts[DISK], sizeof(texts[DISK]), disk);
	if (strcmp(texts[MOUNT], texts[DISK]) == 0)
		return true;
	snprintf(scene->report, sizeof(scene->report),
	        "    the mount answers %s\n    the disk answers  %s\n", texts[MOUNT], texts[DISK]);
	return false;
}

const struct answer *scene_answer(const struct scene *scene, int actor)
{
	return &scene->actors[DISK][actor].stage->answer;
}

static int begin_both(struct scene *scene, const struct step *step)
{
	int world, result = 0;

	for (world = 0; world < WORLDS && result == 0; world++)
		result = actor_begin(&scene->actors[world][step->actor], step);
	return result;
}

static void trace(const struct scene *scene, int actor)
{
	static char answer[ANSWER_TEXT + 64];
	const struct stage *stage = scene->actors[DISK][actor].stage;
	char step[512];

	if (!scene->options->trace)
		return;
	step_print(&stage->step, step, sizeof(step));
	print_answer(answer, sizeof(answer), &stage->answer);
	printf("%s -> %s\n", step, answer);
}

static bool finish_both(struct scene *scene, int actor)
{
	int world, result;

	for (world = 0; world < WORLDS; world++) {
		result = actor_finish(&scene->actors[world][actor], scene->options->timeout_ms);
		if (result < 0)
			return fail_scene(scene, world == MOUNT ? "the mount" : "the disk", result);
	}
	trace(scene, actor);
	sabotage_answer(scene, &scene->actors[MOUNT][actor].stage->answer);
	return compare_answers(scene, &scene->actors[MOUNT][actor].stage->answer,
	        &scene->actors[DISK][actor].stage->answer);
}

/* Do both answer what the case says? */
static bool met(struct scene *scene, const struct step *step, const struct answer *disk)
{
	bool skipped = disk->skipped && (step->expects || scene->options->strict);
	static char text[ANSWER_TEXT + 64];

	if (!skipped && step_met(step, disk->returned, disk->error))
		return true;
	scene->unmet = true;
	print_answer(text, sizeof(text), disk);
	snprintf(scene->report, sizeof(scene->report), "    both answer %s, the case expects %s\n",
	        text, step->expects ? step->expected : "a call");
	return false;
}

/* A step that was begun must still be on its way. */
static bool still_waiting(struct scene *scene, int actor)
{
	int world;

	for (world = 0; world < WORLDS; world++)
		if (actor_finish(&scene->actors[world][actor], 50) != -ETIMEDOUT)
			return fail_scene(scene,
			        world == MOUNT ? "the mount does not wait"
			                       : "the disk does not wait",
			        -EALREADY);
	return true;
}

bool scene_step(struct scene *scene, const struct step *step)
{
	bool waits = strcmp(step->call->name, "wait") == 0;
	int result;

	if (strcmp(step->call->name, "waiting") == 0)
		return still_waiting(scene, step->actor);

	if (scene->options->dense)
		wait_for_tick();
	scene->steps++;
	sabotage_world(scene);
	if (scene->actors[DISK][step->actor].busy != waits)
		return fail_scene(scene, "this actor has a step begun, or none", -EINVAL);
	result = waits ? 0 : begin_both(scene, step);
	if (result < 0)
		return fail_scene(scene, "starting the step", result);
	if (step->begun)
		return true;
	if (strcmp(step->call->name, "store") == 0)
		scene->stored = true;
	if (!finish_both(scene, step->actor) || !met(scene, step, scene_answer(scene, step->actor)))
		return false;
	scene->refused = scene_answer(scene, step->actor)->error != 0;
	return !scene->options->dense || scene_judge(scene);
}

static void keep(struct listing *kept, const struct listing *listing)
{
	memcpy(kept->entries, listing->entries, listing->count * sizeof(listing->entries[0]));
	kept->count = listing->count;
}

bool scene_judge(struct scene *scene)
{
	struct view views[WORLDS];
	struct patience patience = {.refused = scene->refused,
	        .fifos = scene->options->licence.late,
	        .all = scene->options->licence.late && scene->stored};
	int world, result;
	bool known = scene->known && scene->options->dense;

	for (world = 0; world < WORLDS; world++) {
		result = actor_list(&scene->judges[world], scene->options->timeout_ms);
		if (result < 0)
			return fail_scene(
			        scene, world == MOUNT ? "listing the mount" : "the disk", result);
		views[world].now = &scene->judges[world].stage->listing;
		views[world].before = known ? scene->before[world] : NULL;
	}
	if (listing_compare(&views[MOUNT], &views[DISK], &patience, scene->report,
	            sizeof(scene->report)) > 0)
		return false;
	for (world = 0; world < WORLDS; world++)
		keep(scene->before[world], views[world].now);
	scene->known = true;
	return true;
}
