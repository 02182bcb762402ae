/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * One layer over those before it. What it takes away (names that begin with `.wh.`) is taken away first, in
 * a pass of its own, for it means what lies below and never what the layer itself brings, in whatever
 * order it says so.
 */
#include "fetch/image_manifest.h"
#include "fetch/image_source.h"
#include "fetch/unpack_entry.h"

/* 0, or refused: also when what is in it is not what the image says. */
int image_layer_unpack(struct image_source *source, const struct image_layer *layer, bool lowest,
        struct unpacking *unpacking);
