/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * zstd, called only here: independent frames, each with its content size, level 3. A compressor and a
 * decompressor are taken once and used again and again, by one thread at a time.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct compressor;
struct decompressor;

/* With `checksums` a frame carries its own, and decompressing verifies it. NULL: no memory. */
struct compressor *compressor_new(bool checksums);
struct compressor *compressor_free(struct compressor *compressor);

struct decompressor *decompressor_new(void); /* NULL: no memory */
struct decompressor *decompressor_free(struct decompressor *decompressor);

/* Room that is enough for a frame of so much content. */
size_t frame_bound(size_t size);

/* The length of the frame; -EMSGSIZE when it is longer than `room`; -ENOMEM. */
ssize_t frame_compress(
        struct compressor *compressor, void *to, size_t room, const void *from, size_t size);

/* The length of the content; -EBADMSG when this is no frame, a damaged one, or has more than `room`. */
ssize_t frame_decompress(
        struct decompressor *decompressor, void *to, size_t room, const void *from, size_t size);

/* Both lengths of the frame that `bytes` begin with; -EBADMSG when it is none, or not all of it. */
int frame_measure(const void *bytes, size_t length, size_t *compressed, size_t *size);

/* Whether a frame begins with these four bytes. */
bool frame_begins(const unsigned char bytes[4]);
