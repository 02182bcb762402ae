/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of guardian_spares.h do for each other: what is taken (guardian_spares.c), made
 * (guardian_spares_due.c), and born (guardian_spares_born.c). */

#include <stdbool.h>
#include <stdint.h>

struct guardian;
struct order;
struct spare;
struct spare_kind;

/* The spare takes an order; false: it could not, and is gone. */
bool spares_give(struct guardian *guardian, struct spare *spare, const struct order *order,
        uint64_t id, const int *descriptors);
struct spare *spares_make(struct guardian *guardian, struct spare_kind *kind); /* or NULL, logged */

void spares_serve_pending(struct guardian *guardian, struct spare *spare); /* to whom it is for */
void spares_disappoint(struct guardian *guardian, struct spare *spare); /* who starts without it */

void spares_end_one(struct guardian *guardian, struct spare *spare);
void spares_end_some(
        struct guardian *guardian, struct spare_kind *kind, unsigned most); /* but so many */
void spares_end_kind(struct guardian *guardian, struct spare_kind *kind);
void spares_end_all(struct guardian *guardian);

/* The zygote did not do what it is for; programs of that kind are started one by one from now on. */
void spares_fail_zygote(struct guardian *guardian, struct spare *spare, const char *why);
