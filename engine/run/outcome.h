/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How an invocation ended. */

enum outcome {
	OUTCOME_SUCCESS,
	OUTCOME_FUNCTION_ERROR, /* raised, died, out of memory, response too large */
	OUTCOME_TIMEOUT,        /* counts as a function error too */
	OUTCOME_NOT_LOADED,     /* there is no code, or it does not start: a function error */
	OUTCOME_SYSTEM_ERROR,   /* ours */
	OUTCOME_REJECTED,       /* throttled or disabled: never ran */
	OUTCOME_BAD_REQUEST,    /* the event is not what the runtime takes: a function error */
	OUTCOME_CANCELED,       /* counted, and no error */
	OUTCOMES,
};
