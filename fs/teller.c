/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/teller.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/fail.h"

struct teller {
	uv_async_t wake;
	uv_thread_t thread; /* from the first telling on */
	bool runs;
	unsigned open; /* of the loop: not told of yet */

	uv_mutex_t lock; /* of what follows */
	uv_cond_t more;
	struct list waiting, done;
	bool ending;
};

static struct telling *next(struct teller *teller)
{
	struct telling *telling;

	while (!(telling = list_first(&teller->waiting, struct telling, link)) && !teller->ending)
		uv_cond_wait(&teller->more, &teller->lock);
	return telling;
}

static void work(void *userdata)
{
	struct teller *teller = userdata;
	struct telling *telling;

	uv_mutex_lock(&teller->lock);
	while ((telling = next(teller))) {
		list_unlink(&telling->link);
		uv_mutex_unlock(&teller->lock);
		telling->tell(telling);
		uv_mutex_lock(&teller->lock);
		list_append(&teller->done, &telling->link);
		uv_async_send(&teller->wake);
	}
	uv_mutex_unlock(&teller->lock);
}

static void woken(uv_async_t *wake)
{
	struct teller *teller = wake->data;
	struct telling *telling;
	struct list done;

	list_init(&done);
	uv_mutex_lock(&teller->lock);
	list_move_all(&teller->done, &done);
	uv_mutex_unlock(&teller->lock);
	while ((telling = list_first(&done, struct telling, link))) {
		list_unlink(&telling->link);
		if (!--teller->open)
			uv_unref((uv_handle_t *)&teller->wake);
		telling->told(telling);
	}
}

int teller_add(struct teller *teller, struct telling *telling)
{
	if (!teller->runs && uv_thread_create(&teller->thread, work, teller) < 0)
		return fail(-ENOMEM, "starting the thread that tells the kernel");
	teller->runs = true;
	if (!teller->open++)
		uv_ref((uv_handle_t *)&teller->wake); /* the loop has something to wait for */
	uv_mutex_lock(&teller->lock);
	list_append(&teller->waiting, &telling->link);
	uv_cond_signal(&teller->more);
	uv_mutex_unlock(&teller->lock);
	return 0;
}

bool teller_idle(const struct teller *teller)
{
	return !teller->open;
}

int teller_new(struct teller **out, uv_loop_t *loop)
{
	struct teller *teller = calloc(1, sizeof(*teller));
	int r = teller ? uv_async_init(loop, &teller->wake, woken) : -ENOMEM;

	if (r < 0) {
		free(teller);
		return fail(r, "making what tells the kernel");
	}
	teller->wake.data = teller;
	uv_unref((uv_handle_t *)&teller->wake);
	uv_mutex_init(&teller->lock);
	uv_cond_init(&teller->more);
	list_init(&teller->waiting);
	list_init(&teller->done);
	*out = teller;
	return 0;
}

static void closed(uv_handle_t *wake)
{
	struct teller *teller = wake->data;

	uv_cond_destroy(&teller->more);
	uv_mutex_destroy(&teller->lock);
	free(teller);
}

struct teller *teller_free(struct teller *teller)
{
	if (!teller)
		return NULL;
	assert(teller_idle(teller));
	uv_mutex_lock(&teller->lock);
	teller->ending = true;
	uv_cond_signal(&teller->more);
	uv_mutex_unlock(&teller->lock);
	if (teller->runs)
		uv_thread_join(&teller->thread);
	uv_close((uv_handle_t *)&teller->wake, closed);
	return NULL;
}
