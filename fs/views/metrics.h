/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* functions/NAME/metrics/: one number per file, named like the metric. */
#include "fs/view.h"

int metrics_show_number(const struct subject *subject, struct buf *out);
int metrics_show_history_csv(const struct subject *subject, struct buf *out);
int metrics_show_chart_svg(const struct subject *subject, struct buf *out);
