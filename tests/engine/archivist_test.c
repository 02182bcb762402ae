/* SPDX-License-Identifier: Apache-2.0 */
/* Without this a log could be compressed into the wrong place, twice, or never, or hold up the daemon's end. */
#include "engine/archivist.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/logbook_archive.h"
#include "test.h"

#define TEXT_SIZE (3 * ARCHIVE_PIECE + 17)

struct job {
	struct archivist_job job;
	struct archivist *archivist;
	struct job *next; /* added when this one is done */
	const char *path;
	int begin_result;
	int begun, done;
};

struct scene {
	uv_loop_t loop;
	struct archivist *archivist;
	char *path, *text;
	char name[PATH_MAX];
};

static int begin(struct archivist_job *archivists)
{
	struct job *job = container_of(archivists, struct job, job);

	job->begun++;
	job->job.from = open(job->path, O_RDONLY | O_CLOEXEC);
	job->job.to = memfd_create("archive", MFD_CLOEXEC);
	return job->begin_result;
}

static void done(struct archivist_job *archivists)
{
	struct job *job = container_of(archivists, struct job, job);

	job->done++;
	if (job->next)
		archivist_add(job->archivist, &job->next->job);
}

static struct job job_new(struct scene *scene)
{
	struct job job = {
	        .job = {.size = TEXT_SIZE,
	                .modified_us = INT64_C(1773742402123456),
	                .from = -1,
	                .to = -1,
	                .begin = begin,
	                .done = done},
	        .archivist = scene->archivist,
	        .path = scene->name,
	};

	return job;
}

static void job_deinit(struct job *job)
{
	close_fd(job->job.from);
	close_fd(job->job.to);
}

static void scene_start(struct scene *scene)
{
	uint64_t seed = test_seed();
	CLEANUP(close_p) int fd = -1;
	size_t i;

	REQUIRE(uv_loop_init(&scene->loop) == 0);
	REQUIRE(archivist_new(&scene->archivist, &scene->loop) == 0);
	scene->path = test_directory();
	scene->text = malloc(TEXT_SIZE);
	REQUIRE(scene->text);
	for (i = 0; i < TEXT_SIZE; i++)
		scene->text[i] = (char)('a' + test_random(&seed) % 7);
	snprintf(scene->name, sizeof(scene->name), "%s/text", scene->path);
	fd = open(scene->name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	REQUIRE(write(fd, scene->text, TEXT_SIZE) == TEXT_SIZE);
}

static void scene_end(struct scene *scene)
{
	archivist_free(scene->archivist);
	uv_run(&scene->loop, UV_RUN_DEFAULT);
	CHECK_INT(uv_loop_close(&scene->loop), 0);
	free(scene->text);
	test_directory_remove(scene->path);
}

static void check_result(struct scene *scene, struct job *job)
{
	CLEANUP(free_p) char *text = malloc(TEXT_SIZE);
	struct archive *archive = NULL;
	struct stat st;

	CHECK_INT(job->begun, 1);
	CHECK_INT(job->done, 1);
	CHECK_INT(job->job.result, 0);
	REQUIRE(archive_open(&archive, job->job.to) == 0);
	CHECK_INT(archive_read(archive, text, TEXT_SIZE, 0), TEXT_SIZE);
	CHECK(memcmp(text, scene->text, TEXT_SIZE) == 0);
	CHECK(fstat(job->job.to, &st) == 0 && st.st_mtim.tv_sec == 1773742402 &&
	        st.st_mtim.tv_nsec == 123456000);
	archive_free(archive);
}

static void compresses_one_after_the_other(void)
{
	struct scene scene;
	struct job jobs[4];
	size_t i;

	scene_start(&scene);
	for (i = 0; i < ARRAY_SIZE(jobs); i++)
		jobs[i] = job_new(&scene);
	jobs[1].next = &jobs[3]; /* who is told may add */
	for (i = 0; i < 3; i++)
		archivist_add(scene.archivist, &jobs[i].job);
	CHECK_INT(jobs[0].begun, 0); /* not inside */
	uv_run(&scene.loop, UV_RUN_DEFAULT);
	for (i = 0; i < ARRAY_SIZE(jobs); i++) {
		check_result(&scene, &jobs[i]);
		job_deinit(&jobs[i]);
	}
	scene_end(&scene);
}

static void what_cannot_begin_is_told(void)
{
	struct scene scene;
	struct job bad, good, canceled;

	scene_start(&scene);
	bad = job_new(&scene);
	good = job_new(&scene);
	canceled = job_new(&scene);
	bad.begin_result = -ENOSPC;
	atomic_store(&canceled.job.canceled, true);
	archivist_add(scene.archivist, &bad.job);
	archivist_add(scene.archivist, &canceled.job);
	archivist_add(scene.archivist, &good.job);
	uv_run(&scene.loop, UV_RUN_DEFAULT);
	CHECK_INT(bad.done, 1);
	CHECK_INT(bad.job.result, -ENOSPC);
	CHECK_INT(canceled.begun, 0);
	CHECK_INT(canceled.done, 1);
	CHECK_INT(canceled.job.result, -ECANCELED);
	check_result(&scene, &good);
	job_deinit(&bad);
	job_deinit(&good);
	scene_end(&scene);
}

/* Everybody is told, whether the thread had begun or not; after this nothing of it is left. */
static void the_end_tells_all(void)
{
	struct scene scene;
	struct job jobs[3];
	size_t i;

	scene_start(&scene);
	for (i = 0; i < ARRAY_SIZE(jobs); i++) {
		jobs[i] = job_new(&scene);
		archivist_add(scene.archivist, &jobs[i].job);
	}
	while (!jobs[0].begun)
		uv_run(&scene.loop, UV_RUN_ONCE);
	for (i = 0; i < ARRAY_SIZE(jobs); i++)
		atomic_store(&jobs[i].job.canceled, true);
	scene_end(&scene);
	for (i = 0; i < ARRAY_SIZE(jobs); i++) {
		CHECK_INT(jobs[i].done, 1);
		job_deinit(&jobs[i]);
	}
	CHECK_INT(jobs[2].begun, 0);
	CHECK_INT(jobs[2].job.result, -ECANCELED);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(compresses_one_after_the_other),
	        TEST(what_cannot_begin_is_told), TEST(the_end_tells_all), {}};

	return test_main(tests, argc, argv);
}
