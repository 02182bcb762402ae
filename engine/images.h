/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Images on disk, each unpacked once and shared by all instances that run as the same user:
 *
 *	STATE/images/NUMBER/{root/,run,origin}    whole: renamed here when it was on the disk
 *	STATE/unpacking/NUMBER/                   being made; what a crash left is removed at the start
 *
 * What somebody holds stays, and what a published version names by its digest; of the rest, the longest unused
 * goes when there is more than the bound. Internal to engine/.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct engine;
struct image;
struct image_request;
struct images;
struct settings;

int images_open(struct images **out, struct engine *engine);
void images_stop(struct images *images);       /* nothing more is begun; whoever waits cancels */
bool images_idle(const struct images *images); /* when it becomes so, engine_settle() is told */
struct images *images_close(struct images *images); /* idle; NULL */

/*
 * 0: with a reference. -EINVAL: it is no image that can be run, and `why` is a sentence that says it; asking
 * again changes nothing. Another -errno: not this time, with a sentence.
 */
typedef void (*image_done_fn)(void *userdata, int status, struct image *image, const char *why);

/*
 * The image of these settings, which name one (config/image) or whose code is one. Of the code only the
 * directory is borrowed, until this returns. NULL: `done` has run already.
 */
struct image_request *image_request_start(struct engine *engine, const struct settings *settings,
        int code, image_done_fn done, void *userdata);
void image_request_cancel(struct image_request *request); /* done will not run */

/* A line of status: `image unpacking layer 2 of 5, 120 files, 3400 bytes`. */
void image_request_show(const struct image_request *request, struct buf *out);

/* Whether these settings name an image that is to be pulled. */
bool image_is_named(const struct settings *settings);

/* The name by which the same image can be pulled again, for ever; false: it was not pulled by this one. */
bool image_pinned_name(const struct image *image, const char *reference, struct buf *out);
