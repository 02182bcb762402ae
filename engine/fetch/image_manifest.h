/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What an image consists of, in any of the three forms it comes in: an OCI layout (`index.json`), what
 * `docker save` writes (`manifest.json`, a list), and both at once, where the layout counts. Everything but
 * the layers is read and its hashes compared here; of the layers their files and the hashes they must have.
 */
#include <stddef.h>

#include "base/buf.h"
#include "base/sha256.h"
#include "fetch/image_source.h"

enum { IMAGE_DIGEST = 65, IMAGE_LAYERS_MOST = 256 };

struct image_layer {
	char *file;
	unsigned char hash[SHA256_SIZE]; /* of what is in it, uncompressed */
};

struct image_manifest {
	char digest
	        [IMAGE_DIGEST]; /* of the manifest; without one (`docker save`) of the configuration */
	struct buf config;      /* JSON */
	struct image_layer *layers;
	size_t layer_count;
};

/* 0, or refused. */
int image_manifest_read(
        struct image_manifest *manifest, struct image_source *source, struct report *report);
void image_manifest_deinit(struct image_manifest *manifest);

/* "sha256:" and 64 digits; the digits. NULL: it is none. */
const char *image_digest_digits(const char *digest);

/* What images call this machine's kind: "amd64". */
const char *image_architecture(void);
