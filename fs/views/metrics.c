/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/views/metrics.h"

#include <errno.h>

#include "engine/engine.h"
#include "engine/metrics.h"
#include "engine/queue_calls.h"
#include "fs/row.h"
#include "fs/views/queue.h"

static struct metrics *metrics_of(const struct subject *subject)
{
	if (subject->metrics)
		return subject->metrics;
	if (subject->version)
		return engine_version_metrics(subject->engine, subject->version);
	if (subject->alias)
		return engine_alias_metrics(subject->engine, subject->alias);
	return engine_metrics(subject->engine, subject->function);
}

int metrics_show_number(const struct subject *subject, struct buf *out)
{
	struct metrics *metrics = metrics_of(subject);

	struct queue_target target = queue_target_of(subject);

	if (!metrics)
		return -EIO;
	if (!subject->metrics)
		queue_calls_measure_target(subject->engine, &target, metrics);
	return metrics_show(metrics, subject->row->name, out);
}

int metrics_show_history_csv(const struct subject *subject, struct buf *out)
{
	struct metrics *metrics = metrics_of(subject);

	if (!metrics)
		return -EIO;
	metrics_show_history(metrics, out);
	return 0;
}

int metrics_show_chart_svg(const struct subject *subject, struct buf *out)
{
	struct metrics *metrics = metrics_of(subject);

	if (!metrics)
		return -EIO;
	metrics_show_chart(metrics, subject->function->name, out);
	return 0;
}
