/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user would lose: a version, in some order of publishing, removing and sweeping nobody thought of. Random
 * operations on the store and on a plain model of it, which knows what must be there. What need not be there
 * may be; what is there is right.
 */
#include <errno.h>

#include "blob_fixture.h"
#include "test.h"

enum { NUMBERS = 300, BATCHES = 3 };

struct open_batch {
	struct blob_batch *batch;
	bool pins[NUMBERS];
	bool sealed;
};

struct model {
	struct place place;
	uint64_t random;
	bool must[NUMBERS]; /* be there: referred to by a row, or pinned by a sealed batch */
	struct open_batch batches[BATCHES];
	bool begun; /* a sweep */
	bool live[NUMBERS];
};

static uint64_t dice(struct model *model, uint64_t sides)
{
	return test_random(&model->random) % sides;
}

static void put(struct model *model, struct open_batch *open)
{
	uint64_t number = dice(model, NUMBERS), count = dice(model, 12);

	if (open->sealed)
		return;
	if (!open->batch)
		REQUIRE(blob_batch_begin(model->place.blobs, &open->batch) == 0);
	for (; count && number < NUMBERS; count--, number++) {
		CHECK_INT(put_number(open->batch, number), 0);
		open->pins[number] = true;
	}
}

static void seal(struct model *model, struct open_batch *open)
{
	uint64_t i;

	if (!open->batch || open->sealed)
		return;
	CHECK_INT(blob_batch_seal(open->batch), 0);
	open->sealed = true;
	for (i = 0; i < NUMBERS; i++)
		model->must[i] |= open->pins[i];
}

/* Its row is stored before, so it counts as live for a marking that is under way, or it does not. */
static void release(struct model *model, struct open_batch *open)
{
	open->batch = blob_batch_release(open->batch);
	memset(open, 0, sizeof(*open));
}

/* Whoever goes first may see what a later one stores, or not. */
static void mark(struct model *model)
{
	uint64_t i;

	if (model->begun)
		return;
	CHECK_INT(blobs_sweep_begin(model->place.blobs), 0);
	model->begun = true;
	for (i = 0; i < NUMBERS; i++)
		model->live[i] = model->must[i] && dice(model, 4) != 0;
}

static bool is_pinned(const struct model *model, uint64_t number)
{
	size_t i;

	for (i = 0; i < BATCHES; i++)
		if (model->batches[i].pins[number])
			return true;
	return false;
}

static void sweep(struct model *model, bool released[NUMBERS])
{
	struct blob_set *live = blob_set_new();
	uint64_t i;

	if (!model->begun) {
		blob_set_free(live);
		return;
	}
	for (i = 0; i < NUMBERS; i++) {
		struct blob_id id = id_of(i);
		if (model->live[i])
			REQUIRE(blob_set_add(live, &id) == 1);
		if (!model->live[i] && !is_pinned(model, i) && !released[i])
			model->must[i] = false;
	}
	CHECK_INT(blobs_sweep(model->place.blobs, live, NULL), 0);
	blob_set_free(live);
	model->begun = false;
	memset(released, 0, NUMBERS * sizeof(*released));
}

static void look(struct model *model)
{
	uint64_t i;
	int r;

	for (i = 0; i < NUMBERS; i++) {
		r = has_content(model->place.blobs, i);
		REQUIRE(r == 1 || (r == 0 && !model->must[i]));
	}
}

static void reopen(struct model *model)
{
	size_t i;

	for (i = 0; i < BATCHES; i++)
		release(model, &model->batches[i]);
	if (model->begun)
		blobs_sweep_abandon(model->place.blobs);
	model->begun = false;
	place_reopen(&model->place);
	CHECK_INT(problems_of(model->place.blobs), 0);
}

static void note_released(
        const struct model *model, const struct open_batch *open, bool released[NUMBERS])
{
	uint64_t i;

	for (i = 0; model->begun && i < NUMBERS; i++)
		released[i] |= open->pins[i] && open->sealed;
}

static void step(struct model *model, bool released[NUMBERS])
{
	struct open_batch *open = &model->batches[dice(model, BATCHES)];

	switch (dice(model, 20)) {
	case 0 ... 9:
		put(model, open);
		break;
	case 10 ... 12:
		seal(model, open);
		break;
	case 13 ... 15:
		note_released(model, open, released);
		release(model, open);
		break;
	case 16:
		mark(model);
		break;
	case 17:
		sweep(model, released);
		break;
	case 18:
		look(model);
		break;
	default:
		if (dice(model, 10) == 0) {
			reopen(model);
			memset(released, 0, NUMBERS * sizeof(*released));
		}
	}
}

static void keeps_what_the_model_keeps(void)
{
	static struct model model;
	static bool released[NUMBERS];
	int i, steps = test_long() ? 300000 : 4000;

	model.random = test_seed();
	place_init(&model.place);
	for (i = 0; i < steps; i++)
		step(&model, released);
	look(&model);
	reopen(&model);
	look(&model);
	place_deinit(&model.place);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(keeps_what_the_model_keeps), {}};

	return test_main(tests, argc, argv);
}
