/* SPDX-License-Identifier: BSD-3-Clause */
/* Telemetry: how long things take on a port. */
#include "telemetry.h"

static struct rte_tel_data *
buckets_of(const struct histogram *histogram)
{
	struct rte_tel_data *buckets = new_dict();
	unsigned int n = 0;

	for (unsigned int octave = 0; octave <= HISTOGRAM_OCTAVES && buckets != NULL; octave++) {
		uint64_t count = histogram_octave(histogram, octave);
		struct rte_tel_data *bucket = count > 0 ? new_dict() : NULL;
		char name[12];

		if (bucket == NULL)
			continue;
		put_uint(bucket, "le_us", (UINT64_C(1) << octave) - 1);
		put_uint(bucket, "count", count);
		snprintf(name, sizeof(name), "%u", n++);
		put_part(buckets, name, bucket);
	}
	return buckets;
}

static void
put_histogram(struct rte_tel_data *dict, const char *name, const struct histogram *histogram)
{
	struct rte_tel_data *part = new_dict();

	if (part == NULL)
		return;
	put_uint(part, "count", histogram->count);
	put_uint(part, "p50_us", histogram_percentile(histogram, 50));
	put_uint(part, "p99_us", histogram_percentile(histogram, 99));
	put_uint(part, "max_us", histogram->max_us);
	put_part(part, "buckets", buckets_of(histogram));
	put_part(dict, name, part);
}

int
latency_info(struct call *call)
{
	struct rte_tel_data *dict = call->data;
	struct msf_port *port;

	if (!arg_count(call, 1, 1, "port") || !arg_port(call, 0, &port))
		return 0;
	rte_tel_data_start_dict(dict);
	put_uint(dict, "port", port->conf.port_id);
	pthread_mutex_lock(&call->msf->lock);
	put_histogram(dict, "report", &port->latency.report);
	put_histogram(dict, "first_packet", &port->latency.first_packet);
	put_histogram(dict, "answer", &port->latency.answer);
	pthread_mutex_unlock(&call->msf->lock);
	return 0;
}
