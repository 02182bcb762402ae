/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What packs ask of a disk when they change something there, as a table: so that a test can record the
 * order of it and play a power cut at any point, or a full disk. Everything is 0 or -errno; any thread may call.
 */
#include <stddef.h>
#include <stdint.h>

struct blob_disk {
	/* A new file, readable and writable: a descriptor, or -errno. */
	int (*create)(const struct blob_disk *disk, int directory, const char *name);
	int (*write)(const struct blob_disk *disk, int fd, const void *data, size_t length,
	        uint64_t place); /* all of it */
	int (*sync)(const struct blob_disk *disk, int fd);
	int (*rename)(
	        const struct blob_disk *disk, int directory, const char *from, const char *to);
	int (*remove)(const struct blob_disk *disk, int directory, const char *name);
	int (*sync_directory)(const struct blob_disk *disk, int directory);
};

extern const struct blob_disk blob_disk_system;

/* Not a change: 0; -EBADMSG when the file ends before; else -errno. */
int blob_disk_read(int fd, void *data, size_t length, uint64_t place);
