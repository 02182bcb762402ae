/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * An image from a registry, by skopeo, which is a program of its own beside us: what a name stands for now
 * is asked first and told (`digest`), for who has that already stops us there; then just that is
 * copied into the file `archive` of the directory, as `docker save` would write it.
 */
#include "fetch/job.h"
#include "fetch/report.h"

/* The job's source is docker://NAME[:TAG] or docker://NAME@DIGEST. 0 or a negative errno. */
int pull(const struct job *job, int directory, struct report *report, int64_t *bytes,
        char digest[65]);

/* Whether the registry is on this machine itself, where it needs no certificate. */
bool pull_is_local(const char *reference);
