/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of images share: what is there (images.c), and how it gets there (image_request.c). */
#include "base/caller.h"
#include "base/list.h"
#include "engine/images.h"
#include "run/alarm.h"
#include "run/fetch.h"
#include "run/image.h"

#define IMAGES    "images"
#define UNPACKING "unpacking"

struct image_entry {
	struct list link; /* the longest unused first */
	struct images *images;
	uint64_t number;
	uid_t uid; /* whose files they are */
	int64_t bytes;
	char digest[IMAGE_DIGITS];
	char pulled[IMAGE_DIGITS]; /* what the registry calls it; "" = it was not pulled */
	char *reference;           /* and by which name it was asked for; "" */
	struct image *image;       /* while somebody holds it */
};

struct images {
	struct engine *engine;
	struct list entries;
	struct list waiting;   /* struct image_request, for their turn */
	struct list working;   /* with a process, or waiting for another's */
	struct alarm starting; /* those that wait */
	unsigned running;
	uint64_t last; /* number */
	int64_t bytes, most_bytes;
	bool stopped;
};

/* By either digest; NULL: it is not here. */
struct image_entry *images_find(struct images *images, uid_t uid, const char *digest);
struct image_entry *images_find_pulled(struct images *images, uid_t uid, const char *pulled);
struct image_entry *images_find_reference(struct images *images, uid_t uid, const char *reference);

/* With a reference; NULL: it cannot be read any more, and is forgotten. */
struct image *image_entry_hold(struct image_entry *entry);

/* Makes STATE/unpacking/NUMBER. A descriptor or -errno. */
int images_make_directory(struct images *images, uint64_t *number);
void images_remove_directory(struct images *images, uint64_t number);

/* What was unpacked in that directory is whole now. NULL: a failure, logged; it is removed. */
struct image_entry *images_add(struct images *images, uint64_t number, int directory, uid_t uid,
        int64_t bytes, const char *pulled, const char *reference);

/* It can be pulled by this name too: that is how it is found from now on. */
void images_name(struct image_entry *entry, const char *pulled, const char *reference);

/* Something is used less: what is too much goes. */
void images_collect(struct images *images);
