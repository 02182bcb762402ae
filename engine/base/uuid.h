/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Random UUIDs (RFC 4122, version 4), as lower-case text. Randomness is read a page at a time. */

#define UUID_TEXT_SIZE 37

struct uuid_source {
	unsigned char pool[4096];
	unsigned left;
};

/* A zeroed source is ready. Never fails: the kernel's generator is there from boot on. */
void uuid_make(struct uuid_source *source, char text[UUID_TEXT_SIZE]);
