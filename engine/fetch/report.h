/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What is told on standard output, a line each, to whoever started this program:
 *
 *	progress BYTES TOTAL SPEED     read or loaded so far; of how many (0: unknown); bytes per second
 *	unpacking FILES BYTES
 *	digest HEX                     of an image, before it is unpacked, or of the one that a name stands for
 *	layer NUMBER COUNT             of an image, begun
 *	error SENTENCE                 the last line; the exit status is the errno
 *	done FILES BYTES SHA256        the last line; SHA256 is the archive's; the exit status is 0
 *
 * Progress is told at most ten times a second. The first refusal is the one that counts.
 */
#include <stdbool.h>
#include <stdint.h>

enum { REPORT_SENTENCE = 400 };

struct report {
	int output; /* -1: nobody listens */
	int64_t told_us;
	char sentence[REPORT_SENTENCE]; /* "" until something was refused */
};

void report_init(struct report *report, int output);

/* Keeps the sentence, made fit for one line, unless there is one; returns `error`, a negative errno. */
int report_refuse(struct report *report, int error, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

void report_progress(struct report *report, int64_t bytes, int64_t total, int64_t speed, bool last);
void report_unpacking(struct report *report, int64_t files, int64_t bytes, bool last);
void report_digest(struct report *report, const char *digest);
void report_layer(struct report *report, int number, int count);
void report_error(struct report *report, int error);
void report_done(struct report *report, int64_t files, int64_t bytes, const char *sha256);
