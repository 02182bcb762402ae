/* SPDX-License-Identifier: Apache-2.0 */
/* Without this a user would lose: the mount, when as many notifications as libuv has threads wait for requests. */
#include "fs/teller.h"

#include "base/list.h"
#include "test.h"

#define MANY 40

struct told {
	struct telling telling;
	uv_sem_t *may; /* NULL, or what it waits for */
	uv_thread_t thread;
	int number;
};

static int order[MANY], count;

static void tell(struct telling *telling)
{
	struct told *told = container_of(telling, struct told, telling);

	if (told->may)
		uv_sem_wait(told->may);
	told->thread = uv_thread_self();
}

static void note(struct telling *telling)
{
	order[count++] = container_of(telling, struct told, telling)->number;
}

static void add(struct teller *teller, struct told *told, int number, uv_sem_t *may)
{
	*told = (struct told){
	        .telling = {.tell = tell, .told = note}, .may = may, .number = number};
	list_init(&told->telling.link);
	CHECK_INT(teller_add(teller, &told->telling), 0);
}

/* The loop ends by itself when all is told, and not before. */
static void one_after_the_other_on_a_thread_of_its_own(void)
{
	struct told all[MANY];
	struct teller *teller;
	uv_thread_t here = uv_thread_self();
	uv_loop_t loop;

	count = 0;
	uv_loop_init(&loop);
	REQUIRE(teller_new(&teller, &loop) == 0);
	CHECK(teller_idle(teller));
	uv_run(&loop, UV_RUN_DEFAULT); /* nothing keeps it */
	for (int i = 0; i < MANY; i++)
		add(teller, &all[i], i, NULL);
	CHECK(!teller_idle(teller));
	uv_run(&loop, UV_RUN_DEFAULT);
	CHECK_INT(count, MANY);
	CHECK(teller_idle(teller));
	for (int i = 0; i < MANY; i++) {
		CHECK_INT(order[i], i);
		CHECK(uv_thread_equal(&all[i].thread, &all[0].thread));
		CHECK(!uv_thread_equal(&all[i].thread, &here));
	}
	teller_free(teller);
	uv_run(&loop, UV_RUN_DEFAULT);
	CHECK_INT(uv_loop_close(&loop), 0);
}

static void occupy(uv_work_t *work)
{
	uv_sem_wait(work->data);
}

static void post(uv_work_t *work)
{
	uv_sem_post(work->data);
}

static void worked(uv_work_t *work, int status)
{
	count++;
}

/* What it is told waits for what a worker does; and all workers wait for what it is told. */
static void neither_waits_for_the_other(void)
{
	uv_work_t workers[MANY], last;
	struct told first, second;
	struct teller *teller;
	uv_sem_t of_worker, end;
	uv_loop_t loop;

	count = 0;
	uv_sem_init(&of_worker, 0);
	uv_sem_init(&end, 0);
	uv_loop_init(&loop);
	REQUIRE(teller_new(&teller, &loop) == 0);
	last.data = &of_worker;
	add(teller, &first, 1, &of_worker);
	uv_queue_work(&loop, &last, post, worked);
	while (count < 2)
		uv_run(&loop, UV_RUN_ONCE);
	for (int i = 0; i < MANY; i++) { /* more than there are threads */
		workers[i].data = &end;
		uv_queue_work(&loop, &workers[i], occupy, worked);
	}
	add(teller, &second, 2, NULL);
	while (count < 3)
		uv_run(&loop, UV_RUN_ONCE);
	CHECK_INT(order[2], 2);
	for (int i = 0; i < MANY; i++)
		uv_sem_post(&end);
	uv_run(&loop, UV_RUN_DEFAULT);
	CHECK_INT(count, 3 + MANY);
	teller_free(teller);
	uv_run(&loop, UV_RUN_DEFAULT);
	CHECK_INT(uv_loop_close(&loop), 0);
	uv_sem_destroy(&of_worker);
	uv_sem_destroy(&end);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(one_after_the_other_on_a_thread_of_its_own),
	        TEST(neither_waits_for_the_other), {}};

	return test_main(tests, argc, argv);
}
