/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * An image as it lies unpacked on disk: the root of a file system, and how it is started. Immutable and
 * counted; while somebody holds it, it stays (engine/images.h).
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct runtimes;
struct settings;

enum { IMAGE_DIGITS = 65 };

struct image {
	unsigned references;
	char *root; /* absolute path */
	char digest[IMAGE_DIGITS];
	char **argv;      /* NULL-ended, never empty */
	char **variables; /* KEY=VALUE, NULL-ended */
	char *working_directory;
	uid_t uid; /* inside */
	gid_t gid;
	void (*released)(void *userdata, struct image *image); /* before it is freed; may be NULL */
	void *userdata;
};

/*
 * Reads the words that fnfs-fetch left (fetch/image.h) in the directory whose absolute path is given. 0,
 * -ENOENT, -EBADMSG, -ENOMEM.
 */
int image_load(struct image **out, int directory, const char *path);
struct image *image_ref(struct image *image);
struct image *image_unref(struct image *image); /* NULL */

/* Whether these settings make an image of this code, or of what config/image names. */
bool image_wanted(const struct settings *settings, const struct runtimes *runtimes, int code);

/*
 * Opens what of the code is the image: the file image.tar, or the whole as an OCI layout. A descriptor,
 * -ENOENT: neither, or -errno.
 */
int image_open_in_code(int code);
