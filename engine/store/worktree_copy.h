/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Moving bytes and trees about, by descriptor and name. Nothing here knows of nodes or the loop: a
 * worker thread may call it all.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/*
 * Opens what mode bits alone would forbid its owner: as an ordinary user a file of mode 0000 is opened
 * by granting the bits for a moment. 0 and up, or -errno.
 */
int copy_open_granting(int directory, const char *name, int flags);
int copy_open_file(int directory, const char *name); /* O_RDONLY, no symbolic link */

/* O_RDONLY | O_DIRECTORY; what its owner may not read stays closed. */
int copy_open_directory(int directory, const char *name);

/* chmod that does not get lost to a mode granted for a moment; `name` NULL: of the descriptor. */
int copy_change_mode(int directory, const char *name, mode_t mode);

/* Copies `length` bytes at the same offset; holes stay holes. 0, -EIO, -ENOSPC. */
int copy_range(int from, int to, off_t offset, off_t length);

/* All of `from`, of size `size`, into the empty file `to`: a reflink where the disk has them. */
int copy_whole(int from, int to, off_t size);

/* Removes a file or a whole tree; a name that is not there is no error. */
int copy_remove(int directory, const char *name);

/* The mode a file or directory of a checkout has, for one of the tree with this mode. */
mode_t copy_checkout_mode(mode_t mode);
